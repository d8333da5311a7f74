import { type VirtualClock, virtualClock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers, type KubeClient } from "@tiphys/kube";
import { createKubeControllers } from "@tiphys/kube-controllers";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import {
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
import type { RolloutPatch } from "@tiphys/rollout";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createSimulatedKubelet } from "@tiphys/testing";
import { createRolloutsController, type RolloutsController } from "../create.js";

export const START = new Date("2026-01-01T00:00:00Z");
export const DAY = 86_400_000;
export const CHANGE = "01JGFJJZ00TESTTESTTEST0001";
export const SECOND_CHANGE = "01JGFJJZ00TESTTESTTEST0002";
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

/** The embedded API server, its controllers, a simulated kubelet and the rollouts controller, all on one virtual clock. */
export interface Cluster extends AsyncDisposable {
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
  /** Writes to the cluster so far, by whomever. */
  writes(): Promise<number>;
}

export async function cluster(options: { killPoint?: (name: string) => void } = {}): Promise<Cluster> {
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
    writes: async () => Number((await client.list(types.rollouts)).resourceVersion),
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

export const rolloutOf = (canary: CanaryStrategy, spec: object = {}, name = "web"): KubeObject => ({
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

export const template: KubeObject = {
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
export const analysis = {
  templates: [{ templateName: "errors" }],
  args: [{ name: "service", value: "metrics.default.svc" }],
};
export const steps = [
  { setWeight: 20 },
  { pause: { duration: "24h" } },
  { setWeight: 40 },
  { analysis },
  { setWeight: 80 },
  { pause: { duration: "48h" } },
];
export const healthy = (rollout: Rollout) =>
  rollout.status?.phase === "Healthy" && rollout.status.observedGeneration === String(rollout.metadata.generation);

export async function deployed(canary: CanaryStrategy, spec: object = {}): Promise<Cluster> {
  const world = await cluster();
  await world.client.create(types.analysisTemplates, template);
  await world.client.create(types.rollouts, rolloutOf(canary, spec));
  await world.until(healthy);
  return world;
}
