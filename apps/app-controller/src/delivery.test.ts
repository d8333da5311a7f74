import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createHttpKubeClient, createInformers, type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { createKubeControllers } from "@tiphys/kube-controllers";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { type Application, applicationCrd, appProjectCrd, types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import {
  createSimulatedKubelet,
  describeWith,
  eventually,
  realClusterKubeconfig,
  workspaceRoot,
} from "@tiphys/testing";
import { type DeliveryLine, openDeliveryLine } from "./testdata/delivery-line.js";

const configMap = (name: string, data: Record<string, string> = { a: "1" }, annotations: Record<string, string> = {}) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name, annotations }, data });
const automated = { syncPolicy: { automated: { prune: true, selfHeal: true } } };
const synced = (revision?: string) => (app: Application) =>
  app.status?.sync?.status === "Synced" &&
  app.status.operationState?.phase === "Succeeded" &&
  (revision === undefined || app.status.sync.revision === revision);

function delivers(open: () => Promise<{ client: KubeClient; close(): Promise<void> }>): void {
  let cluster: Awaited<ReturnType<typeof open>>;
  let line: DeliveryLine;
  beforeAll(async () => {
    cluster = await open();
  });
  afterAll(() => cluster.close());
  beforeEach(async () => {
    line = await openDeliveryLine(cluster.client);
  });
  afterEach(() => line.close());
  const patch = (name: string, body: object) =>
    line.client.patch(types.applications, { namespace: line.control, name }, { type: "merge", body });

  it("brings an application from Git to Synced and Healthy, with history and tracking", async () => {
    const change = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const sha = line.commit(
      { "app/a.yaml": configMap("one"), "app/b.yaml": configMap("two"), "other/c.yaml": configMap("three") },
      `first\n\nTiphys-Change: ${change}\n`,
    );
    await line.create(line.shop, automated);
    const app = await line.reaches(line.shop, synced(sha));
    expect(app.status).toMatchObject({
      sync: { status: "Synced", revision: sha, comparedTo: { source: { path: "app" } } },
      health: { status: "Healthy" },
      sourceType: "Directory",
      history: [{ id: 0, revision: sha, source: { path: "app" }, initiatedBy: { automated: true } }],
      operationState: { phase: "Succeeded", message: "successfully synced (all tasks run)" },
      controllerNamespace: line.control,
    });
    expect(app.status?.resources).toMatchObject([
      { version: "v1", kind: "ConfigMap", name: "one", namespace: line.destination, status: "Synced" },
      { version: "v1", kind: "ConfigMap", name: "two", namespace: line.destination, status: "Synced" },
    ]);
    expect(app.metadata.annotations?.["tiphys.dev/change"]).toBe(change);
    const one = await line.object("v1", "ConfigMap", "one");
    expect(one?.metadata.annotations).toMatchObject({
      "argocd.argoproj.io/tracking-id": `${line.shop}:/ConfigMap:${line.destination}/one`,
      "tiphys.dev/change": change,
    });
    expect(one?.metadata.managedFields?.[0]?.manager).toBe("argocd-controller");
    expect(await line.object("v1", "ConfigMap", "three")).toBeUndefined();
  });

  it("follows commits: changes what changed, prunes what is gone, and marks only what it touched", async () => {
    const first = line.commit(
      { "app/a.yaml": configMap("one"), "app/b.yaml": configMap("two"), "app/c.yaml": configMap("gone") },
      "first\n\nTiphys-Change: 01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
    );
    await line.create(line.shop, automated);
    await line.reaches(line.shop, synced(first));
    const before = await line.object("v1", "ConfigMap", "two");
    const second = line.commit(
      { "app/a.yaml": configMap("one", { a: "2" }), "app/c.yaml": null },
      "second\n\nTiphys-Change: 01BX5ZZKBKACTAV9WEVGEMMVRZ\n",
    );
    const app = await line.reaches(line.shop, (each) => synced(second)(each) && each.status?.resources?.length === 2);
    expect(app.status?.history?.map((entry) => entry.revision)).toEqual([first, second]);
    const one = await line.object("v1", "ConfigMap", "one");
    expect(one?.["data"]).toEqual({ a: "2" });
    expect(one?.metadata.annotations?.["tiphys.dev/change"]).toBe("01BX5ZZKBKACTAV9WEVGEMMVRZ");
    expect((await line.object("v1", "ConfigMap", "two"))?.metadata.resourceVersion).toBe(
      before?.metadata.resourceVersion,
    );
    expect(await line.object("v1", "ConfigMap", "gone")).toBeUndefined();
    expect(app.status?.operationState?.syncResult?.resources).toMatchObject(
      expect.arrayContaining([expect.objectContaining({ name: "gone", status: "Pruned", message: "pruned" })]),
    );
  });

  it("heals drift, and reports it when selfHeal is off", async () => {
    const sha = line.commit({ "app/a.yaml": configMap("one", { a: "1", b: "1" }) });
    await line.create(line.shop, automated);
    await line.reaches(line.shop, synced(sha));
    const drift = () =>
      line.client.patch(
        types.configMaps,
        { namespace: line.destination, name: "one" },
        { type: "merge", body: { data: { a: "9", extra: "x" } } },
      );
    await drift();
    await eventually(async () => (await line.object("v1", "ConfigMap", "one"))?.["data"].a === "1");
    const healed = await line.reaches(line.shop, synced(sha));
    expect(healed.status?.operationState?.operation.sync).toMatchObject({
      autoHealAttemptsCount: 1,
      resources: [{ name: "one" }],
    });
    expect(healed.status?.history).toHaveLength(1);
    expect((await line.object("v1", "ConfigMap", "one"))?.["data"]).toEqual({ a: "1", b: "1", extra: "x" });

    await patch(line.shop, { spec: { syncPolicy: { automated: { selfHeal: false } } } });
    await drift();
    const out = await line.reaches(line.shop, (app) => app.status?.sync?.status === "OutOfSync");
    expect(out.status?.resources).toMatchObject([{ name: "one", status: "OutOfSync" }]);
  });

  it("syncs on request only, without automation, and keeps what is not to be pruned", async () => {
    line.commit({ "app/a.yaml": configMap("one"), "app/b.yaml": configMap("two") });
    await line.create(line.shop);
    const before = await line.reaches(line.shop, (app) => app.status?.sync?.status === "OutOfSync");
    expect(before.status?.resources).toMatchObject([{ status: "OutOfSync", health: { status: "Missing" } }, {}]);
    expect(await line.object("v1", "ConfigMap", "one")).toBeUndefined();
    await patch(line.shop, { operation: { sync: {}, initiatedBy: { username: "admin" } } });
    const after = await line.reaches(line.shop, synced());
    expect(after.operation).toBeUndefined();
    expect(after.status?.history).toMatchObject([{ initiatedBy: { username: "admin" } }]);
    line.commit({ "app/b.yaml": null });
    await line.reaches(line.shop, (app) => app.status?.resources?.some((each) => each.requiresPruning));
    await patch(line.shop, { operation: { sync: {} } });
    const kept = await line.reaches(line.shop, (app) =>
      app.status?.operationState?.syncResult?.resources?.some((each) => each.status === "PruneSkipped"),
    );
    expect(kept.status?.sync?.status).toBe("OutOfSync");
    expect(kept.status?.operationState?.syncResult?.resources).toMatchObject(
      expect.arrayContaining([expect.objectContaining({ name: "two", status: "PruneSkipped" })]),
    );
    expect(await line.object("v1", "ConfigMap", "two")).toBeDefined();
  });

  it("says what is wrong with a commit, and changes nothing", async () => {
    const good = line.commit({ "app/a.yaml": configMap("one"), "app/b.yaml": configMap("two") });
    await line.create(line.shop, automated);
    await line.reaches(line.shop, synced(good));
    line.commit({
      "app/a.yaml": configMap("one", { a: "2" }),
      "app/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two\n",
    });
    const broken = await line.reaches(line.shop, (app) => app.status?.sync?.status === "Unknown");
    expect(broken.status?.conditions).toMatchObject([
      { type: "ComparisonError", message: expect.stringMatching(/^Failed to load target state: app\/b\.yaml:\d+/) },
    ]);
    expect((await line.object("v1", "ConfigMap", "one"))?.["data"]).toEqual({ a: "1" });
    expect((await line.object("v1", "ConfigMap", "two"))?.["data"]).toEqual({ a: "1" });

    const field = line.commit({
      "app/a.yaml": configMap("one", { a: "3" }),
      "app/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\ndatta: {a: b}\n",
    });
    const refused = await line.reaches(
      line.shop,
      (app) =>
        app.status?.operationState?.syncResult?.revision === field &&
        app.status.operationState.finishedAt !== undefined,
    );
    expect(refused.status?.operationState?.syncResult?.resources).toMatchObject([
      { name: "two", status: "SyncFailed", message: expect.stringContaining("datta") },
    ]);
    expect(refused.status?.operationState?.message).toMatch(/Retrying attempt #1/);
    expect((await line.object("v1", "ConfigMap", "one"))?.["data"]).toEqual({ a: "1" });

    // The fix does not wait for the retries of its predecessor.
    const fixed = line.commit({ "app/b.yaml": configMap("two", { a: "4" }) });
    await line.reaches(line.shop, synced(fixed));
    expect((await line.object("v1", "ConfigMap", "two"))?.["data"]).toEqual({ a: "4" });
  });

  it.each([
    {
      name: "a missing repository",
      spec: (l: DeliveryLine) => ({ source: { repoURL: `${l.repository.url}-nothing`, path: "app" } }),
      want: /repository file:.* is not found/,
    },
    {
      name: "a missing revision",
      spec: (l: DeliveryLine) => ({ source: { repoURL: l.repository.url, path: "app", targetRevision: "nope" } }),
      want: /unable to resolve 'nope'/,
    },
    {
      name: "a missing path",
      spec: (l: DeliveryLine) => ({ source: { repoURL: l.repository.url, path: "nope" } }),
      want: /nope: app path does not exist/,
    },
    {
      name: "a missing project",
      spec: () => ({ project: "ghost" }),
      want: /Application referencing project ghost which does not exist/,
    },
    {
      name: "another cluster",
      spec: () => ({ destination: { server: "https://elsewhere", namespace: "x" } }),
      want: /cluster "https:\/\/elsewhere" not found/,
    },
    {
      name: "what is no chart",
      spec: (l: DeliveryLine) => ({ source: { repoURL: l.repository.url, path: "app", helm: { releaseName: "x" } } }),
      want: /Chart\.yaml file is missing/,
    },
  ])("names $name", async ({ spec, want }) => {
    line.commit({ "app/a.yaml": configMap("one") });
    await line.create(line.shop, { ...automated, ...spec(line) });
    const app = await line.reaches(line.shop, (each) => (each.status?.conditions?.length ?? 0) > 0);
    expect(app.status?.conditions?.[0]?.message).toMatch(want);
    expect(app.status?.sync?.status).toBe("Unknown");
  });

  it("walks waves and hooks, creates the namespace, and deletes what it made with the application", async () => {
    const deployed = `${line.destination}-new`;
    const sha = line.commit({
      "app/a.yaml": configMap("late", {}, { "argocd.argoproj.io/sync-wave": "2" }),
      "app/b.yaml": configMap("early", {}, { "argocd.argoproj.io/sync-wave": "-1" }),
      "app/c.yaml": configMap(
        "hook",
        {},
        { "argocd.argoproj.io/hook": "PreSync", "argocd.argoproj.io/hook-delete-policy": "HookSucceeded" },
      ),
    });
    await line.create(
      line.shop,
      {
        syncPolicy: { automated: {}, syncOptions: ["CreateNamespace=true"] },
        destination: { name: "in-cluster", namespace: deployed },
      },
      { finalizers: ["resources-finalizer.argocd.argoproj.io"] },
    );
    const app = await line.reaches(line.shop, synced(sha));
    expect(app.status?.operationState?.syncResult?.resources?.map((each) => each.name)).toEqual([
      deployed,
      "hook",
      "early",
      "late",
    ]);
    expect(app.status?.resources?.map((each) => each.name)).toEqual(["early", "late"]);
    const there = async () =>
      (await line.client.list(types.configMaps, { namespace: deployed })).items.map((each) => each.metadata.name);
    expect((await there()).filter((name) => name !== "kube-root-ca.crt")).toEqual(["early", "late"]);
    await line.client.delete(types.applications, { namespace: line.control, name: line.shop });
    await eventually(
      async () => !(await line.client.list(types.applications, { namespace: line.control })).items.length,
    );
    expect((await there()).filter((name) => name !== "kube-root-ca.crt")).toEqual([]);
    await line.client.delete(types.namespaces, { name: deployed });
  });
}

const embedded = async () => {
  const kube = await createEmbeddedKube({
    clock: systemClock(),
    random: randomBytes,
    log: silentLogger,
    crds: [applicationCrd, appProjectCrd],
  });
  return { client: kube.client(clusterAdmin), close: () => kube.stop() };
};

describeWith(["git"], "delivery that is killed", () => {
  it("finishes after a crash at any point, with one history entry and no hook run twice", async () => {
    const cluster = await embedded();
    const line = await openDeliveryLine(cluster.client);
    const stop = new AbortController();
    const hooks = new Map<string, number>();
    const watching = (async () => {
      for await (const event of cluster.client.watch(types.configMaps, { namespace: line.destination }, stop.signal)) {
        if (event.type !== "ADDED" || !event.object.metadata.name.startsWith("hook-")) continue;
        hooks.set(event.object.metadata.name, (hooks.get(event.object.metadata.name) ?? 0) + 1);
      }
    })();
    let killed = 0;
    for (let n = 0; ; n++) {
      const name = `${line.shop}-${n}`;
      const sha = line.repository.commit({
        [`kill-${n}/hook.yaml`]: configMap(`hook-${n}`, {}, { "argocd.argoproj.io/hook": "PreSync" }),
        [`kill-${n}/a.yaml`]: configMap(`a-${n}`),
        [`kill-${n}/b.yaml`]: configMap(`b-${n}`, {}, { "argocd.argoproj.io/sync-wave": "1" }),
      });
      let left = n;
      let died = false;
      await line.restart((point) => {
        if (left-- > 0) return;
        died = true;
        throw new Error(`killed at ${point}`);
      });
      const source = { repoURL: line.repository.url, path: `kill-${n}`, targetRevision: "main" };
      await line.create(name, { ...automated, source });
      await eventually(async () => died || synced(sha)(await line.app(name)));
      await line.restart();
      const app = await line.reaches(name, synced(sha));
      expect(app.status?.history).toHaveLength(1);
      expect([n, hooks.get(`hook-${n}`)]).toEqual([n, 1]);
      await line.client.delete(types.applications, { namespace: line.control, name });
      if (!died) break;
      killed++;
    }
    expect(killed).toBeGreaterThan(10);
    stop.abort();
    await watching;
    await line.close();
    await cluster.close();
  }, 60_000);
});

describeWith(["git"], "delivery of workloads", () => {
  it("runs a PreSync Job, waits for a Deployment before the next wave, and follows its health", async () => {
    const cluster = await embedded();
    const informers = createInformers({ client: cluster.client, clock: systemClock(), log: silentLogger });
    const parts = { informers, clock: systemClock(), log: silentLogger };
    const controllers = createKubeControllers({
      ...parts,
      metrics: noMetrics,
      journal: createMemoryJournal(),
      random: randomBytes,
    });
    const kubelet = createSimulatedKubelet({
      ...parts,
      nodes: ["node-1"],
      fate: (pod) =>
        pod.metadata.ownerReferences?.[0]?.kind === "Job" ? { exitCode: 0, endAfter: 50 } : { readyAfter: 300 },
    });
    await controllers.start();
    await kubelet.start();
    const line = await openDeliveryLine(cluster.client);
    const pod = (restartPolicy: string) => ({ restartPolicy, containers: [{ name: "main", image: "busybox" }] });
    const sha = line.commit({
      "app/job.yaml": JSON.stringify({
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: {
          name: "migrate",
          annotations: {
            "argocd.argoproj.io/hook": "PreSync",
            "argocd.argoproj.io/hook-delete-policy": "HookSucceeded",
          },
        },
        spec: { template: { spec: pod("Never") } },
      }),
      "app/web.yaml": JSON.stringify({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "web" },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: "web" } },
          template: { metadata: { labels: { app: "web" } }, spec: pod("Always") },
        },
      }),
      "app/late.yaml": configMap("late", {}, { "argocd.argoproj.io/sync-wave": "1" }),
    });
    const seen = new Set<string>();
    await line.create(line.shop, automated);
    const app = await line.reaches(line.shop, (each) => {
      seen.add(each.status?.operationState?.message ?? "");
      return synced(sha)(each) && each.status?.health?.status === "Healthy";
    });
    expect([...seen]).toEqual(expect.arrayContaining(["waiting for healthy state of apps/Deployment/web"]));
    expect(app.status?.operationState?.syncResult?.resources).toMatchObject([
      { name: "migrate", hookType: "PreSync", hookPhase: "Succeeded" },
      { name: "web", status: "Synced" },
      { name: "late", status: "Synced" },
    ]);
    expect(app.status?.summary?.images).toEqual(["busybox"]);
    await eventually(async () => (await line.object("batch/v1", "Job", "migrate")) === undefined);
    await line.close();
    await kubelet.stop();
    await controllers.stop();
    await informers.stop();
    await cluster.close();
  });
});

describeWith(["git"], "delivery on the embedded control plane", () => {
  delivers(embedded);
});

describeWith(["real-cluster", "git"], "delivery on a real control plane", () => {
  it("sees no difference in typical manifests that the server has completed", async () => {
    const connection = await loadKubeconfig({ path: realClusterKubeconfig() ?? "" });
    const client = createHttpKubeClient({ connection, log: silentLogger, clock: systemClock() });
    const line = await openDeliveryLine(client);
    try {
      const text = readFileSync(join(workspaceRoot(), "apps/app-controller/src/testdata/typical.yaml"), "utf8");
      const sha = line.commit({ "app/typical.yaml": text });
      await line.create(line.shop, { syncPolicy: { automated: {} } });
      const app = await line.reaches(line.shop, (each) => each.status?.operationState?.finishedAt !== undefined);
      expect(app.status?.operationState?.message).toBe("successfully synced (all tasks run)");
      expect(app.status?.resources?.filter((each) => each.status !== "Synced")).toEqual([]);
      expect(app.status?.sync).toMatchObject({ status: "Synced", revision: sha });
    } finally {
      await line.close();
      client.close();
    }
  });

  delivers(async () => {
    const connection = await loadKubeconfig({ path: realClusterKubeconfig() ?? "" });
    const client = createHttpKubeClient({ connection, log: silentLogger, clock: systemClock() });
    return { client, close: async () => client.close() };
  });
});
