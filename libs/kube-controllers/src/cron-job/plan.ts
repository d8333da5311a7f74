import type { Outcome, Plan, Reason } from "@tiphys/controller";
import { InvalidScheduleError, isTimeZone, latestRun, parseSchedule, rfc3339, type Schedule } from "@tiphys/cron";
import { type Condition, controllerRef, type KubeObject, types } from "@tiphys/resources";
import { finishedAs } from "../job/verdict.js";
import { changeAnnotationsOf, timeText } from "../shared.js";
import type { Write } from "../writes.js";

export interface CronJobState {
  readonly cronJob: KubeObject;
  /** Jobs that it controls. */
  readonly jobs: readonly KubeObject[];
}

interface Reference {
  readonly uid?: string;
  readonly name?: string;
}

const TIMESTAMP = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/** A pass comes this much after the time, so that clocks that differ a little do not make it come before. */
const DELTA_MS = 100;

/** What a pass has found out so far. */
interface Draft {
  active: readonly Reference[];
  lastSuccessfulTime: string | undefined;
  lastScheduleTime: string | undefined;
  readonly actions: Write[];
}

export function planCronJob({ cronJob, jobs }: CronJobState, now: Date): Plan<Write> {
  const draft: Draft = {
    active: (cronJob.status?.active ?? []) as Reference[],
    lastSuccessfulTime: cronJob.status?.lastSuccessfulTime,
    lastScheduleTime: cronJob.status?.lastScheduleTime,
    actions: [],
  };
  follow(cronJob, jobs, draft);
  const next = cronJob.metadata.deletionTimestamp ? { reasons: [] } : start(cronJob, jobs, draft, now);
  forgetOld(cronJob, jobs, draft);
  return {
    status: statusOf(draft),
    actions: draft.actions,
    reasons: next.reasons,
    ...("lookAgainAt" in next && next.lookAgainAt ? { lookAgainAt: next.lookAgainAt } : {}),
  };
}

const statusOf = ({ active, lastSuccessfulTime, lastScheduleTime }: Draft): Record<string, unknown> => ({
  ...(active.length > 0 ? { active } : {}),
  ...(lastScheduleTime ? { lastScheduleTime } : {}),
  ...(lastSuccessfulTime ? { lastSuccessfulTime } : {}),
});

const tell = (about: KubeObject, type: "Normal" | "Warning", reason: string, message: string): Write => ({
  do: "tell",
  tell: { about, type, reason, message },
});

const without = (active: readonly Reference[], uid: string | undefined) => active.filter((job) => job.uid !== uid);

/** What became of the jobs. */
function follow(cronJob: KubeObject, jobs: readonly KubeObject[], draft: Draft): void {
  for (const job of jobs) {
    const { uid, name } = job.metadata;
    const known = draft.active.some((active) => active.uid === uid);
    const finished: Condition | undefined = finishedAs(job);
    if (!finished) {
      // One of ours that a crash kept out of the status is taken back when its time comes up again.
      if (!known && job.metadata.annotations?.[TIMESTAMP] === undefined) {
        const message = `Saw a job that the controller did not create or forgot: ${name}`;
        draft.actions.push(tell(cronJob, "Warning", "UnexpectedJob", message));
      }
      continue;
    }
    if (known) {
      draft.active = without(draft.active, uid);
      const message = `Saw completed job: ${name}, condition: ${finished.type}`;
      draft.actions.push(tell(cronJob, "Normal", "SawCompletedJob", message));
    }
    const ended: string | undefined = finished.type === "Complete" ? job.status?.completionTime : undefined;
    if (ended && (!draft.lastSuccessfulTime || Date.parse(ended) > Date.parse(draft.lastSuccessfulTime))) {
      draft.lastSuccessfulTime = ended;
    }
  }
  const there = new Set(jobs.map(({ metadata }) => metadata.uid));
  for (const { uid, name } of draft.active) {
    if (there.has(uid)) continue;
    draft.active = without(draft.active, uid);
    draft.actions.push(tell(cronJob, "Normal", "MissingJob", `Active job went missing: ${name}`));
  }
}

interface Next {
  readonly reasons: readonly Reason[];
  readonly lookAgainAt?: Date;
}

const because = (code: string, message: string, about?: string): Next => ({
  reasons: [{ code, message, ...(about ? { about } : {}) }],
});

/** Starts the job that is due, when one is and it may. */
function start(cronJob: KubeObject, jobs: readonly KubeObject[], draft: Draft, now: Date): Next {
  const { spec } = cronJob;
  const warn = (reason: string, message: string, about: string): Next => {
    draft.actions.push(tell(cronJob, "Warning", reason, message));
    return because(reason, message, about);
  };
  const zone: string = spec.timeZone ?? "";
  if (!isTimeZone(zone)) {
    return warn("UnknownTimeZone", `invalid timeZone: "${zone}": unknown time zone ${zone}`, "spec.timeZone");
  }
  if (spec.suspend) return because("Suspended", "spec.suspend is set", "spec.suspend");
  let schedule: Schedule;
  try {
    schedule = parseSchedule(spec.schedule, { zone });
  } catch (error) {
    const problem = error instanceof InvalidScheduleError ? error.problem : String(error);
    return warn("UnparseableSchedule", `unparseable schedule: "${spec.schedule}" : ${problem}`, "spec.schedule");
  }
  const since = new Date(draft.lastScheduleTime ?? cronJob.metadata.creationTimestamp ?? now);
  const deadline: number | undefined = spec.startingDeadlineSeconds;
  const opens = deadline === undefined ? since : new Date(Math.max(since.getTime(), now.getTime() - deadline * 1000));
  const due = latestRun(schedule, { after: opens, now });
  const later = (reason: string, message: string): Next => {
    const wake = wakeAt(schedule, draft.lastScheduleTime ? new Date(draft.lastScheduleTime) : since, now);
    return { ...because(reason, message), ...(wake ? { lookAgainAt: wake } : {}) };
  };
  if (!due.at) return later("Waiting", "no time of the schedule is due");
  if (due.many) {
    draft.actions.push(
      tell(
        cronJob,
        "Warning",
        "TooManyMissedTimes",
        "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
      ),
    );
  }
  if (deadline !== undefined && due.at.getTime() + deadline * 1000 < now.getTime()) {
    const message = `Missed scheduled time to start a job: ${due.at.toUTCString().replace("GMT", "UTC")}`;
    draft.actions.push(tell(cronJob, "Warning", "MissSchedule", message));
    return later("MissSchedule", "the time to start has passed");
  }
  const name = `${cronJob.metadata.name}-${Math.floor(due.at.getTime() / 60_000)}`;
  const at = timeText(due.at);
  if (draft.active.some((job) => job.name === name) || draft.lastScheduleTime === at) {
    return later("Started", `the job of ${at} has been started`);
  }
  if (spec.concurrencyPolicy === "Forbid" && draft.active.length > 0) {
    const message = "Not starting job because prior execution is running and concurrency policy is Forbid";
    draft.actions.push(tell(cronJob, "Normal", "JobAlreadyActive", message));
    return later("JobAlreadyActive", "the job before it still runs");
  }
  if (spec.concurrencyPolicy === "Replace") {
    for (const { uid } of draft.active) {
      const job = jobs.find(({ metadata }) => metadata.uid === uid);
      if (job) draft.actions.push(remove(cronJob, job));
      draft.active = without(draft.active, uid);
    }
  }
  draft.actions.push(create(cronJob, name, due.at, zone));
  draft.lastScheduleTime = at;
  return later("Starting", `starts Job ${name} of ${at}`);
}

function wakeAt(schedule: Schedule, since: Date, now: Date): Date | undefined {
  const { at, missed } = latestRun(schedule, { after: since, now });
  const next = schedule.next(at ?? (missed ? now : since));
  return next && new Date(next.getTime() + DELTA_MS);
}

function create(cronJob: KubeObject, name: string, at: Date, zone: string): Write {
  const { metadata, spec } = cronJob.spec.jobTemplate;
  const annotations = { ...metadata?.annotations, ...changeAnnotationsOf(cronJob), [TIMESTAMP]: rfc3339(at, zone) };
  return {
    do: "create",
    type: types.jobs,
    object: {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: {
        name,
        namespace: cronJob.metadata.namespace ?? "",
        ...(metadata?.labels ? { labels: metadata.labels } : {}),
        annotations,
        ownerReferences: [controllerRef(cronJob)],
      },
      spec,
    },
    tell: {
      about: cronJob,
      type: "Normal",
      reason: "SuccessfulCreate",
      message: "Created job {name}",
      failure: { reason: "FailedCreate", verb: "creating job" },
    },
  };
}

const remove = (cronJob: KubeObject, job: KubeObject): Write => ({
  do: "delete",
  type: types.jobs,
  object: job,
  tell: { about: cronJob, type: "Normal", reason: "SuccessfulDelete", message: "Deleted job {name}" },
});

/** Finished jobs beyond the history limits, the oldest first. */
function forgetOld(cronJob: KubeObject, jobs: readonly KubeObject[], draft: Draft): void {
  const started = (job: KubeObject): string => job.status?.startTime ?? "~";
  const { successfulJobsHistoryLimit, failedJobsHistoryLimit } = cronJob.spec;
  for (const [type, limit] of [
    ["Complete", successfulJobsHistoryLimit],
    ["Failed", failedJobsHistoryLimit],
  ] as const) {
    if (limit === undefined) continue;
    const ended = jobs.filter((job) => finishedAs(job)?.type === type && !job.metadata.deletionTimestamp);
    ended.sort((a, b) => started(a).localeCompare(started(b)) || a.metadata.name.localeCompare(b.metadata.name));
    for (const job of ended.slice(0, Math.max(0, ended.length - limit))) {
      draft.actions.push(remove(cronJob, job));
      draft.active = without(draft.active, job.metadata.uid);
    }
  }
}

/** The job that was started is in the status by its uid, which is known only now. */
export function reportCronJob(
  { cronJob }: CronJobState,
  plan: Plan<Write>,
  outcomes: readonly Outcome<KubeObject | undefined>[],
): Plan<Write> {
  const at = plan.actions.findIndex((action) => action.do === "create");
  const outcome = outcomes[at];
  if (!outcome) return plan;
  const { status, ...rest } = plan;
  const job = outcome.ok ? outcome.fact : undefined;
  if (!job) {
    const { lastScheduleTime: _time, ...others } = status ?? {};
    const before: string | undefined = cronJob.status?.lastScheduleTime;
    return { ...rest, status: { ...others, ...(before ? { lastScheduleTime: before } : {}) } };
  }
  const { namespace, name, uid, resourceVersion } = job.metadata;
  const reference = { kind: "Job", namespace, name, uid, apiVersion: "batch/v1", resourceVersion };
  const active = (status?.["active"] ?? []) as Reference[];
  return { ...rest, status: { ...status, active: [...without(active, uid), reference] } };
}
