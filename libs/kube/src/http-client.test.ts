import { systemClock } from "@tiphys/clock";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, realClusterKubeconfig } from "@tiphys/testing";
import { kubeClientContract } from "./contract.js";
import { createHttpKubeClient, loadKubeconfig } from "./index.js";

describeWith(["real-cluster"], "over HTTP", () => {
  kubeClientContract("a real control plane", async () => {
    const connection = await loadKubeconfig({ path: realClusterKubeconfig() as string });
    const client = createHttpKubeClient({ connection, log: silentLogger, clock: systemClock() });
    return { client, close: async () => client.close() };
  });
});
