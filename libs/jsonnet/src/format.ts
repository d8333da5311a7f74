import { JsonnetRuntimeError } from "./errors.js";
import type { Machine } from "./machine.js";
import { inline } from "./manifest.js";
import { force, JObject, type Slot, typeOf, type Value } from "./values.js";

interface Flags {
  alternate: boolean;
  zero: boolean;
  left: boolean;
  blank: boolean;
  plus: boolean;
}

interface Conversion {
  readonly key: string | undefined;
  readonly flags: Flags;
  /** `*` takes the number from the values. */
  readonly width: number | "*";
  readonly precision: number | "*" | undefined;
  readonly letter: string;
}

const CONVERSION = /%(?:\(([^)]*)\))?([#0\- +]*)(\*|\d+)?(?:\.(\*|\d*))?[hlL]*([\s\S]?)/y;
/** Longest padding: a width is data, and must not make a text of any size. */
const MAX_WIDTH = 1_000_000;

const fail = (problem: string): never => {
  throw new JsonnetRuntimeError(problem);
};

function sizeOf(text: string | undefined, absent: number): number | "*" {
  if (text === "*") return "*";
  const size = text ? Number(text) : absent;
  return size > MAX_WIDTH ? fail(`a width of ${text} is more than ${MAX_WIDTH}`) : size;
}

/** Splits a format into texts and conversions. */
function parse(text: string): (string | Conversion)[] {
  const parts: (string | Conversion)[] = [];
  let at = 0;
  while (at < text.length) {
    const next = text.indexOf("%", at);
    if (next < 0) break;
    if (next > at) parts.push(text.slice(at, next));
    CONVERSION.lastIndex = next;
    const [whole = "", key, flags = "", width, precision, letter = ""] = CONVERSION.exec(text) ?? [];
    if (letter === "") fail("truncated format code.");
    if (!"diuoxXeEfFgGcs%".includes(letter)) fail(`unrecognised conversion type: ${letter}`);
    parts.push({
      key,
      flags: {
        alternate: flags.includes("#"),
        zero: flags.includes("0"),
        left: flags.includes("-"),
        blank: flags.includes(" "),
        plus: flags.includes("+"),
      },
      width: sizeOf(width, 0),
      precision: precision === undefined ? undefined : sizeOf(precision, 0),
      letter,
    });
    at = next + whole.length;
  }
  if (at < text.length) parts.push(text.slice(at));
  return parts;
}

const lengthOf = (text: string): number => [...text].length;
const padLeft = (text: string, width: number, by: string): string =>
  by.repeat(Math.max(0, width - lengthOf(text))) + text;
const padRight = (text: string, width: number): string => text + " ".repeat(Math.max(0, width - lengthOf(text)));

const wholeText = (value: number, radix: number): string =>
  Number.isSafeInteger(value) ? value.toString(radix) : BigInt(value).toString(radix);

/** A whole number with its sign, filled with zeros to `minChars` and `minDigits`. */
function whole(
  negative: boolean,
  value: number,
  minChars: number,
  minDigits: number,
  { blank, plus }: Pick<Flags, "blank" | "plus">,
  radix: number,
  prefix: string,
): string {
  const sign = negative ? "-" : plus ? "+" : blank ? " " : "";
  const digits = value === 0 && radix !== 16 ? "0" : (radix === 16 ? "" : prefix) + wholeText(value, radix);
  const fill = Math.max(minChars - sign.length, minDigits);
  if (radix !== 16) return sign + padLeft(digits, fill, "0");
  return sign + prefix + padLeft(digits, Math.max(minChars - sign.length - prefix.length, minDigits), "0");
}

const NO_SIGN = { blank: false, plus: false };

function decimal(
  value: number,
  fill: number,
  flags: Flags,
  point: boolean,
  trailing: boolean,
  precision: number,
): string {
  const denominator = 10 ** precision;
  const numerator = Math.abs(value) * denominator + 0.5;
  const front = Math.floor(numerator / denominator);
  const fraction = Math.floor(numerator) % denominator;
  const dot = precision === 0 && !point ? 0 : 1;
  const head = whole(value < 0, front, fill - precision - dot, 0, flags, 10, "");
  if (precision === 0) return head + (point ? "." : "");
  if (!trailing && fraction === 0) return head;
  const tail = whole(false, fraction, precision, 0, NO_SIGN, 10, "");
  return `${head}.${trailing ? tail : tail.replace(/0+$/, "")}`;
}

const exponentOf = (value: number): number => (value === 0 ? 0 : Math.floor(Math.log(Math.abs(value)) / Math.log(10)));

function scientific(
  value: number,
  fill: number,
  flags: Flags,
  point: boolean,
  trailing: boolean,
  capitals: boolean,
  precision: number,
): string {
  const exponent = exponentOf(value);
  const suffix =
    (capitals ? "E" : "e") + whole(exponent < 0, Math.abs(exponent), 3, 0, { blank: false, plus: true }, 10, "");
  // 10^-324 is zero as a double.
  const mantissa = exponent === -324 ? (value * 10) / 10 ** (exponent + 1) : value / 10 ** exponent;
  return decimal(mantissa, fill - suffix.length, flags, point, trailing, precision) + suffix;
}

function converted(
  machine: Machine,
  value: Value,
  { letter, flags }: Conversion,
  width: number,
  precision: number | undefined,
): string {
  if (letter === "s") return typeof value === "string" ? value : inline(machine, value);
  if (letter === "c") {
    if (typeof value === "number") return String.fromCodePoint(value);
    if (typeof value === "string" && lengthOf(value) === 1) return value;
    return fail(`%c expected 1-sized string or a code point, got: ${typeOf(value)}`);
  }
  if (typeof value !== "number") return fail(`format required number at %${letter}, got ${typeOf(value)}`);
  const fill = flags.zero && !flags.left ? width : 0;
  const digits = precision ?? 0;
  const places = precision ?? 6;
  const absolute = Math.floor(Math.abs(value));
  switch (letter) {
    case "o":
      return whole(value <= -1, absolute, fill, digits, flags, 8, flags.alternate ? "0" : "");
    case "x":
    case "X": {
      const hex = whole(value < 0, Math.abs(Math.floor(value)), fill, digits, flags, 16, flags.alternate ? "0x" : "");
      return letter === "X" ? hex.toUpperCase() : hex;
    }
    case "f":
    case "F":
      return decimal(value, fill, flags, flags.alternate, true, places);
    case "e":
    case "E":
      return scientific(value, fill, flags, flags.alternate, true, letter === "E", places);
    case "g":
    case "G": {
      const exponent = exponentOf(value);
      if (exponent < -4 || exponent >= places) {
        return scientific(value, fill, flags, flags.alternate, flags.alternate, letter === "G", places - 1);
      }
      return decimal(value, fill, flags, flags.alternate, flags.alternate, places - Math.max(1, exponent + 1));
    }
    default:
      return whole(value <= -1, absolute, fill, digits, flags, 10, "");
  }
}

/** `text % values`, after the manner of Python: values are an array, an object for `%(key)s`, or one value. */
export function format(machine: Machine, text: string, values: Value): string {
  const parts = parse(text);
  const named = values instanceof JObject ? values : undefined;
  const list: readonly Slot[] = Array.isArray(values) ? values : [values];
  let used = 0;
  const take = (): Value => {
    if (used >= list.length) fail(`not enough values to format, got ${list.length}`);
    return force(list[used++] as Slot);
  };
  const starred = (size: number | "*"): number => {
    if (size !== "*") return size;
    if (named) return fail("cannot use * field width with object.");
    const value = take();
    if (typeof value !== "number") return fail(`the width of a format must be a number, got ${typeOf(value)}`);
    return value > MAX_WIDTH ? fail(`a width of ${value} is more than ${MAX_WIDTH}`) : value;
  };
  let result = "";
  for (const part of parts) {
    if (typeof part === "string") {
      result += part;
      continue;
    }
    const width = starred(part.width);
    const precision = part.precision === undefined ? undefined : starred(part.precision);
    let shown = "%";
    if (part.letter !== "%") {
      let value: Value;
      if (named) {
        if (part.key === undefined) return fail("mapping keys required.");
        const found = named.get(part.key);
        if (found === undefined) return fail(`no such field: ${part.key}`);
        value = found;
      } else value = take();
      shown = converted(machine, value, part, width, precision);
    }
    result += part.flags.left ? padRight(shown, width) : padLeft(shown, width, " ");
    machine.charge(shown.length + width);
  }
  if (!named && used < list.length) fail(`too many values to format: ${list.length}, expected ${used}`);
  return result;
}
