import { join } from "node:path";
import { createHttpKubeClient, loadKubeconfig } from "@tiphys/kube";
import { bench } from "./harness.js";
import { residentMegabytes } from "./process-tree.js";
import { startSuite } from "./suite.js";
import { inTemporaryFolder, log, writeLimit } from "./world.js";

/** From process start to "ready" of the whole suite without the demo, first on an empty folder, then once more on it. */
await bench({
  name: "cold-start",
  run: () =>
    inTemporaryFolder(async (data) => {
      const first = await startSuite(["--no-demo", "--data", data, "--port", "0"]);
      const firstReady = await first.says("ready in");
      await first.stop();
      const again = await startSuite(["--no-demo", "--data", data, "--port", "0"]);
      try {
        const ready = await again.says("ready in");
        const { own, tree } = await residentMegabytes(again.pid);
        const connection = await loadKubeconfig({ path: join(data, "kubeconfig") });
        const client = createHttpKubeClient({ connection, log });
        const limit = await writeLimit(client);
        client.close();
        return {
          write_limit_per_second: limit,
          first_ready_seconds: firstReady,
          ready_seconds: ready,
          rss_mb: own,
          rss_with_children_mb: tree,
        };
      } finally {
        await again.stop();
      }
    }),
});
