import { symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Cache } from "@tiphys/cache";
import { systemClock } from "@tiphys/clock";
import { createRepositories, type Repositories } from "@tiphys/git";
import type { ApplicationSource } from "@tiphys/resources";
import { createTestRepository, type TestRepository, temporaryDirectory } from "@tiphys/testing";
import {
  createRenderer,
  type Outside,
  type OutsideFound,
  type RenderContext,
  type Renderer,
  type RenderPool,
  renderInProcess,
} from "./index.js";

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`;

let folder: ReturnType<typeof temporaryDirectory>;
let origin: TestRepository;
let repositories: Repositories;
let jobs: number;

const pool: RenderPool = {
  run(job, options) {
    jobs++;
    return renderInProcess.run(job, options);
  },
  stop: async () => {},
};
const memoryCache = (): Cache => {
  const entries = new Map<string, Uint8Array>();
  return {
    get: async (key) => entries.get(key),
    set: async (key, value) => void entries.set(key, value),
    delete: async (key) => void entries.delete(key),
    close: async () => {},
  };
};

beforeEach(() => {
  folder = temporaryDirectory();
  origin = createTestRepository(join(folder.path, "source"));
  repositories = createRepositories({
    directory: join(folder.path, "mirrors"),
    searchPath: process.env["PATH"] ?? "",
    clock: systemClock(),
  });
  jobs = 0;
});
afterEach(() => {
  repositories.close();
  folder.dispose();
});

interface Wanted extends Omit<Partial<ApplicationSource>, "repoURL"> {
  readonly noCache?: boolean;
  readonly context?: Partial<RenderContext>;
}

const render = async (
  { noCache = false, context = {}, ...source }: Wanted = {},
  renderer: Renderer = createRenderer({ pool, cache: memoryCache() }),
) => {
  const repository = await repositories.open(origin.url);
  const revision = await repository.resolve("main", 0);
  const own: ApplicationSource = { path: "app", ...source, repoURL: origin.url };
  const rendered = await renderer.render({
    source: own,
    roots: { "": { kind: "folder", id: await repository.folder(revision, ""), objects: repository } },
    context: {
      appName: "shop",
      namespace: "prod",
      project: "default",
      revision,
      repoURL: own.repoURL,
      path: own.path ?? "",
      targetRevision: "main",
      kubeVersion: "v1.35.0",
      apiVersions: ["v1"],
      ...context,
    },
    noCache,
  });
  const objects = rendered.manifests.map((each) => JSON.parse(each.json));
  return {
    key: rendered.key,
    type: rendered.sourceType,
    warnings: rendered.warnings,
    objects,
    names: objects.map((each) => each.metadata.name as string),
  };
};

it("reads one folder, or all below it, through include and exclude", async () => {
  origin.commit({
    "app/a.yaml": configMap("a"),
    "app/b.json": JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" } }),
    "app/c.txt": configMap("c"),
    "app/deep/d.yml": configMap("d"),
    "app/deep/skip.yml": configMap("skip"),
  });
  expect((await render()).names).toEqual(["a", "b"]);
  expect((await render({ directory: { recurse: true, exclude: "{deep/skip*,*.json}" } })).names).toEqual(["a", "d"]);
  expect((await render({ directory: { recurse: true, include: "*.yml" } })).names).toEqual(["d", "skip"]);
  expect((await render({ directory: { disableExtensionFilter: true } })).names).toEqual(["a", "b", "c"]);
});

it("refuses a submodule below a folder that is read recursively, by its path", async () => {
  const commit = origin.commit({ "app/a.yaml": configMap("a") });
  origin.git("update-index", "--add", "--cacheinfo", `160000,${commit},app/vendor/lib`);
  origin.git("commit", "--quiet", "--message", "a submodule");
  await expect(render({ directory: { recurse: true } })).rejects.toThrow("submodule app/vendor/lib");
  expect((await render()).names).toEqual(["a"]);
});

it("renders again only what a commit touched, and once for many who ask", async () => {
  const renderer = createRenderer({ pool, cache: memoryCache() });
  origin.commit({ "app/a.yaml": configMap("a"), "other/b.yaml": configMap("b") });
  const [first] = await Promise.all([render({}, renderer), render({}, renderer), render({}, renderer)]);
  expect(jobs).toBe(1);
  origin.commit({ "other/b.yaml": configMap("b2") });
  expect((await render({}, renderer)).key).toBe(first?.key);
  expect(jobs).toBe(1);
  await render({ noCache: true }, renderer);
  expect(jobs).toBe(2);
  origin.commit({ "app/a.yaml": configMap("a2") });
  expect((await render({}, renderer)).names).toEqual(["a2"]);
});

it("refuses a bad manifest with file and line", async () => {
  origin.commit({ "app/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [}\n" });
  await expect(render()).rejects.toThrow(/^app\/x\.yaml:3/);
});

it("refuses paths that leave the repository", async () => {
  origin.commit({ "app/a.yaml": configMap("a") });
  await expect(render({ path: "../x" })).rejects.toThrow(/spec\.source\.path/);
  await expect(render({ path: "/etc" })).rejects.toThrow(/spec\.source\.path/);
});

const chart = {
  "app/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
  "app/values.yaml": "name: web\n",
  "app/templates/a.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-{{ .Values.name }}"}
data: {text: {{ .Values.text | default "" | quote }}, file: {{ .Values.file | default "" | quote }}}
`,
};
const overlay = {
  "base/kustomization.yaml": "resources: [a.yaml]\n",
  "base/a.yaml": configMap("a"),
  "base/unused.yaml": configMap("unused"),
  "app/kustomization.yaml": "resources: [../base]\nnamePrefix: p-\n",
};
const program = {
  "app/main.jsonnet": "local lib = import '../lib/lib.libsonnet'; lib.of('a')",
  "lib/lib.libsonnet": "{ of(name): { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: name } } }",
};

it.each([
  { kind: "a chart", files: chart, want: ["shop-web"], within: "app/values.yaml", changed: "name: changed\n" },
  { kind: "an overlay", files: overlay, want: ["p-a"], within: "base/a.yaml", changed: configMap("changed") },
  {
    kind: "a Jsonnet program",
    files: program,
    want: ["a"],
    within: "lib/lib.libsonnet",
    changed: program["lib/lib.libsonnet"].replace("name: name", "name: name + '-changed'"),
  },
])("renders $kind once for all commits that do not touch what it read", async ({ files, want, within, changed }) => {
  const renderer = createRenderer({ pool, cache: memoryCache() });
  origin.commit({ ...files, "other/b.yaml": configMap("b") });
  const first = await render({}, renderer);
  expect(first.names).toEqual(want);
  origin.commit({ "other/b.yaml": configMap("b2"), "base/unused.yaml": configMap("u2"), "more/c.yaml": "" });
  expect((await render({}, renderer)).key).toBe(first.key);
  expect(jobs).toBe(1);
  origin.commit({ [within]: changed });
  const second = await render({}, renderer);
  expect(second.names[0]).toContain("changed");
  expect(jobs).toBe(2);
  // Back to what was there: remembered still.
  origin.commit({ [within]: files[within as keyof typeof files] as string });
  expect((await render({}, renderer)).key).toBe(first.key);
  expect(jobs).toBe(2);
});

it("renders again for a file that has come where none was, and for what a template asked of the application", async () => {
  const renderer = createRenderer({ pool, cache: memoryCache() });
  origin.commit(chart);
  const helm = { valueFiles: ["../env.yaml"], ignoreMissingValueFiles: true };
  expect((await render({ helm }, renderer)).names).toEqual(["shop-web"]);
  origin.commit({ "env.yaml": "name: env\n" });
  expect((await render({ helm }, renderer)).names).toEqual(["shop-env"]);
  expect((await render({ helm, context: { appName: "other" } }, renderer)).names).toEqual(["other-env"]);
  expect(jobs).toBe(3);
  // The project is not looked at, so it does not count; neither does the commit until it is.
  await render({ helm, context: { project: "elsewhere" } }, renderer);
  origin.commit({ "other.yaml": "" });
  await render({ helm }, renderer);
  expect(jobs).toBe(3);
  const asking = { parameters: [{ name: "text", value: "at $ARGOCD_APP_REVISION of $NOTHING in $$HOME" }] };
  const { objects } = await render({ helm: asking }, renderer);
  expect(objects[0].data.text).toMatch(/^at [0-9a-f]{40} of {2}in \$HOME$/);
  origin.commit({ "other.yaml": "a: b" });
  await render({ helm: asking }, renderer);
  expect(jobs).toBe(5);
});

it("remembers each of many applications of one chart", async () => {
  const renderer = createRenderer({ pool, cache: memoryCache() });
  origin.commit(chart);
  const names = Array.from({ length: 12 }, (_, n) => `app-${n}`);
  for (const appName of [...names, ...names]) await render({ context: { appName } }, renderer);
  expect(jobs).toBe(names.length);
});

it("shares one render of a plain folder among applications, until one has an override of its own", async () => {
  const renderer = createRenderer({ pool, cache: memoryCache() });
  origin.commit({ "app/a.yaml": configMap("a"), "app/b.txt": configMap("b") });
  await render({ context: { appName: "one" } }, renderer);
  await render({ context: { appName: "two", namespace: "elsewhere" } }, renderer);
  expect(jobs).toBe(1);
  origin.commit({
    "app/.argocd-source.yaml":
      "directory: {disableExtensionFilter: true, include: '{a.*,b.*}'}\nrepoURL: https://evil.example.com\n",
    "app/.argocd-source-two.yaml": "directory: {include: 'b.*'}\n",
  });
  expect((await render({ context: { appName: "one" } }, renderer)).names).toEqual(["a", "b"]);
  expect((await render({ context: { appName: "two" } }, renderer)).names).toEqual(["b"]);
});

it.each([
  {
    name: "values before parameters",
    helm: { values: "text: a", parameters: [{ name: "text", value: "b" }] },
    want: { text: "b" },
  },
  {
    name: "valuesObject instead of values",
    helm: { values: "text: a", valuesObject: { text: "o" } },
    want: { text: "o" },
  },
  {
    name: "commas of a parameter as they are",
    helm: { parameters: [{ name: "text", value: "a,b=c" }] },
    want: { text: "a,b=c" },
  },
  {
    name: "texts that look like numbers",
    helm: { parameters: [{ name: "text", value: "1", forceString: true }] },
    want: { text: "1" },
  },
  {
    name: "files as parameters",
    helm: { fileParameters: [{ name: "file", path: "/note,a.txt" }] },
    want: { file: "noted, a=b" },
  },
  {
    name: "files of globs, one of them in its own place",
    helm: { valueFiles: ["/env/**/*.yaml", "/env/a.yaml"] },
    want: { text: "a" },
  },
])("gives a chart $name", async ({ helm, want }) => {
  origin.commit({
    ...chart,
    "note,a.txt": "noted, a=b",
    "env/a.yaml": "text: a\n",
    "env/deep/z.yaml": "text: z\n",
    "env/link": "",
  });
  expect((await render({ helm })).objects[0].data).toMatchObject(want);
});

it.each([
  {
    name: "a value file that is missing",
    source: { helm: { valueFiles: ["none.yaml"] } },
    want: /valueFiles.*open none\.yaml: no such file/,
  },
  {
    name: "a glob without files",
    source: { helm: { valueFiles: ["none*.yaml"] } },
    want: /values file glob "none\*\.yaml" matched no files/,
  },
  {
    name: "a value file outside",
    source: { helm: { valueFiles: ["../../x.yaml"] } },
    want: /resolved to outside repository root/,
  },
  {
    name: "a value file of another scheme",
    source: { helm: { valueFiles: ["file:///etc/passwd"] } },
    want: /URL scheme 'file' is not allowed/,
  },
  {
    name: "two blocks",
    source: { helm: {}, kustomize: {} },
    want: /multiple application sources defined: Kustomize,Helm/,
  },
  { name: "a path that is not there", source: { path: "nope" }, want: /nope: app path does not exist/ },
])("refuses $name", async ({ source, want }) => {
  origin.commit(chart);
  await expect(render(source)).rejects.toThrow(want);
});

it("edits a kustomization as the application says, over what its file says", async () => {
  origin.commit({
    "app/kustomization.yaml":
      "resources: [pod.yaml]\nimages: [{name: nginx, newTag: '1'}, {name: other, newTag: '2'}]\ncommonLabels: {team: file}\n",
    "app/pod.yaml":
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: nginx}, {name: b, image: other}]}\n",
  });
  const images = ["nginx=registry.example.com:5000/web/nginx:*", "third@sha256:abc"];
  const kustomize = {
    images,
    nameSuffix: "-x",
    namespace: "ns",
    commonLabels: { team: "app" },
    forceCommonLabels: true,
  };
  const { objects, type } = await render({ kustomize });
  expect(type).toBe("Kustomize");
  expect(objects[0]).toMatchObject({
    metadata: { name: "p-x", namespace: "ns", labels: { team: "app" } },
    spec: { containers: [{ image: "registry.example.com:5000/web/nginx:1" }, { image: "other:2" }] },
  });
  await expect(render({ kustomize: { commonLabels: { team: "app" } } })).rejects.toThrow(
    "label team already in kustomization file",
  );
});

it("takes a version of kustomize that is registered, says which engine renders it, and refuses any other by name", async () => {
  origin.commit({ "app/kustomization.yaml": "resources: [a.yaml]\n", "app/a.yaml": configMap("a") });
  const renderer = createRenderer({ pool, cache: memoryCache() });
  const wanted = (kustomizeVersions: string[]) =>
    render({ kustomize: { version: "v4.5.7" }, context: { kustomizeVersions } }, renderer);
  await expect(wanted(["v3.5.4"])).rejects.toThrow("kustomize version v4.5.7 is not registered");
  for (const _ of ["rendered", "from the cache"]) {
    const { names, warnings } = await wanted(["v3.5.4", "v4.5.7"]);
    expect(names).toEqual(["a"]);
    expect(warnings).toEqual([
      {
        type: "NotImplementedWarning",
        message: expect.stringMatching(/^spec\.source\.kustomize\.version: v4\.5\.7 .* built-in engine/),
      },
    ]);
  }
  await expect(wanted([])).rejects.toThrow("is not registered");
});

it("asks for what a chart depends on with the credentials everywhere, where the source says passCredentials", async () => {
  const asked: unknown[] = [];
  const outside: Outside = {
    async chart(wanted) {
      asked.push(wanted.passCredentials);
      throw new Error("not there");
    },
  };
  const renderer = createRenderer({ pool, cache: memoryCache(), outside });
  origin.commit({
    ...chart,
    "app/Chart.yaml":
      "apiVersion: v2\nname: web\nversion: 0.1.0\ndependencies: [{name: a, version: 1.0.0, repository: 'https://charts.example'}]\n",
  });
  for (const helm of [{}, { passCredentials: true }]) {
    await expect(render({ helm }, renderer)).rejects.toThrow("not there");
  }
  expect(asked).toEqual([undefined, true]);
});

it("renders a chart again for other API versions only where its templates look at them", async () => {
  const renderer = createRenderer({ pool, cache: memoryCache() });
  const withVersions = (...apiVersions: string[]) => render({ context: { apiVersions } }, renderer);
  origin.commit(chart);
  await withVersions("v1");
  const before = jobs;
  await withVersions("v1", "example.com/v1");
  expect(jobs).toBe(before);
  origin.commit({
    "app/templates/has.yaml":
      '{{ if .Capabilities.APIVersions.Has "example.com/v1" }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: has}\n{{ end }}',
  });
  expect((await withVersions("v1")).names).not.toContain("has");
  expect((await withVersions("v1", "example.com/v1")).names).toContain("has");
  origin.commit({
    "app/templates/has.yaml":
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: all}\ndata: {a: {{ .Capabilities | toJson | quote }}}\n",
  });
  const all = async (...apiVersions: string[]) =>
    (await withVersions(...apiVersions)).objects.find(({ metadata }) => metadata.name === "all").data.a;
  expect(await all("v1")).not.toContain("example.com/v1");
  expect(await all("example.com/v1")).toContain("example.com/v1");
});

it("follows symbolic links inside the repository, and refuses those that leave it", async () => {
  origin.commit({ ...chart, "shared/values.yaml": "name: shared\n", "plain/a.yaml": configMap("a") });
  const link = (target: string, path: string) => {
    symlinkSync(target, join(folder.path, "source", path));
    origin.git("add", path);
    origin.git("commit", "--quiet", "--message", path);
  };
  link("../shared/values.yaml", "app/values-linked.yaml");
  link("../shared/none.yaml", "plain/dangling.yaml");
  link("a.yaml", "plain/b.yaml");
  link("plain", "same");
  expect((await render({ helm: { valueFiles: ["values-linked.yaml"] } })).names).toEqual(["shop-shared"]);
  expect((await render({ path: "plain" })).names).toEqual(["a", "a"]);
  expect((await render({ path: "same" })).names).toEqual(["a", "a"]);
  link("../../outside.yaml", "plain/out.yaml");
  await expect(render({ path: "plain" })).rejects.toThrow(/out-of-bounds symlinks.*plain\/out\.yaml/);
  link("/etc/passwd", "app/templates/etc.yaml");
  await expect(render()).rejects.toThrow(/out-of-bounds symlinks.*app\/templates\/etc\.yaml/);
  link("loop.yaml", "shared/loop.yaml");
  await expect(render({ path: "shared" })).rejects.toThrow(/too many levels of symbolic links/);
});

it("says which lookups are not there, by name", async () => {
  origin.commit({ "app/kustomization.yaml": "resources: ['https://example.com/base.git//x?ref=v1']\n" });
  await expect(render()).rejects.toThrow(/remote base https:\/\/example\.com\/base\.git.*not implemented/);
  origin.commit({ ...chart, "app/kustomization.yaml": null });
  await expect(render({ helm: { valueFiles: ["https://example.com/v.yaml"] } })).rejects.toThrow(/value file by URL/);
});

it("asks outside for bases and values, renders once for equal answers, and anew for others", async () => {
  let version = "1";
  const found = (files: Record<string, string>): OutsideFound => ({
    kind: "folder",
    id: `top-${version}`,
    version,
    objects: {
      entries: async () =>
        Object.keys(files).map((name) => ({ name, kind: "blob" as const, id: `${name}-${version}` })),
      blob: async (id) => Buffer.from(files[id.replace(/-\d+$/, "")] ?? ""),
    },
  });
  const renderer = createRenderer({
    pool,
    cache: memoryCache(),
    outside: {
      base: async () => found({ "kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": configMap(`v${version}`) }),
    },
  });
  origin.commit({ "app/kustomization.yaml": "resources: ['https://example.com/base.git//x?ref=v1']\n" });
  expect((await render({}, renderer)).names).toEqual(["v1"]);
  const before = jobs;
  await render({}, renderer);
  expect(jobs).toBe(before);
  version = "2";
  expect((await render({}, renderer)).names).toEqual(["v2"]);
});
