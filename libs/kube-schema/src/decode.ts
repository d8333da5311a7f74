import { canonicalQuantity } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { isStruct, zeroValue } from "./definitions.js";
import { inStruct } from "./embedded.js";
import type { Schema } from "./schema.js";

export interface Decoded {
  /** The object in the form the API server stores: nothing unknown, no nulls, canonical quantities and times. */
  readonly object: KubeObject;
  /** Paths of fields that the kind does not have, such as `spec.foo`. */
  readonly unknown: readonly string[];
  /** Why the object cannot be this kind at all (answered with 400); the object is unusable then. */
  readonly error?: string;
  /** The same without the kind's name in front. */
  readonly problem?: string;
}

interface Walk {
  readonly unknown: string[];
  error: string | undefined;
}

/** Reads plain data as a builtin kind. */
export function decode(object: KubeObject, schema: Schema): Decoded {
  const walk: Walk = { unknown: [], error: undefined };
  const value = decodeStruct(object, schema, "", "", walk) as KubeObject;
  if (walk.error === undefined) return { object: value, unknown: walk.unknown };
  const version = object.apiVersion?.split("/").at(-1) ?? "";
  const error = `${object.kind} in version ${JSON.stringify(version)} cannot be handled as a ${object.kind}: ${walk.error}`;
  return { object: value, unknown: walk.unknown, error, problem: walk.error };
}

/** Name of the Go struct in messages: the last part of the definition's name. */
const structName = (schema: Schema): string => schema.definition?.split(".").at(-1) ?? "";

function kindOfJson(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "object") return "object";
  return typeof value === "boolean" ? "bool" : typeof value === "bigint" ? "number" : typeof value;
}

/** The Go type in messages. */
function typeName(schema: Schema): string {
  if (schema.type === "integer") return schema.format ?? "int64";
  if (schema.type === "boolean") return "bool";
  if (schema.type === "number") return "float64";
  if (schema.format === "byte") return "[]uint8";
  if (schema.type === "array") return `[]${schema.items ? typeName(schema.items) : "interface {}"}`;
  if (schema.definition) {
    const parts = schema.definition.split(".");
    return `${parts.at(-2)}.${parts.at(-1)}`;
  }
  if (schema.additional)
    return schema.additional.quantity ? "v1.ResourceList" : `map[string]${typeName(schema.additional)}`;
  return "string";
}

function mismatch(value: unknown, schema: Schema, owner: string, path: string, walk: Walk): undefined {
  if (walk.error !== undefined) return undefined;
  const isNumber = schema.type === "integer" && (typeof value === "number" || typeof value === "bigint");
  const what = isNumber ? `number ${value}` : kindOfJson(value);
  walk.error = `json: cannot unmarshal ${what} into Go struct field ${owner}.${path} of type ${typeName(schema)}`;
  return undefined;
}

/** `owner` is the struct a message names; `path` has field names alone, as messages have; `at` has list indexes too. */
function decodeStruct(value: object, schema: Schema, path: string, at: string, walk: Walk): Record<string, unknown> {
  const properties = schema.properties!;
  const out: Record<string, unknown> = {};
  const source = value as Record<string, unknown>;
  const owner = structName(schema);
  for (const key in source) {
    const member = source[key];
    const known = Object.hasOwn(properties, key) ? properties[key] : undefined;
    if (known === undefined) {
      if (member !== undefined) walk.unknown.push(at === "" ? key : `${at}.${key}`);
      continue;
    }
    if (member === null || member === undefined) continue;
    const decoded = decodeValue(
      member,
      known,
      owner,
      path === "" ? key : `${path}.${inStruct(owner, key)}`,
      at === "" ? key : `${at}.${key}`,
      walk,
    );
    if (decoded === undefined) continue;
    // What is empty or zero is left out, unless the struct always writes it or can tell it from what nobody set.
    // An empty list that was given where there always is one counts as given by its writer, until it is stored.
    const isGiven = at === "" && Array.isArray(decoded) && alwaysThere(schema, key);
    if (isEmpty(decoded, known) && !isGiven && !schema.zeroKept?.includes(key)) continue;
    out[key] = decoded;
  }
  for (const key of schema.zeroShown ?? []) if (out[key] === undefined) out[key] = zeroValue(properties[key]);
  for (const key of schema.nullShown ?? []) if (out[key] === undefined) out[key] = null;
  for (const key of structMembers(schema)) {
    if (out[key] === undefined) out[key] = decodeStruct({}, properties[key]!, "", "", walk);
  }
  return out;
}

const alwaysThere = (schema: Schema, key: string): boolean =>
  schema.zeroShown?.includes(key) === true || schema.nullShown?.includes(key) === true;

function isEmpty(value: unknown, schema: Schema): boolean {
  // A default of a definition, an amount, a name or number of a port: what was given is kept.
  if (schema.type === undefined) return false;
  if (value === "" || value === 0 || value === false) return true;
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.length === 0;
  if (schema.additional === undefined) return false;
  for (const _ in value) return false;
  return true;
}

const members = new WeakMap<Schema, readonly string[]>();
function structMembers(schema: Schema): readonly string[] {
  let known = members.get(schema);
  if (known === undefined) {
    known = Object.entries(schema.properties!)
      .filter(([, member]) => isStruct(member))
      .map(([name]) => name);
    members.set(schema, known);
  }
  return known;
}

function decodeValue(value: unknown, schema: Schema, owner: string, path: string, at: string, walk: Walk): unknown {
  switch (schema.type) {
    case "string":
      if (schema.format === "byte" && Array.isArray(value)) return decodeBytes(value, owner, path, walk);
      if (typeof value !== "string") return mismatch(value, schema, owner, path, walk);
      return schema.format === undefined ? value : decodeText(value, schema, walk);
    case "boolean":
      return typeof value === "boolean" ? value : mismatch(value, schema, owner, path, walk);
    case "integer":
      return isInteger(value, schema.format) ? value : mismatch(value, schema, owner, path, walk);
    case "number":
      return typeof value === "number" ? value : mismatch(value, schema, owner, path, walk);
    case "array": {
      if (!Array.isArray(value)) return mismatch(value, schema, owner, path, walk);
      const items = schema.items!;
      return value.map((item, index) => {
        if (item === null) return items.type === "string" ? "" : (items.zero ?? null);
        return decodeValue(item, items, owner, path, `${at}[${index}]`, walk);
      });
    }
    case "object": {
      if (typeof value !== "object" || Array.isArray(value) || value === null)
        return mismatch(value, schema, owner, path, walk);
      if (schema.properties !== undefined) return decodeStruct(value, schema, path, at, walk);
      if (schema.additional === undefined) return value;
      const out: Record<string, unknown> = {};
      for (const [key, member] of Object.entries(value)) {
        const known = schema.additional;
        if (member === null) out[key] = known.type === "string" ? "" : null;
        else out[key] = decodeValue(member, known, owner, path, `${at}.${key}`, walk);
      }
      return out;
    }
    default:
      if (schema.quantity) return decodeQuantity(value, walk);
      if (schema.intOrString && typeof value !== "string" && typeof value !== "number") {
        return mismatch(value, { type: "integer", format: "intstr.IntOrString" }, owner, path, walk);
      }
      return value;
  }
}

function isInteger(value: unknown, format: string | undefined): boolean {
  if (typeof value === "bigint") return format !== "int32";
  if (!Number.isInteger(value)) return false;
  return format !== "int32" || value === ((value as number) | 0);
}

function decodeQuantity(value: unknown, walk: Walk): unknown {
  const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "bigint";
  const canonical = isPlain ? canonicalQuantity(value) : undefined;
  if (canonical === undefined) {
    walk.error ??= "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  }
  return canonical;
}

/** Bytes may be given as numbers, too. */
function decodeBytes(list: readonly unknown[], owner: string, path: string, walk: Walk): unknown {
  for (const item of list) {
    const isByte = Number.isInteger(item) && (item as number) >= 0 && (item as number) <= 255;
    if (!isByte) return mismatch(item, { type: "integer", format: "uint8" }, owner, path, walk);
  }
  return Buffer.from(list as number[]).toString("base64");
}

const time = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function decodeText(value: string, schema: Schema, walk: Walk): string | undefined {
  if (schema.format === "byte") {
    const joined = /[\r\n]/.test(value) ? value.replace(/[\r\n]/g, "") : value;
    if (base64.test(joined)) return joined;
    walk.error ??= `illegal base64 data at input byte ${badBase64At(joined)}`;
    return undefined;
  }
  const match = time.exec(value);
  const layout = schema.format === "micro-time" ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
  const parsed = match === null ? Number.NaN : Date.parse(`${value.slice(0, 19)}${match[8]}`);
  if (Number.isNaN(parsed)) {
    walk.error ??= `parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(value)} as "2006"`;
    return undefined;
  }
  if (schema.format === "micro-time") {
    return `${new Date(parsed).toISOString().slice(0, 19)}.${(match![7] ?? ".").slice(1, 7).padEnd(6, "0")}Z`;
  }
  return match![7] === undefined && match![8] === "Z" ? value : `${new Date(parsed).toISOString().slice(0, 19)}Z`;
}

function badBase64At(text: string): number {
  const at = text.search(/[^A-Za-z0-9+/]/);
  return at < 0 ? Math.floor(text.length / 4) * 4 : at;
}
