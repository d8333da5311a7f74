import { FunctionError } from "../errors.js";
import { sprint } from "../fmt.js";
import type { GoFunction, State } from "../state.js";
import { parseInt64 } from "../strconv.js";
import { GoInt, GoSlice, type GoValue, int, int64 } from "../values.js";
import { toFloat64, toInt64 } from "./convert.js";

/** Decimal numbers of any length: v × 10^e. */
interface Decimal {
  readonly v: bigint;
  readonly e: number;
}

function decimal(value: GoValue): Decimal {
  const number = toFloat64(value);
  if (!Number.isFinite(number)) {
    throw new FunctionError(
      `Cannot create a Decimal from ${Number.isNaN(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf"}`,
    );
  }
  const [mantissa = "0", exponent = "0"] = number.toExponential().split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  return { v: BigInt(whole + fraction), e: Number(exponent) - fraction.length };
}

function align(a: Decimal, b: Decimal): [bigint, bigint, number] {
  const e = Math.min(a.e, b.e);
  return [a.v * 10n ** BigInt(a.e - e), b.v * 10n ** BigInt(b.e - e), e];
}

const plus = (a: Decimal, b: Decimal): Decimal => {
  const [x, y, e] = align(a, b);
  return { v: x + y, e };
};
const minus = (a: Decimal, b: Decimal): Decimal => plus(a, { v: -b.v, e: b.e });
const times = (a: Decimal, b: Decimal): Decimal => ({ v: a.v * b.v, e: a.e + b.e });
/** Sixteen digits after the point, half away from zero. */
const divide = (a: Decimal, b: Decimal): Decimal => {
  if (b.v === 0n) throw new FunctionError("decimal division by 0");
  const [x, y] = align(a, b);
  const scaled = (x < 0n ? -x : x) * 10n ** 16n;
  const size = y < 0n ? -y : y;
  let quotient = scaled / size;
  if ((scaled % size) * 2n >= size) quotient++;
  return { v: x < 0n !== y < 0n ? -quotient : quotient, e: -16 };
};

const folded = (start: Decimal, rest: readonly GoValue[], step: (a: Decimal, b: Decimal) => Decimal): number => {
  const { v, e } = rest.map(decimal).reduce(step, start);
  return Number(`${v}e${e}`);
};

function range(state: State, start: number, stop: number, step: number): number[] {
  const list: number[] = [];
  if (stop < start ? step >= 0 : step <= 0) return list;
  state.checkSize(Math.abs((stop - start) / step) * 8);
  state.step(Math.floor(Math.abs((stop - start) / step) / 16));
  if (stop < start) for (let i = start; i > stop; i += step) list.push(i);
  else for (let i = start; i < stop; i += step) list.push(i);
  return list;
}

const ints = (list: readonly number[]) => GoSlice.of_("int", list.map(int));

function seq(state: State, params: readonly number[]): string {
  const [a = 0, b = 0, c = 0] = params;
  if (params.length === 1) return range(state, 1, a + (a < 1 ? -1 : 1), a < 1 ? -1 : 1).join(" ");
  if (params.length === 2) return range(state, a, b + (b < a ? -1 : 1), b < a ? -1 : 1).join(" ");
  if (params.length !== 3 || (c < a && b > 0)) return "";
  return range(state, a, c + (c < a ? -1 : 1), b).join(" ");
}

function round(value: GoValue, places: number, on: number): number {
  const pow = 10 ** places;
  const digit = pow * toFloat64(value);
  const part = digit - Math.trunc(digit);
  return (part >= on ? Math.ceil(digit) : Math.floor(digit)) / pow;
}

const integerDivide = (a: bigint, b: bigint, apply: (x: bigint, y: bigint) => bigint): GoValue => {
  if (b === 0n) throw new FunctionError("runtime error: integer divide by zero");
  return int64(apply(a, b));
};

const any = ["any"] as const;
const two = ["any", "any"] as const;
const fold = (pick: (a: bigint, b: bigint) => bigint): GoFunction => ({
  params: two,
  variadic: true,
  call: (values) => int64(values.map(toInt64).reduce(pick)),
});
const larger = fold((a, b) => (b > a ? b : a));
const goMax = (a: number, b: number) => (a === Infinity || b === Infinity ? Infinity : Math.max(a, b));
const goMin = (a: number, b: number) => (a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b));

export const numberFunctions: Readonly<Record<string, GoFunction>> = {
  atoi: { params: ["string"], call: ([text]) => new GoInt(atoi(text)) },
  int64: { params: any, call: ([value]) => int64(toInt64(value)) },
  int: { params: any, call: ([value]) => new GoInt(toInt64(value)) },
  float64: { params: any, call: ([value]) => toFloat64(value) },
  seq: { params: ["int"], variadic: true, call: (params, state) => seq(state, params) },
  toDecimal: { params: any, call: ([value]) => int64(parseInt64(sprint([value]), 8) ?? 0n) },
  until: { params: ["int"], call: ([count], state) => ints(range(state, 0, count, count < 0 ? -1 : 1)) },
  untilStep: {
    params: ["int", "int", "int"],
    call: ([start, stop, step], state) => ints(range(state, start, stop, step)),
  },
  add1: { params: any, call: ([value]) => int64(toInt64(value) + 1n) },
  add: {
    params: any,
    variadic: true,
    call: (values) => int64(values.reduce((sum: bigint, value) => sum + toInt64(value), 0n)),
  },
  sub: { params: two, call: ([a, b]) => int64(toInt64(a) - toInt64(b)) },
  div: { params: two, call: ([a, b]) => integerDivide(toInt64(a), toInt64(b), (x, y) => x / y) },
  mod: { params: two, call: ([a, b]) => integerDivide(toInt64(a), toInt64(b), (x, y) => x % y) },
  mul: {
    params: two,
    variadic: true,
    call: ([first, ...rest]) =>
      int64(rest.reduce((product: bigint, value) => BigInt.asIntN(64, product * toInt64(value)), toInt64(first))),
  },
  add1f: { params: any, call: ([value]) => folded(decimal(value), [1], plus) },
  addf: { params: any, variadic: true, call: (values) => folded({ v: 0n, e: 0 }, values, plus) },
  subf: { params: two, variadic: true, call: ([first, ...rest]) => folded(decimal(first), rest, minus) },
  divf: { params: two, variadic: true, call: ([first, ...rest]) => folded(decimal(first), rest, divide) },
  mulf: { params: two, variadic: true, call: ([first, ...rest]) => folded(decimal(first), rest, times) },
  biggest: larger,
  max: larger,
  min: fold((a, b) => (b < a ? b : a)),
  maxf: { params: two, variadic: true, call: (values) => values.map(toFloat64).reduce(goMax) },
  minf: { params: two, variadic: true, call: (values) => values.map(toFloat64).reduce(goMin) },
  ceil: { params: any, call: ([value]) => Math.ceil(toFloat64(value)) },
  floor: { params: any, call: ([value]) => Math.floor(toFloat64(value)) },
  round: {
    params: ["any", "int", "float64"],
    variadic: true,
    call: ([value, places, on = 0.5]) => round(value, places, on),
  },
};

/** Go's strconv.Atoi, whose value for numbers that are too large is the nearest integer. */
function atoi(text: string): bigint {
  if (!/^[+-]?[0-9]+$/.test(text) || text.length > 400) return 0n;
  const value = BigInt(text.replace(/^\+/, ""));
  const most = 2n ** 63n - 1n;
  return value > most ? most : value < -most - 1n ? -most - 1n : value;
}
