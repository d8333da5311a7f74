import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin, nodePrincipal } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers } from "@tiphys/kube";
import { createKubeControllers } from "@tiphys/kube-controllers";
import { createEmbeddedKube, type EmbeddedKube } from "@tiphys/kube-embedded";
import { type KubeObject, keyOf } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { reachThrough } from "../reach.js";
import type { TestCluster } from "./node-scenarios.js";

/** The embedded API with its controllers, which asks the test's node for logs and streams. */
export async function embeddedCluster(crds: readonly KubeObject[] = []): Promise<TestCluster & { kube: EmbeddedKube }> {
  const clock = systemClock();
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log: silentLogger, crds });
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
  let remove = () => {};
  return {
    client,
    kube,
    nodeClient: (nodeName) => kube.client(nodePrincipal(nodeName)),
    serve(node, nodeName) {
      remove();
      const unregister = kube.registerNode(nodeName, node.kubelet);
      kube.registerNetwork(reachThrough(node.resolver()));
      const unregisterLogs = kube.registerLogSource(nodeName, (pod, options, signal) =>
        node.logs(keyOf(pod), options, signal),
      );
      remove = () => {
        unregister();
        unregisterLogs();
      };
    },
    async close() {
      await controllers.stop();
      await informers.stop();
      await kube.stop();
    },
  };
}
