import { canonicalJson } from "@tiphys/canonical-json";
import { duplicate, type FieldError, invalid } from "../field-error.js";
import { memberSchema, type Schema } from "../schema.js";

type Members = Record<string, unknown>;
const isObject = (value: unknown): value is Members =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Items that a set or a list with keys has twice. */
export function validateListTypes(value: unknown, schema: Schema, path: string): FieldError[] {
  if (!hasListTypes(schema)) return [];
  const errors: FieldError[] = [];
  walk(value, schema, path, errors);
  return errors;
}

function walk(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  if (Array.isArray(value)) {
    if (schema.listType === "set") {
      for (const at of repeated(value)) errors.push(duplicate(`${path}[${at}]`, value[at]));
    } else if (schema.listType === "map") checkKeys(value, schema.listKeys ?? [], path, errors);
    const { items } = schema;
    if (items !== undefined) for (const [at, item] of value.entries()) walk(item, items, `${path}[${at}]`, errors);
    return;
  }
  if (!isObject(value)) return;
  for (const key of Object.keys(value)) {
    const known = schema.properties && Object.hasOwn(schema.properties, key);
    const member = memberSchema(schema, key);
    if (member === undefined) continue;
    walk(value[key], member, known ? (path === "" ? key : `${path}.${key}`) : `${path}[${key}]`, errors);
  }
}

function checkKeys(list: readonly unknown[], keys: readonly string[], path: string, errors: FieldError[]): void {
  for (const [at, item] of list.entries()) {
    if (item === null || isObject(item)) continue;
    errors.push(invalid(`${path}[${at}]`, item, "must be an object for an array of list-type map"));
    return;
  }
  const shown = list.map((item) =>
    Object.fromEntries(
      [...keys].sort().flatMap((key) => (isObject(item) && item[key] !== undefined ? [[key, item[key]]] : [])),
    ),
  );
  for (const at of repeated(shown)) errors.push(duplicate(`${path}[${at}]`, shown[at]));
}

/** Where values come for the second time. */
function repeated(list: readonly unknown[]): number[] {
  const seen = new Map<string, number>();
  const out: number[] = [];
  for (const [at, item] of list.entries()) {
    const id = canonicalJson(item);
    const count = (seen.get(id) ?? 0) + 1;
    seen.set(id, count);
    if (count === 2) out.push(at);
  }
  return out;
}

const known = new WeakMap<Schema, boolean>();
function hasListTypes(schema: Schema): boolean {
  let answer = known.get(schema);
  if (answer === undefined) {
    answer =
      schema.listType === "set" ||
      schema.listType === "map" ||
      Object.values(schema.properties ?? {}).some(hasListTypes) ||
      (schema.items !== undefined && hasListTypes(schema.items)) ||
      (schema.additional !== undefined && hasListTypes(schema.additional));
    known.set(schema, answer);
  }
  return answer;
}
