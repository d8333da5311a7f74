import { fail } from "../errors.js";
import {
  CelList,
  CelMap,
  compareValues,
  Duration,
  equal,
  Optional,
  Timestamp,
  Uint,
  type Value,
  ValueList,
  ValueMap,
} from "../values.js";
import { add, display, type Implementation, lookup, noOverload } from "./standard.js";
import { textSearch } from "./strings.js";

const order = (a: Value, b: Value): number => compareValues(a, b) ?? noOverload();

const ofList =
  (fn: string, use: (list: CelList, ...args: Value[]) => Value): Implementation =>
  (list, ...args) =>
    list instanceof CelList ? use(list, ...args) : noOverload(fn, list, ...args);

const extreme = (fn: "min" | "max") =>
  ofList(fn, (list) => {
    if (list.size === 0) return fail(`${fn} called on empty list`);
    let best = list.at(0);
    for (const item of list) if (fn === "min" ? order(item, best) < 0 : order(item, best) > 0) best = item;
    return best;
  });

const position =
  (backwards: boolean): Implementation =>
  (target, item, offset) => {
    if (typeof target === "string") return textSearch(backwards)(target, item, offset);
    if (!(target instanceof CelList)) return noOverload(backwards ? "lastIndexOf" : "indexOf", target, item);
    const items = [...target];
    const at = backwards
      ? items.findLastIndex((each) => equal(each, item))
      : items.findIndex((each) => equal(each, item));
    return BigInt(at);
  };

function sum(list: Value): Value {
  if (!(list instanceof CelList)) return noOverload("sum", list);
  let total: Value | undefined;
  for (const item of list) total = total === undefined ? item : add(total, item);
  // The type of an empty list's items is not known at run time: an int is what the API server starts from, too.
  return total ?? 0n;
}

function slice(list: CelList, from: Value, to: Value): Value {
  if (typeof from !== "bigint" || typeof to !== "bigint") return noOverload("slice", list, from, to);
  if (from < 0n || to < 0n) return fail(`cannot slice(${from}, ${to}), negative indexes not supported`);
  if (from > to) return fail(`cannot slice(${from}, ${to}), start index must be less than or equal to end index`);
  if (BigInt(list.size) < to) return fail(`cannot slice(${from}, ${to}), list is length ${list.size}`);
  return new ValueList([...list].slice(Number(from), Number(to)));
}

function flatten(list: CelList, depth: Value = 1n): Value {
  if (typeof depth !== "bigint") return noOverload("flatten", list, depth);
  if (depth < 0n) return fail("level must be non-negative");
  const out: Value[] = [];
  const walk = (items: CelList, left: bigint): void => {
    for (const item of items) {
      if (item instanceof CelList && left > 0n) walk(item, left - 1n);
      else out.push(item);
    }
  };
  walk(list, depth);
  return new ValueList(out);
}

function distinct(list: CelList): Value {
  const out: Value[] = [];
  for (const item of list) if (!out.some((other) => equal(item, other))) out.push(item);
  return new ValueList(out);
}

const mostItems = 1_000_000n;
function rangeOf(count: Value): Value {
  if (typeof count !== "bigint") return noOverload("lists.range", count);
  if (count > mostItems) return fail(`lists.range of more than ${mostItems} items`);
  return new ValueList(Array.from({ length: Math.max(0, Number(count)) }, (_, at) => BigInt(at)));
}

function sorted(list: CelList, keys: CelList): Value {
  if (list.size !== keys.size)
    return fail("@sortByAssociatedKeys() expected a list of the same size as the associated keys list");
  const known = [...keys];
  const items = [...list].map((item, at) => ({ item, key: known[at]! }));
  return new ValueList(items.sort((a, b) => order(a.key, b.key)).map(({ item }) => item));
}

const containsAll = (list: CelList, part: CelList): boolean =>
  [...part].every((item) => [...list].some((other) => equal(item, other)));

const ofLists =
  (fn: string, use: (a: CelList, b: CelList) => boolean): Implementation =>
  (a, b) =>
    a instanceof CelList && b instanceof CelList ? use(a, b) : noOverload(fn, a, b);

function insert(map: Value, key: Value, value?: Value): Value {
  if (!(map instanceof CelMap)) return noOverload();
  const out = new ValueMap();
  for (const each of map.keys()) out.set(each, map.get(each)!);
  const more: [Value, Value][] =
    value !== undefined
      ? [[key, value]]
      : key instanceof CelMap
        ? [...key.keys()].map((each) => [each, key.get(each)!])
        : noOverload();
  for (const [each, member] of more)
    if (!out.set(each, member)) return fail(`insert failed: key ${display(each)} already exists`);
  return out;
}

function isZero(value: Value): boolean {
  if (value === null || value === false || value === "" || value === 0n || value === 0) return true;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof CelList || value instanceof CelMap) return value.size === 0;
  if (value instanceof Duration) return value.nanos === 0n;
  if (value instanceof Timestamp) return value.nanos === -62135596800_000_000_000n;
  return value instanceof Optional && value.value === undefined;
}

const ofOptional =
  (fn: string, use: (optional: Optional, ...args: Value[]) => Value): Implementation =>
  (optional, ...args) =>
    optional instanceof Optional ? use(optional, ...args) : noOverload(fn, optional, ...args);

const unwrap: Implementation = (list) => {
  if (!(list instanceof CelList)) return noOverload("optional.unwrap", list);
  const out: Value[] = [];
  for (const item of list) {
    if (!(item instanceof Optional)) return noOverload("optional.unwrap", list);
    if (item.value !== undefined) out.push(item.value);
  }
  return new ValueList(out);
};

/** `a[?b]`: the member when it is there. */
export function optionalLookup(container: Value, key: Value): Value {
  let from = container;
  if (from instanceof Optional) {
    if (from.value === undefined) return from;
    from = from.value;
  }
  const found = lookup(from, key);
  return found === undefined ? Optional.none : new Optional(found);
}

export const lists: Readonly<Record<string, Implementation>> = {
  isSorted: ofList("isSorted", (list) => {
    for (let at = 1; at < list.size; at++) if (order(list.at(at - 1), list.at(at)) > 0) return false;
    return true;
  }),
  sum,
  min: extreme("min"),
  max: extreme("max"),
  indexOf: position(false),
  lastIndexOf: position(true),
  slice: ofList("slice", (list, from = null, to = null) => slice(list, from, to)),
  flatten: ofList("flatten", flatten),
  "lists.range": rangeOf,
  reverse: ofList("reverse", (list) => new ValueList([...list].reverse())),
  distinct: ofList("distinct", distinct),
  sort: ofList("sort", (list) => new ValueList([...list].sort(order))),
  "@sortByAssociatedKeys": ofList("@sortByAssociatedKeys", (list, keys) => sorted(list, keys as CelList)),
  "sets.contains": ofLists("sets.contains", containsAll),
  "sets.equivalent": ofLists("sets.equivalent", (a, b) => containsAll(a, b) && containsAll(b, a)),
  "sets.intersects": ofLists("sets.intersects", (a, b) =>
    [...a].some((item) => [...b].some((other) => equal(item, other))),
  ),
  "cel.@mapInsert": insert,
  "optional.of": (value) => new Optional(value),
  "optional.ofNonZeroValue": (value) => (isZero(value) ? Optional.none : new Optional(value)),
  "optional.none": () => Optional.none,
  value: ofOptional("value", ({ value }) => (value === undefined ? fail("optional.none() dereference") : value)),
  hasValue: ofOptional("hasValue", ({ value }) => value !== undefined),
  first: ofList("first", (list) => (list.size === 0 ? Optional.none : new Optional(list.at(0)))),
  last: ofList("last", (list) => (list.size === 0 ? Optional.none : new Optional(list.at(list.size - 1)))),
  "optional.unwrap": unwrap,
  unwrapOpt: unwrap,
  "_[?_]": optionalLookup,
};
