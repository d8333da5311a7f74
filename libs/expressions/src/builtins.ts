import { parseGoTime } from "./datetime.js";
import { Duration, equal, isMap, parseDuration, textOf, typeName } from "./values.js";

/** What a builtin may do with the run it is part of. */
export interface Meter {
  readonly charge: (cost: number) => void;
}
export type Builtin = (args: readonly unknown[], run: Meter) => unknown;

function text(value: unknown): string {
  if (typeof value !== "string") throw new Error(`expected a string, not ${typeName(value)}`);
  return value;
}
function num(value: unknown): number {
  if (typeof value !== "number") throw new Error(`expected a number, not ${typeName(value)}`);
  return value;
}
function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`expected an array, not ${typeName(value)}`);
  return value;
}
function map(value: unknown): Record<string, unknown> {
  if (!isMap(value)) throw new Error(`expected a map, not ${typeName(value)}`);
  return value;
}

/** Order of two numbers, strings or times; throws for anything else. */
export function compareValues(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  throw new Error(`cannot order ${typeName(a)} and ${typeName(b)}`);
}

/** Go's strconv rules: the whole text must be a number. */
export function toInt(value: unknown): number {
  if (typeof value === "number") return Math.trunc(value);
  if (typeof value === "string" && /^[+-]?\d+$/.test(value)) return Number(value);
  throw new Error(
    `invalid operation: int(${typeName(value)}${typeof value === "string" ? ` "${value.slice(0, 40)}"` : ""})`,
  );
}
export function toFloat(value: unknown): number {
  if (typeof value === "number") return value;
  if (typeof value === "string" && value.trim() === value && value !== "") {
    const parsed = /^[+-]?inf(inity)?$/i.test(value) ? (value.startsWith("-") ? -Infinity : Infinity) : Number(value);
    if (!Number.isNaN(parsed) || /^nan$/i.test(value)) return parsed;
  }
  throw new Error(
    `invalid operation: float(${typeName(value)}${typeof value === "string" ? ` "${value.slice(0, 40)}"` : ""})`,
  );
}

/** JSON as Go writes it with two-space indentation or compact; map keys sorted. */
export function goJson(value: unknown, indent?: number): string {
  return JSON.stringify(sorted(value), undefined, indent) ?? "null";
}
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}

function trimWith(args: readonly unknown[], start: boolean, end: boolean): string {
  const set = new Set(args.length > 1 ? text(args[1]) : " \t\n\r\v\f");
  const chars = [...text(args[0])];
  let from = 0;
  let to = chars.length;
  if (start) while (from < to && set.has(chars[from] as string)) from++;
  if (end) while (to > from && set.has(chars[to - 1] as string)) to--;
  return chars.slice(from, to).join("");
}

const numbersOf = (args: readonly unknown[]): number[] =>
  args.flatMap((arg) => (Array.isArray(arg) ? numbersOf(arg) : [num(arg)]));

/** Builtin functions of expr-lang without a predicate. */
export const builtins: Readonly<Record<string, Builtin>> = {
  len: ([value]) => {
    if (typeof value === "string") return [...value].length;
    if (Array.isArray(value)) return value.length;
    if (isMap(value)) return Object.keys(value).length;
    throw new Error(`invalid argument for len (type ${typeName(value)})`);
  },
  type: ([value]) => {
    const name = typeName(value);
    return name === "float64" ? "float" : name;
  },
  int: ([value]) => toInt(value),
  float: ([value]) => toFloat(value),
  asInt: ([value]) => toInt(value),
  asFloat: ([value]) => toFloat(value),
  string: ([value]) => textOf(value),
  abs: ([value]) => Math.abs(num(value)),
  ceil: ([value]) => Math.ceil(num(value)),
  floor: ([value]) => Math.floor(num(value)),
  round: ([value]) => Math.sign(num(value)) * Math.round(Math.abs(num(value))),
  trim: (args) => trimWith(args, true, true),
  trimLeft: (args) => trimWith(args, true, false),
  trimRight: (args) => trimWith(args, false, true),
  trimPrefix: ([value, prefix]) =>
    text(value).startsWith(text(prefix)) ? text(value).slice(text(prefix).length) : value,
  trimSuffix: ([value, end]) =>
    text(value).endsWith(text(end)) ? text(value).slice(0, text(value).length - text(end).length) : value,
  upper: ([value]) => text(value).toUpperCase(),
  lower: ([value]) => text(value).toLowerCase(),
  split: ([value, separator, count], run) => {
    run.charge(text(value).length / 8);
    const parts = text(value).split(text(separator));
    if (typeof count !== "number" || count < 0 || parts.length <= count) return parts;
    return [...parts.slice(0, count - 1), parts.slice(count - 1).join(text(separator))];
  },
  splitAfter: ([value, separator]) => {
    const parts = text(value).split(text(separator));
    return parts.map((part, index) => (index < parts.length - 1 ? part + text(separator) : part));
  },
  replace: ([value, old, next], run) => {
    const result = text(value).replaceAll(text(old), () => text(next));
    run.charge(result.length / 8);
    return result;
  },
  repeat: ([value, times], run) => {
    run.charge((text(value).length * Math.max(0, num(times))) / 8);
    return text(value).repeat(Math.max(0, num(times)));
  },
  join: ([value, separator], run) => {
    run.charge(list(value).length);
    return list(value)
      .map(text)
      .join(separator === undefined || separator === null ? "" : text(separator));
  },
  indexOf: ([value, part]) => text(value).indexOf(text(part)),
  lastIndexOf: ([value, part]) => text(value).lastIndexOf(text(part)),
  hasPrefix: ([value, prefix]) => text(value).startsWith(text(prefix)),
  hasSuffix: ([value, end]) => text(value).endsWith(text(end)),
  max: (args) => Math.max(...numbersOf(args)),
  min: (args) => Math.min(...numbersOf(args)),
  mean: (args) => {
    const values = numbersOf(args);
    return values.length ? values.reduce((a, b) => a + b, 0) / values.length : 0;
  },
  median: (args) => {
    const values = numbersOf(args).sort((a, b) => a - b);
    const middle = Math.floor(values.length / 2);
    if (values.length === 0) return 0;
    return values.length % 2 ? values[middle] : ((values[middle - 1] as number) + (values[middle] as number)) / 2;
  },
  toJSON: ([value], run) => charged(goJson(value, 2), run),
  toJson: ([value], run) => charged(goJson(value), run),
  fromJSON: ([value], run) => {
    run.charge(text(value).length / 8);
    return JSON.parse(text(value));
  },
  toBase64: ([value]) => Buffer.from(text(value)).toString("base64"),
  fromBase64: ([value]) => Buffer.from(text(value), "base64").toString("utf8"),
  toPairs: ([value]) => Object.entries(map(value)),
  fromPairs: ([value]) => Object.fromEntries(list(value).map((pair) => [String(list(pair)[0]), list(pair)[1]])),
  keys: ([value]) => Object.keys(map(value)),
  values: ([value]) => Object.values(map(value)),
  first: ([value]) => (Array.isArray(value) ? (value[0] ?? null) : null),
  last: ([value]) => (Array.isArray(value) ? (value.at(-1) ?? null) : null),
  get: ([value, key]) => {
    if (Array.isArray(value)) return value.at(num(key)) ?? null;
    return isMap(value) && Object.hasOwn(value, String(key)) ? value[String(key)] : null;
  },
  take: ([value, count]) => list(value).slice(0, num(count)),
  reverse: ([value]) => [...list(value)].reverse(),
  uniq: ([value], run) => {
    const kept: unknown[] = [];
    for (const item of list(value)) {
      run.charge(kept.length);
      if (!kept.some((other) => equal(other, item))) kept.push(item);
    }
    return kept;
  },
  concat: (args, run) => {
    const result = args.flatMap((arg) => [...list(arg)]);
    run.charge(result.length);
    return result;
  },
  flatten: ([value], run) => {
    const flat = list(value).flat(Number.POSITIVE_INFINITY);
    run.charge(flat.length);
    return flat;
  },
  sort: ([value, order], run) => {
    run.charge(list(value).length * 4);
    return [...list(value)].sort((a, b) => (order === "desc" ? -1 : 1) * compareValues(a, b));
  },
  date: ([value, layout]) => {
    const parsed = parseGoTime(text(value), typeof layout === "string" ? layout : undefined);
    if (!parsed) throw new Error(`invalid date "${text(value).slice(0, 60)}"`);
    return parsed;
  },
  duration: ([value]) => {
    const parsed = parseDuration(text(value));
    if (!parsed) throw new Error(`invalid duration "${text(value).slice(0, 60)}"`);
    return parsed;
  },
  bitand: ([a, b]) => Number(BigInt(num(a)) & BigInt(num(b))),
  bitor: ([a, b]) => Number(BigInt(num(a)) | BigInt(num(b))),
  bitxor: ([a, b]) => Number(BigInt(num(a)) ^ BigInt(num(b))),
};

function charged(result: string, run: Meter): string {
  run.charge(result.length / 8);
  return result;
}

/** Builtins of expr-lang that have a name and no implementation here. */
export const unimplementedBuiltins: ReadonlySet<string> = new Set([
  "timezone",
  "bitnand",
  "bitnot",
  "bitshl",
  "bitshr",
  "bitushr",
  "jsonpath",
]);

export { Duration };
