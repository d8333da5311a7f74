import type { Plan, Reason } from "@tiphys/controller";
import { type Condition, controllerRef, type KubeObject, types } from "@tiphys/resources";
import { byCreation, changeAnnotationsOf, isPodFinished, isPodReady, sum, timeText, withCondition } from "../shared.js";
import type { Write } from "../writes.js";
import { retryAt } from "./back-off.js";

export interface JobState {
  readonly job: KubeObject;
  readonly pods: readonly KubeObject[];
}

const OURS = "kubernetes.io/job-controller";

interface Tally {
  readonly active: readonly KubeObject[];
  readonly terminating: readonly KubeObject[];
  readonly succeeded: number;
  readonly failed: number;
}

/** Counts never go back: finished pods may be deleted, what they did has happened. */
function tally({ job, pods }: JobState): Tally {
  const count = (phase: string) => pods.filter((pod) => pod.status?.phase === phase).length;
  return {
    active: pods.filter((pod) => !isPodFinished(pod) && !pod.metadata.deletionTimestamp),
    terminating: pods.filter((pod) => !isPodFinished(pod) && pod.metadata.deletionTimestamp),
    succeeded: Math.max(job.status?.succeeded ?? 0, count("Succeeded")),
    failed: Math.max(job.status?.failed ?? 0, count("Failed")),
  };
}

interface Ending {
  readonly kind: "Complete" | "Failed";
  readonly reason: string;
  readonly message: string;
}

/** Fields that are in the schema and not in this controller: such a Job fails at once, saying so. */
function unknownField(job: KubeObject): string | undefined {
  const { completionMode = "NonIndexed", podFailurePolicy, successPolicy, backoffLimitPerIndex } = job.spec;
  if (completionMode !== "NonIndexed") return `spec.completionMode ${completionMode}`;
  if (podFailurePolicy) return "spec.podFailurePolicy";
  if (successPolicy) return "spec.successPolicy";
  return backoffLimitPerIndex === undefined ? undefined : "spec.backoffLimitPerIndex";
}

/** How the job ends, when it does. Ordered: the first ending found is the one shown. */
function endingOf(job: KubeObject, counts: Tally, startedAt: Date, now: Date): Ending | undefined {
  for (const { type, reason = "", message = "" } of (job.status?.conditions ?? []) as Condition[]) {
    if (type === "FailureTarget") return { kind: "Failed", reason, message };
    if (type === "SuccessCriteriaMet") return { kind: "Complete", reason, message };
  }
  const unknown = unknownField(job);
  if (unknown) return { kind: "Failed", reason: "NotImplemented", message: `${unknown} is not implemented yet` };
  const limit: number = job.spec.backoffLimit ?? 6;
  const restarts = job.spec.template.spec.restartPolicy === "OnFailure" ? sum(counts.active.map(restartsOf)) : 0;
  if (counts.failed + restarts > limit) {
    return { kind: "Failed", reason: "BackoffLimitExceeded", message: "Job has reached the specified backoff limit" };
  }
  const deadline: number | undefined = job.spec.activeDeadlineSeconds;
  if (!job.spec.suspend && deadline !== undefined && now.getTime() >= startedAt.getTime() + deadline * 1000) {
    return { kind: "Failed", reason: "DeadlineExceeded", message: "Job was active longer than specified deadline" };
  }
  const wanted: number | undefined = job.spec.completions;
  const done = wanted === undefined ? counts.succeeded > 0 && counts.active.length === 0 : counts.succeeded >= wanted;
  if (!done) return undefined;
  return { kind: "Complete", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" };
}

const restartsOf = (pod: KubeObject): number =>
  sum(((pod.status?.containerStatuses ?? []) as { restartCount?: number }[]).map((status) => status.restartCount ?? 0));

const finishedAs = (job: KubeObject): Condition | undefined =>
  ((job.status?.conditions ?? []) as Condition[]).find(
    ({ type, status }) => (type === "Complete" || type === "Failed") && status === "True",
  );

export function planJob(state: JobState, now: Date): Plan<Write> {
  const { job } = state;
  if ((job.spec.managedBy ?? OURS) !== OURS) return { actions: [], reasons: [] };
  const finished = finishedAs(job);
  const counts = tally(state);
  if (finished) return afterwards(state, counts, finished, now);
  if (job.metadata.deletionTimestamp) return { actions: [], reasons: [] };

  const conditions = suspension(job, now);
  const startTime: string | undefined = job.spec.suspend ? undefined : (job.status?.startTime ?? timeText(now));
  const startedAt = new Date(startTime ?? now);
  const ending = endingOf(job, counts, startedAt, now);
  if (ending) return end(state, counts, ending, conditions, startTime, now);

  const step = manage(state, counts, now);
  const deadline: number | undefined = job.spec.activeDeadlineSeconds;
  const times = [step.lookAgainAt, deadline === undefined ? undefined : new Date(startedAt.getTime() + deadline * 1000)]
    .filter((time) => time !== undefined)
    .sort((a, b) => a.getTime() - b.getTime());
  return {
    status: statusOf(counts, conditions, startTime),
    actions: step.writes,
    reasons: step.reasons,
    ...(times[0] ? { lookAgainAt: times[0] } : {}),
  };
}

function statusOf(counts: Tally, conditions: readonly Condition[], startTime: string | undefined) {
  return {
    ...(counts.active.length > 0 ? { active: counts.active.length } : {}),
    ...(counts.succeeded > 0 ? { succeeded: counts.succeeded } : {}),
    ...(counts.failed > 0 ? { failed: counts.failed } : {}),
    ready: counts.active.filter(isPodReady).length,
    terminating: counts.terminating.length,
    ...(startTime ? { startTime } : {}),
    ...(conditions.length > 0 ? { conditions } : {}),
    uncountedTerminatedPods: {},
  };
}

function suspension(job: KubeObject, now: Date): Condition[] {
  const conditions = (job.status?.conditions ?? []) as Condition[];
  const shown = conditions.some(({ type, status }) => type === "Suspended" && status === "True");
  const condition = (status: "True" | "False", reason: string, message: string): Condition =>
    ({
      type: "Suspended",
      status,
      reason,
      message,
      lastProbeTime: timeText(now),
      lastTransitionTime: timeText(now),
    }) as Condition;
  if (job.spec.suspend) return withCondition(conditions, condition("True", "JobSuspended", "Job suspended"));
  return shown ? withCondition(conditions, condition("False", "JobResumed", "Job resumed")) : conditions;
}

/** First the verdict and the end of what still runs; the final condition once nothing runs any more. */
function end(
  { job }: JobState,
  counts: Tally,
  { kind, reason, message }: Ending,
  conditions: readonly Condition[],
  startTime: string | undefined,
  now: Date,
): Plan<Write> {
  const condition = (type: string): Condition =>
    ({
      type,
      status: "True",
      reason,
      message,
      lastProbeTime: timeText(now),
      lastTransitionTime: timeText(now),
    }) as Condition;
  const verdict = withCondition(conditions, condition(kind === "Complete" ? "SuccessCriteriaMet" : "FailureTarget"));
  const reasons: Reason[] = [{ code: reason, message }];
  const running = counts.active.length + counts.terminating.length;
  if (running > 0) {
    return {
      status: statusOf(counts, verdict, startTime),
      actions: counts.active.map((pod) => remove(job, pod)),
      reasons,
    };
  }
  const told =
    kind === "Complete"
      ? { type: "Normal" as const, reason: "Completed", message: "Job completed" }
      : { type: "Warning" as const, reason, message };
  return {
    status: {
      ...statusOf(counts, withCondition(verdict, condition(kind)), startTime),
      ...(kind === "Complete" ? { completionTime: timeText(now) } : {}),
    },
    actions: [{ do: "tell", tell: { about: job, ...told } }],
    reasons,
  };
}

function afterwards({ job }: JobState, counts: Tally, finished: Condition, now: Date): Plan<Write> {
  const reasons: Reason[] = [{ code: finished.reason ?? finished.type, message: finished.message ?? "" }];
  const ttl: number | undefined = job.spec.ttlSecondsAfterFinished;
  if (ttl === undefined || job.metadata.deletionTimestamp) {
    return { actions: counts.active.map((pod) => remove(job, pod)), reasons };
  }
  const expires = new Date(Date.parse(finished.lastTransitionTime ?? "") + ttl * 1000);
  if (expires > now) return { actions: [], reasons, lookAgainAt: expires };
  return { actions: [{ do: "delete", type: types.jobs, object: job, propagation: "Foreground" }], reasons };
}

function manage(state: JobState, counts: Tally, now: Date): { writes: Write[]; reasons: Reason[]; lookAgainAt?: Date } {
  const { job, pods } = state;
  const active = [...counts.active].sort(byCreation);
  if (job.spec.suspend) {
    return {
      writes: active.map((pod) => remove(job, pod)),
      reasons: [{ code: "JobSuspended", message: "spec.suspend is set", about: "spec.suspend" }],
    };
  }
  const parallelism: number = job.spec.parallelism ?? 1;
  const completions: number | undefined = job.spec.completions;
  // Without completions the first success ends the intake.
  const left =
    completions !== undefined ? completions - counts.succeeded : counts.succeeded > 0 ? active.length : parallelism;
  const wanted = Math.max(0, Math.min(parallelism, left));
  if (active.length > wanted) {
    return { writes: active.slice(wanted).map((pod) => remove(job, pod)), reasons: [] };
  }
  const replacing = job.spec.podReplacementPolicy === "Failed" ? counts.terminating.length : 0;
  const missing = wanted - active.length - replacing;
  if (missing <= 0) return { writes: [], reasons: [] };
  const at = retryAt(pods);
  if (at && at > now) {
    return {
      writes: [],
      reasons: [{ code: "BackingOff", message: "waits before it replaces a failed pod" }],
      lookAgainAt: at,
    };
  }
  return { writes: Array.from({ length: missing }, () => create(job)), reasons: [] };
}

const remove = (job: KubeObject, pod: KubeObject): Write => ({
  do: "delete",
  type: types.pods,
  object: pod,
  tell: { about: job, type: "Normal", reason: "SuccessfulDelete", message: "Deleted pod: {name}" },
});

function create(job: KubeObject): Write {
  const { metadata, spec } = job.spec.template;
  const { name, uid = "", namespace = "" } = job.metadata;
  const annotations = { ...metadata?.annotations, ...changeAnnotationsOf(job) };
  return {
    do: "create",
    type: types.pods,
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "",
        generateName: `${name}-`,
        namespace,
        labels: {
          "batch.kubernetes.io/controller-uid": uid,
          "batch.kubernetes.io/job-name": name,
          "controller-uid": uid,
          "job-name": name,
          ...metadata?.labels,
        },
        ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
        ...(metadata?.finalizers ? { finalizers: metadata.finalizers } : {}),
        ownerReferences: [controllerRef(job)],
      },
      spec,
    },
    tell: {
      about: job,
      type: "Normal",
      reason: "SuccessfulCreate",
      message: "Created pod: {name}",
      failure: { reason: "FailedCreate", verb: "creating" },
    },
  };
}
