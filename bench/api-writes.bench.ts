import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createHttpKubeClient, type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { type KubeObject, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { bench, inParallel, seconds } from "./harness.js";

const WRITES = 2_000;
const WIDTH = 64;
const log = silentLogger;
const clock = systemClock();

const configMap = (namespace: string, name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace, name },
  data: { text: "x".repeat(900) },
});

async function creates(client: KubeClient, namespace: string): Promise<number> {
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  const taken = await seconds(() =>
    inParallel(WRITES, WIDTH, (n) => client.create(types.configMaps, configMap(namespace, `c${n}`))),
  );
  await client.delete(types.namespaces, { name: namespace });
  return WRITES / taken;
}

/** Durable creates per second: the embedded API in memory and over HTTPS, and the real one where a kubeconfig names it. */
await bench({
  name: "api-writes",
  async run(index) {
    const dir = await mkdtemp(join(tmpdir(), "bench-"));
    const kube = await createEmbeddedKube({ dir, clock, random: randomBytes, log });
    const figures: Record<string, number> = {};
    try {
      figures["embedded_creates_per_second"] = await creates(kube.client(clusterAdmin), "memory");
      const listener = await kube.listen({ host: "127.0.0.1", port: 0 });
      const overHttps = createHttpKubeClient({ connection: await loadKubeconfig({ text: listener.kubeconfig }), log });
      figures["embedded_https_creates_per_second"] = await creates(overHttps, "https");
      overHttps.close();
      await listener.close();
    } finally {
      await kube.stop();
      await rm(dir, { recursive: true, force: true });
    }
    const real = process.env["TIPHYS_REAL_KUBECONFIG"];
    if (real) {
      const client = createHttpKubeClient({ connection: await loadKubeconfig({ path: real }), log });
      figures["real_creates_per_second"] = await creates(client, `bench-${process.pid}-${index}`);
      figures["embedded_https_to_real_ratio"] =
        (figures["embedded_https_creates_per_second"] ?? 0) / figures["real_creates_per_second"];
      client.close();
    }
    return figures;
  },
});
