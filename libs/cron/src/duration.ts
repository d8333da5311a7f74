const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** A duration as Go writes it (`1h30m`, `-1.5s`) in milliseconds; throws with Go's words when it is none. */
export function parseGoDuration(text: string): number {
  const quoted = JSON.stringify(text);
  const match = /^([-+]?)(.*)$/s.exec(text);
  const [, sign, body = ""] = match ?? [];
  if (body === "0") return 0;
  if (body === "") throw new Error(`time: invalid duration ${quoted}`);
  let total = 0;
  let rest = body;
  while (rest !== "") {
    const part = /^(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest);
    if (!part) throw new Error(`time: invalid duration ${quoted}`);
    const [whole, number, unit = ""] = part;
    if (unit === "") throw new Error(`time: missing unit in duration ${quoted}`);
    const size = units[unit];
    if (size === undefined) throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`);
    total += Number(number) * size;
    rest = rest.slice(whole.length);
  }
  return sign === "-" ? -total : total;
}
