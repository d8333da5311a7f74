import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { silentLogger } from "@tiphys/telemetry";
import { kubeClientContract } from "./contract.js";
import { createHttpKubeClient, loadKubeconfig } from "./index.js";

// The embedded server keeps RBAC objects and lets everybody do everything so far.
const lacks = ["authorization"] as const;
const embedded = () => createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger });

kubeClientContract(
  "embedded, in memory",
  async () => {
    const kube = await embedded();
    return { client: kube.client(clusterAdmin), close: () => kube.stop() };
  },
  { lacks },
);

kubeClientContract(
  "embedded, over HTTPS",
  async () => {
    const kube = await embedded();
    const served = await kube.listen({ host: "127.0.0.1", port: 0 });
    const connection = await loadKubeconfig({ text: served.kubeconfig });
    const client = createHttpKubeClient({ connection, log: silentLogger });
    return {
      client,
      async close() {
        client.close();
        await served.close();
        await kube.stop();
      },
    };
  },
  { lacks },
);
