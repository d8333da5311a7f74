import { type Bus, publishFact } from "@tiphys/bus";
import type { Clock } from "@tiphys/clock";
import { createController, type RunningController } from "@tiphys/controller";
import type { Dialer } from "@tiphys/dialer";
import { changeOf, type RandomBytes } from "@tiphys/identity";
import type { Journal } from "@tiphys/journal";
import { type CacheChange, createEventRecorder, type Informers } from "@tiphys/kube";
import { metricProviders } from "@tiphys/metric-providers";
import { controllerOf, type KubeObject, keyOf, type ObjectKey, type Rollout, types } from "@tiphys/resources";
import { analysesOf, servicesOf, type TrafficRouter } from "@tiphys/rollout";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics, Tracer } from "@tiphys/telemetry";
import { trafficRouters } from "@tiphys/traffic-routers";
import { analysisReconciler } from "./analysis-reconciler.js";
import { experimentReconciler } from "./experiment-reconciler.js";
import { observeRollouts, passMetrics } from "./metrics.js";
import { reportNotifications } from "./notifications.js";
import { ORPHANS, orphanIndex, type RolloutReconcilerDeps, rolloutReconciler, selects } from "./rollout-reconciler.js";
import { serviceReconciler } from "./service-reconciler.js";

export interface RolloutsControllerDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Spans of what controllers do, exported where it says. */
  readonly tracer?: Tracer;
  /** Names Events. */
  readonly random: RandomBytes;
  /** Where facts for viewers go. */
  readonly bus?: Pick<Bus, "publish">;
  /** Metric providers dial through it. */
  readonly dialer: Dialer;
  /** Sharding: asked before every pass. */
  readonly owns?: (key: ObjectKey) => boolean;
  /** Passes at the same time, of Rollouts and of AnalysisRuns each. */
  readonly workers?: number;
  /** Crash tests stop the process here. */
  readonly killPoint?: (name: string) => void;
}

/** The service, with its controllers for `explain`. */
export interface RolloutsController extends Service {
  readonly rollouts: RunningController;
  readonly analysisRuns: RunningController;
}

const WORKERS = 10;

/** Rollouts and AnalysisRuns: both controllers as one service. */
export function createRolloutsController(deps: RolloutsControllerDeps): RolloutsController {
  const { informers, clock, log, metrics } = deps;
  const { client } = informers;
  const rolloutCache = informers.informer(types.rollouts, { indexes: { service: servicesIndex, router: routerIndex } });
  const jobs = informers.informer(types.jobs);
  const caches = {
    replicaSets: informers.informer(types.replicaSets, { indexes: { [ORPHANS]: orphanIndex } }),
    services: informers.informer(types.services),
    ingresses: informers.informer(types.ingresses),
    analysisRuns: informers.informer(types.analysisRuns),
    analysisTemplates: informers.informer(types.analysisTemplates),
    clusterAnalysisTemplates: informers.informer(types.clusterAnalysisTemplates),
  };
  const events = createEventRecorder({ client, clock, log, random: deps.random, component: "rollouts-controller" });
  const timed = (kind: string) => passMetrics(metrics, kind);
  const told = metrics.counter("rollout_events_total", "Events by type and reason.", ["type", "reason"]);
  const shared = {
    informers,
    clock,
    journal: deps.journal,
    log,
    metrics,
    ...(deps.tracer ? { tracer: deps.tracer } : {}),
    workers: deps.workers ?? WORKERS,
    ...(deps.owns ? { owns: deps.owns } : {}),
    ...(deps.killPoint ? { killPoint: deps.killPoint } : {}),
  };
  const record: RolloutReconcilerDeps["record"] = (rollout, type, reason, message) => {
    told.add({ type, reason });
    events.event(rollout, type, reason, message);
    if (deps.bus) publishFact(deps.bus, factOf(rollout, reason, message, clock.now()));
  };
  /** Rollouts that name the changed object. */
  const naming =
    (index: string) =>
    ({ object }: CacheChange): readonly ObjectKey[] =>
      rolloutCache.byIndex(index, `${object.metadata.namespace}/${object.metadata.name}`).map(keyOf);
  /** Rollouts that may adopt a set which nobody controls (any more). */
  const adopting = ({ type, object }: CacheChange): readonly ObjectKey[] =>
    type === "deleted" || orphanIndex(object).length === 0
      ? []
      : rolloutCache
          .list(object.metadata.namespace)
          .filter((rollout) => selects(rollout as Rollout, object))
          .map(keyOf);
  const analysed = ({ object }: CacheChange): readonly ObjectKey[] =>
    rolloutCache
      .list(object.metadata.namespace)
      .filter((rollout) => analysesOf(rollout as Rollout).length > 0)
      .map(keyOf);
  const rollouts = createController({
    ...shared,
    name: "rollouts",
    resource: types.rollouts,
    statusSubresource: true,
    reconciler: rolloutReconciler({ informers, caches, routers: trafficRouters, record }),
    onPass: timed("rollout"),
    watches: [
      { resource: types.replicaSets, keys: "owner" },
      { resource: types.replicaSets, keys: adopting },
      { resource: types.analysisRuns, keys: "owner" },
      { resource: types.services, keys: naming("service") },
      { resource: types.ingresses, keys: naming("router") },
      { resource: types.analysisTemplates, keys: analysed },
      { resource: types.clusterAnalysisTemplates, keys: analysed },
    ],
  });
  /** A pod whose image does not come belongs to a Job, and that to a run. */
  const runOfPod = ({ object }: CacheChange): readonly ObjectKey[] => {
    const owner = controllerOf(object);
    const namespace = object.metadata.namespace ?? "";
    const job = owner?.kind === "Job" ? jobs.get({ namespace, name: owner.name }) : undefined;
    const run = job && controllerOf(job);
    return run?.kind === "AnalysisRun" ? [{ namespace, name: run.name }] : [];
  };
  const analysisRuns = createController({
    ...shared,
    name: "analysisruns",
    resource: types.analysisRuns,
    statusSubresource: false,
    onPass: timed("analysis_run"),
    reconciler: analysisReconciler({ client, clock, providers: metricProviders({ dialer: deps.dialer, client }) }),
    watches: [
      { resource: types.jobs, keys: "owner" },
      { resource: types.pods, labelSelector: "job-name", keys: runOfPod },
    ],
  });
  const experiments = createController({
    ...shared,
    name: "experiments",
    resource: types.experiments,
    statusSubresource: false,
    reconciler: experimentReconciler,
    onPass: timed("experiment"),
  });
  const services = createController({
    ...shared,
    name: "rollout-services",
    resource: types.services,
    statusSubresource: true,
    reconciler: serviceReconciler({ client, rollouts: rolloutCache }),
    watches: [
      {
        resource: types.rollouts,
        keys: ({ object, previous }) => {
          const names = new Set([object, previous].flatMap((each) => (each ? servicesOf(each as Rollout) : [])));
          return [...names].map((name) => ({ namespace: object.metadata.namespace ?? "", name }));
        },
      },
    ],
  });
  const ends: (() => void)[] = [];
  return {
    name: "rollouts-controller",
    rollouts,
    analysisRuns,
    async start() {
      ends.push(observeRollouts(metrics, rolloutCache, caches.analysisRuns), reportNotifications(rolloutCache, record));
      await Promise.all([rollouts.start(), analysisRuns.start(), experiments.start(), services.start()]);
    },
    async stop() {
      for (const end of ends.splice(0)) end();
      await Promise.all([rollouts.stop(), analysisRuns.stop(), experiments.stop(), services.stop()]);
      await events.flush();
    },
    ready: async () => rollouts.ready() ?? analysisRuns.ready() ?? experiments.ready() ?? services.ready(),
  };
}

/** What the users' Events say, for viewers: `StepCompleted` rather than `RolloutStepCompleted`, as the kind is told beside it. */
function factOf(rollout: Rollout, reason: string, message: string, at: Date): Parameters<typeof publishFact>[1] {
  const { name, namespace = "" } = rollout.metadata;
  const change = changeOf(rollout)?.id;
  const code = reason.replace(/^Rollout(?=[A-Z])/, "");
  const about = { area: "rollouts", kind: "Rollout", namespace, name } as const;
  return { ...about, code, message, at, ...(change ? { change } : {}) };
}

const inNamespace = (object: KubeObject, names: readonly string[]): string[] =>
  names.map((name) => `${object.metadata.namespace}/${name}`);

const servicesIndex = (object: KubeObject) => inNamespace(object, servicesOf(object as Rollout));

const routerIndex = (object: KubeObject) =>
  inNamespace(
    object,
    trafficRouters.flatMap((router: TrafficRouter) =>
      router.wanted(object as Rollout) ? router.objects(object as Rollout).map(({ name }) => name) : [],
    ),
  );
