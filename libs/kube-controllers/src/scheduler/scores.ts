import type { LabelSelector } from "@tiphys/kube";
import { requestsOf } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import type { NodeRoom, SchedulingCluster } from "./cluster.js";
import { scoredRequestsOf } from "./requests.js";
import { matchesNodeTerm, type NodeTerm, taintsOf, tolerates, tolerationsOf } from "./selectors.js";
import { affinityScores, spreadScores } from "./topology.js";

/** The weights of the original's default profile; images are on every node or on none, so their place says nothing. */
const weights = { taints: 3, nodeAffinity: 2, spread: 2, podAffinity: 2, fit: 1, balance: 1 };

/** How well each of the fitting nodes suits the pod; higher is better. */
export function scoresOf(
  pod: KubeObject,
  rooms: readonly NodeRoom[],
  cluster: SchedulingCluster,
  selectedBy: LabelSelector | undefined,
): number[] {
  const parts: (readonly [number, readonly number[] | undefined])[] = [
    [weights.taints, taintScores(pod, rooms)],
    [weights.nodeAffinity, nodeAffinityScores(pod, rooms)],
    [weights.spread, spreadScores(pod, rooms, cluster, selectedBy)],
    [weights.podAffinity, affinityScores(pod, rooms, cluster)],
    [weights.fit, rooms.map((room) => leastAllocated(pod, room))],
    [weights.balance, rooms.map((room) => balance(pod, room))],
  ];
  return rooms.map((_room, at) => parts.reduce((sum, [weight, scores]) => sum + weight * (scores?.[at] ?? 0), 0));
}

function taintScores(pod: KubeObject, rooms: readonly NodeRoom[]): number[] | undefined {
  const helpful = tolerationsOf(pod).filter(({ effect }) => !effect || effect === "PreferNoSchedule");
  const counts = rooms.map(
    ({ node }) =>
      taintsOf(node as KubeObject).filter(
        (taint) => taint.effect === "PreferNoSchedule" && !helpful.some((one) => tolerates(one, taint)),
      ).length,
  );
  const most = Math.max(...counts);
  return most === 0 ? undefined : counts.map((count) => 100 - Math.trunc((100 * count) / most));
}

function nodeAffinityScores(pod: KubeObject, rooms: readonly NodeRoom[]): number[] | undefined {
  const preferred = (pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) as {
    weight: number;
    preference: NodeTerm;
  }[];
  if (preferred.length === 0) return undefined;
  const raw = rooms.map(({ node }) =>
    preferred.reduce((sum, { weight, preference }) => {
      const empty = !preference.matchExpressions?.length && !preference.matchFields?.length;
      return empty || matchesNodeTerm(preference, node as KubeObject) ? sum + weight : sum;
    }, 0),
  );
  const most = Math.max(...raw);
  return most === 0 ? raw : raw.map((score) => Math.trunc((100 * score) / most));
}

function leastAllocated(pod: KubeObject, { allocatable, scored }: NodeRoom): number {
  const asked = scoredRequestsOf(pod);
  let sum = 0;
  let count = 0;
  for (const name of ["cpu", "memory"] as const) {
    const has = allocatable[name] ?? 0;
    if (has === 0) continue;
    count++;
    const used = scored[name] + asked[name];
    if (used <= has) sum += Math.trunc(((has - used) * 100) / has);
  }
  return count === 0 ? 0 : Math.trunc(sum / count);
}

/** 100 when processor and memory are used in the same proportion. */
function balance(pod: KubeObject, { allocatable, requested }: NodeRoom): number {
  const asked = requestsOf(pod);
  if (!asked["cpu"] && !asked["memory"]) return 0;
  const fractions = ["cpu", "memory"].flatMap((name) => {
    const has = allocatable[name] ?? 0;
    return has === 0 ? [] : [Math.min(1, ((requested[name] ?? 0) + (asked[name] ?? 0)) / has)];
  });
  const [first = 0, second] = fractions;
  return second === undefined ? 100 : Math.trunc((1 - Math.abs(first - second) / 2) * 100);
}
