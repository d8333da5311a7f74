import type { KubeObject } from "@tiphys/resources";
import { type Claim, isPodActive, isPodFinished, isPodReady } from "../shared.js";
import { countIndexes, type Indexes, indexOf, parseIndexes, validIndexOf, withIndexes } from "./indexes.js";
import { INDEX_FAILURES, INDEX_IGNORED, isTracked } from "./pods.js";
import { judgeFailure } from "./policies.js";

export interface JobState {
  readonly job: KubeObject;
  readonly pods: Claim;
}

/** A job and its pods, counted. Pods count once: until their finalizer is gone they are here, afterwards in the status. */
export interface View {
  readonly job: KubeObject;
  readonly pods: readonly KubeObject[];
  readonly active: readonly KubeObject[];
  readonly ready: number;
  readonly terminating: readonly KubeObject[];
  /** Uids that the status names as finished and not counted yet. */
  readonly uncounted: { readonly succeeded: ReadonlySet<string>; readonly failed: ReadonlySet<string> };
  readonly newSucceeded: readonly KubeObject[];
  readonly newFailed: readonly KubeObject[];
  readonly succeeded: number;
  readonly failed: number;
  /** Given for Indexed jobs. */
  readonly indexed?: {
    readonly completions: number;
    /** What the status says. */
    readonly before: Indexes;
    readonly succeeded: Indexes;
    /** Given with backoffLimitPerIndex. */
    readonly failed?: Indexes;
    /** Failed pods that stay until their index has its next pod, which takes over their count of failures. */
    readonly delayed: ReadonlyMap<number, KubeObject>;
  };
}

export const isIndexed = (job: KubeObject): boolean => job.spec.completionMode === "Indexed";

/** Pods that are on their way out are replaced only when they have ended. */
export const replacesOnlyFailed = (job: KubeObject): boolean =>
  job.spec.podReplacementPolicy === "Failed" || job.spec.podFailurePolicy !== undefined;

export const hasFailed = (pod: KubeObject, job: KubeObject): boolean =>
  pod.status?.phase === "Failed" ||
  (!replacesOnlyFailed(job) && pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== "Succeeded");

const numberIn = (pod: KubeObject, annotation: string): number => {
  const text = pod.metadata.annotations?.[annotation] ?? "";
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
};
export const indexFailures = (pod: KubeObject): number => numberIn(pod, INDEX_FAILURES);
export const indexIgnored = (pod: KubeObject): number => numberIn(pod, INDEX_IGNORED);

export function viewOf({ job, pods: { mine } }: JobState): View {
  const { completions = 0 } = job.spec;
  const indexed = isIndexed(job);
  const pods = indexed ? [...mine].sort((a, b) => (indexOf(a) ?? -1) - (indexOf(b) ?? -1)) : mine;
  const stored = job.status?.uncountedTerminatedPods ?? {};
  const uncounted = { succeeded: new Set<string>(stored.succeeded), failed: new Set<string>(stored.failed) };
  const fresh = (known: ReadonlySet<string>, test: (pod: KubeObject) => boolean) =>
    pods.filter(
      (pod) =>
        isTracked(pod) &&
        !known.has(pod.metadata.uid ?? "") &&
        (!indexed || validIndexOf(pod, completions) !== undefined) &&
        test(pod),
    );
  const newSucceeded = fresh(uncounted.succeeded, (pod) => pod.status?.phase === "Succeeded");
  const newFailed = fresh(uncounted.failed, (pod) => hasFailed(pod, job));
  const active = pods.filter(isPodActive);
  const counted = {
    job,
    pods,
    active,
    ready: active.filter(isPodReady).length,
    terminating: pods.filter((pod) => pod.metadata.deletionTimestamp && !isPodFinished(pod)),
    uncounted,
    newSucceeded,
    newFailed,
    succeeded: (job.status?.succeeded ?? 0) + newSucceeded.length + uncounted.succeeded.size,
    failed:
      (job.status?.failed ?? 0) +
      newFailed.filter((pod) => judgeFailure(job, pod).counts).length +
      uncounted.failed.size,
  };
  if (!indexed) return counted;
  const byIndex = indexesOf(counted, completions);
  return { ...counted, succeeded: countIndexes(byIndex.succeeded), indexed: byIndex };
}

function indexesOf({ job, pods, active }: Pick<View, "job" | "pods" | "active">, completions: number) {
  const before = parseIndexes(job.status?.completedIndexes, completions);
  const tracked = pods.flatMap((pod) => {
    const index = validIndexOf(pod, completions);
    return index !== undefined && isTracked(pod) ? [{ pod, index }] : [];
  });
  const succeeded = withIndexes(
    before,
    tracked.filter(({ pod }) => pod.status?.phase === "Succeeded").map(({ index }) => index),
  );
  const limit: number | undefined = job.spec.backoffLimitPerIndex;
  const delayed = new Map<number, KubeObject>();
  if (limit === undefined) return { completions, before, succeeded, delayed };
  const failed = withIndexes(
    parseIndexes(job.status?.failedIndexes, completions),
    tracked.filter(({ pod }) => indexHasFailed(job, pod, limit)).map(({ index }) => index),
  );
  const running = new Set(active.map(indexOf));
  const contains = (indexes: Indexes, index: number) =>
    indexes.some(([first, last]) => first <= index && index <= last);
  for (const { pod, index } of tracked) {
    if (!hasFailed(pod, job) || running.has(index)) continue;
    if (contains(succeeded, index) || contains(failed, index)) continue;
    const other = delayed.get(index);
    const failures = (of: KubeObject) => indexFailures(of) + indexIgnored(of);
    if (!other || failures(pod) >= failures(other)) delayed.set(index, pod);
  }
  return { completions, before, succeeded, failed, delayed };
}

function indexHasFailed(job: KubeObject, pod: KubeObject, limit: number): boolean {
  if (!hasFailed(pod, job)) return false;
  const { action, counts } = judgeFailure(job, pod);
  return action === "FailIndex" || (counts && indexFailures(pod) >= limit);
}
