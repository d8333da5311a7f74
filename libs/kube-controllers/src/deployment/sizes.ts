import type { KubeObject } from "@tiphys/resources";
import { byCreation, sum } from "../shared.js";
import { MAX, sizeOf } from "./revisions.js";

/** How far a rollout may leave the wanted size. */
export interface Bounds {
  readonly replicas: number;
  readonly surge: number;
  readonly unavailable: number;
}

function resolve(value: unknown, total: number, round: (value: number) => number): number {
  if (typeof value === "number") return value;
  const text = String(value ?? "25%");
  const number = Number.parseFloat(text);
  return text.endsWith("%") ? round((number * total) / 100) : number;
}

export function boundsOf(deployment: KubeObject): Bounds {
  const replicas: number = deployment.spec.replicas ?? 1;
  if (deployment.spec.strategy?.type === "Recreate") return { replicas, surge: 0, unavailable: 0 };
  const { maxSurge, maxUnavailable } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = resolve(maxSurge, replicas, Math.ceil);
  const unavailable = resolve(maxUnavailable, replicas, Math.floor);
  // Both zero would stand still for ever.
  return { replicas, surge, unavailable: surge === 0 && unavailable === 0 ? 1 : Math.min(unavailable, replicas) };
}

export const totalOf = (replicaSets: readonly KubeObject[]): number => sum(replicaSets.map(sizeOf));
export const availableOf = (replicaSets: readonly KubeObject[]): number =>
  sum(replicaSets.map((set) => set.status?.availableReplicas ?? 0));

/** One ReplicaSet and the size it is to have. */
export interface Resize {
  readonly replicaSet: KubeObject;
  readonly to: number;
}

/** The size the new ReplicaSet may have now. `old` are all others; a `current` of 0 means it does not exist yet. */
export function newSize(bounds: Bounds, old: readonly KubeObject[], current: number, recreate: boolean): number {
  const { replicas, surge } = bounds;
  if (recreate || current > replicas) return replicas;
  const room = replicas + surge - totalOf(old) - current;
  return room <= 0 ? current : current + Math.min(room, replicas - current);
}

/** What may be taken from old ReplicaSets now: first pods that serve nobody, then as many as availability allows. */
export function shrinkOld(bounds: Bounds, fresh: KubeObject, old: readonly KubeObject[]): Resize[] {
  const all = [fresh, ...old];
  const least = bounds.replicas - bounds.unavailable;
  const freshUnavailable = sizeOf(fresh) - (fresh.status?.availableReplicas ?? 0);
  let removable = totalOf(all) - least - freshUnavailable;
  if (totalOf(old) === 0 || removable <= 0) return [];
  const sizes = new Map<KubeObject, number>();
  const sorted = [...old].sort(byCreation);
  for (const set of sorted) {
    const unhealthy = sizeOf(set) - (set.status?.availableReplicas ?? 0);
    const fewer = Math.min(removable, Math.max(0, unhealthy));
    removable -= fewer;
    sizes.set(set, sizeOf(set) - fewer);
  }
  let spare = availableOf(all) - least;
  for (const set of sorted) {
    if (spare <= 0) break;
    const size = sizes.get(set) as number;
    const fewer = Math.min(size, spare);
    spare -= fewer;
    sizes.set(set, size - fewer);
  }
  return sorted.flatMap((replicaSet) => {
    const to = sizes.get(replicaSet) as number;
    return to === sizeOf(replicaSet) ? [] : [{ replicaSet, to }];
  });
}

/** Spreads a changed total over all ReplicaSets with pods, in proportion to what they had. */
export function scaleInProportion(deployment: KubeObject, bounds: Bounds, active: readonly KubeObject[]): Resize[] {
  const allowed = bounds.replicas > 0 ? bounds.replicas + bounds.surge : 0;
  const toAdd = allowed - totalOf(active);
  const sorted = [...active].sort((a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b)));
  let added = 0;
  const sizes = sorted.map((set) => {
    if (toAdd === 0) return sizeOf(set);
    const share = shareOf(set, deployment, bounds);
    const part = toAdd > 0 ? Math.min(share, toAdd - added) : Math.max(share, toAdd - added);
    added += part;
    return sizeOf(set) + part;
  });
  if (sizes.length > 0) sizes[0] = Math.max(0, (sizes[0] as number) + toAdd - added);
  return sorted.map((replicaSet, index) => ({ replicaSet, to: sizes[index] as number }));
}

function shareOf(set: KubeObject, deployment: KubeObject, { replicas, surge }: Bounds): number {
  if (replicas === 0) return -sizeOf(set);
  const before = Number.parseInt(set.metadata.annotations?.[MAX] ?? "", 10) || deployment.status?.replicas || 0;
  if (before === 0) return 0;
  return Math.round((sizeOf(set) * (replicas + surge)) / before) - sizeOf(set);
}
