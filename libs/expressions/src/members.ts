import { dayOfYear, formatGoTime } from "./datetime.js";
import { Duration } from "./values.js";

type Method = (...args: unknown[]) => unknown;

const ofTime: Readonly<Record<string, (time: Date) => Method>> = {
  Unix: (time) => () => Math.floor(time.getTime() / 1000),
  UnixMilli: (time) => () => time.getTime(),
  UnixNano: (time) => () => time.getTime() * 1e6,
  Year: (time) => () => time.getUTCFullYear(),
  Month: (time) => () => time.getUTCMonth() + 1,
  Day: (time) => () => time.getUTCDate(),
  Hour: (time) => () => time.getUTCHours(),
  Minute: (time) => () => time.getUTCMinutes(),
  Second: (time) => () => time.getUTCSeconds(),
  Weekday: (time) => () => time.getUTCDay(),
  YearDay: (time) => () => dayOfYear(time),
  UTC: (time) => () => time,
  String: (time) => () => time.toISOString(),
  Format: (time) => (layout) => formatGoTime(time, String(layout)),
  Add: (time) => (amount) => new Date(time.getTime() + (amount as Duration).milliseconds),
  Sub: (time) => (other) => new Duration((time.getTime() - (other as Date).getTime()) * 1e6),
  Before: (time) => (other) => time < (other as Date),
  After: (time) => (other) => time > (other as Date),
  Equal: (time) => (other) => time.getTime() === (other as Date).getTime(),
};

const ofDuration: Readonly<Record<string, (duration: Duration) => Method>> = {
  Hours: (duration) => () => duration.nanoseconds / 3600e9,
  Minutes: (duration) => () => duration.nanoseconds / 60e9,
  Seconds: (duration) => () => duration.nanoseconds / 1e9,
  Milliseconds: (duration) => () => Math.trunc(duration.nanoseconds / 1e6),
  Nanoseconds: (duration) => () => duration.nanoseconds,
  String: (duration) => () => duration.toString(),
};

/** A method of a time or duration; undefined when there is none. Nothing of JavaScript's own objects is reachable. */
export function memberOfObject(target: unknown, name: string): Method | undefined {
  if (target instanceof Date && Object.hasOwn(ofTime, name)) return ofTime[name]?.(target);
  if (target instanceof Duration && Object.hasOwn(ofDuration, name)) return ofDuration[name]?.(target);
  return undefined;
}
