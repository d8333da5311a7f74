/**
 * Plain data of YAML documents, and the few questions that all parts ask of it. A value that was left empty is undefined, one that
 * says null is null: a patch drops the first and keeps the second, as the original does.
 */
export type Data = Record<string, unknown>;

export const isMap = (value: unknown): value is Data =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isScalar = (value: unknown): boolean => value === null || typeof value !== "object";

export const textOf = (value: unknown): string =>
  value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);

export function copy<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copy) as T;
  if (!isMap(value)) return value;
  const result: Data = {};
  for (const [key, member] of Object.entries(value)) put(result, key, copy(member));
  return result as T;
}

/** The same, with null where a value was left empty. */
export function withNulls<T>(value: T): T {
  if (value === undefined) return null as T;
  if (Array.isArray(value)) return value.map(withNulls) as T;
  if (!isMap(value)) return value;
  const result: Data = {};
  for (const [key, member] of Object.entries(value)) put(result, key, withNulls(member));
  return result as T;
}

/** Sets a member, also one that is called as a member of all objects is. */
export function put(target: Data, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else target[key] = value;
}

/** Entries of maps that are one entry to the original: whoever writes one of them there writes all. */
const shared = new WeakMap<Data, Map<string, readonly Entry[]>>();
interface Entry {
  readonly map: Data;
  readonly key: string;
}

/** Says that entries which were made together are one. */
export function share(entries: readonly Entry[]): void {
  if (entries.length < 2) return;
  for (const { map, key } of entries) {
    const known = shared.get(map);
    if (known) known.set(key, entries);
    else shared.set(map, new Map([[key, entries]]));
  }
}

/** Changes the scalar of a member that is there, and of those that are one with it. */
export function overwrite(target: Data, key: string, value: unknown): void {
  const before = get(target, key);
  const entries = shared.get(target)?.get(key);
  put(target, key, value);
  for (const entry of entries ?? []) {
    // What has another value by now has been parted from the others.
    if (has(entry.map, entry.key) && entry.map[entry.key] === before) put(entry.map, entry.key, value);
  }
}

/** Scalars that were written without a type, and the text that they were written as. */
const untyped = new WeakMap<Data, Map<string, { readonly value: unknown; readonly text: string }>>();

/** Sets a member to what a text without a type is read as; whoever looks at it as a text later finds the text. */
export function putUntyped(target: Data, key: string, value: unknown, text: string): void {
  put(target, key, value);
  const known = untyped.get(target);
  if (known) known.set(key, { value, text });
  else untyped.set(target, new Map([[key, { value, text }]]));
}

/** True for a member that was written without a type, and is as it was written. */
export function isUntyped(target: Data, key: string): boolean {
  const mark = untyped.get(target)?.get(key);
  return mark !== undefined && get(target, key) === mark.value;
}

/** Makes a text of a member that was written without a type. */
export function settle(target: Data, key: string): void {
  const mark = untyped.get(target)?.get(key);
  if (!mark) return;
  untyped.get(target)?.delete(key);
  if (get(target, key) === mark.value) put(target, key, mark.text);
}

export const has = (target: Data, key: string): boolean => Object.hasOwn(target, key);
export const get = (target: unknown, key: string): unknown =>
  isMap(target) && Object.hasOwn(target, key) ? target[key] : undefined;

/** A value reached by names, or undefined. */
export const at = (target: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((value, key) => get(value, key), target);

/** Splits at a separator that no backslash precedes; the backslash goes. */
export function splitPath(path: string, separator: string): string[] {
  const parts: string[] = [];
  for (const part of path.split(separator)) {
    const last = parts.at(-1);
    if (last?.endsWith("\\")) parts[parts.length - 1] = last.slice(0, -1) + separator + part;
    else parts.push(part);
  }
  return parts;
}
