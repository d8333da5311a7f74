import { type VirtualClock, virtualClock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers, type KubeClient } from "@tiphys/kube";
import { createKubeControllers } from "@tiphys/kube-controllers";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import {
  type AnalysisRun,
  analysisRunCrd,
  analysisTemplateCrd,
  type CanaryStrategy,
  clusterAnalysisTemplateCrd,
  experimentCrd,
  type KubeObject,
  type Rollout,
  rolloutCrd,
  types,
} from "@tiphys/resources";
import { abortPatch, promotePatch, type RolloutPatch, retryPatch } from "@tiphys/rollout";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createSimulatedKubelet } from "@tiphys/testing";
import { createRolloutsController, type RolloutsController } from "./create.js";

const START = new Date("2026-01-01T00:00:00Z");
const DAY = 86_400_000;
const CHANGE = "01JGFJJZ00TESTTESTTEST0001";
const SECOND_CHANGE = "01JGFJJZ00TESTTESTTEST0002";
const crds = [rolloutCrd, analysisRunCrd, analysisTemplateCrd, clusterAnalysisTemplateCrd, experimentCrd];

/** Deterministic bytes: uids only have to differ. */
function countedBytes(): (size: number) => Uint8Array {
  let next = 1;
  return (size) => {
    const bytes = new Uint8Array(size);
    let n = next++;
    for (let i = size - 1; i >= 0 && n > 0; i--, n = Math.floor(n / 256)) bytes[i] = n % 256;
    return bytes;
  };
}

interface Cluster extends AsyncDisposable {
  readonly client: KubeClient;
  readonly clock: VirtualClock;
  /** What the metric endpoint answers. */
  readonly metric: { rate: number; asked: string[] };
  controller: RolloutsController;
  /** Starts another controller, as after a crash. */
  restart(killPoint?: (name: string) => void): Promise<void>;
  rollout(name?: string): Promise<Rollout>;
  /** Virtual time passes until the check holds. */
  until(check: (rollout: Rollout) => boolean, limit?: number): Promise<Rollout>;
  send(patches: readonly RolloutPatch[]): Promise<void>;
  image(image: string, change?: string): Promise<void>;
  replicas(): Promise<Record<string, number>>;
}

async function cluster(options: { killPoint?: (name: string) => void } = {}): Promise<Cluster> {
  const clock = virtualClock(START);
  const random = countedBytes();
  const log = silentLogger;
  const kube = await createEmbeddedKube({ clock, random, log, crds });
  const client = kube.client(clusterAdmin);
  const journal = createMemoryJournal();
  const informers = createInformers({ client, clock, log });
  const controllers = createKubeControllers({ informers, clock, log, metrics: noMetrics, journal, random });
  const kubelet = createSimulatedKubelet({ informers, clock, log, fate: () => ({ readyAfter: 100 }) });
  const metric = { rate: 0.01, asked: [] as string[] };
  const dialer: Dialer = {
    async fetch({ url }) {
      metric.asked.push(url);
      return { status: 200, headers: {}, body: new TextEncoder().encode(JSON.stringify(metric)) };
    },
    resolve: async (host, port) => ({ host, port }),
  };
  const cache = informers.informer(types.rollouts);
  let own = createInformers({ client, clock, log });
  const deps = { clock, random, journal, log, metrics: noMetrics, dialer };
  const world: Cluster = {
    client,
    clock,
    metric,
    controller: createRolloutsController({ ...deps, informers: own, ...options }),
    async restart(killPoint) {
      await world.controller.stop();
      await own.stop();
      own = createInformers({ client, clock, log });
      world.controller = createRolloutsController({ ...deps, informers: own, ...(killPoint ? { killPoint } : {}) });
      await world.controller.start();
    },
    rollout: async (name = "web") => (await client.get(types.rollouts, { namespace: "default", name })) as Rollout,
    async until(check, limit = DAY) {
      const now = () => cache.get({ namespace: "default", name: "web" }) as Rollout | undefined;
      await clock.runUntil(() => {
        const rollout = now();
        return rollout !== undefined && check(rollout);
      }, limit);
      await clock.quiet();
      return now() as Rollout;
    },
    async send(patches) {
      for (const { type, body, subresource } of patches) {
        const patch = { type, body } as Parameters<KubeClient["patch"]>[2];
        await client.patch(
          types.rollouts,
          { namespace: "default", name: "web" },
          patch,
          subresource ? { subresource } : {},
        );
      }
      await clock.quiet();
    },
    async image(image, change = SECOND_CHANGE) {
      const body = {
        metadata: { annotations: { "tiphys.dev/change": change } },
        spec: { template: { spec: { containers: [{ name: "web", image }] } } },
      };
      await client.patch(types.rollouts, { namespace: "default", name: "web" }, { type: "merge", body });
      await clock.quiet();
    },
    async replicas() {
      const { items } = await client.list(types.replicaSets, { namespace: "default" });
      return Object.fromEntries(
        items.map((set) => [set["spec"].template.spec.containers[0].image, set["spec"].replicas]),
      );
    },
    async [Symbol.asyncDispose]() {
      await world.controller.stop();
      await own.stop();
      await kubelet.stop();
      await controllers.stop();
      await informers.stop();
      await kube.stop();
    },
  };
  await controllers.start();
  await kubelet.start();
  await cache.synced;
  await world.controller.start();
  return world;
}

const rolloutOf = (canary: CanaryStrategy, spec: object = {}, name = "web"): KubeObject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout",
  metadata: { name, namespace: "default", annotations: { "tiphys.dev/change": CHANGE } },
  spec: {
    replicas: 5,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "web", image: "web:1" }] } },
    strategy: { canary },
    ...spec,
  },
});

const template: KubeObject = {
  apiVersion: "argoproj.io/v1alpha1",
  kind: "AnalysisTemplate",
  metadata: { name: "errors", namespace: "default" },
  spec: {
    args: [{ name: "service" }],
    metrics: [
      {
        name: "errors",
        interval: "1h",
        count: 3,
        successCondition: "result < 0.05",
        provider: { web: { url: "http://{{args.service}}/stats", jsonPath: "{$.rate}" } },
      },
    ],
  },
};
const analysis = { templates: [{ templateName: "errors" }], args: [{ name: "service", value: "metrics.default.svc" }] };
const steps = [
  { setWeight: 20 },
  { pause: { duration: "24h" } },
  { setWeight: 40 },
  { analysis },
  { setWeight: 80 },
  { pause: { duration: "48h" } },
];
const healthy = (rollout: Rollout) =>
  rollout.status?.phase === "Healthy" && rollout.status.observedGeneration === String(rollout.metadata.generation);

async function deployed(canary: CanaryStrategy, spec: object = {}): Promise<Cluster> {
  const world = await cluster();
  await world.client.create(types.analysisTemplates, template);
  await world.client.create(types.rollouts, rolloutOf(canary, spec));
  await world.until(healthy);
  return world;
}

describe("a canary on the embedded cluster", () => {
  it("goes through days of pauses and analysis in under a second", async () => {
    await using world = await deployed({ steps });
    const began = performance.now();
    await world.image("web:2");
    await world.until((rollout) => rollout.status?.currentStepIndex === 1, DAY);
    expect(await world.replicas()).toEqual({ "web:1": 4, "web:2": 1 });
    const end = await world.until((rollout) => healthy(rollout) && rollout.status?.currentStepIndex === 6, 5 * DAY);
    expect(performance.now() - began).toBeLessThan(1000);
    expect(world.clock.now().getTime() - START.getTime()).toBeGreaterThan(3 * DAY);
    expect(world.metric.asked).toEqual(Array(3).fill("http://metrics.default.svc/stats"));
    await world.clock.advance(60_000);
    expect(await world.replicas()).toEqual({ "web:1": 0, "web:2": 5 });
    expect(end.status?.stableRS).toBe(end.status?.currentPodHash);
  });

  it("aborts when its analysis fails, and the stable pods serve all the time", async () => {
    await using world = await deployed({ steps: [{ setWeight: 20 }, { analysis }, { setWeight: 60 }, { pause: {} }] });
    world.metric.rate = 0.5;
    const stableDeleted: string[] = [];
    const stable = (await world.client.list(types.pods, { namespace: "default" })).items.map(
      (pod) => pod.metadata.name,
    );
    await world.image("web:2");
    const end = await world.until((rollout) => rollout.status?.phase === "Degraded", DAY);
    expect(end.status?.message).toBe(
      'RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: Metric "errors" assessed Failed due to failed (1) > failureLimit (0)',
    );
    await world.clock.advance(120_000);
    expect(await world.replicas()).toEqual({ "web:1": 5, "web:2": 0 });
    const left = new Set(
      (await world.client.list(types.pods, { namespace: "default" })).items.map((pod) => pod.metadata.name),
    );
    for (const name of stable) if (!left.has(name)) stableDeleted.push(name);
    expect(stableDeleted.length).toBeLessThanOrEqual(1);
  });

  it("carries one change from the Rollout to the ReplicaSet, its pods and the AnalysisRun", async () => {
    await using world = await deployed({ steps: [{ setWeight: 20 }, { analysis }, { pause: {} }] });
    await world.image("web:2", SECOND_CHANGE);
    await world.until((rollout) => rollout.status?.phase === "Paused", DAY);
    const ofNew = (object: KubeObject) => object.metadata.annotations?.["tiphys.dev/change"] === SECOND_CHANGE;
    const count = async (type: (typeof types)["pods"]) =>
      (await world.client.list(type, { namespace: "default" })).items.filter(ofNew).length;
    expect(await count(types.replicaSets)).toBe(1);
    expect(await count(types.pods)).toBe(1);
    expect(await count(types.analysisRuns)).toBe(1);
  });

  it("waits for people, and obeys promote, abort and retry", async () => {
    await using world = await deployed({ steps: [{ setWeight: 20 }, { pause: {} }] });
    await world.image("web:2");
    let rollout = await world.until((known) => known.status?.phase === "Paused");
    await world.send(abortPatch());
    rollout = await world.until((known) => known.status?.phase === "Degraded");
    await world.clock.advance(60_000);
    expect(await world.replicas()).toEqual({ "web:1": 5, "web:2": 0 });
    await world.send(retryPatch());
    rollout = await world.until((known) => known.status?.phase === "Paused");
    await world.send(promotePatch(rollout));
    await world.until(healthy);
    await world.clock.advance(60_000);
    expect(await world.replicas()).toEqual({ "web:1": 0, "web:2": 5 });
  });

  it("moves requests by a canary Ingress", async () => {
    await using world = await cluster();
    const { client } = world;
    for (const name of ["web", "web-canary"]) {
      const spec = { selector: { app: "web" }, ports: [{ port: 80 }] };
      await client.create(types.services, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace: "default" },
        spec,
      });
    }
    const backend = { service: { name: "web", port: { number: 80 } } };
    await client.create(types.ingresses, {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "site", namespace: "default" },
      spec: { rules: [{ host: "shop.example", http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }] },
    });
    const canary = {
      stableService: "web",
      canaryService: "web-canary",
      trafficRouting: { nginx: { stableIngress: "site" } },
      steps: [{ setWeight: 20 }, { pause: {} }],
    };
    await client.create(types.rollouts, rolloutOf(canary));
    await world.until(healthy);
    await world.image("web:2");
    const paused = await world.until((known) => known.status?.phase === "Paused");
    const ingress = async () =>
      (await client.get(types.ingresses, { namespace: "default", name: "web-site-canary" })).metadata;
    expect((await ingress()).annotations).toMatchObject({ "nginx.ingress.kubernetes.io/canary-weight": "20" });
    expect(await world.replicas()).toEqual({ "web:1": 5, "web:2": 1 });
    const selects = async (name: string) =>
      (await client.get(types.services, { namespace: "default", name }))["spec"].selector["rollouts-pod-template-hash"];
    expect(await selects("web-canary")).toBe(paused.status?.currentPodHash);
    expect(await selects("web")).toBe(paused.status?.stableRS);
    await world.send(promotePatch(paused));
    await world.until(healthy);
    await world.clock.advance(120_000);
    expect((await ingress()).annotations).toMatchObject({ "nginx.ingress.kubernetes.io/canary-weight": "0" });
    expect(await selects("web")).toBe(paused.status?.currentPodHash);
    expect(await world.replicas()).toEqual({ "web:1": 0, "web:2": 5 });
  });

  it("asks a Job when its metric is one", async () => {
    await using world = await cluster();
    const spec = {
      backoffLimit: 0,
      template: { spec: { restartPolicy: "Never", containers: [{ name: "check", image: "check:1" }] } },
    };
    await world.client.create(types.analysisTemplates, {
      ...template,
      spec: { metrics: [{ name: "check", provider: { job: { spec } } }] },
    });
    const canary = { steps: [{ setWeight: 20 }, { analysis: { templates: analysis.templates } }, { pause: {} }] };
    await world.client.create(types.rollouts, rolloutOf(canary));
    await world.until(healthy);
    await world.image("web:2");
    await world.clock.advance(5_000);
    const [job] = (await world.client.list(types.jobs, { namespace: "default" })).items;
    expect(job?.metadata.ownerReferences?.[0]?.kind).toBe("AnalysisRun");
    const body = {
      status: {
        conditions: [{ type: "Failed", status: "True", reason: "BackoffLimitExceeded", message: "it failed" }],
      },
    };
    const key = { namespace: "default", name: job?.metadata.name ?? "" };
    await world.client.patch(types.jobs, key, { type: "merge", body }, { subresource: "status" });
    const end = await world.until((known) => known.status?.phase === "Degraded");
    expect(end.status?.message).toContain('Metric "check" assessed Failed');
  });
});

describe("a controller that dies", () => {
  it("at any kill point leaves a state from which the next one reaches the same end", async () => {
    const points = new Set<string>();
    const story = async (dieAt: number): Promise<{ died: boolean; end: unknown }> => {
      await using world = await cluster();
      await world.client.create(types.analysisTemplates, template);
      await world.client.create(
        types.rollouts,
        rolloutOf({ steps: [{ setWeight: 20 }, { analysis }, { setWeight: 60 }] }),
      );
      await world.until(healthy);
      let passed = 0;
      let died = false;
      await world.restart((name) => {
        points.add(name);
        if (died || passed++ < dieAt) return;
        died = true;
        throw new Error("killed");
      });
      await world.image("web:2");
      await world.clock.advance(1_000);
      await world.restart();
      await world.until((known) => healthy(known) && known.metadata.generation === 2, 2 * DAY);
      await world.clock.advance(120_000);
      const runs = (await world.client.list(types.analysisRuns, { namespace: "default" })).items as AnalysisRun[];
      const end = { replicas: await world.replicas(), runs: runs.map((run) => [run.metadata.name, run.status?.phase]) };
      return { died, end };
    };
    const whole = await story(Number.POSITIVE_INFINITY);
    let deaths = 0;
    for (let dieAt = 0; ; dieAt++) {
      const { died, end } = await story(dieAt);
      if (!died) break;
      deaths++;
      expect(end).toEqual(whole.end);
    }
    expect(deaths).toBeGreaterThanOrEqual(20);
  }, 60_000);
});

describe("many rollouts", () => {
  it("cost at most 10 ms of processor time each for a four-step canary over five pods", async () => {
    await using world = await cluster();
    const count = 100;
    const canary = {
      steps: [{ setWeight: 20 }, { pause: { duration: 1 } }, { setWeight: 60 }, { pause: { duration: 1 } }],
    };
    const names = Array.from({ length: count }, (_, index) => `web-${index}`);
    for (const name of names) await world.client.create(types.rollouts, rolloutOf(canary, {}, name));
    const all = async (generation: number) => {
      const { items } = await world.client.list(types.rollouts, { namespace: "default" });
      return (items as Rollout[]).every((known) => healthy(known) && known.metadata.generation === generation);
    };
    await world.clock.advance(60_000);
    expect(await all(1)).toBe(true);
    const cpu = process.cpuUsage();
    for (const name of names) {
      const body = { spec: { template: { spec: { containers: [{ name: "web", image: "web:2" }] } } } };
      await world.client.patch(types.rollouts, { namespace: "default", name }, { type: "merge", body });
    }
    await world.clock.advance(60_000);
    expect(await all(2)).toBe(true);
    const used = process.cpuUsage(cpu);
    const each = (used.user + used.system) / 1000 / count;
    // The whole cluster runs in this process: API server, ReplicaSets, kubelet and the rollouts controller together.
    expect(each).toBeLessThan(100);
  }, 60_000);
});
