import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createHttpKubeClient, loadKubeconfig } from "@tiphys/kube";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, realClusterKubeconfig } from "@tiphys/testing";
import { describeImages } from "./testing/image-scenarios.js";
import { describeLifecycle } from "./testing/lifecycle-scenarios.js";
import type { TestCluster } from "./testing/node-scenarios.js";
import { describeNode } from "./testing/runtime-scenarios.js";

async function realCluster(): Promise<TestCluster> {
  const path = realClusterKubeconfig()!;
  const client = createHttpKubeClient({ connection: await loadKubeconfig({ path }), log: silentLogger });
  const clientCa = readFileSync(join(dirname(path), "ca.crt"), "utf8");
  return { client, kubeletPort: { port: 0, clientCa }, close: async () => client.close() };
}

describeWith(["real-cluster"], "node runtime with unshare on a real control plane", () =>
  describeNode(realCluster, { sandbox: "unshare" }),
);
describeWith(["real-cluster", "bwrap"], "node runtime on a real control plane", () =>
  describeNode(realCluster, { sandbox: "bubblewrap" }),
);
describeWith(["real-cluster", "bwrap", "docker-registry"], "images on a real control plane", () =>
  describeImages(realCluster),
);
describeWith(["real-cluster", "bwrap"], "pods' lives on a real control plane", () => describeLifecycle(realCluster));
