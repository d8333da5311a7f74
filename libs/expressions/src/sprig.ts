import { createHash } from "node:crypto";
import { UnimplementedError } from "@tiphys/errors";
import { RE2JS } from "re2js";
import { goJson, toFloat } from "./builtins.js";
import type { ExpressionFunction } from "./compile.js";
import { isMap, textOf } from "./values.js";

const str = (value: unknown): string => (value === null || value === undefined ? "" : textOf(value));
const num = (value: unknown): number => {
  if (typeof value === "boolean") return value ? 1 : 0;
  try {
    return toFloat(value);
  } catch {
    return 0;
  }
};
const int = (value: unknown): number => Math.trunc(num(value));
const arr = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
const obj = (value: unknown): Record<string, unknown> => (isMap(value) ? value : {});
const empty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === "" ||
  value === 0 ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (isMap(value) && Object.keys(value).length === 0);
const hash = (algorithm: string) => (value: unknown) => createHash(algorithm).update(str(value)).digest("hex");
const LONGEST = 1_000_000;
const pad = (width: unknown) => " ".repeat(Math.min(Math.max(0, int(width)), 1000));
const indent = (width: unknown, value: unknown) => str(value).replace(/^/gm, () => pad(width));
const repeated = (count: unknown, value: unknown): string => {
  if (str(value).length * int(count) > LONGEST) throw new Error("sprig.repeat makes too long a text");
  return str(value).repeat(Math.max(0, int(count)));
};
const without = (key: readonly unknown[], keep: boolean) => (entry: [string, unknown]) =>
  key.includes(entry[0]) === keep;
const pattern = (value: unknown) => RE2JS.compile(str(value));

const known: Readonly<Record<string, ExpressionFunction>> = {
  trim: (value) => str(value).trim(),
  trimAll: (chars, value) => strip(str(value), str(chars), true, true),
  trimSuffix: (end, value) =>
    str(value).endsWith(str(end)) ? str(value).slice(0, str(value).length - str(end).length) : str(value),
  trimPrefix: (start, value) => (str(value).startsWith(str(start)) ? str(value).slice(str(start).length) : str(value)),
  upper: (value) => str(value).toUpperCase(),
  lower: (value) => str(value).toLowerCase(),
  title: (value) =>
    str(value).replace(/(^|\s)(\S)/g, (_, space: string, letter: string) => space + letter.toUpperCase()),
  untitle: (value) =>
    str(value).replace(/(^|\s)(\S)/g, (_, space: string, letter: string) => space + letter.toLowerCase()),
  nospace: (value: unknown) => str(value).replace(/\s/g, ""),
  trunc: (length, value) => (int(length) < 0 ? str(value).slice(int(length)) : str(value).slice(0, int(length))),
  substr: (start, end, value) => str(value).slice(Math.max(0, int(start)), int(end) < 0 ? undefined : int(end)),
  repeat: repeated,
  contains: (part, value) => str(value).includes(str(part)),
  hasPrefix: (part, value) => str(value).startsWith(str(part)),
  hasSuffix: (part, value) => str(value).endsWith(str(part)),
  quote: (...values) => values.map((value) => JSON.stringify(str(value))).join(" "),
  squote: (...values) => values.map((value) => `'${str(value)}'`).join(" "),
  cat: (...values) => values.map(str).join(" "),
  indent,
  nindent: (width, value) => `\n${indent(width, value)}`,
  replace: (old, next, value) => str(value).replaceAll(str(old), () => str(next)),
  splitList: (separator, value) => str(value).split(str(separator)),
  split: (separator, value) =>
    Object.fromEntries(
      str(value)
        .split(str(separator))
        .map((part, index) => [`_${index}`, part]),
    ),
  join: (separator, values) => arr(values).map(str).join(str(separator)),
  sortAlpha: (values) => arr(values).map(str).sort(),
  toString: (value: unknown) => str(value),
  toStrings: (values) => arr(values).map(str),
  int: (value) => int(value),
  int64: (value) => int(value),
  float64: (value) => num(value),
  atoi: (value) => int(value),
  add: (...values) => values.reduce<number>((sum, value) => sum + int(value), 0),
  add1: (value) => int(value) + 1,
  sub: (a, b) => int(a) - int(b),
  mul: (...values) => values.reduce<number>((product, value) => product * int(value), 1),
  div: (a, b) => divided(int(a), int(b), (x, y) => Math.trunc(x / y)),
  mod: (a, b) => divided(int(a), int(b), (x, y) => x % y),
  max: (...values) => Math.max(...values.map(int)),
  min: (...values) => Math.min(...values.map(int)),
  floor: (value) => Math.floor(num(value)),
  ceil: (value) => Math.ceil(num(value)),
  round: (value, digits) => Number(num(value).toFixed(Math.min(20, Math.max(0, int(digits))))),
  default: (fallback, value) => (empty(value) ? fallback : value),
  empty: (value) => empty(value),
  coalesce: (...values) => values.find((value) => !empty(value)) ?? null,
  ternary: (yes, no, test) => (test ? yes : no),
  all: (...values) => !values.some(empty),
  any: (...values) => values.some((value) => !empty(value)),
  list: (...values) => values,
  first: (values) => arr(values)[0] ?? null,
  last: (values) => arr(values).at(-1) ?? null,
  rest: (values) => arr(values).slice(1),
  initial: (values) => arr(values).slice(0, -1),
  append: (values, value) => [...arr(values), value],
  prepend: (values, value) => [value, ...arr(values)],
  concat: (...lists) => lists.flatMap((values) => [...arr(values)]),
  reverse: (values) => [...arr(values)].reverse(),
  uniq: (values) => [...new Map(arr(values).map((value) => [JSON.stringify(value), value])).values()],
  has: (value, values) => arr(values).some((item) => JSON.stringify(item) === JSON.stringify(value)),
  compact: (values) => arr(values).filter((value) => !empty(value)),
  dict: (...values) =>
    Object.fromEntries(
      Array.from({ length: Math.ceil(values.length / 2) }, (_, i) => [str(values[2 * i]), values[2 * i + 1] ?? ""]),
    ),
  get: (map, key) => (Object.hasOwn(obj(map), str(key)) ? obj(map)[str(key)] : ""),
  set: (map, key, value) => ({ ...obj(map), [str(key)]: value }),
  hasKey: (map, key) => Object.hasOwn(obj(map), str(key)),
  keys: (...maps) => maps.flatMap((map) => Object.keys(obj(map))),
  values: (map) => Object.values(obj(map)),
  pick: (map, ...keys) => Object.fromEntries(Object.entries(obj(map)).filter(without(keys, true))),
  omit: (map, ...keys) => Object.fromEntries(Object.entries(obj(map)).filter(without(keys, false))),
  merge: (...maps) => Object.assign({}, ...[...maps].reverse().map(obj)),
  toJson: (value) => goJson(value),
  toPrettyJson: (value) => goJson(value, 2),
  fromJson: (value) => JSON.parse(str(value)),
  b64enc: (value) => Buffer.from(str(value)).toString("base64"),
  b64dec: (value) => Buffer.from(str(value), "base64").toString("utf8"),
  sha1sum: hash("sha1"),
  sha256sum: hash("sha256"),
  regexMatch: (regex, value) => pattern(regex).matcher(str(value)).find(),
  regexFind: (regex, value) => {
    const matcher = pattern(regex).matcher(str(value));
    return matcher.find() ? matcher.group() : "";
  },
  regexReplaceAll: (regex, value, next) =>
    pattern(regex)
      .matcher(str(value))
      .replaceAll(str(next).replace(/\$\{(\w+)\}/g, "$$$1")),
  kindIs: (kind, value) => kindOf(value) === kind,
  kindOf: (value) => kindOf(value),
};

function strip(value: string, chars: string, start: boolean, end: boolean): string {
  let from = 0;
  let to = value.length;
  if (start) while (from < to && chars.includes(value[from] as string)) from++;
  if (end) while (to > from && chars.includes(value[to - 1] as string)) to--;
  return value.slice(from, to);
}

function divided(a: number, b: number, apply: (a: number, b: number) => number): number {
  if (b === 0) throw new Error("division by zero");
  return apply(a, b);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "invalid";
  if (Array.isArray(value)) return "slice";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  return typeof value === "boolean" ? "bool" : typeof value === "object" ? "map" : typeof value;
}

/** Functions of Sprig that have a name in the originals and no implementation here: calling one says so. */
const missing = [
  "abbrev",
  "abbrevboth",
  "addf",
  "ago",
  "base",
  "biggest",
  "bcrypt",
  "buildCustomCert",
  "camelcase",
  "chunk",
  "clean",
  "date",
  "dateInZone",
  "dateModify",
  "date_modify",
  "date_in_zone",
  "decryptAES",
  "deepCopy",
  "deepEqual",
  "derivePassword",
  "dig",
  "dir",
  "divf",
  "duration",
  "durationRound",
  "encryptAES",
  "ext",
  "fail",
  "genCA",
  "genPrivateKey",
  "genSelfSignedCert",
  "genSignedCert",
  "getHostByName",
  "hello",
  "htmlDate",
  "htmlDateInZone",
  "htpasswd",
  "initials",
  "isAbs",
  "kebabcase",
  "maxf",
  "mergeOverwrite",
  "minf",
  "mulf",
  "mustToDate",
  "now",
  "osBase",
  "plural",
  "pluck",
  "randAlpha",
  "randAlphaNum",
  "randAscii",
  "randBytes",
  "randInt",
  "randNumeric",
  "seq",
  "shuffle",
  "slice",
  "snakecase",
  "subf",
  "swapcase",
  "toDate",
  "toDecimal",
  "toRawJson",
  "tuple",
  "typeIs",
  "typeOf",
  "unixEpoch",
  "unset",
  "until",
  "untilStep",
  "urlJoin",
  "urlParse",
  "uuidv4",
  "without",
  "wrap",
  "wrapWith",
  "adler32sum",
  "b32enc",
  "b32dec",
  "regexFindAll",
  "regexSplit",
  "regexReplaceAllLiteral",
  "splitn",
  "semver",
  "semverCompare",
] as const;

/** The `sprig` map of Workflows' expressions. */
export const sprig: Readonly<Record<string, ExpressionFunction>> = Object.freeze({
  ...Object.fromEntries(
    missing.map((name) => [
      name,
      () => {
        throw new UnimplementedError(`sprig.${name}`);
      },
    ]),
  ),
  ...known,
});
