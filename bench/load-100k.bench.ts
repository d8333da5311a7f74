import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { clusterAdmin, pooledRandom } from "@tiphys/identity";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { types } from "@tiphys/resources";
import { bench, inParallel, seconds } from "./harness.js";
import { clock, configMap, createNamespace, inTemporaryFolder, log } from "./world.js";

// 100,000 ConfigMaps of 1 kB: written through the API in this process to disk, then opened by a new process.

const OBJECTS = 100_000;
const WIDTH = 256;
const OPEN = "--open";
const MB = 1024 * 1024;

const optionsFor = (dir: string) => ({ dir, clock, random: pooledRandom(randomBytes), log });

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

async function open(dir: string): Promise<Record<string, number>> {
  const before = cpuSeconds();
  let kube: Awaited<ReturnType<typeof createEmbeddedKube>> | undefined;
  const taken = await seconds(async () => {
    kube = await createEmbeddedKube(optionsFor(dir));
  });
  const cpu = cpuSeconds() - before;
  const { items } = (await kube?.client(clusterAdmin).list(types.configMaps, { namespace: "many" })) ?? { items: [] };
  const found = items.filter(({ metadata }) => metadata.name.startsWith("c")).length;
  if (found !== OBJECTS) throw new Error(`${found} objects were found again, not ${OBJECTS}`);
  globalThis.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  await kube?.stop();
  return { open_seconds: taken, open_cpu_seconds: cpu, open_rss_mb: rss / MB, open_heap_mb: heapUsed / MB };
}

if (process.argv.includes(OPEN)) {
  process.stdout.write(JSON.stringify(await open(process.argv[process.argv.indexOf(OPEN) + 1] ?? "")));
} else {
  await bench({
    name: "load-100k",
    isolated: true,
    run: () =>
      inTemporaryFolder(async (folder) => {
        const dir = join(folder, "cluster");
        const kube = await createEmbeddedKube(optionsFor(dir));
        const client = kube.client(clusterAdmin);
        await createNamespace(client, "many");
        const before = cpuSeconds();
        const creating = await seconds(() =>
          inParallel(OBJECTS, WIDTH, (n) => client.create(types.configMaps, configMap("many", `c${n}`))),
        );
        const cpu = cpuSeconds() - before;
        await kube.stop();
        const child = spawnSync(process.execPath, ["--expose-gc", process.argv[1] ?? "", OPEN, dir], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        return { create_seconds: creating, create_cpu_seconds: cpu, ...JSON.parse(child.stdout.toString()) };
      }),
  });
}
