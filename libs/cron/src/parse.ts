import { messageOf } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { parseGoDuration } from "./duration.js";
import { every, type FieldSet, type Fields, fieldSchedule, InvalidScheduleError, type Schedule } from "./schedule.js";
import { isTimeZone } from "./time-zone.js";

export interface ParseOptions {
  /** A sixth field in front. */
  readonly seconds?: "none" | "optional";
  /** The zone of the clocks that the fields are of; `TZ=` in the text goes before. Absent: UTC. */
  readonly zone?: string;
}

interface Bounds {
  readonly least: number;
  readonly most: number;
  readonly names?: readonly string[];
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const bounds = {
  second: { least: 0, most: 59 },
  minute: { least: 0, most: 59 },
  hour: { least: 0, most: 23 },
  dayOfMonth: { least: 1, most: 31 },
  month: { least: 1, most: 12, names: MONTHS },
  dayOfWeek: { least: 0, most: 6, names: DAYS },
} as const satisfies Record<keyof Fields, Bounds>;

const descriptors: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** Reads a schedule; throws {@link InvalidScheduleError}. */
export function parseSchedule(text: string, { seconds = "none", zone = "" }: ParseOptions = {}): Schedule {
  const fail = (problem: string): never => {
    throw new InvalidScheduleError(text.slice(0, limits.cronScheduleBytes), problem);
  };
  if (text.length > limits.cronScheduleBytes) fail(`longer than ${limits.cronScheduleBytes} characters`);
  if (text === "" && zone === "") fail("empty spec string");
  let spec = text;
  let location = zone;
  const named = /^(?:CRON_)?TZ=(\S*)(?: (.*))?$/s.exec(text);
  if (named) {
    location = named[1] ?? "";
    spec = (named[2] ?? "").trim();
    if (named[2] === undefined) fail("empty spec string");
  }
  if (!isTimeZone(location)) {
    fail(named ? `provided bad location ${location}: unknown time zone ${location}` : `unknown time zone ${location}`);
  }
  if (spec.startsWith("@every ")) {
    try {
      return every(parseGoDuration(spec.slice("@every ".length)));
    } catch (error) {
      fail(`failed to parse duration ${spec}: ${messageOf(error)}`);
    }
  }
  if (spec.startsWith("@") && descriptors[spec] === undefined) fail(`unrecognized descriptor: ${spec}`);
  const words = (descriptors[spec] ?? spec).split(/\s+/).filter((word) => word !== "");
  const allowed = seconds === "optional" && !spec.startsWith("@") ? [5, 6] : [5];
  if (!allowed.includes(words.length)) {
    const expected = allowed.length === 1 ? "exactly 5" : "5 to 6";
    fail(`expected ${expected} fields, found ${words.length}: [${words.join(" ")}]`);
  }
  if (words.length === 5) words.unshift("0");
  const names = Object.keys(bounds) as (keyof Fields)[];
  try {
    const sets = names.map((name, at) => [name, fieldOf(words[at] ?? "", bounds[name])]);
    return fieldSchedule(Object.fromEntries(sets) as Fields, location);
  } catch (error) {
    return fail(messageOf(error));
  }
}

function fieldOf(text: string, limit: Bounds): FieldSet {
  const values = new Set<number>();
  let any = false;
  for (const part of text.split(",").filter((one) => one !== "")) {
    const range = rangeOf(part, limit);
    for (let value = range.from; value <= range.to; value += range.step) values.add(value);
    any ||= range.any;
  }
  return { values, any };
}

function rangeOf(text: string, { least, most, names }: Bounds) {
  const [range = "", stepText, ...more] = text.split("/");
  const ends = range.split("-");
  const star = ends[0] === "*" || ends[0] === "?";
  let from = least;
  let to = most;
  if (!star) {
    from = numberOf(ends[0] ?? "", names);
    if (ends.length > 2) throw new Error(`too many hyphens: ${text}`);
    to = ends.length === 2 ? numberOf(ends[1] ?? "", names) : from;
  }
  if (more.length > 0) throw new Error(`too many slashes: ${text}`);
  let step = 1;
  if (stepText !== undefined) {
    step = numberOf(stepText, undefined);
    if (ends.length === 1) to = most;
  }
  if (from < least) throw new Error(`beginning of range (${from}) below minimum (${least}): ${text}`);
  if (to > most) throw new Error(`end of range (${to}) above maximum (${most}): ${text}`);
  if (from > to) throw new Error(`beginning of range (${from}) beyond end of range (${to}): ${text}`);
  if (step === 0) throw new Error(`step of range should be a positive number: ${text}`);
  return { from, to, step, any: star && step === 1 };
}

function numberOf(text: string, names: readonly string[] | undefined): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  // Months count from 1, days of the week from 0.
  if (named >= 0) return names === MONTHS ? named + 1 : named;
  if (!/^[+-]?\d{1,18}$/.test(text)) {
    throw new Error(`failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const number = Number(text);
  if (number < 0) throw new Error(`negative number (${number}) not allowed: ${text}`);
  return number;
}
