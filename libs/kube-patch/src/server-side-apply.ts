import type { Schema } from "@tiphys/kube-schema";
import type { KubeObject, ManagedFieldsEntry } from "@tiphys/resources";
import type { Conflict } from "./conflicts.js";
import { PatchError } from "./errors.js";
import { difference, type FieldSet, fieldPaths, intersection, recursiveDifference, union } from "./field-set.js";
import { goText } from "./go-text.js";
import { ignored, type Manager, ownable, readManagers, sameManager, writeManagers } from "./managed-fields.js";
import { checkTyped, compare, dropUnowned, fieldSetOf, mergeTyped } from "./typed.js";

/** Owner of what was there before the first apply of an object whose managers nobody had recorded. */
const beforeFirstApply = "before-first-apply";

export interface ApplyInput {
  /** Absent: the apply creates the object. */
  readonly live?: KubeObject;
  /** The manager's whole intent. */
  readonly applied: KubeObject;
  readonly manager: string;
  /** Take over fields of others instead of reporting conflicts. */
  readonly force?: boolean;
  readonly schema: Schema;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  readonly subresource?: string;
  /** Fields that this request cannot write, such as `["status"]`: they are left as they are and get no owner. */
  readonly ignore?: readonly (readonly string[])[];
}

export type ApplyResult =
  | { readonly object: KubeObject; readonly conflicts: readonly [] }
  | { readonly object?: undefined; readonly conflicts: readonly Conflict[] };

/**
 * Server-side apply: lays `applied` over `live`, drops what its manager gave up and nobody else owns, and records the
 * new ownership. Answers conflicts instead when others own fields with other values and `force` is not set. The object
 * has no defaults applied; inputs are never changed, and unchanged parts are shared with them.
 */
export function applyServerSide(input: ApplyInput): ApplyResult {
  const { live, manager, schema, now, subresource = "" } = input;
  const without = input.ignore === undefined ? undefined : ignored(input.ignore);
  const applied = withoutManagedFields(input.applied);
  if (input.applied.metadata?.managedFields !== undefined) {
    throw new PatchError("malformed", "metadata.managedFields must be nil");
  }
  checkConfiguration(applied, schema);

  const before: KubeObject = live === undefined ? emptyOf(applied) : withoutManagedFields(live);
  const managers = known(live, before, schema, now);
  const mine = managers.find((other) => sameManager(other, manager, "Apply", applied.apiVersion, subresource));
  const spoken = fieldSetOf(applied, schema);
  const set = recursiveDifference(ownable(spoken), without);

  let merged = mergeTyped(
    before,
    without === undefined ? applied : writable(applied, input.ignore!),
    schema,
  ) as KubeObject;
  if (mine !== undefined) {
    // The name counts here although nobody owns it: metadata itself is never given up.
    let owned = spoken;
    for (const other of managers) if (other !== mine) owned = union(owned, other.fields);
    merged = dropUnowned(merged, mine.fields, owned, schema) as KubeObject;
  }

  const found = compare(before, merged, schema);
  const conflicts: Conflict[] = [];
  const out: Manager[] = [];
  for (const other of managers) {
    if (other === mine) continue;
    const disputed = intersection(other.fields, found.changed);
    if (disputed !== undefined && !input.force) {
      for (const field of fieldPaths(disputed)) conflicts.push(conflictWith(other, field));
      continue;
    }
    const fields = difference(difference(other.fields, disputed), found.removed);
    if (fields !== undefined) out.push(fields === other.fields ? other : { ...other, fields });
  }
  if (conflicts.length > 0) return { conflicts };

  // The time is that of the last change of the object, not of its owners.
  const time = found.changed === undefined && found.removed === undefined ? mine?.time : now;
  if (set !== undefined) out.push(entry(manager, applied.apiVersion, subresource, time, set));
  return { object: withManagers(merged, writeManagers(out)), conflicts: [] };
}

const entry = (
  name: string,
  apiVersion: string,
  subresource: string,
  time: string | undefined,
  fields: FieldSet,
): Manager => ({ name, operation: "Apply", apiVersion, subresource, time, fields });

function conflictWith(other: Manager, field: string): Conflict {
  const { name, operation, apiVersion, subresource, time } = other;
  return {
    manager: name,
    operation,
    apiVersion,
    field,
    ...(subresource ? { subresource } : {}),
    ...(time ? { time } : {}),
  };
}

/** Managers of the live object; an object that was never tracked belongs to whoever came before. */
function known(live: KubeObject | undefined, before: KubeObject, schema: Schema, now: string): Manager[] {
  const managers = readManagers(live?.metadata.managedFields);
  if (live === undefined || managers.length > 0) return managers;
  const fields = ownable(compare(schema.zero ?? {}, before, schema).changed);
  if (fields === undefined) return [];
  return [
    { name: beforeFirstApply, operation: "Update", apiVersion: live.apiVersion, subresource: "", time: now, fields },
  ];
}

function withoutManagedFields(object: KubeObject): KubeObject {
  if (object.metadata?.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

const withManagers = (object: KubeObject, managedFields: ManagedFieldsEntry[]): KubeObject => ({
  ...object,
  metadata: managedFields.length > 0 ? { ...object.metadata, managedFields } : object.metadata,
});

const emptyOf = ({ apiVersion, kind }: KubeObject): KubeObject => ({ apiVersion, kind }) as KubeObject;

/** The configuration without the fields that this request cannot write. */
function writable(applied: KubeObject, ignore: readonly (readonly string[])[]): KubeObject {
  let out: KubeObject = applied;
  for (const path of ignore) out = without(out, path) as KubeObject;
  return out;
}

function without(value: unknown, path: readonly string[]): unknown {
  const [head, ...rest] = path;
  if (head === undefined || value === null || typeof value !== "object" || !Object.hasOwn(value, head)) return value;
  const copy = { ...(value as Record<string, unknown>) };
  if (rest.length === 0) delete copy[head];
  else copy[head] = without(copy[head], rest);
  return copy;
}

function checkConfiguration(applied: KubeObject, schema: Schema): void {
  const problems: string[] = [];
  checkTyped(applied, schema, "", problems);
  if (problems.length === 0) return;
  const { namespace = "", name } = applied.metadata ?? {};
  const about = `${typeof namespace === "string" ? namespace : ""}/${goText(name)}; ${String(applied.apiVersion).includes("/") ? "" : "/"}${goText(applied.apiVersion)}, Kind=${goText(applied.kind)}`;
  const listed =
    problems.length === 1 ? problems[0] : `errors:\n${problems.map((problem) => `  ${problem}`).join("\n")}`;
  throw new PatchError("unmergeable", `failed to create typed patch object (${about}): ${listed}`);
}
