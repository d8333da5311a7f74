import { type Group, MERGE, type Step } from "../../play.js";

export type Members = Readonly<Record<string, unknown>>;

/** A kind whose fields are tried, with an object that is good. */
export interface Subject {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly cluster?: true;
  /** Without its type and name. */
  readonly base: Members;
  /** Only where a name is not free. */
  readonly name?: string;
  readonly without?: readonly string[];
}

const isPlain = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `base` with `change` laid over it; null takes a member out. */
export function merged(base: Members, change: Members): Members {
  const out: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(change)) {
    if (value === null) delete out[key];
    else out[key] = isPlain(value) && isPlain(base[key]) ? merged(base[key], value) : value;
  }
  return out;
}

/** Each of `creates` is laid over the base and tried at creation; each of `changes` is tried on the stored base. */
export function fieldsOf(
  subject: Subject,
  creates: Readonly<Record<string, Members>>,
  changes: Readonly<Record<string, Members>> = {},
  statuses: Readonly<Record<string, Members>> = {},
): Group {
  const { group, version, resource, kind, cluster, base, without } = subject;
  const collection = `${group === "" ? `/api/${version}` : `/apis/${group}/${version}`}${cluster ? "" : "/namespaces/$NS"}/${resource}`;
  const name = subject.name ?? "$RUN-f";
  const type = { apiVersion: group === "" ? version : `${group}/${version}`, kind };
  const only = without ? { without } : {};
  const headers = { "content-type": MERGE };
  const steps: Step[] = Object.entries(creates).map(([why, change]) => ({
    name: why,
    method: "POST",
    path: `${collection}?dryRun=All`,
    body: merged({ ...type, metadata: { name }, ...base }, change),
    ...only,
  }));
  if (Object.keys(changes).length + Object.keys(statuses).length > 0) {
    const at = `${collection}/${name}`;
    steps.push({
      name: "create it",
      method: "POST",
      path: collection,
      body: { ...type, metadata: { name }, ...base },
      ...only,
    });
    for (const [why, body] of Object.entries(changes)) {
      steps.push({ name: `change: ${why}`, method: "PATCH", path: `${at}?dryRun=All`, headers, body, ...only });
    }
    for (const [why, status] of Object.entries(statuses)) {
      const body = { status };
      steps.push({ name: `status: ${why}`, method: "PATCH", path: `${at}/status?dryRun=All`, headers, body, ...only });
    }
    if (cluster) steps.push({ name: "delete it", method: "DELETE", path: at, uncompared: "only cleans up" });
  }
  return { name: `fields of ${kind} of ${type.apiVersion}`, steps };
}

export const long = (size: number): string => "a".repeat(size);
