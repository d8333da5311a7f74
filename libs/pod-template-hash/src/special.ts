/** Go types whose JSON does not show what they are made of. */

const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const pattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei)|([numkMGTPE]?)|[eE]([+-]?\d{1,3}))$/;
/** Digits that fit an int64 for certain. */
const DIGITS = 18;
const MOST = 2n ** 63n - 1n;

const amount = (value: bigint, scale: number, text: string, format: string) =>
  `{i:(resource.int64Amount){value:(int64)${value} scale:(resource.Scale)${scale}} d:(resource.infDecAmount){Dec:(*inf.Dec)<nil>} s:(string)${text} Format:(resource.Format)${format}}`;

/** A quantity in its stored spelling. Small ones are an int64 with a scale, others a decimal of any length. */
export function printedQuantity(value: unknown): string {
  const text = String(value ?? "0");
  if (text === "0") return amount(0n, 0, "0", "DecimalSI");
  const [, sign, number = "", fraction = "", two, suffix = "", exponent] = pattern.exec(text) ?? [];
  const whole = number.replace(/^0+(?=.)/, "");
  const power = two ? (binary.indexOf(two) + 1) * 10 : exponent ? Number(exponent) : (decimal[suffix] ?? 0);
  const format = two ? "BinarySI" : exponent ? "DecimalExponent" : "DecimalSI";
  const shifted = whole + fraction;
  const scale = (two ? 0 : power) - fraction.length;
  const room = two
    ? fraction === ""
      ? 15 - whole.length - Math.trunc((power * 3) / 10) - 1
      : -1
    : DIGITS - shifted.length;
  const digits = BigInt(shifted || "0");
  const size = two ? digits * 2n ** BigInt(power) : digits;
  if (room >= 0 && scale >= -9 && size <= MOST) {
    const canonical = two
      ? (digits & 7n) !== 0n
      : scale % 3 === 0 && !shifted.endsWith("000") && !shifted.startsWith("0");
    return amount(sign === "-" ? -size : size, scale, canonical ? text : "", format);
  }
  return long(sign === "-", two ? digits * 2n ** BigInt(power) : digits, two ? -fraction.length : scale, format);
}

/** Beyond an int64: an integer in 64-bit words, and nine digits after the point. */
function long(negative: boolean, digits: bigint, scale: number, format: string): string {
  const power = scale + 9;
  let size = power >= 0 ? digits * 10n ** BigInt(power) : (digits + 10n ** BigInt(-power) - 1n) / 10n ** BigInt(-power);
  const words: bigint[] = [];
  for (; size > 0n; size >>= 64n) words.push(size & (2n ** 64n - 1n));
  const dec = `{unscaled:(big.Int){neg:(bool)${negative} abs:(big.nat)[${words.join(" ")}]} scale:(inf.Scale)9}`;
  return `{i:(resource.int64Amount){value:(int64)0 scale:(resource.Scale)0} d:(resource.infDecAmount){Dec:(*inf.Dec)${dec}} s:(string) Format:(resource.Format)${format}}`;
}

export function printedIntOrString(value: unknown): string {
  const isText = typeof value === "string";
  return `{Type:(intstr.Type)${isText ? 1 : 0} IntVal:(int32)${isText ? 0 : String(value ?? 0)} StrVal:(string)${isText ? value : ""}}`;
}

/** Times in a template (`creationTimestamp`) are never set; one that is would be printed as seconds since the year 1. */
export function printedTime(value: unknown): string {
  const none = "{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}";
  if (typeof value !== "string") return none;
  const seconds = Math.floor(Date.parse(value) / 1000) + 62_135_596_800;
  return none.replace("ext:(int64)0", `ext:(int64)${seconds}`);
}
