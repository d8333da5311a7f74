import { deepEqual } from "@tiphys/canonical-json";

/** Go's time.Duration: nanoseconds, shown as `1h2m3s`. */
export class Duration {
  constructor(readonly nanoseconds: number) {}
  get milliseconds(): number {
    return this.nanoseconds / 1e6;
  }
  toString(): string {
    return formatDuration(this.nanoseconds);
  }
  toJSON(): number {
    return this.nanoseconds;
  }
}

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Characters of a duration; those that people write have a dozen. */
const LONGEST_DURATION = 128;

/** Parses Go's duration text (`1h30m`, `-1.5s`); undefined when it is none. */
export function parseDuration(text: string): Duration | undefined {
  // The expressions below look at long runs of digits again and again.
  if (text.length > LONGEST_DURATION) return undefined;
  const body = text.replace(/^[+-]/, "");
  if (body === "0") return new Duration(0);
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(body)) return undefined;
  let total = 0;
  for (const [, amount, unit] of body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    total += Number(amount) * (UNITS[unit as string] ?? 0);
  }
  return new Duration(Math.round(text.startsWith("-") ? -total : total));
}

function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return "0s";
  const sign = nanoseconds < 0 ? "-" : "";
  let rest = Math.abs(nanoseconds);
  if (rest < 1e3) return `${sign}${rest}ns`;
  if (rest < 1e6) return `${sign}${rest / 1e3}µs`;
  if (rest < 1e9) return `${sign}${rest / 1e6}ms`;
  const hours = Math.floor(rest / 3600e9);
  rest -= hours * 3600e9;
  const minutes = Math.floor(rest / 60e9);
  rest -= minutes * 60e9;
  const seconds = `${Number((rest / 1e9).toFixed(9))}s`;
  if (hours) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}

/** The name of a value's type as error messages show it. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return "nil";
  if (Array.isArray(value)) return "array";
  if (value instanceof Date) return "time.Time";
  if (value instanceof Duration) return "time.Duration";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64";
  if (typeof value === "boolean") return "bool";
  return typeof value === "object" ? "map" : typeof value;
}

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Date) &&
  !(value instanceof Duration);

/** Equality as expr-lang has it: numbers by value, times by instant, the rest in depth; other types differ. */
export function equal(left: unknown, right: unknown): boolean {
  const a = left ?? null;
  const b = right ?? null;
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (a instanceof Duration && b instanceof Duration) return a.nanoseconds === b.nanoseconds;
  if (typeof a === "object" || typeof b === "object")
    return a !== null && b !== null && deepEqual(a, b) ? true : a === b;
  return a === b;
}

/** Text of a value as Go prints it with %v for scalars, JSON for the rest. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Duration || typeof value === "boolean" || typeof value === "number") return String(value);
  return JSON.stringify(value);
}
