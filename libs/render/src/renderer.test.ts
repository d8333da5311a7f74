import { join } from "node:path";
import type { Cache } from "@tiphys/cache";
import { systemClock } from "@tiphys/clock";
import { createRepositories, type Repositories } from "@tiphys/git";
import { createTestRepository, type TestRepository, temporaryDirectory } from "@tiphys/testing";
import { createRenderer, type DirectoryOptions, type RenderPool, renderInProcess } from "./index.js";

const configMap = (name: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n`;
const plain: DirectoryOptions = { recurse: false, include: "", exclude: "", disableExtensionFilter: false };

let folder: ReturnType<typeof temporaryDirectory>;
let source: TestRepository;
let repositories: Repositories;
let jobs: number;

const pool: RenderPool = {
  run(job) {
    jobs++;
    return renderInProcess.run(job);
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
  source = createTestRepository(join(folder.path, "source"));
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

const render = async (
  { path = "app", directory, noCache = false }: { path?: string; directory?: DirectoryOptions; noCache?: boolean } = {},
  renderer = createRenderer({ pool, cache: memoryCache() }),
) => {
  const repository = await repositories.open(source.url);
  const commit = await repository.resolve("main", 0);
  const rendered = await renderer.render({ repository, commit, path, directory, noCache });
  return { key: rendered.key, names: rendered.manifests.map((each) => JSON.parse(each.json).metadata.name as string) };
};

it("reads one folder, or all below it, through include and exclude", async () => {
  source.commit({
    "app/a.yaml": configMap("a"),
    "app/b.json": JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b" } }),
    "app/c.txt": configMap("c"),
    "app/deep/d.yml": configMap("d"),
    "app/deep/skip.yml": configMap("skip"),
  });
  expect((await render()).names).toEqual(["a", "b"]);
  expect((await render({ directory: { ...plain, recurse: true, exclude: "{deep/skip*,*.json}" } })).names).toEqual([
    "a",
    "d",
  ]);
  expect((await render({ directory: { ...plain, recurse: true, include: "*.yml" } })).names).toEqual(["d", "skip"]);
  expect((await render({ directory: { ...plain, disableExtensionFilter: true } })).names).toEqual(["a", "b", "c"]);
});

it("refuses a submodule below a folder that is read recursively, by its path", async () => {
  const commit = source.commit({ "app/a.yaml": configMap("a") });
  source.git("update-index", "--add", "--cacheinfo", `160000,${commit},app/vendor/lib`);
  source.git("commit", "--quiet", "--message", "a submodule");
  await expect(render({ directory: { ...plain, recurse: true } })).rejects.toThrow("submodule app/vendor/lib");
  expect((await render()).names).toEqual(["a"]);
});

it("renders again only what a commit touched, and once for many who ask", async () => {
  const renderer = createRenderer({ pool, cache: memoryCache() });
  source.commit({ "app/a.yaml": configMap("a"), "other/b.yaml": configMap("b") });
  const [first] = await Promise.all([render({}, renderer), render({}, renderer), render({}, renderer)]);
  expect(jobs).toBe(1);
  source.commit({ "other/b.yaml": configMap("b2") });
  expect((await render({}, renderer)).key).toBe(first?.key);
  expect(jobs).toBe(1);
  await render({ noCache: true }, renderer);
  expect(jobs).toBe(2);
  source.commit({ "app/a.yaml": configMap("a2") });
  expect((await render({}, renderer)).names).toEqual(["a2"]);
});

it.each<{ name: string; files: Record<string, string>; want: RegExp }>([
  { name: "a chart", files: { "app/Chart.yaml": "name: x\n" }, want: /Helm source .*not implemented/ },
  {
    name: "a kustomization",
    files: { "app/kustomization.yaml": "resources: []\n" },
    want: /Kustomize source .*not implemented/,
  },
  { name: "Jsonnet", files: { "app/x.jsonnet": "{}" }, want: /Jsonnet source .*not implemented/ },
  {
    name: "a source override",
    files: { "app/.argocd-source.yaml": "{}" },
    want: /\.argocd-source\.yaml.*not implemented/,
  },
  {
    name: "a bad manifest",
    files: { "app/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [}\n" },
    want: /^app\/x\.yaml:3/,
  },
])("refuses $name by name", async ({ files, want }) => {
  source.commit(files);
  await expect(render()).rejects.toThrow(want);
});

it("refuses paths that leave the repository", async () => {
  source.commit({ "app/a.yaml": configMap("a") });
  await expect(render({ path: "../x" })).rejects.toThrow(/spec\.source\.path/);
  await expect(render({ path: "/etc" })).rejects.toThrow(/spec\.source\.path/);
});
