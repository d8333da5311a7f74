import { later } from "@tiphys/analysis";
import type { Rollout, RolloutPhase, RolloutStatus } from "@tiphys/resources";
import { headroom } from "./arithmetic.js";
import { conditionOf, withCondition } from "./conditions.js";
import { availableOf, type Sets } from "./replica-sets.js";
import { canaryOf, replicasOf, stepsOf } from "./steps.js";

const DEFAULT_DEADLINE_SECONDS = 600;

/** `spec.selector` as the scale subresource shows it. */
export function selectorText(rollout: Rollout): string {
  const { matchLabels = {}, matchExpressions = [] } = rollout.spec.selector ?? {};
  const equals = Object.keys(matchLabels)
    .sort()
    .map((key) => `${key}=${matchLabels[key]}`);
  const others = matchExpressions.map((expression) => {
    const { key, operator, values = [] } = expression as { key: string; operator: string; values?: string[] };
    if (operator === "Exists") return key;
    if (operator === "DoesNotExist") return `!${key}`;
    return `${key} ${operator === "NotIn" ? "notin" : "in"} (${[...values].sort().join(",")})`;
  });
  return [...equals, ...others].join(",");
}

/** Pod counts from the ReplicaSets as they were seen. */
export function countPods(rollout: Rollout, sets: Sets): Partial<RolloutStatus> {
  const sum = (field: "replicas" | "readyReplicas" | "availableReplicas") =>
    sets.all.reduce((total, set) => total + (set.status?.[field] ?? 0), 0);
  const replicas = sum("replicas");
  return {
    replicas,
    updatedReplicas: sets.latest?.status?.replicas ?? 0,
    readyReplicas: sum("readyReplicas"),
    availableReplicas: sum("availableReplicas"),
    HPAReplicas: replicas,
    selector: selectorText(rollout),
  };
}

/** True when the wanted template is the stable one and nothing of an update is left. */
export const isPromoted = (status: RolloutStatus): boolean =>
  status.stableRS !== undefined && status.stableRS !== "" && status.stableRS === status.currentPodHash;

/** Phase and message from spec, status and conditions; other tools match on the texts. */
export function phaseOf(rollout: Rollout, status: RolloutStatus): { phase: RolloutPhase; message?: string } {
  for (const [type, reasons] of [
    ["InvalidSpec", ["InvalidSpec"]],
    ["Progressing", ["RolloutAborted", "ProgressDeadlineExceeded"]],
  ] as const) {
    const condition = conditionOf(status.conditions, type);
    if (condition?.reason && (reasons as readonly string[]).includes(condition.reason)) {
      return { phase: "Degraded", message: `${condition.reason}: ${condition.message}` };
    }
  }
  if (rollout.spec.paused) return { phase: "Paused", message: "manually paused" };
  const pause = status.pauseConditions?.[0];
  if (pause) return { phase: "Paused", message: pause.reason };
  const waiting = waitingFor(rollout, status);
  return waiting ? { phase: "Progressing", message: waiting } : { phase: "Healthy" };
}

function waitingFor(rollout: Rollout, status: RolloutStatus): string | undefined {
  const { replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  if (updatedReplicas < replicasOf(rollout)) return "more replicas need to be updated";
  if (availableReplicas < updatedReplicas) return "updated replicas are still becoming available";
  if (!canaryOf(rollout).trafficRouting && replicas > updatedReplicas) return "old replicas are pending termination";
  if (!isPromoted(status)) return "waiting for all steps to complete";
  const { restartAt } = rollout.spec;
  if (restartAt && status.restartedAt !== restartAt) return "rollout is restarting";
  return undefined;
}

/** What the conditions need to know beside the status. */
export interface ConditionInput {
  readonly rollout: Rollout;
  readonly sets: Sets;
  readonly before: RolloutStatus;
  readonly revision: number;
  /** Set in the pass that decides to abort. */
  readonly abortMessage?: string;
  readonly now: Date;
}

/** The conditions that go with `status`, whose counts and decisions are made already. */
export function conditionsFor(status: RolloutStatus, input: ConditionInput): RolloutStatus["conditions"] {
  const { rollout, now, revision } = input;
  let conditions = (status.conditions ?? []).filter((condition) => condition.type !== "InvalidSpec");
  const set = (type: string, on: boolean, reason: string, message: string) => {
    conditions = withCondition(conditions, { type, status: on ? "True" : "False", reason, message }, now);
  };
  const available =
    (status.availableReplicas ?? 0) + headroom(canaryOf(rollout), replicasOf(rollout)).unavailable >=
    replicasOf(rollout);
  set(
    "Available",
    available,
    "AvailableReason",
    available ? "Rollout has minimum availability" : "Rollout does not have minimum availability",
  );
  const done = isPromoted(status);
  const started = `Rollout not completed, started update to revision ${revision}`;
  set("Completed", done, "RolloutCompleted", done ? "RolloutCompleted" : started);
  const paused = rollout.spec.paused === true || (status.pauseConditions?.length ?? 0) > 0;
  set("Paused", paused, "RolloutPaused", paused ? "Rollout is paused" : "Rollout is not paused");
  conditions = progressing({ ...status, conditions }, input, paused);
  const healthy = phaseOf(rollout, { ...status, conditions }).phase === "Healthy";
  set("Healthy", healthy, "RolloutHealthy", healthy ? "Rollout is healthy" : "Rollout is not healthy");
  return conditions;
}

function progressing(
  status: RolloutStatus,
  input: ConditionInput,
  paused: boolean,
): NonNullable<RolloutStatus["conditions"]> {
  const { rollout, sets, before, now, revision } = input;
  const old = conditionOf(status.conditions, "Progressing");
  const name = sets.latest?.metadata.name ?? `${rollout.metadata.name}-${sets.hash}`;
  const say = (on: "True" | "False" | "Unknown", reason: string, message: string, touch = false) =>
    withCondition(status.conditions, { type: "Progressing", status: on, reason, message }, now, touch);
  if (status.abort) {
    const message = input.abortMessage ?? (old?.reason === "RolloutAborted" ? old.message : undefined);
    return say("False", "RolloutAborted", message ?? `Rollout aborted update to revision ${revision}`);
  }
  if (old?.reason === "RolloutAborted" && before.currentPodHash === status.currentPodHash && !isPromoted(status)) {
    return say("Unknown", "RolloutRetry", "Retrying Rollout after abort");
  }
  if (paused) return say("Unknown", "RolloutPaused", "Rollout is paused");
  const complete = isPromoted(status) && availableOf(sets.latest) >= replicasOf(rollout);
  if (complete) return say("True", "NewReplicaSetAvailable", `ReplicaSet "${name}" has successfully progressed.`);
  if (old?.reason === "RolloutPaused") return say("Unknown", "RolloutResumed", "Rollout is resumed");
  if (before.currentPodHash !== status.currentPodHash) {
    return sets.latest
      ? say("True", "FoundNewReplicaSet", `Found new replica set "${name}"`, true)
      : say("True", "NewReplicaSetCreated", `Created new replica set "${name}"`, true);
  }
  const progress = `ReplicaSet "${name}" is progressing.`;
  if (!old || madeProgress(before, status)) return say("True", "ReplicaSetUpdated", progress, true);
  if (old.reason === "ProgressDeadlineExceeded") return [...(status.conditions ?? [])];
  const deadline = progressDeadline(rollout, status);
  if (deadline && deadline.getTime() <= now.getTime()) {
    return say("False", "ProgressDeadlineExceeded", `ReplicaSet "${name}" has timed out progressing.`);
  }
  return [...(status.conditions ?? [])];
}

const madeProgress = (before: RolloutStatus, after: RolloutStatus): boolean =>
  before.currentStepIndex !== after.currentStepIndex ||
  (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
  (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
  (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0) ||
  (after.replicas ?? 0) - (after.updatedReplicas ?? 0) < (before.replicas ?? 0) - (before.updatedReplicas ?? 0);

/** When the update counts as stuck; undefined while nothing has to progress (pauses, analysis steps, finished updates). */
export function progressDeadline(rollout: Rollout, status: RolloutStatus): Date | undefined {
  const condition = conditionOf(status.conditions, "Progressing");
  if (!condition?.lastUpdateTime || status.abort || rollout.spec.paused || status.pauseConditions?.length)
    return undefined;
  if (condition.reason === "NewReplicaSetAvailable" || condition.reason === "ProgressDeadlineExceeded")
    return undefined;
  const step = stepsOf(rollout)[status.currentStepIndex ?? 0];
  if (step?.analysis || step?.pause) return undefined;
  return later(condition.lastUpdateTime, (rollout.spec.progressDeadlineSeconds ?? DEFAULT_DEADLINE_SECONDS) * 1000);
}
