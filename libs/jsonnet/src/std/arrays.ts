import type { Machine } from "../machine.js";
import { compare, equals, finite, operations, toText } from "../operators.js";
import { sliceOf } from "../slices.js";
import { force, type JArray, JFunction, later, type Slot, typeOf, type Value } from "../values.js";
import {
  array,
  boolean,
  define,
  defineLazy,
  type Functions,
  fail,
  func,
  integer,
  number,
  sequence,
  text,
} from "./define.js";
import { positions } from "./strings.js";

export const identity = new JFunction([{ name: "x" }], "id", (_machine, [x]) => force(x as Slot));

/** Keys of all elements, each computed once. */
const keysOf = (machine: Machine, items: JArray, keyF: Value): Value[] => {
  if (keyF === identity) return items.map(force);
  const key = func("keyF", keyF);
  return items.map((item) => machine.call(key, [item]));
};

/** Elements with their keys, by the order of the keys; equal ones keep their order. */
function sorted(machine: Machine, items: JArray, keyF: Value): { item: Slot; key: Value }[] {
  machine.charge(items.length);
  const keys = keysOf(machine, items, keyF);
  return items.map((item, at) => ({ item, key: keys[at] as Value })).sort((a, b) => compare(machine, a.key, b.key));
}

function withoutRepeats(machine: Machine, pairs: readonly { item: Slot; key: Value }[]): Slot[] {
  const kept: Slot[] = [];
  pairs.forEach(({ item, key }, at) => {
    if (at === 0 || !equals(machine, (pairs[at - 1] as { key: Value }).key, key)) kept.push(item);
  });
  return kept;
}

const pairsOf = (machine: Machine, items: JArray, keyF: Value) => {
  const keys = keysOf(machine, items, keyF);
  return items.map((item, at) => ({ item, key: keys[at] as Value }));
};

/** Walks two sets in step; `keep` says which of left only, right only and both are in the result. */
function merged(
  machine: Machine,
  where: string,
  [a, b, keyF]: readonly Value[],
  keep: { left: boolean; right: boolean; both: boolean },
): JArray {
  const left = pairsOf(machine, sequence(where, a as Value), keyF as Value);
  const right = pairsOf(machine, sequence(where, b as Value), keyF as Value);
  machine.charge(left.length + right.length);
  const result: Slot[] = [];
  let [l, r] = [0, 0];
  while (l < left.length || r < right.length) {
    const [one, other] = [left[l], right[r]];
    const order = one && other ? compare(machine, one.key, other.key) : one ? -1 : 1;
    if (order === 0) {
      if (keep.both) result.push((one as { item: Slot }).item);
      l++;
      r++;
    } else if (order < 0) {
      if (keep.left) result.push((one as { item: Slot }).item);
      l++;
    } else {
      if (keep.right) result.push((other as { item: Slot }).item);
      r++;
    }
  }
  return result;
}

function deepText(machine: Machine, value: Value): string {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return fail(`expected string or array, got ${typeOf(value)}`);
  machine.enter();
  const joined = value.map((slot) => deepText(machine, force(slot))).join("");
  machine.leave();
  return joined;
}

function flatten(machine: Machine, value: Value, into: Slot[]): void {
  if (!Array.isArray(value)) {
    into.push(value);
    return;
  }
  machine.enter();
  machine.charge(value.length);
  for (const slot of value) flatten(machine, force(slot), into);
  machine.leave();
}

function join(machine: Machine, separator: Value, given: Value): Value {
  const items = array("std.join", given)
    .map(force)
    .filter((item) => item !== null);
  if (typeof separator === "string") {
    const texts = items.map((item) => text("std.join: an element", item));
    machine.charge(texts.reduce((sum, one) => sum + one.length + separator.length, 0));
    return texts.join(separator);
  }
  if (!Array.isArray(separator))
    return fail(`std.join first parameter should be string or array, got ${typeOf(separator)}`);
  const result: Slot[] = [];
  items.forEach((item, at) => {
    const part = array("std.join: an element", item);
    machine.charge(part.length + separator.length);
    if (at > 0) result.push(...separator);
    result.push(...part);
  });
  return result;
}

/** The least or greatest element by its key; the first one of equals. */
const extreme = (name: string, better: (order: number) => boolean) =>
  defineLazy(name, ["arr", ["keyF", identity], ["onEmpty", null]], (machine, arr, keyF, onEmpty) => {
    const items = array(`std.${name}`, force(arr));
    if (items.length === 0)
      return onEmpty === null ? fail(`std.${name}: expected at least one element in array. Got none`) : force(onEmpty);
    const pairs = pairsOf(machine, items, force(keyF));
    let best = pairs[0] as { item: Slot; key: Value };
    for (const pair of pairs) if (better(compare(machine, pair.key, best.key))) best = pair;
    return force(best.item);
  });

function sum(where: string, value: Value): number {
  let total = 0;
  for (const slot of array(where, value)) total = finite(total + number(where, force(slot)));
  return total;
}

const mapped = (machine: Machine, items: JArray, run: (item: Slot, at: number) => Value): JArray => {
  machine.charge(items.length);
  return items.map((item, at) => later(machine, () => run(item, at)));
};

export const arrays: Functions = {
  makeArray: define("makeArray", ["sz", "func"], (machine, size, make) => {
    const count = integer("std.makeArray", size);
    if (count < 0) fail(`std.makeArray requires size >= 0, got ${count}`);
    machine.charge(count);
    const made = func("std.makeArray", make);
    return Array.from({ length: count }, (_, at) => later(machine, () => machine.call(made, [at])));
  }),
  member: define("member", ["arr", "x"], (machine, arr, x) =>
    typeof arr === "string"
      ? positions(machine, text("std.member", x), arr).length > 0
      : array("std.member", arr).some((item) => equals(machine, force(item), x)),
  ),
  contains: define("contains", ["arr", "elem"], (machine, arr, elem) =>
    array("std.contains", arr).some((item) => equals(machine, force(item), elem)),
  ),
  count: define(
    "count",
    ["arr", "x"],
    (machine, arr, x) => sequence("std.count", arr).filter((item) => equals(machine, force(item), x)).length,
  ),
  find: define("find", ["value", "arr"], (machine, value, arr) =>
    array("std.find", arr).flatMap((item, at) => (equals(machine, force(item), value) ? [at] : [])),
  ),
  map: define("map", ["func", "arr"], (machine, run, arr) => {
    const called = func("std.map", run);
    return mapped(machine, sequence("std.map", arr), (item) => machine.call(called, [item]));
  }),
  mapWithIndex: define("mapWithIndex", ["func", "arr"], (machine, run, arr) => {
    const called = func("std.mapWithIndex", run);
    return mapped(machine, sequence("std.mapWithIndex", arr), (item, at) => machine.call(called, [at, item]));
  }),
  filter: define("filter", ["func", "arr"], (machine, holds, arr) => {
    const called = func("std.filter", holds);
    const items = sequence("std.filter", arr);
    machine.charge(items.length);
    return items.filter((item) => boolean("std.filter: the function's result", machine.call(called, [item])));
  }),
  filterMap: define("filterMap", ["filter_func", "map_func", "arr"], (machine, holds, run, arr) => {
    const [filter, map] = [func("std.filterMap", holds), func("std.filterMap", run)];
    const kept = array("std.filterMap", arr).filter((item) => boolean("std.filterMap", machine.call(filter, [item])));
    return mapped(machine, kept, (item) => machine.call(map, [item]));
  }),
  flatMap: define("flatMap", ["func", "arr"], (machine, run, arr) => {
    const called = func("std.flatMap", run);
    if (typeof arr === "string") {
      return [...arr]
        .map((item) => machine.call(called, [item]))
        .map((item) => (item === null ? "" : text("std.flatMap", item)))
        .join("");
    }
    const result: Slot[] = [];
    for (const item of array("std.flatMap", arr)) {
      const part = array("std.flatMap: the function's result", machine.call(called, [item]));
      machine.charge(part.length + 1);
      for (const slot of part) result.push(slot);
    }
    return result;
  }),
  foldl: defineLazy("foldl", ["func", "arr", "init"], (machine, run, arr, init) => {
    const called = func("std.foldl", force(run));
    let sum = init;
    for (const item of sequence("std.foldl", force(arr))) sum = machine.call(called, [sum, item]);
    return force(sum);
  }),
  foldr: defineLazy("foldr", ["func", "arr", "init"], (machine, run, arr, init) => {
    const called = func("std.foldr", force(run));
    let sum = init;
    for (const item of [...sequence("std.foldr", force(arr))].reverse()) sum = machine.call(called, [item, sum]);
    return force(sum);
  }),
  range: define("range", ["from", "to"], (machine, from, to) => {
    const [first, last] = [integer("std.range", from), integer("std.range", to)];
    machine.charge(Math.max(0, last - first + 1));
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at);
  }),
  repeat: define("repeat", ["what", "count"], (machine, what, times) => {
    const count = integer("std.repeat", times);
    if (count < 0) fail(`std.repeat requires a count >= 0, got ${count}`);
    const items = sequence("std.repeat", what);
    machine.charge(items.length * count);
    if (typeof what === "string") return what.repeat(count);
    return Array.from({ length: count }, () => items).flat();
  }),
  slice: define("slice", ["indexable", "index", "end", "step"], sliceOf),
  join: define("join", ["sep", "arr"], join),
  deepJoin: define("deepJoin", ["arr"], deepText),
  lines: define("lines", ["arr"], (machine, arr) => join(machine, "\n", [...array("std.lines", arr), ""])),
  flattenArrays: define("flattenArrays", ["arrs"], (machine, arrs) => {
    const result: Slot[] = [];
    for (const item of array("std.flattenArrays", arrs)) {
      const part = array("std.flattenArrays: an element", force(item));
      machine.charge(part.length + 1);
      for (const slot of part) result.push(slot);
    }
    return result;
  }),
  flattenDeepArray: define("flattenDeepArray", ["value"], (machine, value) => {
    const result: Slot[] = [];
    flatten(machine, value, result);
    return result;
  }),
  reverse: define("reverse", ["arr"], (machine, arr) => {
    const items = sequence("std.reverse", arr);
    machine.charge(items.length);
    return [...items].reverse();
  }),
  sort: define("sort", ["arr", ["keyF", identity]], (machine, arr, keyF) =>
    sorted(machine, sequence("std.sort", arr), keyF).map(({ item }) => item),
  ),
  uniq: define("uniq", ["arr", ["keyF", identity]], (machine, arr, keyF) =>
    withoutRepeats(machine, pairsOf(machine, sequence("std.uniq", arr), keyF)),
  ),
  set: define("set", ["arr", ["keyF", identity]], (machine, arr, keyF) =>
    withoutRepeats(machine, sorted(machine, sequence("std.set", arr), keyF)),
  ),
  setMember: define("setMember", ["x", "arr", ["keyF", identity]], (machine, x, arr, keyF) => {
    const items = sequence("std.setMember", arr);
    const key = keyF === identity ? x : machine.call(func("keyF", keyF), [x]);
    let [low, high] = [0, items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const [found] = keysOf(machine, [items[middle] as Slot], keyF);
      const order = compare(machine, found as Value, key);
      if (order === 0) return true;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return false;
  }),
  setUnion: define("setUnion", ["a", "b", ["keyF", identity]], (machine, ...args) =>
    merged(machine, "std.setUnion", args, { left: true, right: true, both: true }),
  ),
  setInter: define("setInter", ["a", "b", ["keyF", identity]], (machine, ...args) =>
    merged(machine, "std.setInter", args, { left: false, right: false, both: true }),
  ),
  setDiff: define("setDiff", ["a", "b", ["keyF", identity]], (machine, ...args) =>
    merged(machine, "std.setDiff", args, { left: true, right: false, both: false }),
  ),
  all: define("all", ["arr"], (_m, arr) => array("std.all", arr).every((item) => boolean("std.all", force(item)))),
  any: define("any", ["arr"], (_m, arr) => array("std.any", arr).some((item) => boolean("std.any", force(item)))),
  sum: define("sum", ["arr"], (_m, arr) => sum("std.sum", arr)),
  avg: define("avg", ["arr"], (_m, arr) => {
    const { length } = array("std.avg", arr);
    return length === 0 ? fail("Cannot calculate average of an empty array.") : sum("std.avg", arr) / length;
  }),
  minArray: extreme("minArray", (order) => order < 0),
  maxArray: extreme("maxArray", (order) => order > 0),
  remove: define("remove", ["arr", "elem"], (machine, arr, elem) => {
    const items = array("std.remove", arr);
    const at = items.findIndex((item) => equals(machine, force(item), elem));
    return at < 0 ? items : items.filter((_, index) => index !== at);
  }),
  removeAt: define("removeAt", ["arr", "at"], (_m, arr, at) => {
    const index = integer("std.removeAt", at);
    return array("std.removeAt", arr).filter((_, position) => position !== index);
  }),
  xor: define("xor", ["x", "y"], (_m, x, y) => boolean("std.xor", x) !== boolean("std.xor", y)),
  xnor: define("xnor", ["x", "y"], (_m, x, y) => boolean("std.xnor", x) === boolean("std.xnor", y)),
  __compare: define("__compare", ["v1", "v2"], (machine, a, b) => Math.sign(compare(machine, a, b))),
  __compare_array: define("__compare_array", ["arr1", "arr2"], (machine, a, b) => Math.sign(compare(machine, a, b))),
  __array_less: define("__array_less", ["arr1", "arr2"], operations["<"]),
  __array_greater: define("__array_greater", ["arr1", "arr2"], operations[">"]),
  __array_less_or_equal: define("__array_less_or_equal", ["arr1", "arr2"], operations["<="]),
  __array_greater_or_equal: define("__array_greater_or_equal", ["arr1", "arr2"], operations[">="]),
  equals: define("equals", ["a", "b"], (machine, a, b) => equals(machine, a, b)),
  primitiveEquals: define("primitiveEquals", ["x", "y"], (machine, x, y) =>
    typeOf(x) === typeOf(y) && typeof x === "object" && x !== null
      ? fail(`primitiveEquals operates on primitive types, got ${typeOf(x)} and ${typeOf(y)}`)
      : equals(machine, x, y),
  ),
  assertEqual: define("assertEqual", ["a", "b"], (machine, a, b) =>
    equals(machine, a, b) ? true : fail(`Assertion failed. ${toText(machine, a)} != ${toText(machine, b)}`),
  ),
};
