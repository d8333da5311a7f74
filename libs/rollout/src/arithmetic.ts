import type { CanaryStrategy } from "@tiphys/resources";
import { parseAmount, podsOf } from "./int-or-percent.js";

/** Pods of the two live ReplicaSets. */
export interface Split {
  readonly canary: number;
  readonly stable: number;
}

/** The built-in default of maxSurge and maxUnavailable; a text without `%` still means percent. */
const DEFAULT_AMOUNT = "25";

/** How far pods may go above and below the wanted count. Surge rounds up, unavailable down; both 0 makes unavailable 1. */
export function headroom(canary: CanaryStrategy, replicas: number): { surge: number; unavailable: number } {
  const field = "spec.strategy.canary";
  const surge = podsOf(parseAmount(canary.maxSurge ?? DEFAULT_AMOUNT, `${field}.maxSurge`), replicas, "up");
  const given = parseAmount(canary.maxUnavailable ?? DEFAULT_AMOUNT, `${field}.maxUnavailable`);
  const unavailable = Math.min(replicas, podsOf(given, replicas, "down"));
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

/**
 * The split of a basic canary (no traffic router) nearest to `weight` of `maxWeight`. Whole pods only, so the total may
 * be one above `replicas` when that comes nearer and surge allows it; ties go to the larger canary.
 */
export function basicCanarySplit(replicas: number, weight: number, maxWeight: number, surge: number): Split {
  if (weight <= 0) return { canary: 0, stable: replicas };
  if (weight >= maxWeight) return { canary: replicas, stable: 0 };
  // A canary asked for must exist, unless one pod is all there may be.
  const zeroAllowed = replicas === 1 && surge === 0;
  const options: Split[] = [];
  const consider = (total: number) => {
    const exact = (total * weight) / maxWeight;
    for (const canary of new Set([Math.ceil(exact), Math.floor(exact)])) {
      const keepsBoth = canary > 0 && canary < total;
      if (keepsBoth || (zeroAllowed && canary <= total)) options.push({ canary, stable: total - canary });
    }
  };
  consider(replicas);
  if (surge > 0) consider(replicas + 1);
  let best: Split | undefined;
  let bestOff = Number.POSITIVE_INFINITY;
  for (const option of options) {
    const off = Math.abs(option.canary / (option.canary + option.stable) - weight / maxWeight);
    const nearer = off < bestOff - 1e-9;
    const tiedAndLarger = best !== undefined && Math.abs(off - bestOff) <= 1e-9 && option.canary > best.canary;
    if (!nearer && !tiedAndLarger) continue;
    best = option;
    bestOff = off;
  }
  return best ?? { canary: replicas === 0 ? 0 : 1, stable: Math.max(0, replicas - 1) };
}

/** The split of a traffic-routed canary: the canary follows the weight, stable stays whole. */
export function trafficRoutedSplit(replicas: number, weight: number, maxWeight: number, minPods: number): Split {
  const wanted = Math.ceil((replicas * weight) / maxWeight);
  const canary = weight <= 0 ? 0 : Math.min(replicas, Math.max(wanted, minPods));
  return { canary, stable: replicas };
}

/** One ReplicaSet's pods. */
export interface Pods {
  /** spec.replicas. */
  readonly replicas: number;
  /** Pods that are ready for minReadySeconds. */
  readonly available: number;
}

/** Available pods that stay: a set that is already shrinking counts only what it keeps. */
const counted = (pods: Pods): number => Math.min(pods.replicas, pods.available);

/**
 * The next pod counts on the way to `wanted`, within surge and unavailable. Stable grows before the canary; older sets
 * drain before the two live ones; pods that are not available may always go.
 */
export function boundedMove(input: {
  readonly replicas: number;
  readonly surge: number;
  readonly unavailable: number;
  readonly canary: Pods;
  readonly stable: Pods;
  readonly older: readonly Pods[];
  readonly wanted: Split;
}): { canary: number; stable: number; older: number[] } {
  const { replicas, surge, unavailable, wanted } = input;
  const all = [input.canary, input.stable, ...input.older];
  let grow = Math.max(0, replicas + surge - all.reduce((sum, set) => sum + set.replicas, 0));
  const raise = (set: Pods, goal: number): number => {
    const step = Math.min(grow, Math.max(0, goal - set.replicas));
    grow -= step;
    return set.replicas + step;
  };
  let stable = raise(input.stable, wanted.stable);
  let canary = raise(input.canary, wanted.canary);

  let shrink = Math.max(0, all.reduce((sum, set) => sum + counted(set), 0) - (replicas - unavailable));
  const lower = (set: Pods, goal: number): number => {
    const excess = Math.max(0, set.replicas - goal);
    const idle = Math.min(excess, set.replicas - counted(set));
    const step = Math.min(excess - idle, shrink);
    shrink -= step;
    return set.replicas - idle - step;
  };
  const older = input.older.map((set) => lower(set, 0));
  if (input.older.every((set) => set.replicas === 0)) {
    if (wanted.canary < canary) canary = lower(input.canary, wanted.canary);
    if (wanted.stable < stable) stable = lower(input.stable, wanted.stable);
  }
  return { canary, stable, older };
}

/** Available pods that suffice to go on when `wanted` are asked for. */
export function sufficientPods(canary: CanaryStrategy, wanted: number): number {
  const threshold = canary.replicaProgressThreshold;
  if (!threshold) return wanted;
  const field = "spec.strategy.canary.replicaProgressThreshold.value";
  if (threshold.type === "Pods") return Math.min(wanted, Number(threshold.value));
  const text = typeof threshold.value === "number" ? `${threshold.value}%` : threshold.value;
  return Math.min(wanted, podsOf(parseAmount(text, field), wanted, "up"));
}
