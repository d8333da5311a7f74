import type { KubeObject } from "@tiphys/resources";
import type { Write } from "../writes.js";
import { countIndexes, hasIndex, indexesText, indexOf, validIndexOf, withIndexes } from "./indexes.js";
import { isTracked, untrack } from "./pods.js";
import { judgeFailure } from "./policies.js";
import type { Ending } from "./verdict.js";
import { hasFailed, type View } from "./view.js";

/** Uids in the status at a time, so that it does not grow without bound. */
const MOST_UNCOUNTED = 500;

/** The bookkeeping of finished pods: named in the status first, then freed of their finalizer, then counted. */
export interface Tracking {
  readonly writes: readonly Write[];
  readonly counters: Record<string, unknown>;
  /** Finished pods are left for the next pass. */
  readonly pending: boolean;
}

export function trackFinished(view: View, ending: Ending | undefined): Tracking {
  const { job, indexed, uncounted } = view;
  const writes: Write[] = [];
  const succeeded: string[] = [];
  const failed: string[] = [];
  const indexes: number[] = [];
  let pending = false;
  for (const pod of view.pods) {
    if (!isTracked(pod)) continue;
    const step = nextFor(pod, view, ending);
    if (step === "keep") continue;
    if (step === "free") {
      writes.push(untrack(pod));
      continue;
    }
    pending = true;
    if (succeeded.length + failed.length + indexes.length >= MOST_UNCOUNTED) break;
    const uid = pod.metadata.uid ?? "";
    if (step === "fail") failed.push(uid);
    else if (step === "succeed") succeeded.push(uid);
    else indexes.push(indexOf(pod) as number);
  }
  const counted = (job.status?.failed ?? 0) + uncounted.failed.size;
  const done = indexed && withIndexes(indexed.before, indexes);
  const total = done ? countIndexes(done) : (job.status?.succeeded ?? 0) + uncounted.succeeded.size;
  return {
    writes,
    pending,
    counters: {
      ...(total > 0 ? { succeeded: total } : {}),
      ...(counted > 0 ? { failed: counted } : {}),
      ...(done && done.length > 0 ? { completedIndexes: indexesText(done) } : {}),
      ...(indexed?.failed ? { failedIndexes: indexesText(indexed.failed) } : {}),
      uncountedTerminatedPods: {
        ...(succeeded.length > 0 ? { succeeded } : {}),
        ...(failed.length > 0 ? { failed } : {}),
      },
    },
  };
}

/** free: its end is written down, or needs no counting; fail, succeed, index: to be written down now. */
type Next = "keep" | "free" | "fail" | "succeed" | "index";

function nextFor(pod: KubeObject, view: View, ending: Ending | undefined): Next {
  const { job, indexed, uncounted } = view;
  const uid = pod.metadata.uid ?? "";
  const succeeded = pod.status?.phase === "Succeeded";
  const failed = hasFailed(pod, job);
  const over = job.metadata.deletionTimestamp !== undefined || ending !== undefined;
  if (!over && !succeeded && (!failed || isDelayed(pod, view))) return "keep";
  const index = indexed && validIndexOf(pod, indexed.completions);
  if (succeeded && !uncounted.failed.has(uid)) {
    if (!indexed) return uncounted.succeeded.has(uid) ? "free" : "succeed";
    return index === undefined || hasIndex(indexed.before, index) ? "free" : "index";
  }
  // When a job has failed, every pod that has not ended has failed with it.
  if (failed || ending?.kind === "Failed") {
    if (uncounted.failed.has(uid) || (indexed && index === undefined)) return "free";
    return judgeFailure(job, pod).counts ? "fail" : "free";
  }
  return "free";
}

function isDelayed(pod: KubeObject, { indexed }: View): boolean {
  const index = indexOf(pod);
  return index !== undefined && indexed?.delayed.get(index)?.metadata.uid === pod.metadata.uid;
}
