/**
 * A set of field paths in the form of managedFields' fieldsV1: members are `f:name`, `k:{"key":value}` (list item by key),
 * `v:value` (set item). A node without members is a path of the set itself; `.` marks a path that also has members below.
 * Sets are never changed after they were built, so parts are shared freely. An empty set is `undefined`.
 */
export type FieldSet = { readonly [element: string]: FieldSet };

export const leaf: FieldSet = Object.freeze({});
const self = ".";

const isEmpty = (node: object): boolean => {
  for (const _ in node) return false;
  return true;
};
export const isMember = (set: FieldSet): boolean => set[self] !== undefined || isEmpty(set);

/** The set of `children`, with its own path when `member`; undefined when there is nothing in it. */
export function makeSet(children: Record<string, FieldSet> | undefined, member: boolean): FieldSet | undefined {
  if (children === undefined) return member ? leaf : undefined;
  return member ? { [self]: leaf, ...children } : children;
}

export function union(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || a === b) return b;
  if (b === undefined) return a;
  const aEmpty = isEmpty(a);
  const bEmpty = isEmpty(b);
  if (aEmpty && bEmpty) return a;
  const out: Record<string, FieldSet> = {};
  if (isMember(a) || isMember(b)) out[self] = leaf;
  let grown = aEmpty || (out[self] !== undefined && a[self] === undefined);
  for (const key in a) {
    if (key === self) continue;
    const merged = b[key] === undefined ? a[key]! : union(a[key], b[key])!;
    if (merged !== a[key]) grown = true;
    out[key] = merged;
  }
  for (const key in b) {
    if (out[key] !== undefined) continue;
    out[key] = b[key]!;
    grown = true;
  }
  return grown ? out : a;
}

/** Paths of `a` that are not paths of `b`. */
export function difference(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || b === undefined) return a;
  if (a === b) return undefined;
  const member = isMember(a) && !isMember(b);
  let out: Record<string, FieldSet> | undefined;
  let same = member === isMember(a);
  for (const key in a) {
    if (key === self) continue;
    const rest = b[key] === undefined ? a[key] : difference(a[key], b[key]);
    if (rest !== a[key]) same = false;
    if (rest !== undefined) {
      out ??= {};
      out[key] = rest;
    }
  }
  return same ? a : makeSet(out, member);
}

/** Paths of `a` that are neither paths of `b` nor below one. */
export function recursiveDifference(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || b === undefined) return a;
  if (isMember(b)) return undefined;
  let out: Record<string, FieldSet> | undefined;
  let same = true;
  for (const key in a) {
    if (key === self) continue;
    const rest = b[key] === undefined ? a[key] : recursiveDifference(a[key], b[key]);
    if (rest !== a[key]) same = false;
    if (rest !== undefined) {
      out ??= {};
      out[key] = rest;
    }
  }
  return same ? a : makeSet(out, isMember(a));
}

export function intersection(a: FieldSet | undefined, b: FieldSet | undefined): FieldSet | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (a === b) return a;
  let out: Record<string, FieldSet> | undefined;
  for (const key in a) {
    if (key === self || b[key] === undefined) continue;
    const both = intersection(a[key], b[key]);
    if (both !== undefined) {
      out ??= {};
      out[key] = both;
    }
  }
  return makeSet(out, isMember(a) && isMember(b));
}

/** The set with just these paths of field names. */
export function setOfPaths(paths: readonly (readonly string[])[]): FieldSet | undefined {
  let set: FieldSet | undefined;
  for (const path of paths) {
    let node: FieldSet = leaf;
    for (let at = path.length - 1; at >= 0; at--) node = { [`f:${path[at]}`]: node };
    set = union(set, node);
  }
  return set;
}

/** Every path of the set as text: `.spec.containers[name="web"].image`. */
export function fieldPaths(set: FieldSet | undefined): string[] {
  const paths: string[] = [];
  const walk = (node: FieldSet, path: string) => {
    if (path !== "" && isMember(node)) paths.push(path);
    for (const key of Object.keys(node).sort()) if (key !== self) walk(node[key]!, path + elementText(key));
  };
  if (set !== undefined) walk(set, "");
  return paths;
}

/** One path element as the API server writes it in messages. */
export function elementText(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith("f:")) return `.${rest}`;
  if (element.startsWith("v:")) return `[=${rest}]`;
  if (element.startsWith("k:")) {
    const keys = parsed(rest);
    if (keys === undefined) return `[${rest}]`;
    return `[${Object.entries(keys)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(",")}]`;
  }
  return `[${rest}]`;
}

/** Field sets are kept as clients send them: what is no object is shown as it is. */
function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
