import type { KubeObject } from "@tiphys/resources";

export const INDEX = "batch.kubernetes.io/job-completion-index";

/** Completion indexes as sorted, disjoint ranges; the text form is `1,3-5,7`. */
export type Indexes = readonly (readonly [first: number, last: number])[];

/** Reads the text form; indexes from `completions` on are left out, and so is what cannot be read. */
export function parseIndexes(text: string | undefined, completions: number): Indexes {
  const ranges: [number, number][] = [];
  for (const part of (text ?? "").split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (!match) continue;
    const first = Number(match[1]);
    if (first < completions) ranges.push([first, Math.min(Number(match[2] ?? first), completions - 1)]);
  }
  return merged(ranges);
}

function merged(ranges: readonly (readonly [number, number])[]): Indexes {
  const result: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const before = result.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else result.push([first, last]);
  }
  return result;
}

export const union = (a: Indexes, b: Indexes): Indexes => merged([...a, ...b]);
export const withIndexes = (indexes: Indexes, more: Iterable<number>): Indexes =>
  merged([...indexes, ...[...more].map((index): [number, number] => [index, index])]);

export const hasIndex = (indexes: Indexes, index: number): boolean =>
  indexes.some(([first, last]) => first <= index && index <= last);

export const countIndexes = (indexes: Indexes): number =>
  indexes.reduce((count, [first, last]) => count + last - first + 1, 0);

export const indexesText = (indexes: Indexes): string =>
  indexes
    .map(([first, last]) => (first === last ? `${first}` : `${first}${last === first + 1 ? "," : "-"}${last}`))
    .join(",");

/** The first `count` indexes below `completions` that are not in `taken`. */
export function freeIndexes(taken: Indexes, count: number, completions: number): number[] {
  const free: number[] = [];
  let candidate = 0;
  for (const [first, last] of [...taken, [completions, completions] as const]) {
    for (; candidate < Math.min(first, completions) && free.length < count; candidate++) free.push(candidate);
    candidate = Math.max(candidate, last + 1);
  }
  return free;
}

/** How many indexes two sets share. */
export function countShared(a: Indexes, b: Indexes): number {
  let shared = 0;
  for (const [first, last] of a) {
    for (const [from, to] of b) shared += Math.max(0, Math.min(last, to) - Math.max(first, from) + 1);
  }
  return shared;
}

/** The completion index of a pod; undefined when it has none. */
export function indexOf(pod: KubeObject): number | undefined {
  const text = pod.metadata.annotations?.[INDEX];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The same when it is one of the job's. */
export function validIndexOf(pod: KubeObject, completions: number): number | undefined {
  const index = indexOf(pod);
  return index !== undefined && index < completions ? index : undefined;
}
