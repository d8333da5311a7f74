const FORM = /^([+-]?)(\d*)(?:\.(\d*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d{1,2}))?$/;
const BINARY: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** A Kubernetes quantity in billionths; undefined when the text is none. */
function billionths(text: string): bigint | undefined {
  const found = FORM.exec(text);
  if (!found || (!found[2] && !found[3])) return undefined;
  const [, sign, whole = "", fraction = "", binary, decimal, exponent] = found;
  const digits = BigInt(`${whole}${fraction}` || "0");
  let power = 9 - fraction.length;
  if (decimal) power += DECIMAL[decimal] ?? 0;
  if (exponent) power += Number(exponent);
  let value = binary ? digits * 2n ** BigInt(BINARY[binary] ?? 0) : digits;
  value = power >= 0 ? value * 10n ** BigInt(power) : value / 10n ** BigInt(-power);
  return sign === "-" ? -value : value;
}

/** True when both are quantities of the same amount, such as `0.5` and `500m`. */
export function sameQuantity(a: unknown, b: unknown): boolean {
  const amount = (value: unknown) =>
    typeof value === "string" || typeof value === "number" ? billionths(String(value)) : undefined;
  const left = amount(a);
  return left !== undefined && left === amount(b);
}

/** Fields whose values, or whose members' values, are quantities in Kubernetes' own kinds. */
export const QUANTITY_FIELDS: ReadonlySet<string> = new Set([
  "limits",
  "requests",
  "capacity",
  "hard",
  "min",
  "max",
  "default",
  "defaultRequest",
  "maxLimitRequestRatio",
  "overhead",
  "sizeLimit",
  "averageValue",
  "divisor",
  "value",
]);
