import type { BinaryOperator, UnaryOperator } from "./ast.js";
import { JsonnetRuntimeError } from "./errors.js";
import { format } from "./format.js";
import type { Machine } from "./machine.js";
import { inline } from "./manifest.js";
import { compareText, force, type JArray, JFunction, JObject, type Slot, typeOf, type Value } from "./values.js";

const isArray = (value: Value): value is JArray => Array.isArray(value);

export const fail = (problem: string): never => {
  throw new JsonnetRuntimeError(problem);
};

/** Numbers are finite; what would not be is an error where it comes up. */
export function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  return fail(Number.isNaN(value) ? "not a number" : "overflow");
}

/** The text that a value becomes beside a text. */
export const toText = (machine: Machine, value: Value): string =>
  typeof value === "string" ? value : inline(machine, value);

export function add(machine: Machine, left: Value, right: Value): Value {
  if (typeof left === "number" && typeof right === "number") return finite(left + right);
  if (typeof left === "string" || typeof right === "string") {
    const text = toText(machine, left) + toText(machine, right);
    // Engines share the parts of a sum, so only what is new is counted.
    machine.charge(1);
    if (text.length > 2 ** 28) fail("a text is longer than 268435456 characters");
    return text;
  }
  if (isArray(left) && isArray(right)) {
    machine.charge(left.length + right.length);
    return [...left, ...right];
  }
  if (left instanceof JObject && right instanceof JObject) {
    machine.charge(left.layers.length + right.layers.length);
    return new JObject([...left.layers, ...right.layers]);
  }
  return fail(`binary operator + requires matching types, got ${typeOf(left)} and ${typeOf(right)}`);
}

/** Equality of any two values; functions have none. */
export function equals(machine: Machine, left: Value, right: Value): boolean {
  if (left === right && !(left instanceof JFunction)) {
    if (typeof left !== "object" || left === null) return true;
  }
  const type = typeOf(left);
  if (type !== typeOf(right)) return false;
  if (type === "function") fail("cannot test equality of functions");
  if (isArray(left) && isArray(right)) {
    if (left.length !== right.length) return false;
    for (let at = 0; at < left.length; at++) {
      if (!equals(machine, force(left[at] as Slot), force(right[at] as Slot))) return false;
    }
    machine.charge(left.length);
    return true;
  }
  if (left instanceof JObject && right instanceof JObject) {
    const names = left.names(false);
    const others = right.names(false);
    machine.charge(names.length);
    if (names.length !== others.length || names.some((name, at) => name !== others[at])) return false;
    left.check();
    right.check();
    return names.every((name) => equals(machine, left.get(name) as Value, right.get(name) as Value));
  }
  return left === right;
}

/** Order of numbers, texts and arrays; other values have none. */
export function compare(machine: Machine, left: Value, right: Value): number {
  if (typeof left === "number" && typeof right === "number") return left - right;
  if (typeof left === "string" && typeof right === "string") return compareText(left, right);
  if (isArray(left) && isArray(right)) {
    machine.charge(1);
    for (let at = 0; at < Math.min(left.length, right.length); at++) {
      const order = compare(machine, force(left[at] as Slot), force(right[at] as Slot));
      if (order !== 0) return order;
    }
    return left.length - right.length;
  }
  const [a, b] = [typeOf(left), typeOf(right)];
  return fail(a === b ? `values of type ${a} are not comparable` : `cannot compare ${a} with ${b}`);
}

function bits(operator: string, left: Value, right: Value): [bigint, bigint] {
  if (typeof left !== "number" || typeof right !== "number") {
    return fail(`binary operator ${operator} requires numbers, got ${typeOf(left)} and ${typeOf(right)}`);
  }
  return [toInt64(left), toInt64(right)];
}

function toInt64(value: number): bigint {
  if (value >= 2 ** 63 || value < -(2 ** 63))
    fail(`bitwise operator argument ${value} is outside of the 64 bit integers`);
  return BigInt(Math.trunc(value));
}

const fromBits = (value: bigint): number => Number(BigInt.asIntN(64, value));

function shift(operator: "<<" | ">>", left: Value, right: Value): number {
  const [value, by] = bits(operator, left, right);
  if (by < 0n) fail(`shift by negative exponent: ${right}`);
  const count = by % 64n;
  if (operator === ">>") return fromBits(value >> count);
  return fromBits(value << count);
}

type Operation = (machine: Machine, left: Value, right: Value) => Value;

const arithmetic =
  (operator: string, compute: (left: number, right: number) => number): Operation =>
  (_machine, left, right) =>
    typeof left === "number" && typeof right === "number"
      ? finite(compute(left, right))
      : fail(`binary operator ${operator} requires numbers, got ${typeOf(left)} and ${typeOf(right)}`);

/** The operators that compute both sides; `&&`, `||` and `in super` are the compiler's. */
export const operations: Readonly<Record<Exclude<BinaryOperator, "&&" | "||">, Operation>> = {
  "+": add,
  "-": arithmetic("-", (left, right) => left - right),
  "*": arithmetic("*", (left, right) => left * right),
  "/": arithmetic("/", (left, right) => (right === 0 ? fail("division by zero.") : left / right)),
  "%": (machine, left, right) => {
    if (typeof left === "string") return format(machine, left, right);
    return arithmetic("%", (a, b) => (b === 0 ? fail("division by zero.") : a % b))(machine, left, right);
  },
  "<": (machine, left, right) => compare(machine, left, right) < 0,
  "<=": (machine, left, right) => compare(machine, left, right) <= 0,
  ">": (machine, left, right) => compare(machine, left, right) > 0,
  ">=": (machine, left, right) => compare(machine, left, right) >= 0,
  "==": (machine, left, right) => equals(machine, left, right),
  "!=": (machine, left, right) => !equals(machine, left, right),
  "&": (_machine, left, right) => {
    const [a, b] = bits("&", left, right);
    return fromBits(a & b);
  },
  "|": (_machine, left, right) => {
    const [a, b] = bits("|", left, right);
    return fromBits(a | b);
  },
  "^": (_machine, left, right) => {
    const [a, b] = bits("^", left, right);
    return fromBits(a ^ b);
  },
  "<<": (_machine, left, right) => shift("<<", left, right),
  ">>": (_machine, left, right) => shift(">>", left, right),
  in: (_machine, left, right) => {
    if (typeof left !== "string" || !(right instanceof JObject)) {
      return fail(`binary operator in requires a string and an object, got ${typeOf(left)} and ${typeOf(right)}`);
    }
    return right.has(left, true);
  },
};

export const unaryOperations: Readonly<Record<UnaryOperator, (operand: Value) => Value>> = {
  "+": (operand) =>
    typeof operand === "number" ? operand : fail(`unary operator + requires a number, got ${typeOf(operand)}`),
  "-": (operand) =>
    typeof operand === "number" ? -operand : fail(`unary operator - requires a number, got ${typeOf(operand)}`),
  "!": (operand) =>
    typeof operand === "boolean" ? !operand : fail(`unary operator ! requires a boolean, got ${typeOf(operand)}`),
  "~": (operand) => {
    const [value] = bits("~", operand, 0);
    return fromBits(~value);
  },
};
