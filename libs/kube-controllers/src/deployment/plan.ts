import type { Plan, Reason } from "@tiphys/controller";
import { type Condition, type KubeObject, types } from "@tiphys/resources";
import { type Claim, claimWrites, isPodFinished, withCondition } from "../shared.js";
import type { Write } from "../writes.js";
import {
  annotationsFor,
  DESIRED,
  newReplicaSet,
  REVISION,
  replicaSetFor,
  revisionOf,
  sizeAnnotations,
  sizeOf,
} from "./revisions.js";
import { type Bounds, boundsOf, newSize, type Resize, scaleInProportion, shrinkOld } from "./sizes.js";
import { countReplicas, isComplete, judgeProgress, progressing } from "./status.js";

export interface DeploymentState {
  readonly deployment: KubeObject;
  readonly replicaSets: Claim;
  /** Pods of a ReplicaSet, by its uid: a Recreate waits until the old ones have ended. */
  readonly pods: ReadonlyMap<string, readonly KubeObject[]>;
}

interface View {
  readonly deployment: KubeObject;
  readonly bounds: Bounds;
  readonly all: readonly KubeObject[];
  readonly fresh: KubeObject | undefined;
  readonly old: readonly KubeObject[];
  readonly revision: number;
}

/** One step of a Deployment: at most one kind of change to its ReplicaSets, so that every state in between is within bounds. */
export function planDeployment(state: DeploymentState, now: Date): Plan<Write> {
  const { deployment, replicaSets } = state;
  const all = [...replicaSets.mine, ...replicaSets.adopt];
  const fresh = newReplicaSet(deployment, all);
  const old = all.filter((set) => set !== fresh);
  const revision = Math.max(0, ...old.map(revisionOf)) + 1;
  const view: View = { deployment, bounds: boundsOf(deployment), all, fresh, old, revision };
  const claims = claimWrites(deployment, types.replicaSets, replicaSets);
  if (claims.length > 0)
    return { actions: claims, reasons: [{ code: "Adopting", message: "ReplicaSets change hands" }] };
  let conditions = pausedConditions(deployment, now);
  if (deployment.metadata.deletionTimestamp) {
    return { status: countReplicas(deployment, all, fresh, view.bounds, conditions, now), actions: [], reasons: [] };
  }
  const step = nextStep(view, state);
  if (step.condition) {
    conditions = [
      ...conditions.filter((condition) => condition.type !== "Progressing"),
      progressing("True", step.condition.reason, step.condition.message, now),
    ];
  } else if (fresh && !conditions.some((condition) => condition.type === "Progressing")) {
    const message = `Found new replica set "${fresh.metadata.name}"`;
    conditions = withCondition(conditions, progressing("True", "FoundNewReplicaSet", message, now));
  }
  const counted = countReplicas(deployment, all, fresh, view.bounds, conditions, now);
  const judged = deployment.spec.paused ? { status: counted } : judgeProgress(deployment, all, fresh, counted, now);
  const own = fresh || step.creates ? String(Math.max(revision, fresh ? revisionOf(fresh) : 0)) : undefined;
  return {
    status: judged.status,
    ...(own ? { patch: { metadata: { annotations: { [REVISION]: own } } } } : {}),
    actions: [...step.writes, ...(isComplete(deployment, judged.status) ? prune(view) : [])],
    reasons: step.reasons,
    ...(judged.lookAgainAt ? { lookAgainAt: judged.lookAgainAt } : {}),
  };
}

interface Step {
  readonly writes: readonly Write[];
  readonly reasons: readonly Reason[];
  readonly creates?: boolean;
  readonly condition?: { readonly reason: string; readonly message: string };
}

const because = (code: string, message: string): Reason[] => [{ code, message }];

function nextStep(view: View, state: DeploymentState): Step {
  const { deployment, bounds, all, fresh, old } = view;
  const active = all.filter((set) => sizeOf(set) > 0);
  const scaled = active.some((set) => {
    const desired = set.metadata.annotations?.[DESIRED];
    return desired !== undefined && Number(desired) !== bounds.replicas;
  });
  if (deployment.spec.paused || scaled) {
    const writes = scaleOnly(view, active);
    if (writes.length > 0) return { writes, reasons: because("Scaling", "the wanted size has changed") };
    if (deployment.spec.paused) return { writes: [], reasons: because("DeploymentPaused", "spec.paused is set") };
  }
  const recreate = deployment.spec.strategy?.type === "Recreate";
  if (recreate) {
    const down = old.filter((set) => sizeOf(set) > 0).map((replicaSet) => ({ replicaSet, to: 0 }));
    if (down.length > 0)
      return { writes: resize(view, down), reasons: because("Recreating", "old pods are removed first") };
    if (old.some((set) => (state.pods.get(set.metadata.uid ?? "") ?? []).some((pod) => !isPodFinished(pod)))) {
      return { writes: [], reasons: because("Recreating", "old pods are still ending") };
    }
  }
  if (!fresh) {
    const replicas = newSize(bounds, old, 0, recreate);
    const object = replicaSetFor(deployment, view.revision, replicas, bounds.surge);
    const { name } = object.metadata;
    return {
      creates: true,
      writes: [
        {
          do: "create",
          type: types.replicaSets,
          object,
          ...(replicas > 0 ? { tell: scaledTold(deployment, name, 0, replicas) } : {}),
        },
      ],
      reasons: because("NewReplicaSetCreated", `the pod template is new: ReplicaSet ${name}`),
      condition: { reason: "NewReplicaSetCreated", message: `Created new replica set "${name}"` },
    };
  }
  const writes = [...keepUp(view, fresh)];
  if (writes.length > 0)
    return { writes, reasons: because("NewRevision", `ReplicaSet ${fresh.metadata.name} is current`) };
  const to = newSize(bounds, old, sizeOf(fresh), recreate);
  if (to !== sizeOf(fresh)) {
    return {
      writes: resize(view, [{ replicaSet: fresh, to }]),
      reasons: because("ScalingUp", "the new ReplicaSet grows"),
    };
  }
  const down = recreate ? [] : shrinkOld(bounds, fresh, old);
  if (down.length > 0) return { writes: resize(view, down), reasons: because("ScalingDown", "old ReplicaSets shrink") };
  return { writes: [], reasons: [] };
}

/** The current ReplicaSet follows the Deployment's annotations, revision and minReadySeconds. */
function keepUp({ deployment, revision, bounds }: View, fresh: KubeObject): Write[] {
  const wanted = {
    ...annotationsFor(deployment, fresh, Math.max(revision, revisionOf(fresh))),
    ...sizeAnnotations(bounds.replicas, bounds.surge),
  };
  const current = fresh.metadata.annotations ?? {};
  const changed = Object.entries(wanted).filter(([name, value]) => current[name] !== value);
  const minReadySeconds: number = deployment.spec.minReadySeconds ?? 0;
  const ready = minReadySeconds !== (fresh.spec.minReadySeconds ?? 0);
  if (changed.length === 0 && !ready) return [];
  const body = {
    ...(changed.length > 0 ? { metadata: { annotations: Object.fromEntries(changed) } } : {}),
    ...(ready ? { spec: { minReadySeconds } } : {}),
  };
  return [{ do: "patch", type: types.replicaSets, object: fresh, body }];
}

function scaleOnly(view: View, active: readonly KubeObject[]): Write[] {
  const { deployment, bounds, fresh, old } = view;
  const only = active.length === 1 ? active[0] : active.length === 0 ? (fresh ?? newest(old)) : undefined;
  if (only) return sizeOf(only) === bounds.replicas ? [] : resize(view, [{ replicaSet: only, to: bounds.replicas }]);
  if (active.length === 0) return [];
  const saturated =
    fresh !== undefined &&
    sizeOf(fresh) === bounds.replicas &&
    Number(fresh.metadata.annotations?.[DESIRED]) === bounds.replicas &&
    fresh.status?.availableReplicas === bounds.replicas;
  if (saturated)
    return resize(
      view,
      active.filter((set) => set !== fresh).map((replicaSet) => ({ replicaSet, to: 0 })),
    );
  if (deployment.spec.strategy?.type === "Recreate") return [];
  return resize(view, scaleInProportion(deployment, bounds, active));
}

const newest = (replicaSets: readonly KubeObject[]): KubeObject | undefined =>
  [...replicaSets].sort((a, b) => revisionOf(b) - revisionOf(a))[0];

function resize({ deployment, bounds }: View, changes: readonly Resize[]): Write[] {
  const sizes = sizeAnnotations(bounds.replicas, bounds.surge);
  return changes.flatMap(({ replicaSet, to }): Write[] => {
    const from = sizeOf(replicaSet);
    const current = replicaSet.metadata.annotations ?? {};
    if (from === to && Object.entries(sizes).every(([name, value]) => current[name] === value)) return [];
    return [
      {
        do: "patch",
        type: types.replicaSets,
        object: replicaSet,
        body: { metadata: { annotations: sizes }, spec: { replicas: to } },
        ...(from === to ? {} : { tell: scaledTold(deployment, replicaSet.metadata.name, from, to) }),
      },
    ];
  });
}

const scaledTold = (deployment: KubeObject, name: string, from: number, to: number) => ({
  about: deployment,
  type: "Normal" as const,
  reason: "ScalingReplicaSet",
  message: `Scaled ${to > from ? "up" : "down"} replica set ${name} from ${from} to ${to}`,
});

/** Old revisions beyond the history limit, oldest first; only those that run nothing. */
function prune({ deployment, old }: View): Write[] {
  const limit: number = deployment.spec.revisionHistoryLimit ?? 10;
  const idle = old.filter(
    (set) =>
      sizeOf(set) === 0 &&
      (set.status?.replicas ?? 0) === 0 &&
      (set.status?.observedGeneration ?? 0) >= (set.metadata.generation ?? 0) &&
      !set.metadata.deletionTimestamp,
  );
  return idle
    .sort((a, b) => revisionOf(a) - revisionOf(b))
    .slice(0, Math.max(0, idle.length - limit))
    .map((object) => ({ do: "delete", type: types.replicaSets, object }));
}

function pausedConditions(deployment: KubeObject, now: Date): Condition[] {
  const conditions = (deployment.status?.conditions ?? []) as Condition[];
  const current = conditions.find((condition) => condition.type === "Progressing");
  if (deployment.spec.progressDeadlineSeconds === undefined || current?.reason === "ProgressDeadlineExceeded") {
    return conditions;
  }
  const shown = current?.reason === "DeploymentPaused";
  if (deployment.spec.paused && !shown) {
    return withCondition(conditions, progressing("Unknown", "DeploymentPaused", "Deployment is paused", now));
  }
  if (!deployment.spec.paused && shown) {
    return withCondition(conditions, progressing("Unknown", "DeploymentResumed", "Deployment is resumed", now));
  }
  return conditions;
}
