import { fail as failed, finite, operations } from "../operators.js";
import { typeOf } from "../values.js";
import { define, type Functions, number } from "./define.js";

const unary = (name: string, compute: (x: number) => number, parameter = "x") =>
  define(name, [parameter], (_machine, x) => finite(compute(number(`std.${name}`, x))));
const predicate = (name: string, holds: (x: number) => boolean) =>
  define(name, ["x"], (_machine, x) => holds(number(`std.${name}`, x)));

const scratch = new DataView(new ArrayBuffer(8));
/** Mantissa in [0.5, 1) and exponent, as C's frexp gives them. */
function parts(x: number): { mantissa: number; exponent: number } {
  if (x === 0) return { mantissa: 0, exponent: 0 };
  // A subnormal number is first brought into the range of the normal ones.
  const scale = Math.abs(x) < 2 ** -1022 ? 64 : 0;
  scratch.setFloat64(0, x * 2 ** scale);
  const exponent = ((scratch.getUint16(0) >> 4) & 0x7ff) - 1022 - scale;
  return { mantissa: scale ? x * 2 ** scale * 2 ** -(exponent + scale) : x * 2 ** -exponent, exponent };
}

/** x^n; whole powers by repeated squaring of the mantissa, which Math.pow does less exactly. */
function power(x: number, n: number): number {
  if (!Number.isInteger(n) || x === 0 || Math.abs(n) > 2 ** 31) return x ** n;
  let result = 1;
  let exponent = 0;
  let { mantissa, exponent: step } = parts(x);
  for (let left = Math.abs(n); left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) {
      result *= mantissa;
      exponent += step;
    }
    mantissa *= mantissa;
    step *= 2;
    if (mantissa < 0.5) {
      mantissa += mantissa;
      step--;
    }
    // Far outside of the doubles already: more turns change nothing.
    if (Math.abs(step) > 5000 && left > 1) return x ** n;
  }
  const fraction = parts(n < 0 ? 1 / result : result);
  const whole = (n < 0 ? -exponent : exponent) + fraction.exponent;
  // In two steps, since 2^1024 is no double.
  return fraction.mantissa * 2 ** Math.trunc(whole / 2) * 2 ** (whole - Math.trunc(whole / 2));
}

const round = (x: number): number => Math.sign(x) * Math.round(Math.abs(x));

export const math: Functions = {
  abs: unary("abs", Math.abs, "n"),
  sign: unary("sign", (x) => (x > 0 ? 1 : x < 0 ? -1 : 0), "n"),
  max: define("max", ["a", "b"], (_m, a, b) => Math.max(number("std.max", a), number("std.max", b))),
  min: define("min", ["a", "b"], (_m, a, b) => Math.min(number("std.min", a), number("std.min", b))),
  clamp: define("clamp", ["x", "minVal", "maxVal"], (_m, x, low, high) => {
    const [value, least, most] = [number("std.clamp", x), number("std.clamp", low), number("std.clamp", high)];
    return Math.min(Math.max(value, least), Math.max(least, most));
  }),
  pow: define("pow", ["x", "n"], (_m, x, n) => finite(power(number("std.pow", x), number("std.pow", n)))),
  exp: unary("exp", Math.exp),
  log: unary("log", Math.log),
  log2: unary("log2", Math.log2),
  // By way of the other logarithm, as Go has it: the last digit is that of the originals.
  log10: unary("log10", (x) => Math.log2(x) * (Math.LN2 / Math.LN10)),
  exponent: unary("exponent", (x) => parts(x).exponent),
  mantissa: unary("mantissa", (x) => parts(x).mantissa),
  floor: unary("floor", Math.floor),
  ceil: unary("ceil", Math.ceil),
  round: unary("round", round),
  sqrt: unary("sqrt", Math.sqrt),
  sin: unary("sin", Math.sin),
  cos: unary("cos", Math.cos),
  tan: unary("tan", Math.tan),
  asin: unary("asin", Math.asin),
  acos: unary("acos", Math.acos),
  atan: unary("atan", Math.atan),
  atan2: define("atan2", ["y", "x"], (_m, y, x) => Math.atan2(number("std.atan2", y), number("std.atan2", x))),
  hypot: define("hypot", ["a", "b"], (_m, a, b) => finite(Math.hypot(number("std.hypot", a), number("std.hypot", b)))),
  deg2rad: unary("deg2rad", (x) => (x * Math.PI) / 180),
  rad2deg: unary("rad2deg", (x) => (x * 180) / Math.PI),
  isEven: predicate("isEven", (x) => round(Math.trunc(x)) % 2 === 0),
  isOdd: predicate("isOdd", (x) => round(Math.trunc(x)) % 2 !== 0),
  isInteger: predicate("isInteger", Number.isInteger),
  isDecimal: predicate("isDecimal", (x) => !Number.isInteger(x)),
  modulo: define("modulo", ["a", "b"], (machine, a, b) =>
    operations["%"](machine, number("std.modulo", a), number("std.modulo", b)),
  ),
  mod: define("mod", ["a", "b"], (machine, a, b) =>
    typeof a === "number" || typeof a === "string"
      ? operations["%"](machine, a, b)
      : failed(`operator % cannot be used on types ${typeOf(a)} and ${typeOf(b)}.`),
  ),
};
