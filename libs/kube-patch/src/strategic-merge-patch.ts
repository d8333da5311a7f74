import { deepEqual } from "@tiphys/canonical-json";
import { memberSchema, type Schema } from "@tiphys/kube-schema";
import { PatchError } from "./errors.js";
import { goText, goType } from "./go-text.js";
import { isObject, type Json, type JsonObject } from "./typed.js";

const directive = "$patch";
const retainKeys = "$retainKeys";
const deleteFromPrimitiveList = "$deleteFromPrimitiveList/";
const setElementOrder = "$setElementOrder/";

/**
 * Strategic merge patch: as a merge patch, but lists whose schema says so are merged by key, and directives
 * (`$patch`, `$retainKeys`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…`) steer it. Inputs are not changed.
 */
export function strategicMergePatch<T = unknown>(target: unknown, patch: unknown, schema: Schema): T {
  if (!isObject(patch)) throw new PatchError("malformed", "a strategic merge patch is an object");
  return mergeMaps(isObject(target) ? target : {}, patch, schema) as T;
}

function mergeMaps(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  if (Object.hasOwn(patch, directive)) {
    const { [directive]: action, ...rest } = patch;
    if (action === "replace") return rest;
    if (action === "delete") return {};
    if (action !== "merge") throw unknownDirective(action, patch);
    return mergeMaps(original, rest, schema);
  }
  const out: JsonObject = retained(original, patch);
  const ordered = new Set<string>();
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(setElementOrder)) continue;
    const field = key.slice(setElementOrder.length);
    ordered.add(field);
    orderList(out, patch, field, asList(patch[key], key), memberSchema(schema, field));
  }
  for (const key of Object.keys(patch)) {
    if (key === retainKeys || key.startsWith(setElementOrder) || ordered.has(key)) continue;
    if (key.startsWith(deleteFromPrimitiveList)) {
      const field = key.slice(deleteFromPrimitiveList.length);
      const gone = asList(patch[key], key);
      const list = out[field];
      if (Array.isArray(list)) out[field] = list.filter((item) => !gone.some((other) => deepEqual(other, item)));
      continue;
    }
    const value = patch[key];
    if (value === undefined) continue;
    if (value === null) delete out[key];
    else define(out, key, mergeValue(Object.hasOwn(out, key) ? out[key] : undefined, value, memberSchema(schema, key)));
  }
  return out;
}

function define(object: JsonObject, key: string, value: Json): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}

function mergeValue(original: Json, patch: Json, schema: Schema | undefined): Json {
  if (isObject(patch)) {
    const replaces = strategies(schema).includes("replace");
    return mergeMaps(isObject(original) && !replaces ? original : {}, patch, schema);
  }
  if (!Array.isArray(patch)) return patch;
  if (!strategies(schema).includes("merge")) return withoutDirectives(patch);
  return mergeLists(Array.isArray(original) ? original : [], patch, schema!);
}

const strategies = (schema: Schema | undefined): string[] => schema?.patchStrategy?.split(",") ?? [];

const unknownDirective = (action: Json, patch: JsonObject) =>
  new PatchError(
    "malformed",
    `unknown patch type: ${typeof action === "string" ? action : `%!s(${goType(action)}=${goText(action)})`} in map: ${goText(patch)}`,
  );

function asList(value: Json, key: string): Json[] {
  if (!Array.isArray(value)) throw new PatchError("malformed", `${key}: expected a list`);
  return value;
}

function retained(original: JsonObject, patch: JsonObject): JsonObject {
  if (!Object.hasOwn(patch, retainKeys)) return { ...original };
  const keys = new Set(asList(patch[retainKeys], retainKeys));
  for (const key of Object.keys(patch)) {
    if (!key.startsWith("$") && patch[key] !== null && !keys.has(key)) {
      throw new PatchError("malformed", `$retainKeys list misses the field ${key} that the patch sets`);
    }
  }
  return Object.fromEntries(Object.entries(original).filter(([key]) => keys.has(key)));
}

/** A list that replaces another, without items that only carry a directive. */
function withoutDirectives(list: readonly Json[]): Json[] {
  return list
    .filter((item) => !(isObject(item) && typeof item[directive] === "string"))
    .map((item) => (isObject(item) ? mergeMaps({}, item, undefined) : item));
}

function mergeLists(original: readonly Json[], patch: readonly Json[], schema: Schema): Json[] {
  if (!patch.some(isObject) && !original.some(isObject)) {
    const merged = [...original];
    for (const item of patch) if (!merged.some((other) => deepEqual(other, item))) merged.push(item);
    return arrange(merged, patch, original, schema);
  }
  const key = schema.patchMergeKey;
  if (key === undefined) throw new PatchError("malformed", "a list of objects cannot be merged without a merge key");
  let kept = [...original];
  const changes: JsonObject[] = [];
  let replace = false;
  for (const item of patch) {
    if (!isObject(item)) throw new PatchError("malformed", `expected objects in a list merged by ${key}`);
    const action = item[directive];
    if (action === undefined) changes.push(item);
    else if (action === "replace") replace = true;
    else if (action === "delete") {
      const gone = keyOf(item, key);
      kept = kept.filter((other) => !sameKey(other, key, gone));
    } else if (action === "merge") throw new PatchError("malformed", "merging merge cannot yet be set in a list item");
    else throw unknownDirective(action, item);
  }
  if (replace) return changes.map((item) => mergeMaps({}, item, schema.items));
  for (const item of changes) {
    const value = keyOf(item, key);
    const at = kept.findIndex((other) => sameKey(other, key, value));
    if (at < 0) kept.push(mergeMaps({}, item, schema.items));
    else kept[at] = mergeMaps(kept[at] as JsonObject, item, schema.items);
  }
  return arrange(kept, changes, original, schema);
}

function keyOf(item: JsonObject, key: string): Json {
  const value = item[key];
  if (value === undefined) {
    throw new PatchError("unmergeable", `map: ${goText(item)} does not contain declared merge key: ${key}`);
  }
  return value;
}

const sameKey = (item: Json, key: string, value: Json): boolean => isObject(item) && deepEqual(item[key], value);

/** The items named by `order` in that order; the others keep their place relative to those that were there before. */
function arrange(merged: readonly Json[], order: readonly Json[], before: readonly Json[], schema: Schema): Json[] {
  const key = schema.patchMergeKey;
  const identity = (item: Json) => JSON.stringify(isObject(item) && key !== undefined ? (item[key] ?? null) : item);
  const wanted = indexOf(order, identity);
  const was = indexOf(before, identity);
  const named = merged.filter((item) => wanted.has(identity(item)));
  named.sort((a, b) => wanted.get(identity(a))! - wanted.get(identity(b))!);
  const others = merged.filter((item) => !wanted.has(identity(item)));
  const out: Json[] = [];
  let n = 0;
  let o = 0;
  while (n < named.length && o < others.length) {
    const left = was.get(identity(others[o]));
    const right = was.get(identity(named[n]));
    out.push(left !== undefined && right !== undefined && left < right ? others[o++] : named[n++]);
  }
  return [...out, ...named.slice(n), ...others.slice(o)];
}

function indexOf(list: readonly Json[], identity: (item: Json) => string): Map<string, number> {
  const index = new Map<string, number>();
  list.forEach((item, at) => {
    if (!index.has(identity(item))) index.set(identity(item), at);
  });
  return index;
}

function orderList(out: JsonObject, patch: JsonObject, field: string, order: Json[], schema: Schema | undefined): void {
  const original = Array.isArray(out[field]) ? (out[field] as Json[]) : undefined;
  const changes = patch[field] === undefined || patch[field] === null ? undefined : asList(patch[field], field);
  if (patch[field] === null) {
    delete out[field];
    return;
  }
  if (original === undefined && changes === undefined) return;
  const merging: Schema = schema ?? {};
  const merged = changes === undefined ? original! : (mergeValue(original, changes, merging) as Json[]);
  out[field] = arrange(merged, order, original ?? [], merging);
}
