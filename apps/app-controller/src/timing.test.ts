import { randomBytes } from "node:crypto";
import { type VirtualClock, virtualClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createEmbeddedKube, type EmbeddedKube } from "@tiphys/kube-embedded";
import { type Application, applicationCrd, appProjectCrd, type KubeObject, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, eventually } from "@tiphys/testing";
import { type DeliveryLine, openDeliveryLine } from "./testdata/delivery-line.js";

const configMap = (name: string, data: Record<string, string> = { a: "1" }) =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
const automated = { syncPolicy: { automated: { prune: true, selfHeal: true } } };
const synced = (revision: string) => (app: Application) =>
  app.status?.sync?.status === "Synced" &&
  app.status.operationState?.phase === "Succeeded" &&
  app.status.sync.revision === revision;

describeWith(["git"], "delivery on a clock that stands still until told", () => {
  let clock: VirtualClock;
  let kube: EmbeddedKube;
  let line: DeliveryLine;
  beforeEach(async () => {
    clock = virtualClock(new Date("2030-01-01T00:00:00Z"));
    kube = await createEmbeddedKube({
      clock,
      random: randomBytes,
      log: silentLogger,
      crds: [applicationCrd, appProjectCrd],
    });
    line = await openDeliveryLine(kube.client(clusterAdmin), { clock });
  });
  afterEach(async () => {
    await line.close();
    await kube.stop();
  });

  const revision = async () => (await line.app(line.shop)).status?.sync?.revision;
  const patch = (body: object) =>
    line.client.patch(types.applications, { namespace: line.control, name: line.shop }, { type: "merge", body });
  const argocdCm = (data: Record<string, string>) =>
    line.client.create(types.configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "argocd-cm", namespace: line.control },
      data,
    });
  const data = async (name: string) =>
    ((await line.object("v1", "ConfigMap", name)) as KubeObject | undefined)?.["data"];

  it("asks the repository again after two minutes and at most one more, and not before", async () => {
    const first = line.commit({ "app/a.yaml": configMap("one") });
    await line.create(line.shop, automated);
    await line.reaches(line.shop, synced(first));
    const second = line.repository.commit({ "app/a.yaml": configMap("one", { a: "2" }) });
    await clock.advance(115_000);
    expect(await revision()).toBe(first);
    await clock.advance(70_000);
    await line.reaches(line.shop, synced(second));
    expect(await data("one")).toEqual({ a: "2" });
  });

  it("asks as often as timeout.reconciliation of argocd-cm says", async () => {
    await argocdCm({ "timeout.reconciliation": "30s", "timeout.reconciliation.jitter": "0s" });
    await line.restart();
    const first = line.commit({ "app/a.yaml": configMap("one") });
    await line.create(line.shop, automated);
    await line.reaches(line.shop, synced(first));
    const second = line.repository.commit({ "app/a.yaml": configMap("one", { a: "2" }) });
    await clock.advance(25_000);
    expect(await revision()).toBe(first);
    await clock.advance(10_000);
    await line.reaches(line.shop, synced(second));
  });

  it("heals at once the first time, then after 2, 6 and 18 seconds, also when it was restarted meanwhile", async () => {
    const sha = line.commit({ "app/a.yaml": configMap("one") });
    await line.create(line.shop, automated);
    await line.reaches(line.shop, synced(sha));
    const drift = (value: string) =>
      line.client.patch(
        types.configMaps,
        { namespace: line.destination, name: "one" },
        { type: "merge", body: { data: { a: value } } },
      );
    const healed = (attempts: number) =>
      line.reaches(
        line.shop,
        (app) => synced(sha)(app) && app.status?.operationState?.operation.sync?.autoHealAttemptsCount === attempts,
      );
    await drift("8");
    await healed(1);
    for (const [index, wait] of [2_000, 6_000, 18_000].entries()) {
      await drift("9");
      await line.reaches(line.shop, (app) => app.status?.sync?.status === "OutOfSync");
      await clock.advance(wait - 1_000);
      expect(await data("one")).toEqual({ a: "9" });
      await line.restart();
      await clock.advance(1_000);
      await healed(index + 2);
      expect(await data("one")).toEqual({ a: "1" });
    }
    // A quiet time makes the next one immediate again.
    await clock.advance(331_000);
    await drift("7");
    await healed(1);
  });

  it("retries with back-off as often as it may, across restarts, and then says so", async () => {
    line.commit({ "app/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndatta: {a: b}\n" });
    await line.create(line.shop, {
      syncPolicy: { automated: {}, retry: { limit: 3, backoff: { duration: "10s", factor: 3, maxDuration: "40s" } } },
    });
    for (const [index, wait] of [10_000, 30_000, 40_000].entries()) {
      const due = await line.reaches(
        line.shop,
        (app) =>
          app.status?.operationState?.retryCount === index + 1 && app.status.operationState.finishedAt !== undefined,
      );
      expect(due.status?.operationState?.message).toContain(
        `Retrying attempt #${index + 1} at ${new Date(clock.now().getTime() + wait).toISOString().replace(".000Z", "Z")}.`,
      );
      await line.restart();
      await clock.advance(wait - 1_000);
      expect((await line.app(line.shop)).status?.operationState?.finishedAt).toBeDefined();
      await clock.advance(1_000);
    }
    const ended = await line.reaches(line.shop, (app) => app.status?.operationState?.phase === "Failed");
    expect(ended.status?.operationState).toMatchObject({
      retryCount: 3,
      message: expect.stringMatching(/\(retried 3 times\)\.$/),
    });
    expect(ended.status?.history).toBeUndefined();
  });

  it("reads the repository anew on refresh, renders anew on a hard one, and takes the annotation off", async () => {
    const first = line.commit({ "app/a.yaml": configMap("one") });
    await line.create(line.shop, automated);
    await line.reaches(line.shop, synced(first));
    for (const kind of ["normal", "hard"]) {
      const sha = line.repository.commit({ "app/a.yaml": configMap("one", { a: kind }) });
      const before = line.renders.length;
      await patch({ metadata: { annotations: { "argocd.argoproj.io/refresh": kind } } });
      const app = await line.reaches(line.shop, synced(sha));
      expect(app.metadata.annotations?.["argocd.argoproj.io/refresh"]).toBeUndefined();
      expect(line.renders.slice(before).some((request) => request.noCache)).toBe(kind === "hard");
    }
    // Without a new commit a hard refresh still renders, and changes nothing.
    const before = await line.object("v1", "ConfigMap", "one");
    const renders = line.renders.length;
    await patch({ metadata: { annotations: { "argocd.argoproj.io/refresh": "hard" } } });
    await line.reaches(line.shop, (app) => app.metadata.annotations?.["argocd.argoproj.io/refresh"] === undefined);
    expect(line.renders.slice(renders).map((request) => request.noCache)).toEqual([true]);
    expect((await line.object("v1", "ConfigMap", "one"))?.metadata.resourceVersion).toBe(
      before?.metadata.resourceVersion,
    );
  });

  it("keeps as many revisions as revisionHistoryLimit says, with their ids going on", async () => {
    const shas: string[] = [];
    for (const n of ["1", "2", "3"]) {
      shas.push(line.commit({ "app/a.yaml": configMap("one", { n }) }));
      if (n === "1") await line.create(line.shop, { ...automated, revisionHistoryLimit: 2 });
      await line.reaches(line.shop, synced(shas.at(-1) ?? ""));
    }
    const app = await line.app(line.shop);
    expect(app.status?.history?.map(({ id, revision: each }) => [id, each])).toEqual([
      [1, shas[1]],
      [2, shas[2]],
    ]);
  });

  it("ends an operation that is asked to, with its hooks, whatever pass it dies in", async () => {
    const job = JSON.stringify({
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "endless", annotations: { "argocd.argoproj.io/hook": "PreSync" } },
      spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "busybox" }] } } },
    });
    const sha = line.commit({ "app/job.yaml": job, "app/a.yaml": configMap("one") });
    await line.create(line.shop);
    for (let n = 0; ; n++) {
      await patch({ operation: { sync: { revision: sha } } });
      await line.reaches(line.shop, (app) => app.status?.operationState?.phase === "Running");
      await eventually(() => line.object("batch/v1", "Job", "endless"));
      let left = n;
      let died = false;
      await line.restart(() => {
        if (left-- > 0) return;
        died = true;
        throw new Error("killed");
      });
      await patch({ status: { operationState: { phase: "Terminating" } } });
      await eventually(async () => died || (await line.app(line.shop)).status?.operationState?.phase === "Failed");
      await line.restart();
      const app = await line.reaches(line.shop, (each) => each.status?.operationState?.phase === "Failed");
      expect(app.status?.operationState?.message).toBe("Operation terminated");
      await eventually(async () => (await line.object("batch/v1", "Job", "endless")) === undefined);
      expect(await line.object("v1", "ConfigMap", "one")).toBeUndefined();
      expect(app.status?.history).toBeUndefined();
      if (!died) {
        expect(n).toBeGreaterThan(1);
        break;
      }
    }
  });

  it("names settings and Applications that it does not act on", async () => {
    await argocdCm({ globalProjects: "[]" });
    await line.client.create(types.applications, {
      ...(await elsewhere()),
      metadata: { name: "stray", namespace: line.destination },
    });
    await eventually(() => line.log.some((each) => each.includes('"key":"globalProjects"')));
    await eventually(() => line.log.some((each) => each.includes(`${line.destination}/stray`)));
    expect(line.log.filter((each) => each.includes("globalProjects"))).toHaveLength(1);
  });

  const elsewhere = async (): Promise<Application> => {
    await line.create(line.shop);
    const { apiVersion, kind, spec } = await line.app(line.shop);
    return { apiVersion, kind, spec, metadata: { name: "" } };
  };
});
