import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createTestRepository, describeWith, eventually, type TestRepository, workspaceRoot } from "@tiphys/testing";
import { kubectlOf } from "./support/kubectl.js";
import { dataFolder, type Suite, startSuite } from "./support/suite.js";

const run = promisify(execFile);
const SERVER = `require("http").createServer((q, s) => s.end("from " + process.env.HOSTNAME)).listen(process.env.PORT ?? 8080)`;
const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "shop" },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: "shop" } },
    template: {
      metadata: { labels: { app: "shop" } },
      spec: {
        containers: [
          { name: "main", image: "node:20", command: ["node", "-e", SERVER], ports: [{ containerPort: 8080 }] },
        ],
      },
    },
  },
};
const application = (repository: TestRepository, cluster: string) => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Application",
  metadata: { name: `shop-${cluster}`, namespace: "argocd", finalizers: ["resources-finalizer.argocd.argoproj.io"] },
  spec: {
    project: "default",
    source: { repoURL: repository.url, path: "app", targetRevision: "main" },
    destination: { name: cluster, namespace: "shop" },
    syncPolicy: { automated: { prune: true }, syncOptions: ["CreateNamespace=true"] },
  },
});

describeWith(["git", "kubectl"], "Given npm start with --clusters 3", () => {
  let folder: Awaited<ReturnType<typeof dataFolder>>;
  let data: string;
  let suite: Suite;
  let repository: TestRepository;
  beforeAll(async () => {
    folder = await dataFolder();
    data = join(folder.path, "state");
    repository = createTestRepository(join(folder.path, "config"));
    repository.commit({ "app/deployment.json": JSON.stringify(deployment), "app/kustom.txt": "not a manifest" });
    suite = startSuite({ data, args: ["--no-demo", "--clusters", "3"] });
    await suite.ready();
  });
  afterAll(async () => {
    await suite.stop();
    await folder[Symbol.asyncDispose]();
  });
  const kubectl = (context: string, ...args: string[]) => kubectlOf(data)(["--context", context, ...args]);
  const get = async (context: string, what: string) => kubectlOf(data).get(`${what} --context ${context}`);

  it("Then each cluster has its own API and node, and contexts in one kubeconfig", async () => {
    expect((await kubectl("tiphys", "config", "get-contexts", "-o", "name")).output.trim().split("\n").sort()).toEqual([
      "cluster-2",
      "cluster-3",
      "tiphys",
    ]);
    for (const [context, node] of [
      ["tiphys", "tiphys-local"],
      ["cluster-2", "tiphys-cluster-2"],
      ["cluster-3", "tiphys-cluster-3"],
    ] as const) {
      const nodes = await get(context, "nodes");
      expect(nodes.map(({ metadata }) => metadata.name)).toEqual([node]);
    }
    expect(suite.output()).toMatch(/cluster cluster-3 at https:\/\/127\.0\.0\.1:\d+/);
  });

  it("When an Application names one of them, Then its pods run there and nowhere else", async () => {
    for (const cluster of ["cluster-2", "cluster-3"]) {
      const { code, output } = await kubectlOf(data)(
        ["apply", "-f", "-"],
        JSON.stringify(application(repository, cluster)),
      );
      expect({ code, output }).toMatchObject({ code: 0 });
    }
    for (const cluster of ["cluster-2", "cluster-3"]) {
      await eventually(
        async () => {
          const app = await kubectlOf(data).one(`application shop-${cluster} -n argocd`);
          return app["status"]?.sync?.status === "Synced" && app["status"]?.health?.status === "Healthy";
        },
        { limit: 60_000 },
      );
      const pods = await get(cluster, "pods -n shop");
      expect(pods.map((pod) => pod["status"].phase)).toEqual(["Running", "Running"]);
    }
    expect(await get("tiphys", "deployments -A")).toEqual([]);
  });

  it("When one of them is written to a file, Then another data folder can be made of it", async () => {
    const file = join(folder.path, "two.snapshot");
    const tiphys = (...args: string[]) =>
      run(process.execPath, [join(workspaceRoot(), "bin/tiphys.mjs"), ...args], { timeout: 60_000 });
    const { stdout } = await tiphys("cluster", "snapshot", file, "--data", data, "--cluster", "cluster-2");
    expect(stdout).toMatch(/two\.snapshot: \d+ objects at revision \d+/);
    const other = join(folder.path, "other");
    expect((await tiphys("cluster", "restore", file, "--data", other)).stdout).toMatch(/restored \d+ objects/);
    const second = startSuite({ data: other, args: ["--no-demo"] });
    try {
      await second.ready();
      const found = await kubectlOf(other).one("deployment shop -n shop");
      expect(found["spec"].replicas).toBe(2);
    } finally {
      await second.stop();
    }
  });

  it("When it starts again without the option, Then all three are there, and what is deleted goes there", async () => {
    expect(await suite.stop()).toMatchObject({ code: 0 });
    suite = startSuite({ data, args: ["--no-demo"] });
    await suite.ready();
    expect(existsSync(join(data, "clusters/cluster-3/kubeconfig"))).toBe(true);
    const { code } = await kubectl(
      "tiphys",
      "delete",
      "application",
      "shop-cluster-3",
      "-n",
      "argocd",
      "--timeout=30s",
    );
    expect(code).toBe(0);
    expect(await get("cluster-3", "deployments -n shop")).toEqual([]);
    expect(await get("cluster-2", "deployments -n shop")).toHaveLength(1);
  });
});
