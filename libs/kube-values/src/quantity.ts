/** A resource quantity: `amount` in units of 10^-9, exact. */
export interface Quantity {
  readonly nanos: bigint;
  readonly form: "decimal" | "binary" | "exponent";
}

const pattern = /^([+-]?)(\d+\.?\d*|\.\d+)(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE]?)|[eE]([+-]?\d{1,3}))$/;
const decimalPower: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const decimalSuffix = new Map(Object.entries(decimalPower).map(([suffix, power]) => [power, suffix]));
const binarySuffixes = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const nano = 1_000_000_000n;
const longest = 64;

/** Reads `500m`, `1.5Gi`, `1e3`; undefined when it is no quantity. Finer than 10^-9 is rounded up, as the API server does. */
export function parseQuantity(text: string | number | bigint): Quantity | undefined {
  const source = String(text);
  if (source.length > longest) return undefined;
  const match = pattern.exec(source);
  if (match === null) return undefined;
  const [, sign, number = "", binary, , exponent] = match;
  const [whole = "", fraction = ""] = number.split(".");
  let mantissa = BigInt(whole + fraction || "0");
  let power = 9 - fraction.length;
  let form: Quantity["form"] = "decimal";
  if (binary !== undefined) {
    mantissa *= 1024n ** BigInt(binarySuffixes.indexOf(binary) + 1);
    form = "binary";
  } else if (exponent !== undefined) {
    if (Math.abs(Number(exponent)) > 40) return undefined;
    power += Number(exponent);
    form = "exponent";
  } else power += decimalPower[match[4] ?? ""]!;
  const nanos = power >= 0 ? mantissa * 10n ** BigInt(power) : divideUp(mantissa, 10n ** BigInt(-power));
  return { nanos: sign === "-" ? -nanos : nanos, form };
}

const divideUp = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

/** The one spelling the API server stores: the largest suffix that leaves a whole number. */
export function formatQuantity({ nanos, form }: Quantity): string {
  if (nanos === 0n) return "0";
  const sign = nanos < 0n ? "-" : "";
  const size = nanos < 0n ? -nanos : nanos;
  if (form === "binary" && size >= 1024n * nano && size % nano === 0n) {
    let whole = size / nano;
    let at = -1;
    while (whole % 1024n === 0n && at < binarySuffixes.length - 1) {
      whole /= 1024n;
      at++;
    }
    return `${sign}${whole}${at < 0 ? "" : binarySuffixes[at]}`;
  }
  let mantissa = size;
  let power = -9;
  while (mantissa % 1000n === 0n && power < 18) {
    mantissa /= 1000n;
    power += 3;
  }
  if (form === "exponent") return `${sign}${mantissa}${power === 0 ? "" : `e${power}`}`;
  return `${sign}${mantissa}${decimalSuffix.get(power)}`;
}

/** `0.5` → `500m`; undefined when it is no quantity. */
export function canonicalQuantity(text: string | number | bigint): string | undefined {
  // The common spellings are canonical already: skip the arithmetic.
  if (typeof text === "string" && /^[1-9]\d{0,2}(?:[mkMGTPE]|Ki|Mi|Gi|Ti)?$/.test(text) && !/000?m$/.test(text))
    return text;
  const quantity = parseQuantity(text);
  return quantity && formatQuantity(quantity);
}

/** -1, 0 or 1. */
export const compareQuantities = (a: Quantity, b: Quantity): number =>
  a.nanos < b.nanos ? -1 : a.nanos > b.nanos ? 1 : 0;
