import { FunctionError } from "../errors.js";
import type { GoFunction } from "../state.js";
import { parseInt64 } from "../strconv.js";
import { formatDuration, formatTime, GoTime, loadZone, parseDurationText, parseTime, utc, zeroTime } from "../time.js";
import { GoInt, type GoValue } from "../values.js";
import type { Environment } from "./environment.js";

const SECOND = 1_000_000_000n;

/** Sprig's date functions. */
export function dateFunctions(environment: Environment): Readonly<Record<string, GoFunction>> {
  const { now } = environment;
  const local = () => loadZone(environment.timeZone ?? "") ?? utc;
  const current = () => GoTime.fromMilliseconds(now(), local());
  const timeOf = (value: GoValue, kinds: readonly string[]): GoTime => {
    if (value instanceof GoTime) return value;
    if (value instanceof GoInt && kinds.includes(value.name)) return new GoTime(value.v * SECOND);
    return current();
  };
  const inZone = (layout: string, value: GoValue, zone: string): string =>
    formatTime(new GoTime(timeOf(value, ["int", "int64", "int32"]).nano, loadZone(zone, local()) ?? utc), layout);
  const moved = (text: string, time: GoTime) => new GoTime(time.nano + parseDurationText(text), time.zone, time.local);
  const otherwise = <T>(value: () => T, fallback: T): T => {
    try {
      return value();
    } catch (error) {
      if (error instanceof FunctionError) return fallback;
      throw error;
    }
  };
  const dateInZone: GoFunction = {
    params: ["string", "any", "string"],
    call: ([layout, value, zone]) => inZone(layout, value, zone),
  };
  const dateModify: GoFunction = {
    params: ["string", "time"],
    call: ([text, time]) => otherwise(() => moved(text, time), time),
  };
  const mustDateModify: GoFunction = { params: ["string", "time"], call: ([text, time]) => moved(text, time) };
  return {
    now: { params: [], call: current },
    ago: {
      params: ["any"],
      call: ([value]) => {
        const since = current().nano - timeOf(value, ["int", "int64"]).nano;
        const half = SECOND / 2n;
        return formatDuration((since >= 0n ? (since + half) / SECOND : -((-since + half) / SECOND)) * SECOND);
      },
    },
    date: { params: ["string", "any"], call: ([layout, value]) => inZone(layout, value, "Local") },
    dateInZone,
    date_in_zone: dateInZone,
    dateModify,
    date_modify: dateModify,
    mustDateModify,
    must_date_modify: mustDateModify,
    htmlDate: { params: ["any"], call: ([value]) => inZone("2006-01-02", value, "Local") },
    htmlDateInZone: { params: ["any", "string"], call: ([value, zone]) => inZone("2006-01-02", value, zone) },
    duration: {
      params: ["any"],
      call: ([value]) => {
        const seconds =
          typeof value === "string"
            ? (parseInt64(value) ?? 0n)
            : value instanceof GoInt && value.name === "int64"
              ? value.v
              : 0n;
        return formatDuration(BigInt.asIntN(64, seconds * SECOND));
      },
    },
    durationRound: { params: ["any"], call: ([value]) => durationRound(value, current()) },
    toDate: {
      params: ["string", "string"],
      call: ([layout, text]) => otherwise(() => parseTime(layout, text, local()), zeroTime()),
    },
    mustToDate: { params: ["string", "string"], call: ([layout, text]) => parseTime(layout, text, local()) },
    unixEpoch: { params: ["time"], call: ([time]) => (time as GoTime).seconds.toString() },
  };
}

const HOUR = 3600n * SECOND;
const steps: ReadonlyArray<readonly [bigint, string]> = [
  [HOUR * 24n * 365n, "y"],
  [HOUR * 24n * 30n, "mo"],
  [HOUR * 24n, "d"],
  [HOUR, "h"],
  [60n * SECOND, "m"],
  [SECOND, "s"],
];

function durationRound(value: GoValue, now: GoTime): string {
  let duration = 0n;
  if (typeof value === "string") {
    try {
      duration = parseDurationText(value);
    } catch {
      duration = 0n;
    }
  } else if (value instanceof GoTime) duration = now.nano - value.nano;
  else if (value instanceof GoInt && value.name === "int64") duration = value.v;
  const size = duration < 0n ? -duration : duration;
  for (const [unit, name] of steps) if (size > unit) return `${size / unit}${name}`;
  return "0s";
}
