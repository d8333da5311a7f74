/** The fields of an instant on the clocks of a zone. */
export interface LocalTime {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** 0 is Sunday. */
  readonly weekday: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();
/** Zone names come from users. */
const MOST_FORMATS = 500;

const isUtc = (zone: string): boolean => zone === "" || zone === "UTC" || zone === "Local";

/** True for the names that Go's zone database knows; an offset such as `+02:00` is none. */
export function isTimeZone(zone: string): boolean {
  if (isUtc(zone)) return true;
  if (!/^[A-Za-z]/.test(zone)) return false;
  try {
    format(zone);
    return true;
  } catch {
    return false;
  }
}

function format(zone: string): Intl.DateTimeFormat {
  let known = formats.get(zone);
  if (!known) {
    known = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    if (formats.size >= MOST_FORMATS) {
      formats.clear();
      offsets.clear();
    }
    formats.set(zone, known);
  }
  return known;
}

const WEEK = 7 * 24 * 3_600_000;
const QUARTER = 900_000;
const MOST_OFFSETS = 20_000;
const offsets = new Map<string, Map<number, number>>();

/**
 * Milliseconds that the clocks of `zone` are ahead of UTC at `instant`. Asking for a zone's calendar is slow, so answers are kept:
 * clocks change on quarters of an hour, and never there and back within a week.
 */
export function offsetAt(instant: number, zone: string): number {
  if (isUtc(zone)) return 0;
  let known = offsets.get(zone);
  if (!known) {
    known = new Map();
    offsets.set(zone, known);
  }
  if (known.size > MOST_OFFSETS) known.clear();
  const at = (time: number): number => {
    const found = known.get(time) ?? lookUp(time, zone);
    known.set(time, found);
    return found;
  };
  const week = Math.floor(instant / WEEK) * WEEK;
  const before = at(week);
  return before === at(week + WEEK) ? before : at(Math.floor(instant / QUARTER) * QUARTER);
}

function lookUp(instant: number, zone: string): number {
  const fields: Record<string, number> = {};
  for (const { type, value } of format(zone).formatToParts(instant)) fields[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  return Date.UTC(year, month - 1, day, hour, minute, second) - instant;
}

export function localTime(instant: number, zone: string): LocalTime {
  const shown = new Date(instant + offsetAt(instant, zone));
  return {
    year: shown.getUTCFullYear(),
    month: shown.getUTCMonth() + 1,
    day: shown.getUTCDate(),
    hour: shown.getUTCHours(),
    minute: shown.getUTCMinutes(),
    second: shown.getUTCSeconds(),
    weekday: shown.getUTCDay(),
  };
}

/**
 * The instant at which the clocks of `zone` show these fields; fields may overflow (month 13). Where the clocks skip or repeat
 * a time, the answer is the one Go gives.
 */
export function instantOf(
  { year, month, day, hour, minute, second }: Omit<LocalTime, "weekday">,
  zone: string,
): number {
  const shown = Date.UTC(year, month - 1, day, hour, minute, second);
  const offset = offsetAt(shown, zone);
  if (offset === 0) return shown;
  return shown - offsetAt(shown - offset, zone);
}

/** `instant` as RFC 3339 in `zone`: `2026-01-01T09:00:00+01:00`. */
export function rfc3339(instant: Date, zone: string): string {
  const offset = offsetAt(instant.getTime(), zone);
  const shown = new Date(instant.getTime() + offset).toISOString().replace(/\.\d+Z$/, "");
  if (offset === 0) return `${shown}Z`;
  const minutes = Math.abs(offset) / 60_000;
  const two = (number: number) => String(Math.floor(number)).padStart(2, "0");
  return `${shown}${offset < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}
