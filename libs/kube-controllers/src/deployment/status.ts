import type { Condition, KubeObject } from "@tiphys/resources";
import { conditionOf, sum, timeText, withCondition, withoutZeros } from "../shared.js";
import { availableOf, type Bounds, totalOf } from "./sizes.js";

type Status = Record<string, unknown> & { conditions?: Condition[] };

export const progressing = (status: Condition["status"], reason: string, message: string, now: Date): Condition => ({
  type: "Progressing",
  status,
  reason,
  message,
  lastUpdateTime: timeText(now),
  lastTransitionTime: timeText(now),
});

const count = (replicaSets: readonly KubeObject[], member: string): number =>
  sum(replicaSets.map((set) => set.status?.[member] ?? 0));

/** What the ReplicaSets have reached so far; `conditions` are those decided before. */
export function countReplicas(
  deployment: KubeObject,
  all: readonly KubeObject[],
  fresh: KubeObject | undefined,
  bounds: Bounds,
  conditions: readonly Condition[],
  now: Date,
): Status {
  const available = availableOf(all);
  const enough = available >= bounds.replicas - bounds.unavailable;
  const isAvailable: Condition = {
    type: "Available",
    status: enough ? "True" : "False",
    reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
    message: enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
    lastUpdateTime: timeText(now),
    lastTransitionTime: timeText(now),
  };
  const { collisionCount } = deployment.status ?? {};
  return {
    ...withoutZeros({
      replicas: count(all, "replicas"),
      updatedReplicas: fresh?.status?.replicas ?? 0,
      readyReplicas: count(all, "readyReplicas"),
      availableReplicas: available,
      unavailableReplicas: Math.max(0, totalOf(all) - available),
    }),
    terminatingReplicas: count(all, "terminatingReplicas"),
    observedGeneration: deployment.metadata.generation,
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: withCondition(conditions, isAvailable),
  };
}

const numberOf = (status: Status | undefined, member: string): number => (status?.[member] as number) ?? 0;

export const isComplete = (deployment: KubeObject, status: Status): boolean => {
  const replicas = deployment.spec.replicas ?? 1;
  return (
    numberOf(status, "updatedReplicas") === replicas &&
    numberOf(status, "replicas") === replicas &&
    numberOf(status, "availableReplicas") === replicas
  );
};

const hasAdvanced = (before: Status | undefined, after: Status): boolean => {
  const old = (status: Status | undefined) => numberOf(status, "replicas") - numberOf(status, "updatedReplicas");
  return (
    numberOf(after, "updatedReplicas") > numberOf(before, "updatedReplicas") ||
    old(after) < old(before) ||
    numberOf(after, "readyReplicas") > numberOf(before, "readyReplicas") ||
    numberOf(after, "availableReplicas") > numberOf(before, "availableReplicas")
  );
};

/** The rollout's progress as a condition, and when its deadline passes. */
export function judgeProgress(
  deployment: KubeObject,
  all: readonly KubeObject[],
  fresh: KubeObject | undefined,
  status: Status,
  now: Date,
): { status: Status; lookAgainAt?: Date } {
  let conditions = status.conditions ?? [];
  let lookAgainAt: Date | undefined;
  const deadline: number | undefined = deployment.spec.progressDeadlineSeconds;
  const what = fresh ? `ReplicaSet "${fresh.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  const current = conditions.find((condition) => condition.type === "Progressing");
  const others = conditions.filter((condition) => condition.type !== "Progressing");
  const settled =
    numberOf(status, "replicas") === numberOf(status, "updatedReplicas") &&
    current?.reason === "NewReplicaSetAvailable";
  if (deadline === undefined) conditions = others;
  else if (!settled) {
    const timesOutAt = current ? Date.parse(current.lastUpdateTime ?? "") + deadline * 1000 : Number.NaN;
    const waits = current !== undefined && current.reason !== "NewReplicaSetAvailable";
    if (isComplete(deployment, status)) {
      const message = `${what} has successfully progressed.`;
      conditions = withCondition(conditions, progressing("True", "NewReplicaSetAvailable", message, now));
    } else if (hasAdvanced(deployment.status, status)) {
      const next = progressing("True", "ReplicaSetUpdated", `${what} is progressing.`, now);
      const since = current?.status === "True" ? current.lastTransitionTime : undefined;
      conditions = [...others, since ? { ...next, lastTransitionTime: since } : next];
      lookAgainAt = new Date(now.getTime() + deadline * 1000);
    } else if (waits && (current.reason === "ProgressDeadlineExceeded" || timesOutAt <= now.getTime())) {
      const message = `${what} has timed out progressing.`;
      conditions = withCondition(conditions, progressing("False", "ProgressDeadlineExceeded", message, now));
    } else if (waits && timesOutAt > now.getTime()) lookAgainAt = new Date(timesOutAt);
  }
  const failure = [fresh, ...all].flatMap((set) => (set ? [conditionOf(set, "ReplicaFailure")] : [])).find(Boolean);
  conditions = failure
    ? withCondition(conditions, { ...failure, lastUpdateTime: timeText(now), lastTransitionTime: timeText(now) })
    : conditions.filter((condition) => condition.type !== "ReplicaFailure");
  return { status: { ...status, conditions }, ...(lookAgainAt ? { lookAgainAt } : {}) };
}
