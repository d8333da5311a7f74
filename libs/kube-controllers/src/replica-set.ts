import type { Plan, Reconciler, Watch } from "@tiphys/controller";
import { messageOf } from "@tiphys/errors";
import type { EventRecorder, Informers } from "@tiphys/kube";
import { type LabelSelector, matchesSelector } from "@tiphys/kube";
import {
  type Condition,
  controllerOf,
  controllerRef,
  type KubeObject,
  keyOf,
  type ResourceType,
  types,
} from "@tiphys/resources";
import { deletionOrder } from "./deletion-order.js";
import {
  availableAt,
  type Claim,
  changeAnnotationsOf,
  claim,
  claimWrites,
  isPodActive,
  isPodFinished,
  isPodReady,
  orphanIndex,
  timeText,
  withCondition,
  withoutZeros,
} from "./shared.js";
import { describeWrite, perform, type Write } from "./writes.js";

/** What tells ReplicaSets and ReplicationControllers apart. */
export interface ReplicaKind {
  selector(owner: KubeObject): LabelSelector | undefined;
  /** Their status has `terminatingReplicas`. */
  readonly countsTerminating: boolean;
}
export const replicaSetKind: ReplicaKind = { selector: ({ spec }) => spec.selector, countsTerminating: true };
export const replicationControllerKind: ReplicaKind = {
  selector: ({ spec }) => (spec.selector ? { matchLabels: spec.selector } : undefined),
  countsTerminating: false,
};

export interface ReplicaSetState {
  readonly replicaSet: KubeObject;
  readonly pods: Claim;
  readonly kind?: ReplicaKind;
}

/** Pods made or removed in one pass; the next pass does the rest. */
const BURST = 500;

/** A pod that nobody manages may be wanted by one whose selector it matches. */
export function adopters(informers: Informers, resource: ResourceType, kind: ReplicaKind): Watch {
  const owners = informers.informer(resource);
  return {
    resource: types.pods,
    keys: ({ type, object }) =>
      type === "deleted" || controllerOf(object)
        ? []
        : owners
            .list(object.metadata.namespace)
            .filter((owner) => matchesSelector(kind.selector(owner), object.metadata.labels))
            .map(keyOf),
  };
}

/** Keeps as many pods as the ReplicaSet or ReplicationController asks for. */
export function replicaSetReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly kind: ReplicaKind;
}): Reconciler<ReplicaSetState, Write, KubeObject | undefined> {
  const pods = deps.informers.informer(types.pods, { indexes: orphanIndex });
  const writing = { client: deps.informers.client, events: deps.events, manager: "kube-controller-manager" };
  return {
    async observe(replicaSet) {
      const { uid = "", namespace = "" } = replicaSet.metadata;
      return {
        replicaSet,
        kind: deps.kind,
        pods: claim(
          replicaSet,
          deps.kind.selector(replicaSet),
          pods.byIndex("owner", uid),
          pods.byIndex("orphans", namespace).filter(isPodActive),
        ),
      };
    },
    plan: planReplicaSet,
    act: (write, signal) => perform(write, writing, signal),
    report(state, plan, outcomes, now) {
      const { conditions = [], ...status } = (plan.status ?? {}) as { conditions?: Condition[] };
      const failed = outcomes.findIndex((outcome) => !outcome.ok);
      const others = conditions.filter((condition) => condition.type !== "ReplicaFailure");
      if (failed < 0) return { ...plan, status: { ...status, conditions: others.length > 0 ? others : undefined } };
      const outcome = outcomes[failed];
      const failure: Condition = {
        type: "ReplicaFailure",
        status: "True",
        lastTransitionTime: timeText(now),
        reason: plan.actions[failed]?.do === "delete" ? "FailedDelete" : "FailedCreate",
        message: outcome && !outcome.ok ? messageOf(outcome.error) : "",
      };
      const reasons = [...plan.reasons, { code: failure.reason as string, message: failure.message as string }];
      const before = (state.replicaSet.status?.conditions ?? []) as Condition[];
      return { ...plan, reasons, status: { ...status, conditions: withCondition(before, failure) } };
    },
    describe: describeWrite,
  };
}

export function planReplicaSet({ replicaSet, pods, kind = replicaSetKind }: ReplicaSetState, now: Date): Plan<Write> {
  const wanted: number = replicaSet.spec.replicas ?? 1;
  const active = pods.mine.filter(isPodActive);
  const actions = claimWrites(replicaSet, types.pods, pods);
  const claimed = active.length + pods.adopt.length;
  if (!replicaSet.metadata.deletionTimestamp) {
    if (claimed < wanted) {
      for (let missing = Math.min(BURST, wanted - claimed); missing > 0; missing--) actions.push(createPod(replicaSet));
    } else if (claimed > wanted) {
      const leaving = deletionOrder(active, now).slice(0, Math.min(BURST, claimed - wanted));
      for (const pod of leaving) actions.push(deletePod(replicaSet, pod));
    }
  }
  const { status, lookAgainAt } = countPods(replicaSet, pods.mine, kind, now);
  const reasons =
    claimed === wanted
      ? []
      : [{ code: "Scaling", message: `has ${claimed} of ${wanted} pods`, about: "spec.replicas" }];
  return { status, actions, reasons, ...(lookAgainAt ? { lookAgainAt } : {}) };
}

function countPods(replicaSet: KubeObject, pods: readonly KubeObject[], kind: ReplicaKind, now: Date) {
  const minReady: number = replicaSet.spec.minReadySeconds ?? 0;
  const templateLabels: Record<string, string> = replicaSet.spec.template?.metadata?.labels ?? {};
  let available = 0;
  let lookAgainAt: Date | undefined;
  const active = pods.filter(isPodActive);
  for (const pod of active) {
    const at = availableAt(pod, minReady);
    if (at && at <= now) available++;
    else if (at && (!lookAgainAt || at < lookAgainAt)) lookAgainAt = at;
  }
  const status = {
    ...withoutZeros({
      fullyLabeledReplicas: active.filter((pod) =>
        matchesSelector({ matchLabels: templateLabels }, pod.metadata.labels),
      ).length,
      readyReplicas: active.filter(isPodReady).length,
      availableReplicas: available,
    }),
    replicas: active.length,
    ...(kind.countsTerminating
      ? { terminatingReplicas: pods.filter((pod) => pod.metadata.deletionTimestamp && !isPodFinished(pod)).length }
      : {}),
    observedGeneration: replicaSet.metadata.generation,
    ...(replicaSet.status?.conditions ? { conditions: replicaSet.status.conditions } : {}),
  };
  return { status, lookAgainAt };
}

function createPod(replicaSet: KubeObject): Write {
  const { metadata, spec } = replicaSet.spec.template;
  const annotations = { ...metadata?.annotations, ...changeAnnotationsOf(replicaSet) };
  return {
    do: "create",
    type: types.pods,
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "",
        generateName: `${replicaSet.metadata.name}-`,
        ...(replicaSet.metadata.namespace ? { namespace: replicaSet.metadata.namespace } : {}),
        ...(metadata?.labels ? { labels: metadata.labels } : {}),
        ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
        ...(metadata?.finalizers ? { finalizers: metadata.finalizers } : {}),
        ownerReferences: [controllerRef(replicaSet)],
      },
      spec,
    },
    tell: {
      about: replicaSet,
      type: "Normal",
      reason: "SuccessfulCreate",
      message: "Created pod: {name}",
      failure: { reason: "FailedCreate", verb: "creating" },
    },
  };
}

const deletePod = (replicaSet: KubeObject, pod: KubeObject): Write => ({
  do: "delete",
  type: types.pods,
  object: pod,
  tell: {
    about: replicaSet,
    type: "Normal",
    reason: "SuccessfulDelete",
    message: "Deleted pod: {name}",
    failure: { reason: "FailedDelete", verb: "deleting" },
  },
});
