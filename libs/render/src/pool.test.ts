import { join } from "node:path";
import type { Answer } from "@tiphys/child-process";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import type { ApplicationSource } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { temporaryDirectory, workspaceRoot } from "@tiphys/testing";
import { build } from "esbuild";
import { createRenderPool, type Entry, type Question, type RenderContext, type RenderPool } from "./index.js";

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
    pool = createRenderPool({ worker, size: 1, deadline: 4_000, log: silentLogger });
  });
  afterAll(async () => {
    await pool.stop();
    folder.dispose();
  });

  /** Runs a source of these files, whose ids are their contents. */
  const run = async (files: Record<string, string>, source: Partial<ApplicationSource> = {}) => {
    const asked: Question[] = [];
    const answers = async (question: Question): Promise<Answer> => {
      asked.push(question);
      if (question.ask === "files") return { parts: question.ids.map((id) => Buffer.from(id.slice(1))) };
      if (question.ask !== "folders") return {};
      return { data: question.ids.map((id) => folderAt(files, id.slice(0, id.indexOf("\0")))) };
    };
    const id = `\0${JSON.stringify(files)}`;
    const job = {
      source: { repoURL: "x", path: "", ...source },
      context,
      roots: { "": { kind: "folder", id } as const },
    };
    const result = await pool.run(job, { answers });
    return { asked, manifests: "manifests" in result ? result.manifests : [] };
  };
  const folderAt = (files: Record<string, string>, folder: string): Entry[] => {
    const entries = new Map<string, Entry>();
    for (const [path, content] of Object.entries(files)) {
      if (!path.startsWith(folder)) continue;
      const [name = "", ...rest] = path.slice(folder.length).split("/");
      const inside = `${folder}${name}/\0${JSON.stringify(files)}`;
      entries.set(
        name,
        rest.length > 0 ? { name, kind: "tree", id: inside } : { name, kind: "blob", id: `=${content}` },
      );
    }
    return [...entries.values()];
  };
  const chart = (template: string, more: Record<string, string> = {}): Record<string, string> => ({
    "Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "templates/a.yaml": template,
    ...more,
  });

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

  it("have a stack for a thousand templates that include one another, and end what is deeper with the reason", async () => {
    const down = (levels: number) =>
      chart(`{{ define "down" }}{{ if gt (int .) 0 }}{{ include "down" (sub (int .) 1) }}{{ else }}ok{{ end }}{{ end -}}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ include "down" ${levels} }}}
`);
    expect((await run(down(990))).manifests[0]?.json).toContain('"name":"ok"');
    await expect(run(down(1200))).rejects.toThrow(/nested reference name: down/);
  });

  const fanOut = (levels: number, width: number) =>
    Array.from({ length: levels }, (_, n) => `a${n + 1}: [${Array(width).fill(`self.a${n}`).join(", ")}]`).join(",\n");
  it.each<{ name: string; files: Record<string, string>; source?: Partial<ApplicationSource>; want: RegExp }>([
    {
      name: "a chart that allocates",
      files: chart('{{ $l := list "x" }}{{ range until 64 }}{{ $l = concat $l $l }}{{ end }}'),
      want: /templates\/a\.yaml|needed more than its \d+ MiB/,
    },
    {
      name: "a chart that calls tpl for ever",
      files: chart('{{ define "t" }}{{ tpl "{{ include \\"t\\" . }}" . }}{{ end }}{{ include "t" . }}'),
      want: /nested reference name|steps|too deeply/,
    },
    {
      name: "a chart that writes a hundred megabytes",
      files: chart(
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {{ range until 3000 }}{{ printf "%40000d" 1 }}{{ end }}',
      ),
      want: /larger|longer|needed more than its \d+ MiB/,
    },
    {
      name: "a values schema that multiplies",
      files: chart("", {
        "values.yaml": "a: x\n",
        "values.schema.json": `{"definitions":{"d0":{"type":"string"},${Array.from(
          { length: 26 },
          (_, n) =>
            `"d${n + 1}":{"allOf":[{"$ref":"#/definitions/d${n}"},{"$ref":"#/definitions/d${n}"},{"$ref":"#/definitions/d${n}"}]}`,
        ).join(",")}},"properties":{"a":{"$ref":"#/definitions/d26"}}}`,
      }),
      want: /values\.schema\.json|did not end within|needed more than its \d+ MiB/,
    },
    {
      name: "a kustomization that multiplies",
      files: {
        "kustomization.yaml": "resources: [l9]\n",
        ...Object.fromEntries(
          Array.from({ length: 10 }, (_, n) => [
            `l${n}/kustomization.yaml`,
            n === 0
              ? "configMapGenerator: [{name: a, literals: [a=b]}]\n"
              : `resources: [${["p", "q", "r", "s"].map((name) => `${name}`).join(", ")}]\n`,
          ]),
        ),
        ...Object.fromEntries(
          Array.from({ length: 9 }, (_, n) =>
            ["p", "q", "r", "s"].map((name) => [
              `l${n + 1}/${name}/kustomization.yaml`,
              `namePrefix: ${name}-\nresources: [../../l${n}]\n`,
            ]),
          ).flat(),
        ),
      },
      want: /more than 10000 resources|needed more than its \d+ MiB|did not end within/,
    },
    {
      name: "a Jsonnet program that multiplies",
      files: { "a.jsonnet": `{ a0:: "x", ${fanOut(12, 10).replaceAll(": [", ":: [")}, b: self.a12 }` },
      want: /steps|evaluation|limit|did not end within|needed more than its \d+ MiB/,
    },
    {
      name: "a Jsonnet program that makes texts",
      files: { "a.jsonnet": "local d(s, n) = if n == 0 then s else d(s + s, n - 1); d('xxxxxxxxxx', 40)" },
      want: /longer|limit|allocat|needed more than its \d+ MiB/,
    },
  ])("live on, and say why, when they are given $name", async ({ files, source, want }) => {
    await expect(run(files, source)).rejects.toThrow(want);
    expect((await run({ "README.md": "" })).manifests).toEqual([]);
  });
});
