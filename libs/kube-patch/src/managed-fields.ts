import { deepEqual } from "@tiphys/canonical-json";
import type { Schema } from "@tiphys/kube-schema";
import type { KubeObject, ManagedFieldsEntry } from "@tiphys/resources";
import { difference, type FieldSet, recursiveDifference, setOfPaths, union } from "./field-set.js";
import { type Comparison, compare } from "./typed.js";

/** What one manager owns, through one kind of operation. */
export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** Update managers kept apart; older ones are folded into one entry. */
const updateManagersKept = 10;
const foldedManager = "ancient-changes";

/** Metadata that no manager owns. */
const unowned = setOfPaths([
  ["apiVersion"],
  ["kind"],
  ["metadata", "name"],
  ["metadata", "namespace"],
  ["metadata", "creationTimestamp"],
  ["metadata", "selfLink"],
  ["metadata", "uid"],
  ["metadata", "clusterName"],
  ["metadata", "generation"],
  ["metadata", "managedFields"],
  ["metadata", "resourceVersion"],
])!;

/** The set without metadata that belongs to nobody. */
export function ownable(set: FieldSet | undefined): FieldSet | undefined {
  if (set === undefined) return undefined;
  const metadata = set["f:metadata"];
  if (metadata === undefined && set["f:apiVersion"] === undefined && set["f:kind"] === undefined) return set;
  const rest = difference(set, unowned);
  if (rest === undefined || rest["f:metadata"] === undefined) return rest;
  // `metadata` itself is not a field to own either.
  return difference(rest, metadataItself);
}
const metadataItself: FieldSet = { "f:metadata": {} };

export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Manager[] {
  const managers: Manager[] = [];
  for (const entry of entries ?? []) {
    if (entry.operation !== "Apply" && entry.operation !== "Update") continue;
    managers.push({
      name: entry.manager ?? "",
      operation: entry.operation,
      apiVersion: entry.apiVersion ?? "",
      subresource: entry.subresource ?? "",
      time: entry.time,
      fields: (entry.fieldsV1 ?? {}) as FieldSet,
    });
  }
  return managers;
}

export function writeManagers(managers: readonly Manager[]): ManagedFieldsEntry[] {
  return fold([...managers].sort(inOrder)).map(writeManager);
}

function writeManager({ name, operation, apiVersion, subresource, time, fields }: Manager): ManagedFieldsEntry {
  const entry: ManagedFieldsEntry = { manager: name, operation, apiVersion };
  if (time !== undefined) entry.time = time;
  entry.fieldsType = "FieldsV1";
  entry.fieldsV1 = fields;
  if (subresource !== "") entry.subresource = subresource;
  return entry;
}

/** Applies come first, then older before newer. */
function inOrder(a: Manager, b: Manager): number {
  if (a.operation !== b.operation) return a.operation === "Apply" ? -1 : 1;
  const byTime = compareText(a.time ?? "", b.time ?? "");
  if (byTime !== 0) return byTime;
  return (
    compareText(a.name, b.name) || compareText(a.apiVersion, b.apiVersion) || compareText(a.subresource, b.subresource)
  );
}
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function fold(managers: Manager[]): Manager[] {
  const updates = managers.filter((manager) => manager.operation === "Update" && manager.subresource === "");
  const excess = updates.length - updateManagersKept;
  if (excess <= 0) return managers;
  // The oldest go together into one entry per version, which itself counts.
  const old = new Set(updates.slice(0, excess + 1));
  const folded = new Map<string, Manager>();
  for (const manager of old) {
    const known = folded.get(manager.apiVersion);
    folded.set(manager.apiVersion, {
      ...manager,
      name: foldedManager,
      fields: union(known?.fields, manager.fields)!,
    });
  }
  return [...managers.filter((manager) => !old.has(manager)), ...folded.values()].sort(inOrder);
}

/** Entries in the order they are kept in. */
export const inManagersOrder = (entries: readonly ManagedFieldsEntry[]): ManagedFieldsEntry[] =>
  writeManagers(readManagers(entries));

export const sameManager = (
  manager: Manager,
  name: string,
  operation: "Apply" | "Update",
  apiVersion: string,
  subresource: string,
): boolean =>
  manager.operation === operation &&
  manager.name === name &&
  manager.subresource === subresource &&
  (operation === "Apply" || manager.apiVersion === apiVersion);

export interface UpdateInput {
  /** Absent: the object is created. */
  readonly before?: KubeObject;
  /** As it will be stored: defaults applied, fields that the request cannot write put back. */
  readonly after: KubeObject;
  readonly manager: string;
  readonly schema: Schema;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  readonly subresource?: string;
  /** Of what was written, where that is another kind than the object's: a Scale. */
  readonly apiVersion?: string;
  /** Fields that this request cannot write, such as `["status"]`: they change no owner. */
  readonly ignore?: readonly (readonly string[])[];
}

/**
 * metadata.managedFields after a create, update or any patch but apply: the manager gets what it changed, everybody
 * else loses that and what is gone. Answers the very same list when nothing changed.
 */
export function updateManagedFields(input: UpdateInput): ManagedFieldsEntry[] {
  const { before, after, manager, schema, now, subresource = "" } = input;
  const sent = after.metadata.managedFields;
  // A list with one empty entry is the documented way to drop all ownership.
  if (sent?.length === 1 && Object.keys(sent[0]!).length === 0) return [];
  const edited =
    sent !== undefined && sent.length > 0 && sent !== before?.metadata.managedFields && sent.every(isReadable);
  const entries = edited ? sent : (before?.metadata.managedFields ?? []);
  // An object that nobody tracked so far stays untracked until someone applies it.
  if (before !== undefined && entries.length === 0) return [];

  const difference = changes(before, after, schema, input.ignore);
  if (difference.changed === undefined && difference.removed === undefined) return entries as ManagedFieldsEntry[];
  const managers = afterUpdate(readManagers(entries), difference, {
    name: manager,
    apiVersion: input.apiVersion ?? after.apiVersion,
    subresource,
    now,
  });
  return managers === undefined ? (entries as ManagedFieldsEntry[]) : writeManagers(managers);
}

/** Entries that cannot be read change nothing: those of the stored object go on. */
const isReadable = ({ operation, fieldsType }: ManagedFieldsEntry): boolean =>
  (operation === "Apply" || operation === "Update") && (!fieldsType || fieldsType === "FieldsV1");

/** Differences without the parts nobody owns. */
function changes(
  before: KubeObject | undefined,
  after: KubeObject,
  schema: Schema,
  ignore: readonly (readonly string[])[] | undefined,
): Comparison {
  const found = compare(before ?? schema.zero ?? {}, after, schema);
  const without = ignore === undefined || ignore.length === 0 ? undefined : ignored(ignore);
  return {
    changed: recursiveDifference(ownable(found.changed), without),
    removed: recursiveDifference(found.removed, without),
  };
}

const ignoredSets = new WeakMap<readonly (readonly string[])[], FieldSet>();
export function ignored(paths: readonly (readonly string[])[]): FieldSet | undefined {
  let set = ignoredSets.get(paths);
  if (set === undefined) {
    set = setOfPaths(paths);
    if (set !== undefined) ignoredSets.set(paths, set);
  }
  return set;
}

/** Undefined when no entry changes. */
function afterUpdate(
  managers: readonly Manager[],
  { changed, removed }: Comparison,
  by: { name: string; apiVersion: string; subresource: string; now: string },
): Manager[] | undefined {
  const taken = union(changed, removed);
  let same = changed === undefined;
  let mine: Manager | undefined;
  const out: Manager[] = [];
  for (const manager of managers) {
    if (sameManager(manager, by.name, "Update", by.apiVersion, by.subresource)) {
      mine = manager;
      const fields = difference(manager.fields, removed);
      if (fields !== manager.fields) same = false;
      if (changed === undefined) {
        if (fields !== undefined) out.push(fields === manager.fields ? manager : { ...manager, fields });
      } else mine = { ...manager, fields: fields ?? {} };
      continue;
    }
    const fields = difference(manager.fields, taken);
    if (fields === undefined) same = false;
    else if (fields === manager.fields) out.push(manager);
    else {
      same = false;
      out.push({ ...manager, fields });
    }
  }
  if (same) return undefined;
  if (changed !== undefined) {
    const kept = mine !== undefined && Object.keys(mine.fields).length > 0 ? mine.fields : undefined;
    out.push({
      name: by.name,
      operation: "Update",
      apiVersion: by.apiVersion,
      subresource: by.subresource,
      time: by.now,
      fields: union(kept, changed)!,
    });
  }
  return out;
}

/** True when the objects differ at most in the times of managedFields (and resourceVersion): the write changes nothing. */
export function sameExceptManagedFieldsTimes(a: KubeObject, b: KubeObject): boolean {
  if (a === b) return true;
  for (const key of Object.keys({ ...a, ...b })) {
    if (key !== "metadata" && !deepEqual(a[key], b[key])) return false;
  }
  const { managedFields: ours, resourceVersion: _a, ...left } = a.metadata;
  const { managedFields: theirs, resourceVersion: _b, ...right } = b.metadata;
  if (!deepEqual(left, right)) return false;
  if (ours === theirs) return true;
  if ((ours?.length ?? 0) !== (theirs?.length ?? 0)) return false;
  const timeless = (entry: ManagedFieldsEntry) => ({ ...entry, time: undefined });
  return (ours ?? []).every((entry, at) => deepEqual(timeless(entry), timeless(theirs![at]!)));
}
