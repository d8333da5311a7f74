import { fail } from "../errors.js";
import {
  CelList,
  CelMap,
  Duration,
  Optional,
  Timestamp,
  TypeValue,
  typeName,
  Uint,
  type Value,
  ValueList,
} from "../values.js";
import { goNumber, type Implementation, noOverload, pattern } from "./standard.js";
import { formatDateTime, formatSeconds } from "./time.js";

const runes = (text: string): string[] => [...text];
const outOfRange = (at: bigint | number): never => fail(`index out of range: ${at}`);

function charAt(text: Value, at: Value): Value {
  if (typeof text !== "string" || typeof at !== "bigint") return noOverload("charAt", text, at);
  const signs = runes(text);
  if (at < 0n || at > signs.length) return outOfRange(at);
  return signs[Number(at)] ?? "";
}

/** Where a part begins, searched forwards or backwards from an offset. */
function search(text: string, part: string, offset: bigint | undefined, backwards: boolean): bigint {
  const signs = runes(text);
  const wanted = runes(part);
  if (part === "") return offset ?? (backwards ? BigInt(signs.length) : 0n);
  if (offset === undefined && backwards && signs.length < wanted.length) return -1n;
  let at = offset === undefined ? (backwards ? signs.length - 1 : 0) : Number(offset);
  if (at < 0) return outOfRange(at);
  if (at >= signs.length) return -1n;
  const last = signs.length - wanted.length;
  const matches = (from: number) => wanted.every((sign, index) => signs[from + index] === sign);
  if (backwards) {
    for (at = Math.min(at, last); at >= 0; at--) if (matches(at)) return BigInt(at);
  } else for (; at <= last; at++) if (matches(at)) return BigInt(at);
  return -1n;
}

export const textSearch =
  (backwards: boolean) =>
  (text: string, part: Value, offset: Value | undefined): Value =>
    typeof part === "string" && (offset === undefined || typeof offset === "bigint")
      ? search(text, part, offset, backwards)
      : noOverload(backwards ? "lastIndexOf" : "indexOf", text, part);

function replace(text: Value, from: Value, to: Value, count?: Value): Value {
  if (typeof text !== "string" || typeof from !== "string" || typeof to !== "string")
    return noOverload("replace", text, from, to);
  let left = count === undefined ? -1 : Number(count);
  if (left < 0) left = Number.POSITIVE_INFINITY;
  if (from === "") {
    // Before every code point, and at the end.
    const signs = runes(text);
    let out = "";
    for (let at = 0; at <= signs.length; at++) {
      if (left > 0) {
        out += to;
        left--;
      }
      out += signs[at] ?? "";
    }
    return out;
  }
  let out = "";
  let at = 0;
  while (left > 0) {
    const next = text.indexOf(from, at);
    if (next < 0) break;
    out += text.slice(at, next) + to;
    at = next + from.length;
    left--;
  }
  return out + text.slice(at);
}

function split(text: Value, separator: Value, count?: Value): Value {
  if (typeof text !== "string" || typeof separator !== "string") return noOverload("split", text, separator);
  const limit = count === undefined ? -1 : Number(count);
  if (limit === 0) return new ValueList([]);
  const parts = separator === "" ? runes(text) : text.split(separator);
  if (limit < 0 || parts.length <= limit) return new ValueList(parts);
  return new ValueList([...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)]);
}

function substring(text: Value, from: Value, to?: Value): Value {
  if (typeof text !== "string" || typeof from !== "bigint") return noOverload("substring", text, from);
  const signs = runes(text);
  if (to !== undefined) {
    if (typeof to !== "bigint") return noOverload("substring", text, from, to);
    if (from > to) return fail(`invalid substring range. start: ${from}, end: ${to}`);
  }
  if (from < 0n || from > signs.length) return outOfRange(from);
  if (to !== undefined && to > signs.length) return outOfRange(to);
  return signs.slice(Number(from), to === undefined ? undefined : Number(to)).join("");
}

function join(list: Value, separator: Value = ""): Value {
  if (!(list instanceof CelList) || typeof separator !== "string") return noOverload("join", list, separator);
  const parts: string[] = [];
  for (const item of list) parts.push(typeof item === "string" ? item : fail(`join: invalid input: ${typeName(item)}`));
  return parts.join(separator);
}

const quotes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

const ascii =
  (fn: string, range: RegExp, change: (sign: string) => string): Implementation =>
  (text) =>
    typeof text === "string" ? text.replace(range, change) : noOverload(fn, text);

function find(text: Value, source: Value): Value {
  if (typeof text !== "string" || typeof source !== "string") return noOverload("find", text, source);
  const matcher = pattern(source).matcher(text);
  return matcher.find() ? (matcher.group() ?? "") : "";
}

function findAll(text: Value, source: Value, count?: Value): Value {
  if (typeof text !== "string" || typeof source !== "string") return noOverload("findAll", text, source);
  const limit = count === undefined || (count as bigint) < 0n ? Number.POSITIVE_INFINITY : Number(count);
  const matcher = pattern(source).matcher(text);
  const found: string[] = [];
  while (found.length < limit && matcher.find()) found.push(matcher.group() ?? "");
  return new ValueList(found);
}

interface Clause {
  readonly before: string;
  readonly verb: string;
  readonly precision: number;
}

/** The clauses of a format text, and what stands before each. */
export function* clauses(text: string): Generator<Clause, string> {
  let before = "";
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== "%") {
      before += text[at];
      continue;
    }
    const match = /^%(?:\.(\d+))?(.)/s.exec(text.slice(at));
    if (match === null) return fail("unexpected end of string");
    at += match[0].length - 1;
    const verb = match[2]!;
    if (verb === "%") {
      before += "%";
      continue;
    }
    if (!"sdfebxXo".includes(verb)) {
      return fail(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
    }
    const precision = match[1] === undefined ? 6 : Number(match[1]);
    if (precision > 100) return fail("precision is too large");
    yield { before, verb, precision };
    before = "";
  }
  return before;
}

/** `"%d of %s".format([1, "x"])`. */
function format(text: Value, args: Value): Value {
  if (typeof text !== "string" || !(args instanceof CelList)) return noOverload("format", text, args);
  let out = "";
  let used = 0;
  const all = clauses(text);
  for (let next = all.next(); ; next = all.next()) {
    if (next.done) return out + next.value;
    if (used >= args.size) return fail(`index ${used} out of range`);
    const { before, verb, precision } = next.value;
    out += before + clause(verb, precision, args.at(used++));
  }
}

function clause(verb: string, precision: number, value: Value): string {
  const wrong = (wanted: string): never => fail(`error during formatting: ${wanted}, was given ${typeName(value)}`);
  const whole = value instanceof Uint ? value.value : value;
  switch (verb) {
    case "s":
      return shown(value);
    case "d":
      if (typeof whole === "bigint") return String(whole);
      if (typeof whole === "number" && !Number.isFinite(whole)) return goNumber(whole);
      return wrong("decimal clause can only be used on integers");
    case "f":
    case "e": {
      const number = typeof whole === "bigint" ? Number(whole) : whole;
      if (typeof number !== "number")
        return wrong(
          verb === "f"
            ? "fixed-point clause can only be used on doubles"
            : "scientific clause can only be used on doubles",
        );
      if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
      if (verb === "f") return number.toFixed(precision);
      const [mantissa, power = "0"] = number.toExponential(precision).split("e");
      return `${mantissa}e${power.startsWith("-") ? "-" : "+"}${power.replace(/[+-]/, "").padStart(2, "0")}`;
    }
    case "b":
      if (typeof whole === "bigint") return whole.toString(2);
      if (typeof whole === "boolean") return whole ? "1" : "0";
      return wrong("only integers and bools can be formatted as binary");
    case "o":
      return typeof whole === "bigint" ? whole.toString(8) : wrong("octal clause can only be used on integers");
    case "x":
    case "X": {
      let hex: string;
      if (typeof whole === "bigint") hex = whole.toString(16);
      else if (typeof whole === "string") hex = Buffer.from(whole, "utf8").toString("hex");
      else if (whole instanceof Uint8Array) hex = Buffer.from(whole).toString("hex");
      else return wrong("only integers, byte buffers, and strings can be formatted as hex");
      return verb === "X" ? hex.toUpperCase() : hex;
    }
    default:
      return fail(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

function shown(value: Value): string {
  if (typeof value === "string") return value;
  if (value === null) return "null";
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (value instanceof Uint) return String(value.value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    return String(value);
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  if (value instanceof Duration) return formatSeconds(value.nanos);
  if (value instanceof Timestamp) return formatDateTime(value.nanos);
  if (value instanceof TypeValue) return value.type.name;
  if (value instanceof CelList) return `[${[...value].map(quoted).join(", ")}]`;
  if (value instanceof CelMap) {
    const entries = [...value.keys()].map((key) => `${quoted(key)}: ${quoted(value.get(key)!)}`);
    return `{${entries.sort().join(", ")}}`;
  }
  if (value instanceof Optional)
    return value.value === undefined ? "optional.none()" : `optional(${quoted(value.value)})`;
  return fail(
    `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeName(value)}`,
  );
}

const quoted = (value: Value): string => shown(value);

export const strings: Readonly<Record<string, Implementation>> = {
  charAt,
  lowerAscii: ascii("lowerAscii", /[A-Z]/g, (sign) => sign.toLowerCase()),
  upperAscii: ascii("upperAscii", /[a-z]/g, (sign) => sign.toUpperCase()),
  replace,
  split,
  substring,
  trim: (text) => (typeof text === "string" ? text.trim() : noOverload("trim", text)),
  join,
  "strings.quote": (text) =>
    typeof text === "string"
      ? `"${[...text].map((sign) => quotes[sign] ?? sign).join("")}"`
      : noOverload("strings.quote", text),
  format,
  find,
  findAll,
};
