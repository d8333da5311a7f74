import { compareValues } from "./builtins.js";
import type { Run } from "./compile.js";
import { typeName } from "./values.js";

export type Each = (item: unknown, index: number) => unknown;
export type PredicateCall = (
  items: readonly unknown[],
  each: Each | undefined,
  rest: readonly unknown[],
  run: Run,
) => unknown;

const need = (each: Each | undefined): Each => {
  if (!each) throw new Error("a predicate is missing");
  return each;
};

function truth(each: Each | undefined): (item: unknown, index: number) => boolean {
  const test = need(each);
  return (item, index) => {
    const value = test(item, index);
    if (typeof value !== "boolean") throw new Error(`the predicate must give a bool, not ${typeName(value)}`);
    return value;
  };
}

/** Builtins that run a predicate per item. */
export const predicateBuiltins: Readonly<Record<string, PredicateCall>> = {
  all: (items, each) => items.every(truth(each)),
  any: (items, each) => items.some(truth(each)),
  none: (items, each) => !items.some(truth(each)),
  one: (items, each) => items.filter(truth(each)).length === 1,
  filter: (items, each) => items.filter(truth(each)),
  map: (items, each) => items.map(need(each)),
  find: (items, each) => items.find(truth(each)) ?? null,
  findIndex: (items, each) => items.findIndex(truth(each)),
  findLast: (items, each) => items.findLast(truth(each)) ?? null,
  findLastIndex: (items, each) => items.findLastIndex(truth(each)),
  count: (items, each) => (each ? items.filter(truth(each)) : items.filter((item) => item === true)).length,
  sum: (items, each) => {
    let total = 0;
    items.forEach((item, index) => {
      const value = each ? each(item, index) : item;
      if (typeof value !== "number") throw new Error(`cannot sum ${typeName(value)}`);
      total += value;
    });
    return total;
  },
  groupBy: (items, each) => {
    const groups = new Map<string, unknown[]>();
    items.forEach((item, index) => {
      const key = String(need(each)(item, index));
      const group = groups.get(key);
      if (group) group.push(item);
      else groups.set(key, [item]);
    });
    return Object.fromEntries(groups);
  },
  sortBy: (items, each, [order]) => {
    const keyed = items.map((item, index) => ({ item, key: need(each)(item, index) }));
    const sign = order === "desc" ? -1 : 1;
    return keyed.sort((a, b) => sign * compareValues(a.key, b.key)).map(({ item }) => item);
  },
  reduce: (items, each, rest, run) => {
    const outer = run.acc;
    const [first, from] = rest.length > 0 ? [rest[0], 0] : [items[0], 1];
    if (rest.length === 0 && items.length === 0) throw new Error("reduce of an empty array needs an initial value");
    try {
      run.acc = first;
      for (let index = from as number; index < items.length; index++) run.acc = need(each)(items[index], index);
      return run.acc;
    } finally {
      run.acc = outer;
    }
  },
};
