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
import { actingAs, type ControllerName, controllerPrincipal, routed, schedulerPrincipal } from "./identities.js";
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

/** What managedFields call these controllers, as the originals' process is called. */
const MANAGER = "kube-controller-manager";

export interface KubeControllersDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly journal: Journal;
  readonly random: RandomBytes;
  /** PEM of the API server's CA, for ConfigMap kube-root-ca.crt in every namespace. Absent: none is made. */
  readonly rootCa?: string;
  /**
   * Every controller acts as the service account that the original has for it, within that account's roles and
   * {@link controllerRoles}. Absent: as whoever the informers' client acts.
   */
  readonly identities?: boolean;
  /** False where another scheduler is at work. */
  readonly scheduler?: boolean;
  readonly killPoint?: (name: string) => void;
}

/** The controllers that make the embedded API server a cluster: workloads, endpoints, namespaces, scheduling. */
export function createKubeControllers(deps: KubeControllersDeps): Service {
  const { informers } = deps;
  const as = (name: ControllerName | "kube-scheduler"): Informers =>
    deps.identities
      ? actingAs(informers, name === "kube-scheduler" ? schedulerPrincipal : controllerPrincipal(name))
      : informers;
  const recorders: EventRecorder[] = [];
  const controllers: RunningController[] = [];

  function recorder(component: string, { client }: Informers, fieldManager = MANAGER): EventRecorder {
    const events = createEventRecorder({ ...deps, client, component, fieldManager });
    recorders.push(events);
    return events;
  }

  function add<State, Action, Fact>(
    name: string,
    resource: ResourceType,
    acting: Informers,
    component: string | EventRecorder,
    make: (parts: { informers: Informers; events: EventRecorder }) => Reconciler<State, Action, Fact>,
    watches: readonly Watch[],
    more: { workers?: number; concerns?: (object: KubeObject) => boolean; rank?: (key: ObjectKey) => number } = {},
  ): void {
    const events = typeof component === "string" ? recorder(component, acting) : component;
    controllers.push(
      createController<State, Action, Fact>({
        name,
        resource,
        statusSubresource: true,
        annotationsWithStatus: resource === types.deployments,
        reconciler: make({ informers: acting, events }),
        informers: acting,
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
    as("deployment-controller"),
    "deployment-controller",
    (parts) => deploymentReconciler(parts),
    [owned(types.replicaSets), podsOfDeployments(informers)],
  );
  add(
    "replicasets",
    types.replicaSets,
    as("replicaset-controller"),
    "replicaset-controller",
    (parts) => replicaSetReconciler({ ...parts, kind: replicaSetKind }),
    [owned(types.pods), adopters(informers, types.replicaSets, replicaSetKind)],
  );
  add(
    "replicationcontrollers",
    types.replicationControllers,
    as("replication-controller"),
    "replication-controller",
    (parts) => replicaSetReconciler({ ...parts, kind: replicationControllerKind }),
    [owned(types.pods), adopters(informers, types.replicationControllers, replicationControllerKind)],
  );
  add("jobs", types.jobs, as("job-controller"), "job-controller", jobReconciler, [
    owned(types.pods),
    jobsOfOrphans(informers),
  ]);
  add("cronjobs", types.cronJobs, as("cronjob-controller"), "cronjob-controller", cronJobReconciler, [
    owned(types.jobs),
  ]);
  add(
    "straypods",
    types.pods,
    as("job-controller"),
    "job-controller",
    strayPodReconciler,
    [podsOfEndedJobs(informers)],
    { concerns: isStrayCandidate },
  );
  add(
    "endpointslices",
    types.services,
    withClient(as("endpointslice-controller"), types.endpoints, as("endpoint-controller")),
    "endpoint-slice-controller",
    endpointSliceReconciler,
    [owned(types.endpointSlices), servicesOfPods(informers), sameName(types.endpoints)],
  );
  add(
    "endpointsmirror",
    types.endpoints,
    as("endpointslicemirroring-controller"),
    "endpoint-slice-mirroring-controller",
    endpointsMirrorReconciler,
    mirrorWatches,
  );
  add("namespaces", types.namespaces, as("namespace-controller"), "namespace-controller", namespaceReconciler, []);
  add(
    "namespacedefaults",
    types.namespaces,
    withClient(as("service-account-controller"), types.configMaps, as("root-ca-cert-publisher")),
    "serviceaccount-controller",
    (parts) => namespaceDefaultsReconciler({ ...parts, rootCa: deps.rootCa }),
    [inNamespace(types.serviceAccounts, "default"), inNamespace(types.configMaps, "kube-root-ca.crt")],
  );
  const ofClaims = as("pvc-protection-controller");
  add(
    "claimprotection",
    volumeClaims,
    ofClaims,
    "pvc-protection-controller",
    () => claimProtection(ofClaims),
    claimWatches,
  );
  const ofVolumes = as("pv-protection-controller");
  add("volumeprotection", volumes, ofVolumes, "pv-protection-controller", () => volumeProtection(ofVolumes), []);
  const ofClasses = as("volumeattributesclass-protection-controller");
  add(
    "attributesclassprotection",
    attributesClasses,
    ofClasses,
    "volumeattributesclass-protection-controller",
    () => attributesClassProtection(ofClasses),
    attributesClassWatches,
  );
  const ofNodes = as("node-controller");
  const events = recorder("node-controller", ofNodes);
  const lifecycle = nodeLifecycle({ informers: ofNodes, events, clock: deps.clock });
  add("nodes", types.nodes, ofNodes, events, () => lifecycle.reconciler, lifecycle.watches);
  const collecting = as("pod-garbage-collector");
  const orphans = orphanedPods({ informers: collecting, events, clock: deps.clock });
  add("podgc", types.pods, collecting, events, () => orphans.reconciler, orphans.watches, {
    concerns: orphans.concerns,
  });
  if (deps.scheduler !== false) {
    const acting = as("kube-scheduler");
    const told = recorder("default-scheduler", acting, "kube-scheduler");
    const scheduler = createScheduler({ informers: acting, events: told, clock: deps.clock });
    add("scheduler", types.pods, acting, told, () => scheduler.reconciler, scheduler.watches, {
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

/** `informers` with the client of `other` for what concerns `type`: one pass of ours is two of the originals' controllers. */
const withClient = (informers: Informers, type: ResourceType, other: Informers): Informers => ({
  ...informers,
  client: routed(informers.client, type, other.client),
});

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
