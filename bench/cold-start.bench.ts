import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bench } from "./harness.js";
import { residentMegabytes } from "./process-tree.js";

/** From process start to "ready" of the whole suite without the demo, and what it then holds in memory. */
await bench({
  name: "cold-start",
  async run() {
    const data = await mkdtemp(join(tmpdir(), "bench-"));
    const start = performance.now();
    const child = spawn(process.execPath, ["tools/start.mjs", "--no-demo", "--data", data, "--port", "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await new Promise<void>((resolve, reject) => {
        let text = "";
        child.stdout.on("data", (chunk) => {
          text += chunk;
          if (text.includes("ready in")) resolve();
        });
        child.once("exit", (code) => reject(new Error(`the suite ended with ${code}: ${text}`)));
      });
      const ready = (performance.now() - start) / 1000;
      const { own, tree } = await residentMegabytes(child.pid ?? 0);
      return { ready_seconds: ready, rss_mb: own, rss_with_children_mb: tree };
    } finally {
      const exited = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGTERM");
      await exited;
      await rm(data, { recursive: true, force: true });
    }
  },
});
