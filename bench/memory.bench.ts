import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { clusterAdmin } from "@tiphys/identity";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { types } from "@tiphys/resources";
import { bench, inParallel, seconds } from "./harness.js";
import { endPodsOf } from "./leftovers.js";
import { residentMegabytes } from "./process-tree.js";
import { startSuite } from "./suite.js";
import { clock, configMap, createNamespace, inTemporaryFolder, log } from "./world.js";

const OBJECTS = 10_000;
const WIDTH = 64;
/** After the demo the suite has this long to become idle. */
const IDLE_MS = 5000;
const MB = 1024 * 1024;

const resident = () => {
  globalThis.gc?.();
  return process.memoryUsage().rss / MB;
};

/** The embedded API alone, with 10,000 ConfigMaps of 1 kB, and how fast it opens them again. */
const embeddedApi = () =>
  inTemporaryFolder(async (dir) => {
    const options = { dir: join(dir, "cluster"), clock, random: randomBytes, log };
    const kube = await createEmbeddedKube(options);
    const client = kube.client(clusterAdmin);
    await createNamespace(client, "many");
    const before = resident();
    const taken = await seconds(() =>
      inParallel(OBJECTS, WIDTH, (n) => client.create(types.configMaps, configMap("many", `c${n}`))),
    );
    const after = resident();
    await kube.stop();
    let again: Awaited<ReturnType<typeof createEmbeddedKube>> | undefined;
    const reopen = await seconds(async () => {
      again = await createEmbeddedKube(options);
    });
    await again?.stop();
    return {
      write_limit_per_second: OBJECTS / taken,
      api_rss_mb: after,
      api_bytes_per_object: ((after - before) * MB) / OBJECTS,
      api_reopen_seconds: reopen,
    };
  });

/** The whole suite after its demo, idle. */
const afterDemo = () =>
  inTemporaryFolder(async (data) => {
    const suite = await startSuite(["--data", data, "--port", "0"]);
    try {
      const ready = await suite.says("ready in");
      const done = await suite.says("demo done");
      const busy = await residentMegabytes(suite.pid);
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
      const { own, tree } = await residentMegabytes(suite.pid);
      return {
        demo_seconds: done - ready,
        suite_rss_at_end_of_demo_mb: busy.own,
        suite_rss_mb: own,
        suite_with_children_mb: tree,
      };
    } finally {
      await suite.stop();
      await endPodsOf(data);
    }
  });

await bench({
  name: "memory",
  isolated: true,
  run: async () => ({ ...(await embeddedApi()), ...(await afterDemo()) }),
});
