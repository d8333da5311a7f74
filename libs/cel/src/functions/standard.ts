import { formatCidr, formatIp } from "@tiphys/kube-values";
import { RE2JS } from "re2js";
import { fail } from "../errors.js";
import {
  CelList,
  CelMap,
  CidrValue,
  codePoints,
  compareValues,
  Duration,
  equal,
  IpValue,
  RuledList,
  Timestamp,
  TypeValue,
  typeName,
  typeOf,
  Uint,
  type Value,
  ValueList,
} from "../values.js";
import { formatDateTime, formatSeconds, parseDateTime, parseGoDuration, timeParts } from "./time.js";

export type Implementation = (...args: Value[]) => Value;

const minInt = -0x8000000000000000n;
const maxInt = 0x7fffffffffffffffn;
const maxUint = 0xffffffffffffffffn;

export const int = (value: bigint): bigint => (value < minInt || value > maxInt ? fail("integer overflow") : value);
const uint = (value: bigint): Uint =>
  value < 0n || value > maxUint ? fail("unsigned integer overflow") : new Uint(value);
const duration = (nanos: bigint): Duration =>
  nanos < minInt || nanos > maxInt ? fail("duration overflow") : new Duration(nanos);
const earliest = -62135596800_000_000_000n;
const latest = 253402300799_999_999_999n;
const timestamp = (nanos: bigint): Timestamp =>
  nanos < earliest || nanos > latest ? fail("timestamp overflow") : new Timestamp(nanos);

export const noOverload = (fn?: string, ...args: Value[]): never =>
  fail(fn === undefined ? "no such overload" : `no such overload: ${fn}(${args.map(typeName).join(", ")})`);

export function add(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return int(a + b);
  if (typeof a === "string" && typeof b === "string") return a + b;
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value + b.value);
  if (a instanceof CelList && b instanceof CelList) return concatenated(a, b);
  if (a instanceof Duration) {
    if (b instanceof Duration) return duration(a.nanos + b.nanos);
    if (b instanceof Timestamp) return timestamp(a.nanos + b.nanos);
  }
  if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.nanos + b.nanos);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Uint8Array.from([...a, ...b]);
  return noOverload();
}

/** Sets are united; in lists with keys the right side's items take the place of the left's. */
function concatenated(a: CelList, b: CelList): CelList {
  const { rule } = a;
  if (rule === undefined) return new ValueList([...a, ...b]);
  const out = new Map<string, Value>();
  for (const item of a) out.set(rule.keyOf(item), item);
  for (const item of b) if (rule.kind === "map" || !out.has(rule.keyOf(item))) out.set(rule.keyOf(item), item);
  return new RuledList([...out.values()], rule);
}

function subtract(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return int(a - b);
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value - b.value);
  if (a instanceof Duration && b instanceof Duration) return duration(a.nanos - b.nanos);
  if (a instanceof Timestamp && b instanceof Timestamp) return duration(a.nanos - b.nanos);
  if (a instanceof Timestamp && b instanceof Duration) return timestamp(a.nanos - b.nanos);
  return noOverload();
}

function multiply(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return int(a * b);
  if (typeof a === "number" && typeof b === "number") return a * b;
  if (a instanceof Uint && b instanceof Uint) return uint(a.value * b.value);
  return noOverload();
}

function divide(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return b === 0n ? fail("division by zero") : int(a / b);
  if (typeof a === "number" && typeof b === "number") return a / b;
  if (a instanceof Uint && b instanceof Uint)
    return b.value === 0n ? fail("division by zero") : uint(a.value / b.value);
  return noOverload();
}

function modulo(a: Value, b: Value): Value {
  if (typeof a === "bigint" && typeof b === "bigint") return b === 0n ? fail("modulus by zero") : int(a % b);
  if (a instanceof Uint && b instanceof Uint) return b.value === 0n ? fail("modulus by zero") : uint(a.value % b.value);
  return noOverload();
}

function negate(a: Value): Value {
  if (typeof a === "bigint") return int(-a);
  if (typeof a === "number") return -a;
  if (a instanceof Duration) return duration(-a.nanos);
  return noOverload();
}

const ordering =
  (holds: (order: number) => boolean): Implementation =>
  (a, b) => {
    const order = compareValues(a, b);
    if (order === undefined) return noOverload();
    if (Number.isNaN(order)) return fail("NaN values cannot be ordered");
    return holds(order);
  };

/** The member of a list or map; undefined when it is not there. */
export function lookup(container: Value, key: Value): Value | undefined {
  if (container instanceof CelMap) return container.get(key);
  if (container instanceof CelList) {
    const at = listIndex(key);
    return at >= 0 && at < container.size ? container.at(at) : undefined;
  }
  return noOverload();
}

function listIndex(key: Value): number {
  if (typeof key === "bigint") return Number(key);
  if (key instanceof Uint) return Number(key.value);
  if (typeof key === "number" && Number.isInteger(key)) return key;
  if (typeof key === "number") return fail(`unsupported index value ${key} in list`);
  return fail(`unsupported index type '${typeName(key)}' in list`);
}

export function index(container: Value, key: Value): Value {
  const found = lookup(container, key);
  if (found !== undefined) return found;
  return fail(container instanceof CelList ? `index out of bounds: ${display(key)}` : `no such key: ${display(key)}`);
}

function contains(item: Value, container: Value): Value {
  if (container instanceof CelMap) return container.get(item) !== undefined;
  if (!(container instanceof CelList)) return noOverload();
  for (const each of container) if (equal(item, each)) return true;
  return false;
}

/** A value as error messages show it. */
export function display(value: Value): string {
  if (typeof value === "string" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (typeof value === "number") return goNumber(value);
  if (value instanceof Uint) return String(value.value);
  if (value === null) return "null";
  return typeName(value);
}

/** A double in Go's shortest form: `1e+06`, `0.5`. */
export function goNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa = "", exponent = "0"] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power >= -4 && power < 21)
    return power < 6 || Math.abs(value) < 1e6 ? plainNumber(value) : scientific(mantissa, power);
  return scientific(mantissa, power);
}

const plainNumber = (value: number): string => {
  const text = String(value);
  return text.includes("e") ? value.toFixed(20).replace(/0+$/, "") : text;
};
const scientific = (mantissa: string, power: number): string =>
  `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;

function size(value: Value): Value {
  if (typeof value === "string") return BigInt(codePoints(value));
  if (value instanceof Uint8Array) return BigInt(value.length);
  if (value instanceof CelList || value instanceof CelMap) return BigInt(value.size);
  return noOverload("size", value);
}

function toInt(value: Value): Value {
  if (typeof value === "bigint") return value;
  if (value instanceof Uint) return int(value.value);
  if (typeof value === "number") {
    if (!(value > -(2 ** 63) && value < 2 ** 63)) return fail("integer overflow");
    return BigInt(Math.trunc(value));
  }
  if (typeof value === "string") {
    if (!/^[+-]?\d+$/.test(value)) return fail("type conversion error from 'string' to 'int'");
    const parsed = BigInt(value);
    if (parsed < minInt || parsed > maxInt) return fail("type conversion error from 'string' to 'int'");
    return parsed;
  }
  if (value instanceof Timestamp) return value.nanos / 1_000_000_000n;
  if (value instanceof Duration) return value.nanos;
  return noOverload("int", value);
}

function toUint(value: Value): Value {
  if (value instanceof Uint) return value;
  if (typeof value === "bigint") return uint(value);
  if (typeof value === "number") {
    if (!(value >= 0 && value < 2 ** 64)) return fail("unsigned integer overflow");
    return uint(BigInt(Math.trunc(value)));
  }
  if (typeof value === "string") {
    if (!/^\d+$/.test(value)) return fail("type conversion error from 'string' to 'uint'");
    const parsed = BigInt(value);
    return parsed > maxUint ? fail("type conversion error from 'string' to 'uint'") : new Uint(parsed);
  }
  return noOverload("uint", value);
}

function toDouble(value: Value): Value {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Uint) return Number(value.value);
  if (typeof value === "string") {
    const special: Record<string, number> = { nan: Number.NaN, inf: Infinity, "+inf": Infinity, "-inf": -Infinity };
    const found = special[value.toLowerCase().replace(/infinity$/, "inf")];
    if (found !== undefined) return found;
    if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(value)) {
      return fail("type conversion error from 'string' to 'double'");
    }
    return Number(value);
  }
  return noOverload("double", value);
}

function toText(value: Value): Value {
  if (typeof value === "string") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (typeof value === "number") return goNumber(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Duration) return formatSeconds(value.nanos);
  if (value instanceof Timestamp) return formatDateTime(value.nanos);
  if (value instanceof IpValue) return formatIp(value.ip);
  if (value instanceof CidrValue) return formatCidr(value.cidr);
  if (value instanceof Uint8Array) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
    } catch {
      return fail("invalid UTF-8 in bytes, cannot convert to string");
    }
  }
  return noOverload("string", value);
}

const truths = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const lies = new Set(["0", "f", "F", "false", "FALSE", "False"]);

function toBool(value: Value): Value {
  if (typeof value === "boolean") return value;
  if (typeof value !== "string") return noOverload("bool", value);
  if (truths.has(value)) return true;
  if (lies.has(value)) return false;
  return fail("type conversion error from 'string' to 'bool'");
}

export function toDuration(value: Value): Value {
  if (value instanceof Duration) return value;
  if (typeof value === "bigint") return duration(value);
  if (typeof value !== "string") return noOverload("duration", value);
  const nanos = parseGoDuration(value);
  return nanos === undefined
    ? fail("type conversion error from 'string' to 'google.protobuf.Duration'")
    : duration(nanos);
}

export function toTimestamp(value: Value): Value {
  if (value instanceof Timestamp) return value;
  if (typeof value === "bigint") return timestamp(value * 1_000_000_000n);
  if (typeof value !== "string") return noOverload("timestamp", value);
  const nanos = parseDateTime(value);
  return nanos === undefined
    ? fail("type conversion error from 'string' to 'google.protobuf.Timestamp'")
    : timestamp(nanos);
}

const patterns = new Map<string, RE2JS>();

/** A compiled RE2 pattern; the last few hundred are kept. */
export function pattern(text: string): RE2JS {
  let known = patterns.get(text);
  if (known === undefined) {
    try {
      known = RE2JS.compile(text);
    } catch (error) {
      return fail(
        `error parsing regexp: ${error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : error}`,
      );
    }
    if (patterns.size > 500) patterns.clear();
    patterns.set(text, known);
  }
  return known;
}

const texts =
  (use: (text: string, other: string) => Value): Implementation =>
  (a, b) =>
    typeof a === "string" && typeof b === "string" ? use(a, b) : noOverload();

const part =
  (fn: string, ofTime: (date: Date) => number, ofDuration?: (nanos: bigint) => bigint): Implementation =>
  (value, zone) => {
    if (value instanceof Duration && ofDuration !== undefined) return ofDuration(value.nanos);
    if (!(value instanceof Timestamp)) return noOverload(fn, value);
    const date = timeParts(value.nanos, zone as string | undefined);
    return date === undefined ? fail(`unknown time zone ${zone}`) : BigInt(ofTime(date));
  };

const dayOfYear = (date: Date): number =>
  Math.floor(
    (Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()) - Date.UTC(date.getUTCFullYear(), 0, 1)) /
      86_400_000,
  );

export const standard: Readonly<Record<string, Implementation>> = {
  "!_": (a) => (typeof a === "boolean" ? !a : noOverload()),
  "_==_": (a, b) => equal(a, b),
  "_!=_": (a, b) => !equal(a, b),
  "_+_": add,
  "_-_": subtract,
  "_*_": multiply,
  "_/_": divide,
  "_%_": modulo,
  "-_": negate,
  "_<_": ordering((order) => order < 0),
  "_<=_": ordering((order) => order <= 0),
  "_>_": ordering((order) => order > 0),
  "_>=_": ordering((order) => order >= 0),
  "@in": contains,
  size,
  type: (value) => new TypeValue(typeOf(value)),
  dyn: (value) => value,
  int: toInt,
  uint: toUint,
  double: toDouble,
  string: toText,
  bool: toBool,
  bytes: (value) =>
    value instanceof Uint8Array
      ? value
      : typeof value === "string"
        ? Uint8Array.from(Buffer.from(value, "utf8"))
        : noOverload("bytes", value),
  duration: toDuration,
  timestamp: toTimestamp,
  contains: texts((text, part) => text.includes(part)),
  startsWith: texts((text, part) => text.startsWith(part)),
  endsWith: texts((text, part) => text.endsWith(part)),
  matches: texts((text, source) => pattern(source).matcher(text).find()),
  getFullYear: part("getFullYear", (date) => date.getUTCFullYear()),
  getMonth: part("getMonth", (date) => date.getUTCMonth()),
  getDayOfYear: part("getDayOfYear", dayOfYear),
  getDayOfMonth: part("getDayOfMonth", (date) => date.getUTCDate() - 1),
  getDate: part("getDate", (date) => date.getUTCDate()),
  getDayOfWeek: part("getDayOfWeek", (date) => date.getUTCDay()),
  getHours: part(
    "getHours",
    (date) => date.getUTCHours(),
    (nanos) => nanos / 3_600_000_000_000n,
  ),
  getMinutes: part(
    "getMinutes",
    (date) => date.getUTCMinutes(),
    (nanos) => nanos / 60_000_000_000n,
  ),
  getSeconds: part(
    "getSeconds",
    (date) => date.getUTCSeconds(),
    (nanos) => nanos / 1_000_000_000n,
  ),
  getMilliseconds: part(
    "getMilliseconds",
    (date) => date.getUTCMilliseconds(),
    (nanos) => nanos / 1_000_000n,
  ),
};
