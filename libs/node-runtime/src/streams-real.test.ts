import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createHttpKubeClient, loadKubeconfig } from "@tiphys/kube";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, realClusterKubeconfig } from "@tiphys/testing";
import { describeStreams } from "./testing/stream-scenarios.js";

// The API server turns kubectl's WebSockets into SPDY for the kubelet, and passes SPDY on as it is.
describeWith(["real-cluster", "kubectl", "bwrap"], "kubectl's streams through a real control plane", () =>
  describeStreams(async () => {
    const kubeconfig = realClusterKubeconfig()!;
    const client = createHttpKubeClient({ connection: await loadKubeconfig({ path: kubeconfig }), log: silentLogger });
    const clientCa = readFileSync(join(dirname(kubeconfig), "ca.crt"), "utf8");
    return { client, kubeconfig, kubeletPort: { port: 0, clientCa }, close: async () => client.close() };
  }, ["websocket", "spdy"]),
);
