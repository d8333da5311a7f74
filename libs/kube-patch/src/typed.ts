import { deepEqual, goEscaped } from "@tiphys/canonical-json";
import { memberSchema, type Schema } from "@tiphys/kube-schema";
import { elementText, type FieldSet, isMember, leaf } from "./field-set.js";
import { goSyntax, goText, goType } from "./go-text.js";

export type Json = unknown;
export type JsonObject = Record<string, Json>;

export const isObject = (value: Json): value is JsonObject =>
  value !== null && typeof value === "object" && !Array.isArray(value);

const isAtomicList = (schema: Schema | undefined): boolean =>
  schema?.listType === undefined || schema.listType === "atomic";
const isAtomicMap = (schema: Schema | undefined): boolean => schema?.mapType === "atomic";

/** How `item` is named in a path: by the keys of a list map, by its value in a set. */
export function listElement(schema: Schema, item: Json): string {
  if (schema.listType === "set") return `v:${goJson(item)}`;
  const keys = schema.listKeys ?? [];
  const single = keys[0]!;
  // Nearly all lists have one text key: build the element without an object in between.
  if (keys.length === 1) return `k:{${JSON.stringify(single)}:${keyText(schema, single, item)}}`;
  return `k:{${sortedKeys(keys)
    .map((key) => `${JSON.stringify(key)}:${keyText(schema, key, item)}`)
    .join(",")}}`;
}

const goJson = (value: Json): string => goEscaped(JSON.stringify(value));

const sorted = new WeakMap<readonly string[], readonly string[]>();
function sortedKeys(keys: readonly string[]): readonly string[] {
  let known = sorted.get(keys);
  if (known === undefined) {
    known = [...keys].sort();
    sorted.set(keys, known);
  }
  return known;
}

function keyText(schema: Schema, key: string, item: Json): string {
  const value = isObject(item) ? item[key] : undefined;
  if (value !== undefined && value !== null) return goJson(value);
  const fallback = memberSchema(schema.items, key)?.default;
  return fallback === undefined ? "null" : goJson(fallback);
}

/** The paths a configuration speaks about: what its manager owns after applying it. */
export function fieldSetOf(value: Json, schema: Schema | undefined): FieldSet | undefined {
  if (Array.isArray(value)) {
    if (isAtomicList(schema)) return leaf;
    let children: Record<string, FieldSet> | undefined;
    for (const item of value) {
      children ??= {};
      children[listElement(schema!, item)] = withSelf(fieldSetOf(item, schema!.items));
    }
    return children;
  }
  if (!isObject(value)) return leaf;
  if (isAtomicMap(schema)) return leaf;
  let children: Record<string, FieldSet> | undefined;
  for (const key in value) {
    const member = value[key];
    if (member === undefined) continue;
    let set = fieldSetOf(member, memberSchema(schema, key));
    const isNamed = schema?.properties !== undefined && Object.hasOwn(schema.properties, key);
    if (!isNamed || member === null || (isObject(member) && isEmptyObject(member))) set = withSelf(set);
    if (set === undefined) continue;
    children ??= {};
    children[`f:${key}`] = set;
  }
  return children;
}

const withSelf = (set: FieldSet | undefined): FieldSet =>
  set === undefined ? leaf : isMember(set) ? set : { ".": leaf, ...set };

const isEmptyObject = (value: object): boolean => {
  for (const _ in value) return false;
  return true;
};

export interface Comparison {
  /** Paths that are new or have another value. */
  readonly changed: FieldSet | undefined;
  readonly removed: FieldSet | undefined;
}

const nothing: Comparison = Object.freeze({ changed: undefined, removed: undefined });
const added: Comparison = Object.freeze({ changed: leaf, removed: undefined });
const gone: Comparison = Object.freeze({ changed: undefined, removed: leaf });

/** What is different in `after`, as paths. `undefined` on a side means absent, null means present without value. */
export function compare(before: Json, after: Json, schema: Schema | undefined): Comparison {
  if (before === after) return nothing;
  const list = Array.isArray(before) || Array.isArray(after);
  const map = !list && (isObject(before) || isObject(after));
  if (!list && !map) {
    if (before === undefined) return added;
    return after === undefined ? gone : added;
  }
  if (list ? isAtomicList(schema) : isAtomicMap(schema)) return compareWhole(before, after);
  if (hasNoMembers(before) && hasNoMembers(after)) return compareWhole(before, after);
  // A list in place of a map, or a scalar in place of either: all of it is different.
  if (
    list
      ? isOdd(before, Array.isArray) || isOdd(after, Array.isArray)
      : isOdd(before, isObject) || isOdd(after, isObject)
  ) {
    return compareWhole(before, after);
  }
  const inside = list
    ? compareLists((before ?? []) as Json[], (after ?? []) as Json[], schema!)
    : compareMaps((before ?? {}) as JsonObject, (after ?? {}) as JsonObject, schema);
  if (before === undefined) return { changed: withSelf(inside.changed), removed: inside.removed };
  if (after === undefined) return { changed: inside.changed, removed: withSelf(inside.removed) };
  return inside;
}

const isOdd = (value: Json, test: (value: Json) => boolean): boolean =>
  value !== undefined && value !== null && !test(value);

function hasNoMembers(value: Json): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && isEmptyObject(value);
}

function compareWhole(before: Json, after: Json): Comparison {
  if (before === undefined) return added;
  if (after === undefined) return gone;
  return deepEqual(before, after) ? nothing : added;
}

function compareMaps(before: JsonObject, after: JsonObject, schema: Schema | undefined): Comparison {
  let changed: Record<string, FieldSet> | undefined;
  let removed: Record<string, FieldSet> | undefined;
  const note = (key: string, part: Comparison) => {
    if (part.changed !== undefined) {
      changed ??= {};
      changed[`f:${key}`] = part.changed;
    }
    if (part.removed !== undefined) {
      removed ??= {};
      removed[`f:${key}`] = part.removed;
    }
  };
  for (const key in after) {
    const value = after[key];
    if (value !== before[key]) note(key, compare(before[key], value, memberSchema(schema, key)));
  }
  for (const key in before) {
    if (after[key] === undefined && before[key] !== undefined) {
      note(key, compare(before[key], undefined, memberSchema(schema, key)));
    }
  }
  return changed === undefined && removed === undefined ? nothing : { changed, removed };
}

function compareLists(before: readonly Json[], after: readonly Json[], schema: Schema): Comparison {
  const left = indexItems(before, schema);
  const right = indexItems(after, schema);
  let changed: Record<string, FieldSet> | undefined;
  let removed: Record<string, FieldSet> | undefined;
  const note = (element: string, part: Comparison) => {
    if (part.changed !== undefined) {
      changed ??= {};
      changed[element] = part.changed;
    }
    if (part.removed !== undefined) {
      removed ??= {};
      removed[element] = part.removed;
    }
  };
  for (const [element, items] of right) {
    const others = left.get(element);
    if (items.length > 1 || (others !== undefined && others.length > 1)) {
      // Two items of one key cannot be told apart: they are compared as one value.
      note(element, others === undefined ? added : deepEqual(others, items) ? nothing : added);
    } else note(element, compare(others?.[0], items[0], schema.items));
  }
  for (const [element, items] of left) {
    if (!right.has(element)) note(element, items.length > 1 ? gone : compare(items[0], undefined, schema.items));
  }
  return changed === undefined && removed === undefined ? nothing : { changed, removed };
}

function indexItems(items: readonly Json[], schema: Schema): Map<string, Json[]> {
  const index = new Map<string, Json[]>();
  for (const item of items) {
    const element = listElement(schema, item);
    const same = index.get(element);
    if (same === undefined) index.set(element, [item]);
    else same.push(item);
  }
  return index;
}

/** `config` laid over `live`, list items matched by key; parts that do not differ are shared. */
export function mergeTyped(live: Json, config: Json, schema: Schema | undefined): Json {
  if (config === undefined || config === live) return live;
  if (live === undefined || live === null) return config;
  if (Array.isArray(config)) {
    // Keeping the live part where it is equal makes "nothing changed" a comparison of references.
    if (isAtomicList(schema) || !Array.isArray(live)) return deepEqual(live, config) ? live : config;
    return config.length === 0 && live.length === 0 ? config : mergeLists(live, config, schema!);
  }
  if (!isObject(config) || !isObject(live) || isAtomicMap(schema)) {
    // A null in a configuration leaves a map or list as it is, but replaces a scalar.
    if (config === null && (Array.isArray(live) || (isObject(live) && !isAtomicMap(schema)))) return live;
    return isObject(config) && deepEqual(live, config) ? live : config;
  }
  let out: JsonObject | undefined;
  for (const key in config) {
    const merged = mergeTyped(live[key], config[key], memberSchema(schema, key));
    if (merged === live[key]) continue;
    out ??= { ...live };
    out[key] = merged;
  }
  return out ?? live;
}

/** The configuration's order wins among its own items; others keep their place relative to what surrounds them. */
function mergeLists(live: readonly Json[], config: readonly Json[], schema: Schema): Json[] {
  const liveElements = live.map((item) => listElement(schema, item));
  const configElements = config.map((item) => listElement(schema, item));
  const inLive = new Map<string, Json>();
  liveElements.forEach((element, at) => {
    if (!inLive.has(element)) inLive.set(element, live[at]);
  });
  const inConfig = new Set(configElements);
  const shared = configElements.filter((element) => inLive.has(element));
  let nextShared = 0;
  const done = new Set<string>();
  const out: Json[] = [];
  const take = (at: number) => {
    const element = configElements[at]!;
    done.add(element);
    out.push(mergeTyped(inLive.get(element), config[at], schema.items));
    if (shared[nextShared] === element) nextShared++;
  };
  let l = 0;
  let c = 0;
  while (l < live.length || c < config.length) {
    const element = liveElements[l];
    if (element !== undefined && c < config.length) {
      if (element === configElements[c]) {
        take(c++);
        l++;
        continue;
      }
      if (inConfig.has(element) && nextShared < shared.length && shared[nextShared] !== element) {
        l++;
        continue;
      }
    }
    if (element !== undefined) {
      if (!inConfig.has(element)) {
        out.push(live[l++]);
        continue;
      }
      if (done.has(element)) {
        l++;
        continue;
      }
    }
    if (c < config.length) take(c++);
    else l++;
  }
  return out.length === live.length && out.every((item, at) => item === live[at]) ? (live as Json[]) : out;
}

/**
 * `value` without the paths that its manager gave up: those of `last` that nobody in `owned` has, nor anything below.
 * A named field of a struct counts as a path of every set that has something below it.
 */
export function dropUnowned(
  value: Json,
  last: FieldSet,
  owned: FieldSet | undefined,
  schema: Schema | undefined,
): Json {
  if (Array.isArray(value) && !isAtomicList(schema)) {
    let out: Json[] | undefined;
    for (const [at, item] of value.entries()) {
      const element = listElement(schema!, item);
      const below = last[element];
      let kept: Json = item;
      if (below !== undefined) {
        kept =
          owned?.[element] === undefined && isMember(below)
            ? undefined
            : dropUnowned(item, below, owned?.[element], schema!.items);
      }
      if (kept !== item && out === undefined) out = value.slice(0, at);
      if (kept !== undefined) out?.push(kept);
    }
    return out ?? value;
  }
  if (!isObject(value) || isAtomicMap(schema)) return value;
  let out: JsonObject | undefined;
  for (const element in last) {
    if (!element.startsWith("f:")) continue;
    const key = element.slice(2);
    const member = value[key];
    if (member === undefined) continue;
    const below = last[element]!;
    const isNamed = schema?.properties !== undefined && Object.hasOwn(schema.properties, key);
    if (owned?.[element] === undefined && (isNamed || isMember(below))) {
      out ??= { ...value };
      delete out[key];
      continue;
    }
    const kept = dropUnowned(member, below, owned?.[element], memberSchema(schema, key));
    if (kept === member) continue;
    out ??= { ...value };
    out[key] = kept;
  }
  return out ?? value;
}

/** Notes where a configuration does not fit the schema: unknown fields, other types, one list item named twice. */
export function checkTyped(value: Json, schema: Schema | undefined, path: string, problems: string[]): void {
  if (schema === undefined || value === null || value === undefined) return;
  switch (schema.type) {
    case "array":
      if (Array.isArray(value)) checkList(value, schema, path, problems);
      else problems.push(`${path}: expected list, got &{${goText(value)}}`);
      return;
    case "object":
      if (isObject(value)) checkMap(value, schema, path, problems);
      else problems.push(`${path}: expected map, got &{${goText(value)}}`);
      return;
    case "string":
      if (typeof value !== "string")
        problems.push(`${path}: expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`);
      return;
    case "boolean":
      if (typeof value !== "boolean") problems.push(`${path}: expected boolean, got &{${goText(value)}}`);
      return;
    case "integer":
    case "number":
      if (typeof value !== "number" && typeof value !== "bigint") {
        problems.push(`${path}: expected numeric (int or float), got ${goType(value)}`);
      }
  }
}

function checkList(list: readonly Json[], schema: Schema, path: string, problems: string[]): void {
  const seen = new Set<string>();
  for (const [at, item] of list.entries()) {
    if (isAtomicList(schema)) {
      checkTyped(item, schema.items, `${path}[${at}]`, problems);
      continue;
    }
    const missing = schema.listType === "map" ? missingKey(item, schema) : undefined;
    if (missing !== undefined) {
      problems.push(
        `${path}: element ${at}: associative list with keys has an element that omits key field ${JSON.stringify(missing)} (and doesn't have default value)`,
      );
      return;
    }
    const element = listElement(schema, item);
    const text = elementText(element);
    if (seen.has(element)) problems.push(`${path}: duplicate entries for key ${text}`);
    seen.add(element);
    checkTyped(item, schema.items, path + text, problems);
  }
}

function checkMap(map: JsonObject, schema: Schema, path: string, problems: string[]): void {
  const closed = schema.properties !== undefined && !schema.preserve && schema.additional === undefined;
  for (const [key, member] of Object.entries(map)) {
    const known = memberSchema(schema, key);
    if (known === undefined && closed) {
      // As the API server, which does not look at the rest of such a map.
      problems.push(`${path}.${key}: field not declared in schema`);
      return;
    }
    checkTyped(member, known, `${path}.${key}`, problems);
  }
}

const missingKey = (item: Json, schema: Schema): string | undefined =>
  schema.listKeys?.find((key) => {
    const value = isObject(item) ? item[key] : undefined;
    return (value === undefined || value === null) && memberSchema(schema.items, key)?.default === undefined;
  });
