import type { KubeObject } from "@tiphys/resources";
import type { NodeRoom, SchedulingCluster } from "./cluster.js";
import { type Obstacle, obstaclesFor } from "./filters.js";

export interface Preemption {
  readonly node: string;
  readonly victims: readonly KubeObject[];
}

export const priorityOf = (pod: KubeObject): number => pod.spec?.priority ?? 0;

const startOf = (pod: KubeObject): number =>
  Date.parse(pod.status?.startTime ?? pod.metadata.creationTimestamp ?? "") || 0;

/** More important first: higher priority, then longer at work. */
const byImportance = (a: KubeObject, b: KubeObject): number => priorityOf(b) - priorityOf(a) || startOf(a) - startOf(b);

/**
 * The pods of one node that have to go for `pod`, as few and unimportant as can be; or why no pods of any node help, by
 * reason and count, as the original says it.
 */
export function findPreemption(
  pod: KubeObject,
  cluster: SchedulingCluster,
  obstacles: ReadonlyMap<NodeRoom, Obstacle>,
): Preemption | { readonly problem: string } {
  if (pod.spec?.preemptionPolicy === "Never") return { problem: "not eligible due to preemptionPolicy=Never." };
  if (waitsForVictims(pod, cluster, obstacles)) {
    return { problem: "not eligible due to a terminating pod on the nominated node." };
  }
  const problems: string[] = [];
  const candidates: { room: NodeRoom; victims: readonly KubeObject[] }[] = [];
  for (const room of cluster.nodes()) {
    const found = obstacles.get(room)?.forGood
      ? ["Preemption is not helpful for scheduling"]
      : victimsOn(pod, cluster, room);
    if (typeof found[0] === "string") problems.push(...(found as string[]));
    else candidates.push({ room, victims: found as KubeObject[] });
  }
  const best = candidates.sort((a, b) => compare(a.victims, b.victims))[0];
  if (best) return { node: (best.room.node as KubeObject).metadata.name, victims: best.victims };
  return { problem: `0/${cluster.nodes().length} nodes are available: ${histogram(problems)}.` };
}

/** `2 Insufficient cpu, 1 node(s) were unschedulable` */
export function histogram(reasons: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(", ");
}

/** Its victims are on their way out: more would be too many. */
function waitsForVictims(
  pod: KubeObject,
  cluster: SchedulingCluster,
  obstacles: ReadonlyMap<NodeRoom, Obstacle>,
): boolean {
  const nominated: string | undefined = pod.status?.nominatedNodeName;
  const room = nominated ? cluster.nodes().find(({ node }) => node?.metadata.name === nominated) : undefined;
  if (!room || obstacles.get(room)?.forGood) return false;
  return [...room.pods.values()].some(
    (other) =>
      other.metadata.deletionTimestamp !== undefined &&
      priorityOf(other) < priorityOf(pod) &&
      ((other.status?.conditions ?? []) as { type: string; reason?: string }[]).some(
        ({ type, reason }) => type === "DisruptionTarget" && reason === "PreemptionByScheduler",
      ),
  );
}

function victimsOn(
  pod: KubeObject,
  cluster: SchedulingCluster,
  room: NodeRoom,
): readonly KubeObject[] | readonly string[] {
  const lower = [...room.pods.values()].filter((other) => priorityOf(other) < priorityOf(pod)).sort(byImportance);
  if (lower.length === 0) return ["No preemption victims found for incoming pod"];
  try {
    for (const other of lower) room.take(other.metadata.uid ?? "");
    const still = obstaclesFor(pod, cluster)(room);
    if (still) return still.reasons;
    const victims: KubeObject[] = [];
    for (const other of lower) {
      room.put(other);
      if (!obstaclesFor(pod, cluster)(room)) continue;
      room.take(other.metadata.uid ?? "");
      victims.push(other);
    }
    return victims;
  } finally {
    // A thought experiment: the sums are as before.
    for (const other of lower) room.put(other);
  }
}

/** The node whose victims matter least. */
function compare(a: readonly KubeObject[], b: readonly KubeObject[]): number {
  const highest = (victims: readonly KubeObject[]) => Math.max(...victims.map(priorityOf));
  // Sums are of numbers without sign, so that few of low priority beat many.
  const sum = (victims: readonly KubeObject[]) => victims.reduce((total, pod) => total + priorityOf(pod) + 2 ** 31, 0);
  const earliest = (victims: readonly KubeObject[]) =>
    Math.min(...victims.filter((pod) => priorityOf(pod) === highest(victims)).map(startOf));
  return highest(a) - highest(b) || sum(a) - sum(b) || a.length - b.length || earliest(b) - earliest(a);
}
