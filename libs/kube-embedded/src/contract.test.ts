import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createHttpKubeClient, loadKubeconfig } from "@tiphys/kube";
import { kubeClientContract } from "@tiphys/kube/contract";
import { silentLogger } from "@tiphys/telemetry";
import { createEmbeddedKube } from "./index.js";

const parts = { clock: systemClock(), random: randomBytes, log: silentLogger };
const lacks = ["authorization"] as const;

kubeClientContract(
  "embedded, in memory",
  async () => {
    const kube = await createEmbeddedKube(parts);
    return { client: kube.client(clusterAdmin), close: () => kube.stop() };
  },
  { lacks },
);

kubeClientContract(
  "embedded, durable, over HTTPS",
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "tiphys-kube-"));
    const kube = await createEmbeddedKube({ ...parts, dir });
    const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
    const client = createHttpKubeClient({ connection: await loadKubeconfig({ text: kubeconfig }), log: silentLogger });
    return {
      client,
      async close() {
        client.close();
        await kube.stop();
        await rm(dir, { recursive: true });
      },
    };
  },
  { lacks },
);
