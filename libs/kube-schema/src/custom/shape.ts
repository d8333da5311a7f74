import { clone } from "@tiphys/canonical-json";
import type { Schema } from "../schema.js";

type Members = Record<string, unknown>;
const isObject = (value: unknown): value is Members =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Members of every object that is a resource of its own. */
const resourceMembers = new Set(["apiVersion", "kind", "metadata"]);

/** `value` without unknown fields and without nulls where null is no value; their paths go to `unknown`. */
export function pruneCustom(
  value: unknown,
  schema: Schema,
  path: string,
  isResource: boolean,
  unknown: string[],
): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined) return value;
    let out: unknown[] | undefined;
    value.forEach((item, at) => {
      const pruned = pruneCustom(item, items, `${path}[${at}]`, items.embedded === true, unknown);
      if (pruned === item) return;
      out ??= [...value];
      out[at] = pruned;
    });
    return out ?? value;
  }
  if (!isObject(value)) return value;
  const { properties, additional } = schema;
  let out: Members | undefined;
  const drop = (key: string) => {
    out ??= { ...value };
    delete out[key];
  };
  for (const key of Object.keys(value)) {
    if (isResource && resourceMembers.has(key)) continue;
    const at = path === "" ? key : `${path}.${key}`;
    const known = (properties && Object.hasOwn(properties, key) ? properties[key] : undefined) ?? additional;
    if (known === undefined) {
      if (schema.preserve) continue;
      unknown.push(at);
      drop(key);
      continue;
    }
    const member = value[key];
    if (member === null && known.type !== undefined && !known.nullable && additional === undefined) {
      drop(key);
      continue;
    }
    const pruned = pruneCustom(member, known, at, known.embedded === true, unknown);
    if (pruned === member) continue;
    out ??= { ...value };
    out[key] = pruned;
  }
  return out ?? value;
}

/** `value` with every default of the schema that is missing in it. */
export function fillCustom(value: unknown, schema: Schema): unknown {
  if (!hasDefaults(schema)) return value;
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items === undefined || !hasDefaults(items)) return value;
    let out: unknown[] | undefined;
    value.forEach((item, at) => {
      const filled = fillCustom(item, items);
      if (filled === item) return;
      out ??= [...value];
      out[at] = filled;
    });
    return out ?? value;
  }
  if (!isObject(value)) return value;
  let out: Members | undefined;
  const set = (key: string, member: unknown) => {
    if (member === value[key]) return;
    out ??= { ...value };
    out[key] = member;
  };
  for (const [key, known] of Object.entries(schema.properties ?? {})) {
    const member = value[key];
    if (member !== undefined) set(key, fillCustom(member, known));
    else if (known.default !== undefined) set(key, fillCustom(clone(known.default), known));
  }
  if (schema.additional !== undefined && hasDefaults(schema.additional)) {
    for (const [key, member] of Object.entries(value)) {
      if (!schema.properties?.[key]) set(key, fillCustom(member, schema.additional));
    }
  }
  return out ?? value;
}

const known = new WeakMap<Schema, boolean>();
/** Most schemas have no default anywhere: remembered, so that objects of such kinds are not walked at all. */
function hasDefaults(schema: Schema): boolean {
  let answer = known.get(schema);
  if (answer === undefined) {
    answer =
      schema.default !== undefined ||
      Object.values(schema.properties ?? {}).some(hasDefaults) ||
      (schema.items !== undefined && hasDefaults(schema.items)) ||
      (schema.additional !== undefined && hasDefaults(schema.additional));
    known.set(schema, answer);
  }
  return answer;
}
