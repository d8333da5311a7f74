import { type Data, get, has, isMap, isScalar, overwrite, put, settle, textOf, withNulls } from "./data.js";
import { fail } from "./errors.js";
import { mergeKeys } from "./generated/merge-keys.js";

/** How the lists of a type are merged: by the values of keys, or, without keys, by the elements themselves. */
export interface MergeField {
  readonly keys?: readonly string[];
  readonly type?: string;
}
export interface MergeSchema {
  /** Type of each kind, by `apiVersion/kind`. */
  readonly kinds: Readonly<Record<string, string>>;
  readonly types: Readonly<Record<string, Readonly<Record<string, MergeField>>>>;
}

/** The types that kustomize has built in: those of Kubernetes 1.21. */
export const builtinSchema: MergeSchema = mergeKeys;

/** What a merge leaves of a value: `GONE` takes the field or element away. */
const GONE = Symbol("gone");
type Merged = unknown | typeof GONE;
const DIRECTIVE = "$patch";

/**
 * Merges a strategic merge patch into an object and gives the result, or undefined when the patch deletes it. Elements of a patch
 * come before the others of a list, as kustomize puts them.
 */
export function strategicMerge(target: Data, patch: Data, schema: MergeSchema): Data | undefined {
  const kind = `${textOf(get(target, "apiVersion"))}/${textOf(get(target, "kind"))}`;
  const type = Object.hasOwn(schema.kinds, kind) ? schema.kinds[kind] : undefined;
  // A patch cannot take the place of a whole object: the original makes another one of it, and keeps the first.
  if (get(patch, DIRECTIVE) === "replace") return target;
  const merged = new Merger(schema).merge(target, withNulls(patch), type ? { type } : undefined, []);
  return merged === GONE ? undefined : (merged as Data);
}

type Directive = "merge" | "replace" | "delete";

class Merger {
  constructor(private readonly schema: MergeSchema) {}

  /** `undefined` stands for a field that is not there, null for one that says null. */
  merge(target: unknown, patch: unknown, field: MergeField | undefined, path: readonly string[]): Merged {
    const shaped = target ?? patch;
    if (shaped === null || shaped === undefined) return patch === null ? GONE : (target ?? GONE);
    for (const value of [target, patch]) {
      if (value === null || value === undefined) continue;
      if (isMap(value) !== isMap(shaped) || Array.isArray(value) !== Array.isArray(shaped)) {
        fail(`wrong node kind: the patch and the object differ in kind at ${path.join(".") || "the top"}`);
      }
    }
    if (isMap(shaped))
      return this.map(target as Data | null | undefined, patch as Data | null | undefined, field, path);
    if (!Array.isArray(shaped)) return patch === undefined ? target : patch === null ? GONE : patch;
    if (!field?.keys) return patch === undefined ? target : patch === null ? GONE : patch;
    return this.list(target as unknown[] | null | undefined, patch as unknown[] | null | undefined, field, path);
  }

  private map(
    target: Data | null | undefined,
    patch: Data | null | undefined,
    field: MergeField | undefined,
    path: readonly string[],
  ): Merged {
    if (patch === null && target) return GONE;
    const directive = patch ? takeDirective(patch) : "merge";
    if (directive === "delete") return GONE;
    // Where there is nothing to merge into, the patch is merged with itself: its own directives and nulls take effect.
    const into = !target || directive === "replace" ? (patch as Data) : target;
    const type = field?.type ? this.schema.types[field.type] : undefined;
    const names = new Set([...Object.keys(into), ...Object.keys(patch ?? {})]);
    for (const name of [...names].sort()) {
      settle(into, name);
      const before = has(into, name) ? into[name] : undefined;
      const after = patch && has(patch, name) ? patch[name] : undefined;
      if (after === undefined && before === null) continue;
      const known = type && Object.hasOwn(type, name) ? type[name] : undefined;
      const merged = this.merge(before, after, known, [...path, name]);
      if (merged === GONE) delete into[name];
      else if (before !== undefined && merged !== before && isScalar(merged)) overwrite(into, name, merged);
      else put(into, name, merged);
    }
    return into;
  }

  private list(
    target: unknown[] | null | undefined,
    patch: unknown[] | null | undefined,
    field: MergeField,
    path: readonly string[],
  ): Merged {
    if (patch === null && target) return GONE;
    const directive = patch ? takeListDirective(patch) : "merge";
    if (directive === "delete") return GONE;
    const into = !target || directive === "replace" ? (patch as unknown[]) : target;
    const keys = field.keys ?? [];
    return keys.length === 0 ? union(patch ?? [], into) : this.keyed(into, patch ?? [], keys, field, path);
  }

  /** Lists whose elements are known by the values of keys. What the original does with keys that are missing or doubled is kept. */
  private keyed(
    into: unknown[],
    patch: readonly unknown[],
    keys: readonly string[],
    field: MergeField,
    path: readonly string[],
  ): unknown[] {
    const wanted = distinct([...patch, ...into].map((element) => keys.map((key) => keyValue(element, key))));
    // With several keys, an element that leaves one out may mean the one that says it.
    if (keys.length > 1) unify(wanted);
    const used = keys.filter((_, at) => wanted.some((values) => values[at] !== ""));
    const valid = used.length > 0 ? used : keys;
    const merged: unknown[] = [];
    for (const all of wanted) {
      const values = all.filter((_, at) => valid.includes(keys[at] as string));
      const [before, after] = [find(into, valid, values), find(patch, valid, values)];
      const element = this.merge(before, after, field.type ? { type: field.type } : undefined, path);
      if (element === GONE || isNothing(element)) {
        setElement(into, undefined, valid, values);
        continue;
      }
      valid.forEach((key, at) => {
        if (isMap(element) && get(element, key) === undefined && values[at]) put(element, key, values[at]);
      });
      setElement(merged, element, valid, values);
    }
    for (const element of into) {
      const values: string[] = [];
      for (const key of valid) {
        const value = get(element, key);
        if (value === undefined || value === null) merged.push(element);
        else values.push(plainText(value));
      }
      if (valid.length > 1) setElement(merged, undefined, valid, values);
      setElement(merged, element, valid, values);
    }
    return merged;
  }
}

/** Text of a scalar; what is none has none. */
const plainText = (value: unknown): string => (isScalar(value) ? textOf(value) : "");
const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || (isMap(value) && Object.keys(value).length === 0);

const keyValue = (element: unknown, key: string): string => {
  const value = isMap(element) ? get(element, key) : undefined;
  return value === undefined || value === null ? "" : plainText(value);
};

function distinct(all: readonly string[][]): string[][] {
  const seen = new Set<string>();
  return all.filter((values) => {
    const word = JSON.stringify(values);
    return !seen.has(word) && seen.add(word);
  });
}

/** The first element that has these values; keys without a value do not count where another has one. */
function find(list: readonly unknown[], keys: readonly string[], values: readonly string[]): unknown {
  const isSaid = values.some((value) => value !== "");
  return list.find(
    (element) =>
      isMap(element) &&
      keys.every((key, at) => {
        if (isSaid && values[at] === "") return true;
        const value = get(element, key);
        return value !== undefined && plainText(value) === values[at];
      }),
  );
}

/**
 * Puts an element in the place of each one that has these values, at the end where none has them; without an element they are
 * taken away. A key without a value fits any, and without any values nothing else stays.
 */
function setElement(list: unknown[], element: unknown, keys: readonly string[], values: readonly string[]): void {
  const kept: unknown[] = [];
  let isFound = false;
  for (const each of list) {
    if (isNothing(each)) continue;
    if (!isMap(each)) {
      if (values.length > 0) kept.push(each);
      continue;
    }
    const fits =
      values.length > 0 &&
      keys.slice(0, values.length).every((key, at) => {
        const value = get(each, key);
        return value !== undefined && (values[at] === "" || plainText(value) === values[at]);
      });
    if (!fits) {
      if (values.length > 0) kept.push(each);
      continue;
    }
    isFound = true;
    if (element !== undefined) kept.push(element);
  }
  if (element !== undefined && !isFound) kept.push(element);
  list.splice(0, list.length, ...kept);
}

function takeDirective(patch: Data): Directive {
  const directive = get(patch, DIRECTIVE);
  if (directive === undefined || directive === null) return "merge";
  delete patch[DIRECTIVE];
  if (directive === "merge" || directive === "replace" || directive === "delete") return directive;
  return fail(`unknown patch strategy '${textOf(directive)}'`);
}

function takeListDirective(patch: unknown[]): Directive {
  const at = patch.findIndex((element) => isMap(element) && has(element, DIRECTIVE));
  const element = patch[at];
  if (!isMap(element) || Object.keys(element).length > 1) return "merge";
  patch.splice(at, 1);
  return takeDirective(element);
}

/** Primitive elements of both, each once; those of the patch first. */
function union(patch: readonly unknown[], into: readonly unknown[]): unknown[] {
  const result: unknown[] = [];
  const seen = new Set<string>();
  for (const element of [...patch, ...into]) {
    const word = isScalar(element) ? textOf(element) : JSON.stringify(element);
    if (seen.has(word)) continue;
    seen.add(word);
    result.push(element);
  }
  return result;
}

/** Rows that have a value in common and none that differs become one, each taking what it lacks from the other. */
function unify(all: string[][]): void {
  for (let one = 0; one < all.length; one++) {
    for (let other = 0; other < all.length; other++) {
      const [a, b] = [all[one] as string[], all[other] as string[]];
      const common = a.some((value, at) => value === b[at]);
      const contrary = a.some((value, at) => value !== b[at] && value !== "" && b[at] !== "");
      if (!common || contrary) continue;
      const joined = a.map((value, at) => value || (b[at] as string));
      all[one] = joined;
      all[other] = joined;
    }
  }
}
