/*
 * What may differ between two servers that behave alike: values that each of them makes up by itself. This list is
 * fixed; whatever is not in it has to be equal, or is an exception of docs/embedded-cluster.md.
 */

/** Members whose value is replaced wherever they stand, unless it is empty. */
const volatileMembers: ReadonlySet<string> = new Set([
  "uid",
  "resourceVersion",
  "creationTimestamp",
  "deletionTimestamp",
  "lastTransitionTime",
  "lastUpdateTime",
  "time",
  "lastPhaseTransitionTime",
  "clusterIP",
  "clusterIPs",
  "serverAddress",
  "continue",
]);

/** Texts inside of messages that are made up, and what stands for them. */
const volatileTexts: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "UID"],
  [/(\bresourceVersion: ")\d+"/g, '$1REVISION"'],
  [/\b10\.96\.\d+\.\d+\b/g, "CLUSTER-IP"],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "TIME"],
  [/(Too large resource version: \d+, current: )\d+/g, "$1REVISION"],
  [/(does not match the ResourceVersion in record \()\d+\)/g, "$1REVISION)"],
  [/(too old resource version: \d+ \()\d+\)/g, "$1REVISION)"],
  [/\bgenerated-[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, "generated-NAME"],
];

/** What the two sides call by other names: the namespace and the run. */
export interface Names {
  readonly namespace: string;
  readonly run: string;
}

export function normaliseText(text: string, { namespace, run }: Names): string {
  let out = text.replaceAll(namespace, "NAMESPACE").replaceAll(run, "RUN");
  for (const [pattern, replacement] of volatileTexts) out = out.replace(pattern, replacement);
  return out.replace(/"\{(?:[^"\\]|\\.)*\}"/g, (quoted) => sortedJson(quoted, { namespace, run }));
}

/** The members of a JSON text inside of a message have no order that anybody could rely on. */
function sortedJson(quoted: string, names: Names): string {
  try {
    return JSON.stringify(JSON.stringify(inOrder(normalise(JSON.parse(JSON.parse(quoted)), names))));
  } catch {
    return quoted;
  }
}

const inOrder = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(inOrder)
    : value !== null && typeof value === "object"
      ? Object.fromEntries(
          Object.entries(value)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, member]) => [key, inOrder(member)]),
        )
      : value;

/** The real server keeps causes in a map, so their order says nothing: the list, and the text made of it, are sorted. */
const sortedCauses = (message: string): string =>
  message.replace(
    /( is invalid: |^)\[(.*)\]$/s,
    (_, head: string, causes: string) =>
      `${head}[${causes
        .split(/, (?=[a-z<](?:[\w.<>]|\[[^\]]*\])*: )/i)
        .sort()
        .join(", ")}]`,
  );

export function normalise(value: unknown, names: Names): unknown {
  if (typeof value === "string") return normaliseText(value, names);
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map((item) => normalise(item, names));
  const out: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (key === "cells" && Array.isArray(member))
      out[key] = member.map((cell) => (isAge(cell) ? "AGE" : normalise(cell, names)));
    else if (volatileMembers.has(key) && isMadeUp(member)) out[key] = "…";
    else if (key === "causes" && Array.isArray(member)) out[key] = sorted(member.map((one) => normalise(one, names)));
    else if (key === "message" && typeof member === "string") out[key] = sortedCauses(normaliseText(member, names));
    else out[normaliseText(key, names)] = normalise(member, names);
  }
  return out;
}

/** How long ago something was, in a row of a table. */
const isAge = (cell: unknown): boolean => typeof cell === "string" && /^\d+[smhd](\d+[smhd])?$/.test(cell);

const isMadeUp = (member: unknown): boolean =>
  Array.isArray(member)
    ? member.length > 0
    : typeof member === "string" && member !== "" && member !== "None" && member !== "0";

const sorted = (list: unknown[]): unknown[] =>
  list
    .map((one) => [JSON.stringify(one), one] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, one]) => one);

/** Headers that say something about the answer; all others are of the transport, or say who asked when. */
export const comparedHeaders = [
  "content-type",
  "content-encoding",
  "warning",
  "retry-after",
  "cache-control",
  "allow",
  "vary",
] as const;
