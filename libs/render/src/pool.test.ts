import { join } from "node:path";
import type { Answer } from "@tiphys/child-process";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { silentLogger } from "@tiphys/telemetry";
import { temporaryDirectory, workspaceRoot } from "@tiphys/testing";
import { build } from "esbuild";
import { createRenderPool, type Question, type RenderContext, type RenderPool } from "./index.js";

const context: RenderContext = {
  appName: "shop",
  namespace: "prod",
  project: "default",
  revision: "",
  repoURL: "x",
  path: "",
  targetRevision: "",
  kubeVersion: "",
  apiVersions: [],
};

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

  /** Runs a directory source of these files, whose ids are their paths. */
  const run = async (files: Record<string, string>) => {
    const asked: Question[] = [];
    const answers = async (question: Question): Promise<Answer> => {
      asked.push(question);
      if (question.ask === "files") return { parts: question.ids.map((id) => Buffer.from(files[id] ?? "")) };
      return { data: [Object.keys(files).map((name) => ({ name, kind: "blob", id: name }))] };
    };
    const id = `top-${Object.keys(files).join()}`;
    const job = { source: { repoURL: "x", path: "" }, context, roots: { "": { kind: "folder", id } as const } };
    const result = await pool.run(job, { answers });
    return { asked, manifests: result.type === "Directory" ? result.manifests : [] };
  };

  it("ask for the files they need, and only once", async () => {
    const good = { "a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n" };
    const first = await run(good);
    expect(first.manifests).toEqual([
      { json: '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}', path: "a.yaml", line: 1 },
    ]);
    expect(first.asked.map(({ ask }) => ask)).toEqual(["folders", "files"]);
    expect(await run(good)).toEqual({ asked: [], manifests: first.manifests });
  });

  it("refuse with the error they would throw here", async () => {
    const broken = run({ "b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: [\n" });
    await expect(broken).rejects.toThrow(InvalidArgumentError);
    await expect(broken).rejects.toThrow(/^b\.yaml:/);
  });

  it("throw what the service answers with, where they asked", async () => {
    const job = { source: { repoURL: "x", path: "" }, context, roots: { "": { kind: "folder", id: "gone" } as const } };
    const answers = () => Promise.reject(new LimitExceededError("a file is larger than 10 bytes"));
    await expect(pool.run(job, { answers })).rejects.toThrow(LimitExceededError);
  });

  it("survive a bomb of aliases, at the cost of that one job", async () => {
    const levels = Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(10).fill(`*a${n}`).join(",")}]`);
    const bomb = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\na0: &a0 [1]\n${levels.join("\n")}\n`;
    await expect(run({ "bomb.yaml": bomb })).rejects.toThrow(LimitExceededError);
    expect((await run({ "README.md": "" })).manifests).toEqual([]);
  });
});
