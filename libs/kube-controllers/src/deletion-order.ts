import { type KubeObject, keyText } from "@tiphys/resources";
import { conditionOf, isPodReady } from "./shared.js";

const COST = "controller.kubernetes.io/pod-deletion-cost";
const phases: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

type Rank = (pod: KubeObject, now: Date, crowd: ReadonlyMap<string, number>) => number;

/**
 * Which pod is missed least, in the original's order: not on a node yet, not running, not ready, cheaper by annotation,
 * on a node with more of its siblings, ready for a shorter time, restarted more often, younger. Lower goes first; times
 * are compared in powers of two, so that pods of about the same age are not all taken from one node.
 */
const ranks: readonly Rank[] = [
  (pod) => (pod.spec?.nodeName ? 1 : 0),
  (pod) => phases[pod.status?.phase ?? "Pending"] ?? 1,
  (pod) => (isPodReady(pod) ? 1 : 0),
  (pod) => Number.parseInt(pod.metadata.annotations?.[COST] ?? "0", 10) || 0,
  (pod, _now, crowd) => -(crowd.get(pod.spec?.nodeName ?? "") ?? 0),
  (pod, now) => magnitude(now, conditionOf(pod, "Ready")?.lastTransitionTime),
  (pod) =>
    -Math.max(
      0,
      ...((pod.status?.containerStatuses ?? []) as { restartCount?: number }[]).map((c) => c.restartCount ?? 0),
    ),
  (pod, now) => magnitude(now, pod.metadata.creationTimestamp),
];

const magnitude = (now: Date, since: string | undefined): number =>
  since ? Math.floor(Math.log2(Math.max(1, (now.getTime() - Date.parse(since)) / 1000))) : 0;

const since = (time: string | undefined): number => (time ? Date.parse(time) : 0);

/** The order of owners that know no cost and no siblings (Job): times are compared as they are. */
const plainRanks: readonly Rank[] = [
  ...ranks.slice(0, 3),
  (pod) => -since(conditionOf(pod, "Ready")?.lastTransitionTime),
  ranks[6] as Rank,
  (pod) => -since(pod.metadata.creationTimestamp),
];

/** `pods` in the order they are to be deleted. */
export function deletionOrder(pods: readonly KubeObject[], now: Date): KubeObject[] {
  const crowd = new Map<string, number>();
  for (const pod of pods) {
    const node = pod.spec?.nodeName;
    if (node && isPodReady(pod)) crowd.set(node, (crowd.get(node) ?? 0) + 1);
  }
  return sorted(pods, ranks, now, crowd);
}

export const removalOrder = (pods: readonly KubeObject[]): KubeObject[] =>
  sorted(pods, plainRanks, new Date(0), new Map());

function sorted(
  pods: readonly KubeObject[],
  by: readonly Rank[],
  now: Date,
  crowd: ReadonlyMap<string, number>,
): KubeObject[] {
  return [...pods].sort((a, b) => {
    for (const rank of by) {
      const difference = rank(a, now, crowd) - rank(b, now, crowd);
      if (difference !== 0) return difference;
    }
    return keyText(a.metadata).localeCompare(keyText(b.metadata));
  });
}
