import { InvalidArgumentError } from "@tiphys/errors";
import type { Backoff } from "@tiphys/resources";

/** How often a failed run is tried, and how long it waits in between. */
export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  /** Milliseconds. */
  readonly delay: number;
  readonly factor: number;
  /** Share of the delay that is added at random. */
  readonly jitter: number;
}

/** Without a retryStrategy: the originals' default back-off of five steps, one second apart, jitter 1. */
const DEFAULT: RetryPolicy = { attempts: 5, delay: 1000, factor: 1, jitter: 1 };
const LONGEST_DELAY_MS = 3_600_000;

export function retryPolicy(backoff: Backoff | undefined): RetryPolicy {
  if (!backoff) return DEFAULT;
  const steps = backoff.steps ?? DEFAULT.attempts;
  if (!Number.isInteger(steps) || steps < 1)
    throw new InvalidArgumentError("retryStrategy.steps", `${steps} is not a count of tries`);
  return {
    attempts: steps,
    delay: milliseconds(backoff.duration),
    factor: amount(backoff.factor, "factor"),
    jitter: amount(backoff.jitter, "jitter"),
  };
}

function milliseconds(duration: number | string | undefined): number {
  if (duration === undefined || duration === "") return DEFAULT.delay;
  if (typeof duration === "number" || /^\d+$/.test(duration)) return Number(duration) / 1e6;
  return goDuration(duration, "retryStrategy.duration");
}

const unitMilliseconds: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** Characters of a duration; those that people write have a dozen. */
const LONGEST_DURATION = 128;

/** Milliseconds of a Go duration such as `1h30m` or `1.5s`. */
export function goDuration(text: string, field: string): number {
  // The expression below looks at long runs of digits again and again.
  if (text.length > LONGEST_DURATION) throw new InvalidArgumentError(field, "is too long to be a duration");
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new InvalidArgumentError(field, `"${text}" is not a duration such as 30s or 1h30m`);
  }
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * unitMilliseconds[unit!]!, 0);
}

function amount(value: number | string | undefined, field: string): number {
  if (value === undefined || value === "") return field === "factor" ? DEFAULT.factor : 0;
  const number = Number(value);
  if (Number.isNaN(number) || number < 0)
    throw new InvalidArgumentError(`retryStrategy.${field}`, `"${value}" is not a number`);
  return number;
}

/** Milliseconds until the try after the `failed`-th one; `chance` is a random number below 1. */
export function retryDelay(policy: RetryPolicy, failed: number, chance: number): number {
  const plain = policy.delay * policy.factor ** (failed - 1);
  return Math.min(LONGEST_DELAY_MS, Math.round(plain * (1 + policy.jitter * chance)));
}
