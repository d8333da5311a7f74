import { join } from "node:path";
import type { Cache } from "@tiphys/cache";
import { systemClock } from "@tiphys/clock";
import { createRepositories, type Repositories } from "@tiphys/git";
import type { ApplicationSource } from "@tiphys/resources";
import { createTestRepository, type TestRepository, temporaryDirectory } from "@tiphys/testing";
import { createRenderer, type RenderContext, type Renderer, type RenderPool, renderInProcess } from "./index.js";

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
