import type { Reason } from "@tiphys/controller";
import type { KubeObject } from "@tiphys/resources";
import { removalOrder } from "../deletion-order.js";
import { isPodReady } from "../shared.js";
import type { Write } from "../writes.js";
import { endedAt, retryAfter, retryAt } from "./back-off.js";
import { freeIndexes, indexOf, union, withIndexes } from "./indexes.js";
import { create, isTracked, type Place, remove, untrack } from "./pods.js";
import { judgeFailure } from "./policies.js";
import { indexFailures, indexIgnored, replacesOnlyFailed, type View } from "./view.js";

/** Pods made or removed in one pass. */
const BURST = 500;

/** What a pass does with the pods, and the counts as they are afterwards. */
export interface Step {
  readonly writes: readonly Write[];
  readonly active: number;
  readonly ready: number;
  readonly terminating: number;
  readonly reasons: readonly Reason[];
  readonly lookAgainAt?: Date;
}

const still = ({ active, ready, terminating }: View): Step => ({
  writes: [],
  active: active.length,
  ready,
  terminating: terminating.length,
  reasons: [],
});

/** Removes `pods`. Pods that are not to count as failures lose their finalizer first. */
export function removing(view: View, pods: readonly KubeObject[], counted: boolean): Step {
  const before = still(view);
  return {
    ...before,
    writes: pods.flatMap((pod) => [...(counted || !isTracked(pod) ? [] : [untrack(pod)]), remove(view.job, pod)]),
    active: before.active - pods.length,
    ready: before.ready - pods.filter(isPodReady).length,
    // A pod that never got to a node is gone at once.
    terminating: before.terminating + pods.length,
  };
}

/** Brings the number of running pods to what the job wants now. */
export function manage(view: View, now: Date): Step {
  const { job, active } = view;
  if (job.spec.suspend) {
    const reasons = [{ code: "JobSuspended", message: "spec.suspend is set", about: "spec.suspend" }];
    return { ...removing(view, active, false), reasons };
  }
  const parallelism: number = job.spec.parallelism ?? 1;
  const completions: number | undefined = job.spec.completions;
  // Without completions the first success ends the intake.
  const left =
    completions !== undefined ? completions - view.succeeded : view.succeeded > 0 ? active.length : parallelism;
  const wanted = Math.max(0, Math.min(parallelism, left));
  const surplus = surplusOf(view, Math.max(0, active.length - wanted)).slice(0, BURST);
  if (surplus.length > 0) return removing(view, surplus, false);

  const missing = wanted - active.length - (replacesOnlyFailed(job) ? view.terminating.length : 0);
  return missing > 0 ? growing(view, Math.min(missing, BURST), now) : still(view);
}

function growing(view: View, missing: number, now: Date): Step {
  const { job, indexed } = view;
  const waiting = (lookAgainAt: Date): Step => ({
    ...still(view),
    reasons: [{ code: "BackingOff", message: "waits before it replaces a failed pod" }],
    lookAgainAt,
  });
  const perIndex = job.spec.backoffLimitPerIndex !== undefined;
  if (!perIndex) {
    const ended = (phase: string) => view.pods.filter((pod) => pod.status?.phase === phase);
    const failed = [...new Set([...ended("Failed"), ...view.newFailed])];
    const at = retryAt(ended("Succeeded"), failed);
    if (at && at > now) return waiting(at);
  }
  let places: readonly (Place | undefined)[] = Array.from({ length: missing }, () => undefined);
  if (indexed) {
    const chosen = freeIndexes(taken(view), missing, indexed.completions);
    const retries = chosen.map((index) => ({ index, at: retryOf(indexed.delayed.get(index)) }));
    const due = retries.filter(({ at }) => !at || at <= now);
    if (due.length === 0 && retries.length > 0) {
      return waiting(new Date(Math.min(...retries.map(({ at }) => at?.getTime() ?? 0))));
    }
    places = due.map(({ index }) => placeOf(view, index, perIndex));
  }
  const before = still(view);
  return { ...before, writes: places.map((place) => create(job, place)), active: before.active + places.length };
}

/** Indexes that need no new pod. */
function taken({ job, indexed, active, terminating }: View) {
  const held = replacesOnlyFailed(job) ? [...active, ...terminating] : active;
  const running = held.map(indexOf).filter((index) => index !== undefined);
  return withIndexes(union(indexed?.succeeded ?? [], indexed?.failed ?? []), running);
}

const retryOf = (replaced: KubeObject | undefined): Date | undefined =>
  replaced && retryAfter(indexFailures(replaced) + indexIgnored(replaced) + 1, endedAt(replaced));

function placeOf({ job, indexed }: View, index: number, perIndex: boolean): Place {
  if (!perIndex) return { index };
  const replaced = indexed?.delayed.get(index);
  if (!replaced) return { index, failures: 0 };
  const counts = judgeFailure(job, replaced).counts;
  return {
    index,
    failures: indexFailures(replaced) + (counts ? 1 : 0),
    ignored: indexIgnored(replaced) + (counts ? 0 : 1),
  };
}

/** At least `count` pods to remove: all but one of each index, those of no index, then the ones that are missed least. */
function surplusOf({ active, indexed }: View, count: number): KubeObject[] {
  if (!indexed) return count > 0 ? removalOrder(active).slice(0, count) : [];
  const groups = new Map<number, KubeObject[]>();
  const gone: KubeObject[] = [];
  for (const pod of active) {
    const index = indexOf(pod);
    if (index === undefined || index >= indexed.completions) gone.push(pod);
    else groups.set(index, [...(groups.get(index) ?? []), pod]);
  }
  const left: KubeObject[] = [];
  for (const group of groups.values()) {
    const sorted = removalOrder(group);
    gone.push(...sorted.slice(0, -1));
    left.push(sorted.at(-1) as KubeObject);
  }
  return gone.length < count ? [...gone, ...removalOrder(left).slice(0, count - gone.length)] : gone;
}
