import type { Clock } from "@tiphys/clock";
import { createController, type Reconciler, type RunningController, type Watch } from "@tiphys/controller";
import type { RandomBytes } from "@tiphys/identity";
import type { Journal } from "@tiphys/journal";
import { createEventRecorder, type EventRecorder, type Informers } from "@tiphys/kube";
import { type KubeObject, type ObjectKey, type ResourceType, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics } from "@tiphys/telemetry";
import { cronJobReconciler } from "./cron-job/reconciler.js";
import { deploymentReconciler } from "./deployment/reconciler.js";
import { endpointSliceReconciler, servicesOfPods } from "./endpoint-slices.js";
import { endpointsMirrorReconciler, mirrorWatches } from "./endpoints-mirror.js";
import {
  isStrayCandidate,
  jobReconciler,
  jobsOfOrphans,
  podsOfEndedJobs,
  strayPodReconciler,
} from "./job/reconciler.js";
import { namespaceReconciler } from "./namespace.js";
import { nodeLifecycle, orphanedPods } from "./node-lifecycle/reconciler.js";
import { adopters, replicaSetKind, replicaSetReconciler, replicationControllerKind } from "./replica-set.js";
import { createScheduler, waitsForNode } from "./scheduler/scheduler.js";
import { namespaceDefaultsReconciler } from "./service-accounts.js";
import {
  attributesClasses,
  attributesClassProtection,
  attributesClassWatches,
  claimProtection,
  claimWatches,
  volumeClaims,
  volumeProtection,
  volumes,
} from "./volume-protection.js";

export interface KubeControllersDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly journal: Journal;
  readonly random: RandomBytes;
  /** PEM of the API server's CA, for ConfigMap kube-root-ca.crt in every namespace. Absent: none is made. */
  readonly rootCa?: string;
  /** False where another scheduler is at work. */
  readonly scheduler?: boolean;
  readonly killPoint?: (name: string) => void;
}

/** The controllers that make the embedded API server a cluster: workloads, endpoints, namespaces, scheduling. */
export function createKubeControllers(deps: KubeControllersDeps): Service {
  const { informers } = deps;
  const recorders: EventRecorder[] = [];
  const controllers: RunningController[] = [];

  function recorder(component: string): EventRecorder {
    const events = createEventRecorder({ ...deps, client: informers.client, component });
    recorders.push(events);
    return events;
  }

  function add<State, Action, Fact>(
    name: string,
    resource: ResourceType,
    component: string | EventRecorder,
    make: (events: EventRecorder) => Reconciler<State, Action, Fact>,
    watches: readonly Watch[],
    more: { workers?: number; concerns?: (object: KubeObject) => boolean; rank?: (key: ObjectKey) => number } = {},
  ): void {
    const events = typeof component === "string" ? recorder(component) : component;
    controllers.push(
      createController<State, Action, Fact>({
        name,
        resource,
        statusSubresource: true,
        annotationsWithStatus: resource === types.deployments,
        reconciler: make(events),
        informers,
        watches,
        clock: deps.clock,
        journal: deps.journal,
        log: deps.log,
        metrics: deps.metrics,
        ...more,
        ...(deps.killPoint ? { killPoint: deps.killPoint } : {}),
      }),
    );
  }

  const owned = (resource: ResourceType): Watch => ({ resource, keys: "owner" });
  add(
    "deployments",
    types.deployments,
    "deployment-controller",
    (events) => deploymentReconciler({ informers, events }),
    [owned(types.replicaSets), podsOfDeployments(informers)],
  );
  add(
    "replicasets",
    types.replicaSets,
    "replicaset-controller",
    (events) => replicaSetReconciler({ informers, events, kind: replicaSetKind }),
    [owned(types.pods), adopters(informers, types.replicaSets, replicaSetKind)],
  );
  add(
    "replicationcontrollers",
    types.replicationControllers,
    "replication-controller",
    (events) => replicaSetReconciler({ informers, events, kind: replicationControllerKind }),
    [owned(types.pods), adopters(informers, types.replicationControllers, replicationControllerKind)],
  );
  add("jobs", types.jobs, "job-controller", (events) => jobReconciler({ informers, events }), [
    owned(types.pods),
    jobsOfOrphans(informers),
  ]);
  add("cronjobs", types.cronJobs, "cronjob-controller", (events) => cronJobReconciler({ informers, events }), [
    owned(types.jobs),
  ]);
  add(
    "straypods",
    types.pods,
    "job-controller",
    (events) => strayPodReconciler({ informers, events }),
    [podsOfEndedJobs(informers)],
    { concerns: isStrayCandidate },
  );
  add(
    "endpointslices",
    types.services,
    "endpoint-slice-controller",
    (events) => endpointSliceReconciler({ informers, events }),
    [owned(types.endpointSlices), servicesOfPods(informers), sameName(types.endpoints)],
  );
  add(
    "endpointsmirror",
    types.endpoints,
    "endpoint-slice-mirroring-controller",
    (events) => endpointsMirrorReconciler({ informers, events }),
    mirrorWatches,
  );
  add("namespaces", types.namespaces, "namespace-controller", () => namespaceReconciler({ informers }), []);
  add(
    "namespacedefaults",
    types.namespaces,
    "serviceaccount-controller",
    (events) => namespaceDefaultsReconciler({ informers, events, rootCa: deps.rootCa }),
    [inNamespace(types.serviceAccounts, "default"), inNamespace(types.configMaps, "kube-root-ca.crt")],
  );
  add("claimprotection", volumeClaims, "pvc-protection-controller", () => claimProtection(informers), claimWatches);
  add("volumeprotection", volumes, "pv-protection-controller", () => volumeProtection(informers), []);
  add(
    "attributesclassprotection",
    attributesClasses,
    "volumeattributesclass-protection-controller",
    () => attributesClassProtection(informers),
    attributesClassWatches,
  );
  const lifecycleEvents = recorder("node-controller");
  const lifecycle = nodeLifecycle({ informers, events: lifecycleEvents, clock: deps.clock });
  add("nodes", types.nodes, lifecycleEvents, () => lifecycle.reconciler, lifecycle.watches);
  const orphans = orphanedPods({ informers, events: lifecycleEvents, clock: deps.clock });
  add("podgc", types.pods, lifecycleEvents, () => orphans.reconciler, orphans.watches, { concerns: orphans.concerns });
  if (deps.scheduler !== false) {
    const events = recorder("default-scheduler");
    const scheduler = createScheduler({ informers, events, clock: deps.clock });
    add("scheduler", types.pods, events, () => scheduler.reconciler, scheduler.watches, {
      workers: 1,
      concerns: waitsForNode,
      rank: scheduler.rank,
    });
  }

  return {
    name: "kube-controllers",
    async start() {
      await Promise.all(controllers.map((controller) => controller.start()));
    },
    async stop() {
      await Promise.all(controllers.map((controller) => controller.stop()));
      await Promise.all(recorders.map((recorder) => recorder.flush()));
    },
    ready: async () => controllers.map((controller) => controller.ready()).find((reason) => reason !== undefined),
  };
}

const sameName = (resource: ResourceType): Watch => ({
  resource,
  keys: ({ type, object: { metadata } }) =>
    type === "added" ? [] : [{ namespace: metadata.namespace ?? "", name: metadata.name }],
});

const inNamespace = (resource: ResourceType, name: string): Watch => ({
  resource,
  keys: ({ type, object }) =>
    type !== "added" && object.metadata.name === name ? [{ name: object.metadata.namespace ?? "" }] : [],
});

/** A Recreate waits for the end of old pods, which are the ReplicaSets' and not the Deployment's own. */
function podsOfDeployments(informers: Informers): Watch {
  const replicaSets = informers.informer(types.replicaSets);
  return {
    resource: types.pods,
    keys: ({ type, object }) => {
      const { namespace = "", ownerReferences = [] } = object.metadata;
      const gone = type === "deleted" || object.status?.phase === "Succeeded" || object.status?.phase === "Failed";
      if (!gone) return [];
      return ownerReferences.flatMap((owner) => {
        if (owner.kind !== "ReplicaSet") return [];
        const set = replicaSets.get({ namespace, name: owner.name });
        return (set?.metadata.ownerReferences ?? [])
          .filter((reference) => reference.kind === "Deployment")
          .map((reference) => ({ namespace, name: reference.name }));
      });
    },
  };
}
