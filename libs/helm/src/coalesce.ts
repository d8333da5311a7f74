import { deepCopy, type GoValue } from "@tiphys/template";
import type { Chart, Values } from "./chart.js";
import { ChartError } from "./errors.js";

type Warn = (message: string) => void;
const GLOBAL = "global";

const isTable = (value: unknown): value is Values => value instanceof Map;
const join = (prefix: string, name: string) => (prefix === "" ? name : `${prefix}.${name}`);

/**
 * The values of a chart and those inside it under the given ones: tables are merged, a null takes a key away.
 * `merge` keeps nulls, for values that will be merged again.
 */
export function coalesceValues(
  chart: Chart,
  given: Values,
  { merge = false, warn = () => {} }: { merge?: boolean; warn?: Warn } = {},
): Values {
  return coalesce(chart, deepCopy(given) as Values, "", merge, warn);
}

function coalesce(chart: Chart, into: Values, prefix: string, merge: boolean, warn: Warn): Values {
  addDefaults(chart, into, prefix, merge, warn);
  for (const sub of chart.dependencies) {
    const { name } = sub;
    if (!into.has(name)) into.set(name, new Map());
    const table = into.get(name);
    if (!isTable(table))
      throw new ChartError(`type mismatch on ${name}: the values of a chart inside this one have to be a table`);
    const subPrefix = join(prefix, chart.name);
    addGlobals(table, into, subPrefix, warn);
    into.set(name, coalesce(sub, table, subPrefix, merge, warn));
  }
  return into;
}

function addGlobals(into: Values, from: Values, prefix: string, warn: Warn): void {
  const target = into.has(GLOBAL) ? into.get(GLOBAL) : new Map<string, GoValue>();
  if (!isTable(target)) {
    warn(`skipping globals because destination ${GLOBAL} is not a table`);
    return;
  }
  const source = from.has(GLOBAL) ? from.get(GLOBAL) : new Map<string, GoValue>();
  if (!isTable(source)) {
    warn(`skipping globals because source ${GLOBAL} is not a table`);
    return;
  }
  for (const [key, value] of source) {
    const old = target.get(key);
    if (isTable(value)) {
      const copy = new Map(value);
      if (!target.has(key)) target.set(key, copy);
      else if (!isTable(old)) warn(`cannot merge map onto non-map for ${JSON.stringify(key)}`);
      else {
        mergeTables(copy, old, { prefix: join(prefix, key), merge: true, warn });
        target.set(key, copy);
      }
    } else if (isTable(old)) warn(`key ${key} is table: skipped`);
    else target.set(key, value);
  }
  into.set(GLOBAL, target);
}

function addDefaults(chart: Chart, into: Values, prefix: string, merge: boolean, warn: Warn): void {
  const defaults = deepCopy(chart.values) as Values;
  const ownPrefix = join(prefix, chart.name);
  for (const [key, value] of defaults) {
    if (!into.has(key)) {
      into.set(key, value);
      continue;
    }
    const given = into.get(key);
    if (given === null && !merge) into.delete(key);
    else if (isTable(given)) {
      if (!isTable(value)) {
        if (value !== null) warn(`skipped value for ${ownPrefix}.${key}: not a table`);
        continue;
      }
      const isSub = chart.dependencies.some(({ name }) => name === key);
      mergeTables(given, value, { prefix: join(ownPrefix, key), merge: merge || isSub, warn });
    }
  }
}

/** Merges `from` under `into`, which is changed. Without `merge` a null of `into` takes away what `from` has. */
export function mergeTables(
  into: Values,
  from: Values,
  { prefix = "", merge = false, warn = () => {} }: { prefix?: string; merge?: boolean; warn?: Warn } = {},
): Values {
  const present = new Set<string>();
  for (const [key, value] of from) if (value !== null) present.add(key);
  for (const [key, value] of into) if (value === null) from.set(key, null);
  for (const [key, value] of from) {
    const old = into.get(key);
    if (!into.has(key)) into.set(key, value);
    else if (!merge && old === null && present.has(key)) into.delete(key);
    else if (isTable(value)) {
      if (isTable(old)) mergeTables(old, value, { prefix: join(prefix, key), merge, warn });
      else warn(`cannot overwrite table with non table for ${join(prefix, key)}`);
    } else if (isTable(old) && value !== null) {
      warn(`destination for ${join(prefix, key)} is a table: ignoring a value that is none`);
    }
  }
  return into;
}

/** The table at a dotted path; undefined where there is none. */
export function tableAt(values: Values, path: string): Values | undefined {
  let table: GoValue = values;
  for (const part of path.split(".")) {
    table = (table as Values).get(part);
    if (!isTable(table)) return undefined;
  }
  return table as Values;
}

/** The value at a dotted path that is no table; undefined where there is none. */
export function valueAt(values: Values, path: string): GoValue | undefined {
  const dot = path.lastIndexOf(".");
  const table = dot < 0 ? values : tableAt(values, path.slice(0, dot));
  const key = path.slice(dot + 1);
  const value = table?.get(key);
  return table?.has(key) && !isTable(value) ? value : undefined;
}
