import { InvalidArgumentError } from "@tiphys/errors";
import type { IntOrString, Metric } from "@tiphys/resources";
import { durationMilliseconds } from "./duration.js";

/** The settings of a metric as numbers; times are milliseconds. */
export interface MetricNumbers {
  readonly interval?: number;
  readonly initialDelay: number;
  /** Absent: endless. */
  readonly count?: number;
  /** -1: failures never fail the metric. */
  readonly failureLimit: number;
  readonly inconclusiveLimit: number;
  readonly consecutiveErrorLimit: number;
  /** 0: off. */
  readonly consecutiveSuccessLimit: number;
}

const DEFAULT_CONSECUTIVE_ERRORS = 4;

/** Reads a metric's limits and times; throws InvalidArgument naming `metrics[…].field`. Text tags must be substituted. */
export function metricNumbers(metric: Metric, path: string): MetricNumbers {
  const whole = (field: keyof Metric, fallback: number): number => {
    const value = metric[field] as IntOrString | undefined;
    if (value === undefined) return fallback;
    const number = typeof value === "number" ? value : /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!Number.isInteger(number)) throw new InvalidArgumentError(`${path}.${field}`, `"${value}" is no whole number`);
    return number;
  };
  const milliseconds = (field: "interval" | "initialDelay"): number | undefined => {
    const value = metric[field];
    if (value === undefined || value === "") return undefined;
    const parsed = durationMilliseconds(value);
    if (parsed === undefined || parsed < 0) {
      throw new InvalidArgumentError(`${path}.${field}`, `"${value}" is no duration; write it like 1m30s`);
    }
    return parsed;
  };
  const interval = milliseconds("interval");
  const given = metric.count === undefined ? undefined : whole("count", 0);
  // An absent (or zero) count is one measurement, or endless ones when an interval is given.
  const count = given && given > 0 ? given : interval === undefined ? 1 : undefined;
  return {
    ...(interval === undefined ? {} : { interval }),
    initialDelay: milliseconds("initialDelay") ?? 0,
    ...(count === undefined ? {} : { count }),
    failureLimit: whole("failureLimit", 0),
    inconclusiveLimit: whole("inconclusiveLimit", 0),
    consecutiveErrorLimit: whole("consecutiveErrorLimit", DEFAULT_CONSECUTIVE_ERRORS),
    consecutiveSuccessLimit: whole("consecutiveSuccessLimit", 0),
  };
}
