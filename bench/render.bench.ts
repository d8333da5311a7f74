// Sources of Applications through the renderer, its children and a Git mirror, beside the real programs.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cache } from "@tiphys/cache";
import { createRepositories, type Repository } from "@tiphys/git";
import { createRenderer, createRenderPool, type Renderer } from "@tiphys/render";
import type { ApplicationSource } from "@tiphys/resources";
import { createTestRepository } from "@tiphys/testing";
import { bench, inParallel, seconds } from "./harness.js";
import { childrenCpuMilliseconds, residentMegabytes } from "./process-tree.js";
import { clock, inTemporaryFolder, log } from "./world.js";

const programs = join(process.cwd(), ".cache", "programs");
const CHILDREN = 2;
const WIDTH = 8;
const COMMITS = 60;
const RENDERS = 600;
const CACHED = 500;

function readFolder(folder: string, prefix: string): Record<string, string> {
  return Object.assign(
    {},
    ...readdirSync(folder).map((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory()
        ? readFolder(path, `${prefix}${name}/`)
        : { [prefix + name]: readFileSync(path, "utf8") };
    }),
  );
}

/** Ten applications of a Deployment, a Service, a ConfigMap, a ServiceAccount and a Role each, under an overlay. */
function overlay(): Record<string, string> {
  const files: Record<string, string> = {};
  const meta = (name: string) => `metadata: {name: ${name}, labels: {app: ${name}}}\n`;
  for (let n = 0; n < 10; n++) {
    const name = `app-${n}`;
    files[`base/${name}.yaml`] = [
      `apiVersion: apps/v1\nkind: Deployment\n${meta(name)}spec:\n  replicas: 2\n  selector: {matchLabels: {app: ${name}}}\n  template:\n    metadata: {labels: {app: ${name}}}\n    spec:\n      serviceAccountName: ${name}\n      containers:\n      - name: web\n        image: nginx:1\n        envFrom: [{configMapRef: {name: ${name}}}]\n        resources: {limits: {cpu: 100m, memory: 64Mi}}\n`,
      `apiVersion: v1\nkind: Service\n${meta(name)}spec: {selector: {app: ${name}}, ports: [{port: 80, targetPort: 8080}]}\n`,
      `apiVersion: v1\nkind: ConfigMap\n${meta(name)}data: {A: "1", B: "two"}\n`,
      `apiVersion: v1\nkind: ServiceAccount\n${meta(name)}`,
      `apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\n${meta(name)}rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]\n`,
    ].join("---\n");
  }
  files["base/kustomization.yaml"] =
    `resources:\n${Array.from({ length: 10 }, (_, n) => `- app-${n}.yaml\n`).join("")}`;
  files["overlay/kustomization.yaml"] =
    "resources: [../base]\nnamespace: shop\nnamePrefix: prod-\nlabels: [{pairs: {env: prod}, includeSelectors: true}]\nimages: [{name: nginx, newTag: '2'}]\npatches: [{target: {kind: Deployment}, patch: '- {op: replace, path: /spec/replicas, value: 3}'}]\n";
  return files;
}

/** Milliseconds of one run of a program, its shortest of some: its processor time is not ours to read. */
function program(command: string, args: readonly string[]): number {
  return Math.min(
    ...Array.from({ length: 6 }, () => {
      const start = performance.now();
      const { status, stderr } = spawnSync(join(programs, command), args, { env: { HOME: "/nonexistent" } });
      if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`);
      return performance.now() - start;
    }),
  );
}

const memoryCache = (): Cache => {
  const entries = new Map<string, Uint8Array>();
  return {
    get: async (key) => entries.get(key),
    set: async (key, value) => void entries.set(key, value),
    delete: async (key) => void entries.delete(key),
    close: async () => {},
  };
};

/** What `work` takes, in seconds and in milliseconds of processor time, of this process and its children. */
async function cost(work: () => Promise<unknown>): Promise<{ seconds: number; cpu: number; own: number }> {
  const children = await childrenCpuMilliseconds(process.pid);
  const before = process.cpuUsage();
  const taken = await seconds(work);
  const used = process.cpuUsage(before);
  const own = (used.user + used.system) / 1000;
  return { seconds: taken, cpu: own + (await childrenCpuMilliseconds(process.pid)) - children, own };
}

await bench({
  name: "render",
  isolated: true,
  run: () =>
    inTemporaryFolder(async (dir) => {
      if (!existsSync(join(programs, "helm"))) throw new Error("node tools/programs.mjs puts the programs in place");
      const helm = spawnSync(join(programs, "helm"), ["create", join(dir, "web")], { env: { HOME: "/nonexistent" } });
      if (helm.status !== 0) throw new Error("helm create failed");
      const kustomized = overlay();
      for (const [path, text] of Object.entries(kustomized)) {
        mkdirSync(join(dir, "k", path, ".."), { recursive: true });
        writeFileSync(join(dir, "k", path), text);
      }
      const origin = createTestRepository(join(dir, "config"));
      const values = readFileSync(join(dir, "web", "values.yaml"), "utf8");
      origin.commit({ ...readFolder(join(dir, "web"), "web/"), ...kustomized });
      const repositories = createRepositories({
        directory: join(dir, "mirrors"),
        searchPath: process.env["PATH"] ?? "",
        clock,
      });
      const commits: string[] = [];
      for (let n = 0; n < COMMITS; n++) commits.push(origin.commit({ "web/values.yaml": `${values}\nround: ${n}\n` }));
      const pool = createRenderPool({
        worker: join(process.cwd(), "apps/repo-server/dist/render-worker.mjs"),
        size: CHILDREN,
        log,
      });
      const repository = await repositories.open(origin.url);
      const last = await repository.resolve("main", 0);
      const renderer = createRenderer({ pool, cache: memoryCache() });
      const render = async (on: Renderer, at: string, source: Omit<ApplicationSource, "repoURL">, appName: string) => {
        const revision = await (repository as Repository).resolve(at, 60_000);
        return on.render({
          source: { repoURL: origin.url, ...source },
          roots: { "": { kind: "folder", id: await repository.folder(revision, ""), objects: repository } },
          context: {
            appName,
            namespace: "shop",
            project: "default",
            revision,
            repoURL: origin.url,
            path: source.path ?? "",
            targetRevision: "main",
            kubeVersion: "v1.36.0",
            apiVersions: ["v1", "apps/v1", "apps/v1/Deployment"],
          },
          noCache: false,
        });
      };
      try {
        let n = 0;
        const chart = { path: "web" };
        const over = { path: "overlay" };
        const warm = (source: Omit<ApplicationSource, "repoURL">) =>
          inParallel(RENDERS, WIDTH, () => render(renderer, last, { ...source }, `app-${n++}`));
        // A chart asks for the application's name, so that each of these is a render; an overlay does not, so options differ.
        await warm(chart);
        const charts = await cost(() => warm(chart));
        const overlays = () =>
          inParallel(RENDERS / 2, WIDTH, () =>
            render(renderer, last, { ...over, kustomize: { nameSuffix: `-${n++}` } }, "app"),
          );
        await overlays();
        const kustomize = await cost(overlays);
        const fresh = await cost(() =>
          inParallel(COMMITS, WIDTH, (index) => render(renderer, commits[index] as string, chart, "app")),
        );
        const again = await cost(() =>
          inParallel(RENDERS, WIDTH, (index) => render(renderer, last, chart, `app-${index}`)),
        );
        const filled = createRenderer({ pool, cache: memoryCache() });
        await inParallel(CACHED, WIDTH, (index) => render(filled, last, chart, `app-${index}`));
        const { own, tree } = await residentMegabytes(process.pid);
        return {
          starter_warm_per_second: RENDERS / charts.seconds,
          starter_warm_cpu_ms: charts.cpu / RENDERS,
          starter_warm_parent_cpu_ms: charts.own / RENDERS,
          starter_new_commit_per_second: COMMITS / fresh.seconds,
          starter_new_commit_cpu_ms: fresh.cpu / COMMITS,
          starter_remembered_per_second: RENDERS / again.seconds,
          starter_remembered_cpu_ms: again.cpu / RENDERS,
          starter_helm_ms: program("helm", ["template", "web", join(dir, "web")]),
          overlay_50_warm_cpu_ms: kustomize.cpu / (RENDERS / 2),
          overlay_50_kubectl_ms: program("kubectl", ["kustomize", join(dir, "k", "overlay")]),
          rss_mb: own,
          rss_with_children_mb: tree,
        };
      } finally {
        await pool.stop();
        repositories.close();
        rmSync(join(dir, "k"), { recursive: true, force: true });
      }
    }),
});
