import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { KubeObject } from "@tiphys/resources";
import { eventually, workspaceRoot } from "@tiphys/testing";
import { build } from "esbuild";

const globSync = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder, { recursive: true }).map((path) => join(folder, String(path))) : [];

describe("node runtime in one bundled file", () => {
  const dir = mkdtempSync(join(tmpdir(), "tiphys-crash-"));
  const bundle = join(dir, "bundle.mjs");
  let child: ChildProcess | undefined;
  const pods = new Map<string, KubeObject>();
  const words: string[] = [];

  const start = () => {
    child = spawn(process.execPath, [bundle, dir], { stdio: ["ignore", "pipe", "pipe"] });
    child.stderr?.on("data", (text) => words.push(String(text)));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      words.push(line.slice(0, 200));
      if (!line.startsWith("{")) return;
      const pod = JSON.parse(line) as KubeObject;
      pods.set(pod.metadata.name, pod);
    });
  };
  const kill = async () => {
    const gone = new Promise((resolve) => child?.once("exit", resolve));
    child?.kill("SIGKILL");
    await gone;
    child = undefined;
  };
  const until = (what: (pod: KubeObject) => unknown) =>
    eventually(() => ["one", "two"].every((name) => pods.has(name) && what(pods.get(name)!)), {
      describe: () => words.slice(-8),
    });
  const outOf = (name: string) => join(dir, "node", "pods", pods.get(name)!.metadata.uid!, "volumes", "out");
  const runs = (name: string) => readFileSync(join(outOf(name), "runs"), "utf8");

  beforeAll(async () => {
    await build({
      entryPoints: [fileURLToPath(new URL("./testing/crash-entry.ts", import.meta.url))],
      outfile: bundle,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      absWorkingDir: workspaceRoot(),
      external: ["@kubernetes/client-node"],
      logLevel: "silent",
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    });
  });
  afterAll(async () => {
    if (child && child.exitCode === null) await kill();
    for (const file of globSync(join(dir, "node")).filter((path) => path.endsWith("/info"))) {
      const pid = Number(/"child-pid":\s*(\d+)/.exec(readFileSync(file, "utf8"))?.[1]);
      if (pid && !existsSync(file.replace(/info$/, "exit"))) process.kill(pid, "SIGKILL");
    }
    rmSync(dir, { recursive: true, force: true });
  });

  it("is killed twice: running pods go on, ended ones keep their exit code, nothing runs twice", async () => {
    start();
    await until((pod) => pod["status"]?.phase === "Running" && existsSync(join(outOf(pod.metadata.name), "runs")));
    await kill();
    // One ends while nobody looks, the other after we are back.
    writeFileSync(join(outOf("one"), "go"), "");
    await eventually(() => runs("one") === "begin\nend\n");
    start();
    await eventually(() => pods.get("one")?.["status"]?.phase === "Failed", { describe: () => words.slice(-8) });
    await kill();
    start();
    await eventually(() => words.at(-1) !== "created" && words.includes("created"));
    writeFileSync(join(outOf("two"), "go"), "");
    await until((pod) => pod["status"]?.phase === "Failed");
    for (const name of ["one", "two"]) {
      expect(pods.get(name)?.["status"].containerStatuses).toMatchObject([
        { restartCount: 0, state: { terminated: { exitCode: 4, reason: "Error" } } },
      ]);
      expect(runs(name)).toBe("begin\nend\n");
    }
  });
});
