import { join } from "node:path";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { silentLogger } from "@tiphys/telemetry";
import { temporaryDirectory, workspaceRoot } from "@tiphys/testing";
import { build } from "esbuild";
import { createRenderPool, type RenderPool } from "./index.js";

describe("render children", () => {
  const folder = temporaryDirectory();
  let pool: RenderPool;
  beforeAll(async () => {
    const worker = join(folder.path, "render-worker.mjs");
    await build({
      entryPoints: [join(workspaceRoot(), "libs/render/src/worker.ts")],
      bundle: true,
      platform: "node",
      format: "esm",
      outfile: worker,
      logLevel: "silent",
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    });
    pool = createRenderPool({ worker, size: 1, log: silentLogger });
  });
  afterAll(async () => {
    await pool.stop();
    folder.dispose();
  });

  it("render, and refuse with the error they would throw here", async () => {
    const good = { path: "a.yaml", text: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n" };
    const { manifests } = await pool.run({ type: "directory", files: [good] });
    expect(manifests).toEqual([
      { json: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}', path: "a.yaml", line: 1 },
    ]);
    const broken = pool.run({ type: "directory", files: [{ path: "b.yaml", text: `${good.text}data: [\n` }] });
    await expect(broken).rejects.toThrow(InvalidArgumentError);
    await expect(broken).rejects.toThrow(/^b\.yaml:/);
  });

  it("survive a bomb of aliases, at the cost of that one job", async () => {
    const levels = Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`).join(",")}]`);
    const bomb = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\na0: &a0 [1]\n${levels.join("\n")}\n`;
    await expect(pool.run({ type: "directory", files: [{ path: "bomb.yaml", text: bomb }] })).rejects.toThrow(
      LimitExceededError,
    );
    const after = await pool.run({ type: "directory", files: [] });
    expect(after.manifests).toEqual([]);
  });
});
