import { type Data, get, has, isMap, isScalar, put, textOf, withNulls } from "./data.js";
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
      const before = has(into, name) ? into[name] : undefined;
      const after = patch && has(patch, name) ? patch[name] : undefined;
      if (after === undefined && before === null) continue;
      const known = type && Object.hasOwn(type, name) ? type[name] : undefined;
      const merged = this.merge(before, after, known, [...path, name]);
      if (merged === GONE) delete into[name];
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

  private keyed(
    into: readonly unknown[],
    patch: readonly unknown[],
    keys: readonly string[],
    field: MergeField,
    path: readonly string[],
  ): unknown[] {
    const valuesOf = (element: unknown): (string | undefined)[] =>
      keys.map((key) => {
        const value = get(element, key);
        return value === undefined || value === null ? undefined : textOf(value);
      });
    const all = [...patch, ...into].map(valuesOf).filter((values) => values.some((value) => value !== undefined));
    // With several keys, an element that leaves one out may mean the one that says it.
    if (keys.length > 1) unify(all);
    const used = keys.filter((_, at) => all.some((values) => values[at] !== undefined));
    const wanted: string[][] = [];
    const seen = new Set<string>();
    for (const values of all) {
      const chosen = keys.flatMap((key, at) => (used.includes(key) ? [values[at] ?? ""] : []));
      const word = JSON.stringify(chosen);
      if (!seen.has(word)) {
        seen.add(word);
        wanted.push(chosen);
      }
    }
    const find = (list: readonly unknown[], values: readonly string[]): unknown =>
      list.find(
        (element) =>
          isMap(element) &&
          used.every((key, at) => {
            const value = get(element, key);
            return values[at] === "" ? true : value !== undefined && textOf(value) === values[at];
          }),
      );
    const result: unknown[] = [];
    const done = new Set<unknown>();
    for (const values of wanted) {
      const [before, after] = [find(into, values), find(patch, values)];
      done.add(before);
      if (before === undefined && after === undefined) continue;
      const merged = this.merge(before, after, field.type ? { type: field.type } : undefined, path);
      if (merged === GONE || (isMap(merged) && Object.keys(merged).length === 0)) continue;
      done.add(merged);
      used.forEach((key, at) => {
        if (isMap(merged) && get(merged, key) === undefined && values[at]) put(merged, key, values[at]);
      });
      // An element that is there stays the one it is: the original loses what replaces it.
      result.push(isMap(before) ? before : merged);
    }
    // Elements without any of the keys cannot be told apart: they stay as they are.
    for (const element of into) {
      if (!done.has(element) && !(isMap(element) && valuesOf(element).some((value) => value !== undefined))) {
        result.push(element);
      }
    }
    return result;
  }
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

function unify(all: (string | undefined)[][]): void {
  for (let one = 0; one < all.length; one++) {
    for (let other = 0; other < all.length; other++) {
      const [a, b] = [all[one] as (string | undefined)[], all[other] as (string | undefined)[]];
      const common = a.some((value, at) => value === b[at]);
      const contrary = a.some((value, at) => value !== b[at] && value !== undefined && b[at] !== undefined);
      if (!common || contrary) continue;
      const joined = a.map((value, at) => value ?? b[at]);
      all[one] = joined;
      all[other] = joined;
    }
  }
}
