import type { Condition, KubeObject } from "@tiphys/resources";
import { sum, timeText } from "../shared.js";
import { countIndexes } from "./indexes.js";
import { judgeFailure, metSuccessPolicy } from "./policies.js";
import { hasFailed, type View } from "./view.js";

/** How a job ends. `stored`: the status says so already. */
export interface Ending {
  readonly kind: "Complete" | "Failed";
  readonly reason: string;
  readonly message: string;
  readonly stored?: boolean;
}

const conditionsOf = (job: KubeObject): readonly Condition[] => job.status?.conditions ?? [];

const holds = (job: KubeObject, type: string): Condition | undefined =>
  conditionsOf(job).find((condition) => condition.type === type && condition.status === "True");

/** The condition of a job that has come to its end. */
export const finishedAs = (job: KubeObject): Condition | undefined => holds(job, "Complete") ?? holds(job, "Failed");

export const jobCondition = (
  type: string,
  status: "True" | "False",
  reason: string,
  message: string,
  now: Date,
): Condition =>
  ({
    type,
    status,
    lastProbeTime: timeText(now),
    lastTransitionTime: timeText(now),
    reason,
    message,
  }) as Condition;

const failed = (reason: string, message: string): Ending => ({ kind: "Failed", reason, message });

/** Why a job ends before its work is done, or by its success policy. Ordered: the first ending found is the one shown. */
export function endingOf(view: View, startedAt: Date | undefined, now: Date): Ending | undefined {
  const { job } = view;
  const { reason = "", message = "", ...met } = holds(job, "SuccessCriteriaMet") ?? {};
  if ("type" in met) return { kind: "Complete", reason, message, stored: true };
  const target = holds(job, "FailureTarget");
  if (target) return { ...failed(target.reason ?? "", target.message ?? ""), stored: true };
  for (const pod of view.pods) {
    const fails = hasFailed(pod, job) ? judgeFailure(job, pod).failsJob : undefined;
    if (fails !== undefined) return failed("PodFailurePolicy", fails);
  }
  if (view.failed > (job.spec.backoffLimit ?? 6) || restartedTooOften(view)) {
    return failed("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  const deadline: number | undefined = job.spec.activeDeadlineSeconds;
  if (
    !job.spec.suspend &&
    deadline !== undefined &&
    startedAt &&
    now.getTime() >= startedAt.getTime() + deadline * 1000
  ) {
    return failed("DeadlineExceeded", "Job was active longer than specified deadline");
  }
  return endingOfIndexes(view);
}

function endingOfIndexes({ job, indexed }: View): Ending | undefined {
  if (!indexed) return undefined;
  const broken = countIndexes(indexed.failed ?? []);
  const most: number | undefined = job.spec.maxFailedIndexes;
  if (most !== undefined && broken > most) {
    return failed("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
  }
  if (broken > 0 && broken + countIndexes(indexed.succeeded) >= indexed.completions) {
    return failed("FailedIndexes", "Job has failed indexes");
  }
  const met = metSuccessPolicy(job, indexed.succeeded);
  return met === undefined ? undefined : { kind: "Complete", reason: "SuccessPolicy", message: met };
}

function restartedTooOften({ job, pods }: View): boolean {
  if (job.spec.template.spec.restartPolicy !== "OnFailure") return false;
  const running = pods.filter(({ status }) => status?.phase === "Running" || status?.phase === "Pending");
  const restarts = sum(
    running.flatMap(({ status }) =>
      [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].map(
        ({ restartCount = 0 }: { restartCount?: number }) => restartCount,
      ),
    ),
  );
  const limit: number = job.spec.backoffLimit ?? 6;
  return limit === 0 ? restarts > 0 : restarts >= limit;
}

/** The work is done: nothing runs any more and enough have succeeded. */
export function completionOf({ job, succeeded }: View, active: number): Ending | undefined {
  const wanted: number | undefined = job.spec.completions;
  const done = active === 0 && (wanted === undefined ? succeeded > 0 : succeeded >= wanted);
  if (!done) return undefined;
  return { kind: "Complete", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" };
}
