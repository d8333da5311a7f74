import type { Plan, Reason } from "@tiphys/controller";
import { type Condition, type KubeObject, types } from "@tiphys/resources";
import { claimWrites, timeText, withCondition } from "../shared.js";
import type { Write } from "../writes.js";
import { manage, removing, type Step } from "./manage.js";
import { isTracked, TRACKED, untrack } from "./pods.js";
import { type Tracking, trackFinished } from "./tracking.js";
import { completionOf, type Ending, endingOf, finishedAs, jobCondition } from "./verdict.js";
import { type JobState, type View, viewOf } from "./view.js";

const OURS = "kubernetes.io/job-controller";

export function planJob(state: JobState, now: Date): Plan<Write> {
  const { job, pods } = state;
  if ((job.spec.managedBy ?? OURS) !== OURS) return { actions: [], reasons: [] };
  const finished = finishedAs(job);
  if (finished) return afterwards(state, finished, now);
  const claims = claimWrites(job, types.pods, pods, TRACKED);
  if (claims.length > 0) return { actions: claims, reasons: [{ code: "Adopting", message: "pods change hands" }] };

  const view = viewOf(state);
  const startTime: string | undefined = job.status?.startTime ?? (job.spec.suspend ? undefined : timeText(now));
  const startedAt = startTime === undefined ? undefined : new Date(startTime);
  const early = endingOf(view, startedAt, now);
  const dying = job.metadata.deletionTimestamp !== undefined;
  const step = early
    ? removing(view, view.active, early.kind === "Failed")
    : dying
      ? unchanged(view)
      : manage(view, now);
  const ending = early ?? completionOf(view, step.active);
  const tracking = trackFinished(view, ending);
  // A pass that removes pods frees them itself.
  const freed = new Set(step.writes.flatMap((write) => (write.do === "patch" ? [write.object] : [])));
  const frees = tracking.writes.filter((write) => write.do !== "patch" || !freed.has(write.object));
  const actions = [...step.writes, ...frees];
  if (ending) return end(view, step, tracking, ending, startTime, actions, now);

  const suspension: Suspension = dying ? { conditions: conditionsOf(job), tell: [] } : suspend(job, now);
  const since = suspension.startTime === undefined ? startTime : suspension.startTime;
  const times = [step.lookAgainAt, deadlineOf(job, since)].filter((time) => time !== undefined);
  const first = times.sort((a, b) => a.getTime() - b.getTime())[0];
  return {
    status: statusOf(step, tracking, suspension.conditions, since ?? undefined),
    actions: [...actions, ...suspension.tell],
    reasons: step.reasons,
    ...(first ? { lookAgainAt: first } : {}),
  };
}

const conditionsOf = (job: KubeObject): readonly Condition[] => job.status?.conditions ?? [];

const unchanged = ({ active, ready, terminating }: View): Step => ({
  writes: [],
  active: active.length,
  ready,
  terminating: terminating.length,
  reasons: [],
});

function deadlineOf(job: KubeObject, since: string | null | undefined): Date | undefined {
  const seconds: number | undefined = job.spec.activeDeadlineSeconds;
  return seconds === undefined || !since || job.spec.suspend ? undefined : new Date(Date.parse(since) + seconds * 1000);
}

function statusOf(
  { active, ready, terminating }: Step,
  { counters }: Tracking,
  conditions: readonly Condition[],
  startTime: string | undefined,
): Record<string, unknown> {
  return {
    ...(active > 0 ? { active } : {}),
    ready,
    terminating,
    ...(startTime ? { startTime } : {}),
    ...(conditions.length > 0 ? { conditions } : {}),
    ...counters,
  };
}

interface Suspension {
  readonly conditions: readonly Condition[];
  readonly tell: readonly Write[];
  /** Absent: as before; null: there is none. */
  readonly startTime?: string | null;
}

/** The condition Suspended follows the field; a job that goes on starts its time anew. */
function suspend(job: KubeObject, now: Date): Suspension {
  const conditions = conditionsOf(job);
  const shown = conditions.find(({ type }) => type === "Suspended")?.status ?? "False";
  const wanted = job.spec.suspend ? "True" : "False";
  if (shown === wanted) return { conditions, tell: [] };
  const message = job.spec.suspend ? "Job suspended" : "Job resumed";
  const reason = job.spec.suspend ? "JobSuspended" : "JobResumed";
  const tell: Write = {
    do: "tell",
    tell: { about: job, type: "Normal", reason: job.spec.suspend ? "Suspended" : "Resumed", message },
  };
  return {
    conditions: withCondition(conditions, jobCondition("Suspended", wanted, reason, message, now)),
    startTime: job.spec.suspend ? null : timeText(now),
    tell: [tell],
  };
}

/** First the verdict and the end of what still runs; the final condition once nothing runs and all is counted. */
function end(
  { job }: View,
  step: Step,
  tracking: Tracking,
  ending: Ending,
  startTime: string | undefined,
  actions: readonly Write[],
  now: Date,
): Plan<Write> {
  const { kind, reason, message } = ending;
  const reasons: Reason[] = [{ code: reason, message }];
  const interim = jobCondition(
    kind === "Complete" ? "SuccessCriteriaMet" : "FailureTarget",
    "True",
    reason,
    message,
    now,
  );
  const verdict = ending.stored ? conditionsOf(job) : [...conditionsOf(job), interim];
  if (tracking.pending || step.terminating > 0 || step.active > 0) {
    return { status: statusOf(step, tracking, verdict, startTime), actions, reasons };
  }
  const final = jobCondition(kind, "True", reason, message, now);
  const surplus =
    kind === "Complete" && (tracking.counters["succeeded"] as number) > (job.spec.completions ?? Infinity);
  return {
    status: {
      ...statusOf(step, tracking, withCondition(verdict, final), startTime),
      ...(kind === "Complete" ? { completionTime: timeText(now) } : {}),
    },
    actions: [
      ...actions,
      ...(surplus
        ? [
            told(
              job,
              "Warning",
              "TooManySucceededPods",
              "Too many succeeded pods running after completion count reached",
            ),
          ]
        : []),
      kind === "Complete" ? told(job, "Normal", "Completed", "Job completed") : told(job, "Warning", reason, message),
    ],
    reasons,
  };
}

const told = (about: KubeObject, type: "Normal" | "Warning", reason: string, message: string): Write => ({
  do: "tell",
  tell: { about, type, reason, message },
});

/** A finished job lets its pods go, and goes itself when its time is over. */
function afterwards({ job, pods }: JobState, finished: Condition, now: Date): Plan<Write> {
  const reasons: Reason[] = [{ code: finished.reason ?? finished.type, message: finished.message ?? "" }];
  const actions = pods.mine.filter(isTracked).map(untrack);
  const ttl: number | undefined = job.spec.ttlSecondsAfterFinished;
  if (ttl === undefined || job.metadata.deletionTimestamp) return { actions, reasons };
  const expires = new Date(Date.parse(finished.lastTransitionTime ?? "") + ttl * 1000);
  if (expires > now) return { actions, reasons, lookAgainAt: expires };
  return { actions: [...actions, { do: "delete", type: types.jobs, object: job, propagation: "Foreground" }], reasons };
}
