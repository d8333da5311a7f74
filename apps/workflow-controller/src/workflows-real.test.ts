import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createHttpKubeClient, loadKubeconfig } from "@tiphys/kube";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, realClusterKubeconfig } from "@tiphys/testing";
import { describeWorkflows, type WorkflowCluster } from "./testing/scenarios.js";

async function realCluster(): Promise<WorkflowCluster> {
  const path = realClusterKubeconfig() as string;
  const client = createHttpKubeClient({ connection: await loadKubeconfig({ path }), log: silentLogger });
  const clientCa = readFileSync(join(dirname(path), "ca.crt"), "utf8");
  return { client, kubeletPort: { port: 0, clientCa }, close: async () => client.close() };
}

describeWith(["real-cluster"], "workflows on a real control plane", () => describeWorkflows(realCluster));
