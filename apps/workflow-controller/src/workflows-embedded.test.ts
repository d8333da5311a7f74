import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers } from "@tiphys/kube";
import { createKubeControllers } from "@tiphys/kube-controllers";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { describeWorkflows, type WorkflowCluster, workflowCrds } from "./testing/scenarios.js";

async function embeddedCluster(): Promise<WorkflowCluster> {
  const clock = systemClock();
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log: silentLogger, crds: workflowCrds });
  const client = kube.client(clusterAdmin);
  const informers = createInformers({ client, clock, log: silentLogger });
  const controllers = createKubeControllers({
    informers,
    clock,
    log: silentLogger,
    metrics: noMetrics,
    journal: createMemoryJournal(),
    random: randomBytes,
  });
  await controllers.start();
  return {
    client,
    serve(node, nodeName) {
      kube.registerLogSource(nodeName, (pod, options, signal) =>
        node.logs({ namespace: pod.metadata.namespace ?? "", name: pod.metadata.name }, options, signal),
      );
    },
    async close() {
      await controllers.stop();
      await informers.stop();
      await kube.stop();
    },
  };
}

describe("workflows on the embedded cluster", () => describeWorkflows(embeddedCluster, { crashes: 15 }));
