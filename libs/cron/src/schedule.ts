import { TerminalError } from "@tiphys/errors";
import { instantOf, type LocalTime, localTime } from "./time-zone.js";

/** Thrown when a schedule cannot be parsed; `problem` is in the words of the original. */
export class InvalidScheduleError extends TerminalError {
  override readonly code = "InvalidArgument";
  constructor(
    readonly schedule: string,
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    super(`schedule "${schedule}" is not valid: ${problem}`, options);
  }
}

export interface Schedule {
  /** The first time after `instant`; undefined when there is none within five years. */
  next(instant: Date): Date | undefined;
}

/** Values that a field allows; `any` says that it was a star, which days of month and week are combined by. */
export interface FieldSet {
  readonly values: ReadonlySet<number>;
  readonly any: boolean;
}

export interface Fields {
  readonly second: FieldSet;
  readonly minute: FieldSet;
  readonly hour: FieldSet;
  readonly dayOfMonth: FieldSet;
  readonly month: FieldSet;
  readonly dayOfWeek: FieldSet;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const YEARS = 5;
const MOST_STEPS = 20_000;

export const every = (milliseconds: number): Schedule => {
  const delay = Math.max(SECOND, Math.floor(milliseconds / SECOND) * SECOND);
  return { next: (instant) => new Date(Math.floor(instant.getTime() / SECOND) * SECOND + delay) };
};

export const fieldSchedule = (fields: Fields, zone: string): Schedule => ({
  next(instant) {
    try {
      const found = nextInstant(instant.getTime(), fields, zone);
      return found === undefined ? undefined : new Date(found);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  },
});

const dayMatches = ({ dayOfMonth, dayOfWeek }: Fields, { day, weekday }: LocalTime): boolean => {
  const byMonth = dayOfMonth.values.has(day);
  const byWeek = dayOfWeek.values.has(weekday);
  return dayOfMonth.any || dayOfWeek.any ? byMonth && byWeek : byMonth || byWeek;
};

/**
 * Goes on from field to field, the largest first, and starts over whenever a larger one changes. Hours are added as time that
 * passes, not as clock fields, which is what decides on days when the clocks change.
 */
function nextInstant(from: number, fields: Fields, zone: string): number | undefined {
  let at = Math.floor(from / SECOND) * SECOND + SECOND;
  let local = localTime(at, zone);
  let steps = 0;
  const go = (instant: number) => {
    // Five years are about 2,000 steps; a calendar with holes (Samoa left out a day) must not become a loop.
    if (++steps > MOST_STEPS) throw new RangeError("no time found");
    at = instant;
    local = localTime(at, zone);
  };
  const lastYear = local.year + YEARS;
  let rounded = false;
  const round = (instant: () => number) => {
    if (rounded) return;
    rounded = true;
    go(instant());
  };
  const midnight = { hour: 0, minute: 0, second: 0 };
  search: while (local.year <= lastYear) {
    while (!fields.month.values.has(local.month)) {
      round(() => instantOf({ ...local, day: 1, ...midnight }, zone));
      go(instantOf({ ...local, month: local.month + 1 }, zone));
      if (local.month === 1) continue search;
    }
    while (!dayMatches(fields, local)) {
      round(() => instantOf({ ...local, ...midnight }, zone));
      go(instantOf({ ...local, day: local.day + 1 }, zone));
      // Midnight may not exist on that day, or not be where a day's length leads.
      if (local.hour !== 0) go(at + (local.hour > 12 ? 24 - local.hour : -local.hour) * HOUR);
      if (local.day === 1) continue search;
    }
    while (!fields.hour.values.has(local.hour)) {
      round(() => instantOf({ ...local, minute: 0, second: 0 }, zone));
      go(at + HOUR);
      if (local.hour === 0) continue search;
    }
    while (!fields.minute.values.has(local.minute)) {
      round(() => Math.floor(at / MINUTE) * MINUTE);
      go(at + MINUTE);
      if (local.minute === 0) continue search;
    }
    while (!fields.second.values.has(local.second)) {
      round(() => at);
      go(at + SECOND);
      if (local.second === 0) continue search;
    }
    return at;
  }
  return undefined;
}
