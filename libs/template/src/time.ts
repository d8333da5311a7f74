import { FunctionError } from "./errors.js";
import { quote } from "./strconv.js";
import { GoInt, GoStruct, type GoValue, int, int64 } from "./values.js";

const SECOND = 1_000_000_000n;
const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** A zone: its offset from UTC in seconds and its abbreviation, at a time. */
export interface Zone {
  readonly name: string;
  at(unixSeconds: number): { readonly offset: number; readonly abbreviation: string };
}

export const utc: Zone = { name: "UTC", at: () => ({ offset: 0, abbreviation: "UTC" }) };
const fixed = (offset: number, abbreviation: string): Zone => ({
  name: abbreviation,
  at: () => ({ offset, abbreviation }),
});

/** Abbreviations that JavaScript does not know, by zone and offset in hours. */
const abbreviations: ReadonlyArray<readonly [RegExp, Readonly<Record<string, string>>]> = [
  [/^Europe\/(London|Belfast|Guernsey|Jersey|Isle_of_Man)$|^GB$/, { "0": "GMT", "1": "BST" }],
  [/^Europe\/(Dublin)$/, { "0": "GMT", "1": "IST" }],
  [/^Europe\/(Lisbon)$|^Atlantic\/(Canary|Madeira|Faroe)$|^WET$/, { "0": "WET", "1": "WEST" }],
  [
    /^Europe\/(Athens|Helsinki|Kiev|Kyiv|Sofia|Bucharest|Riga|Tallinn|Vilnius|Chisinau|Mariehamn)$|^Asia\/(Nicosia|Beirut)$|^EET$/,
    { "2": "EET", "3": "EEST" },
  ],
  [/^Europe\/(Moscow|Simferopol|Kirov|Volgograd)$/, { "3": "MSK" }],
  [/^Europe\/(Istanbul|Minsk|Samara|Saratov|Ulyanovsk|Astrakhan)$/, {}],
  [/^Europe\/|^(CET|MET)$|^Arctic\//, { "1": "CET", "2": "CEST" }],
  [/^Asia\/Tokyo$|^Japan$/, { "9": "JST" }],
  [/^Asia\/Seoul$|^ROK$/, { "9": "KST" }],
  [/^Asia\/(Shanghai|Taipei|Macau|Chongqing)$|^PRC$/, { "8": "CST" }],
  [/^Asia\/Hong_Kong$/, { "8": "HKT" }],
  [/^Asia\/(Kolkata|Calcutta)$/, { "5.5": "IST" }],
  [/^Asia\/(Jerusalem|Tel_Aviv)$|^Israel$/, { "2": "IST", "3": "IDT" }],
  [/^Asia\/Karachi$/, { "5": "PKT" }],
  [/^Asia\/Manila$/, { "8": "PST" }],
  [/^Asia\/(Jakarta|Pontianak)$/, { "7": "WIB" }],
  [/^Australia\/(Sydney|Melbourne|Hobart|Canberra)$/, { "10": "AEST", "11": "AEDT" }],
  [/^Australia\/(Brisbane|Lindeman)$/, { "10": "AEST" }],
  [/^Australia\/(Adelaide|Broken_Hill)$/, { "9.5": "ACST", "10.5": "ACDT" }],
  [/^Australia\/Darwin$/, { "9.5": "ACST" }],
  [/^Australia\/Perth$/, { "8": "AWST" }],
  [/^Pacific\/Auckland$|^NZ$/, { "12": "NZST", "13": "NZDT" }],
  [/^Africa\/(Johannesburg|Maseru|Mbabane)$/, { "2": "SAST" }],
  [/^Africa\/(Cairo|Tripoli)$/, { "2": "EET", "3": "EEST" }],
  [/^Africa\/(Lagos|Luanda|Kinshasa|Niamey|Douala)$/, { "1": "WAT" }],
  [/^Africa\/(Nairobi|Kampala|Addis_Ababa|Dar_es_Salaam)$/, { "3": "EAT" }],
  [/^Africa\/(Maputo|Harare|Lusaka|Kigali)$/, { "2": "CAT" }],
  [/^Africa\/(Algiers|Tunis)$/, { "1": "CET" }],
];

const zones = new Map<string, Zone | undefined>();

/** Go's time.LoadLocation; undefined for a zone nobody knows. `local` is the zone called `Local`. */
export function loadZone(name: string, local: Zone = utc): Zone | undefined {
  if (name === "Local") return local;
  if (name === "" || name === "UTC") return utc;
  if (!zones.has(name)) zones.set(name, makeZone(name));
  return zones.get(name);
}

function makeZone(name: string): Zone | undefined {
  let offsets: Intl.DateTimeFormat;
  let names: Intl.DateTimeFormat;
  if (!/^[A-Za-z0-9_+/-]+$/.test(name) || !/^[A-Z]/.test(name)) return undefined;
  try {
    offsets = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
    names = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "short" });
  } catch {
    return undefined;
  }
  const part = (format: Intl.DateTimeFormat, when: Date) =>
    format.formatToParts(when).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const table = abbreviations.find(([pattern]) => pattern.test(name))?.[1];
  return {
    name,
    at(unixSeconds) {
      const when = new Date(unixSeconds * 1000);
      const match = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?/.exec(part(offsets, when));
      const size = Number(match?.[2] ?? 0) * 3600 + Number(match?.[3] ?? 0) * 60 + Number(match?.[4] ?? 0);
      const offset = match?.[1] === "-" ? -size : size;
      const short = part(names, when);
      const abbreviation =
        table?.[String(offset / 3600)] ??
        (/^[A-Z]{3,5}$/.test(short) && short !== "GMT"
          ? short
          : offset === 0 && short === "GMT"
            ? "GMT"
            : numeric(offset));
      return { offset, abbreviation };
    },
  };
}

const pad = (value: number, width = 2) => String(value).padStart(width, "0");

function numeric(offset: number): string {
  const size = Math.abs(offset);
  const minutes = Math.floor((size % 3600) / 60);
  return `${offset < 0 ? "-" : "+"}${pad(Math.floor(size / 3600))}${minutes === 0 ? "" : pad(minutes)}`;
}

class NamedInt extends GoInt {
  constructor(
    value: number,
    name: string,
    private readonly words: string,
  ) {
    super(BigInt(value), "int", name);
  }
  override text(): string {
    return this.words;
  }
}

/** Go's time.Duration: nanoseconds. */
export class GoDuration extends GoInt {
  constructor(nanoseconds: bigint) {
    super(BigInt.asIntN(64, nanoseconds), "int64", "time.Duration");
  }
  override text(): string {
    return formatDuration(this.v);
  }
}

export function formatDuration(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return "0s";
  const sign = nanoseconds < 0n ? "-" : "";
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const fraction = (value: bigint, unit: bigint): string => {
    const rest = value % unit;
    const width = unit.toString().length - 1;
    return `${value / unit}${rest === 0n ? "" : `.${rest.toString().padStart(width, "0").replace(/0+$/, "")}`}`;
  };
  if (size < 1000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${fraction(size, 1000n)}µs`;
  if (size < SECOND) return `${sign}${fraction(size, 1_000_000n)}ms`;
  const seconds = size % (60n * SECOND);
  const minutes = (size / (60n * SECOND)) % 60n;
  const hours = size / (3600n * SECOND);
  const head = hours > 0n ? `${hours}h${minutes}m` : minutes > 0n ? `${minutes}m` : "";
  return `${sign}${head}${fraction(seconds, SECOND)}s`;
}

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
};

/** Go's time.ParseDuration in nanoseconds; throws a {@link FunctionError}. */
export function parseDurationText(text: string): bigint {
  const bad = (): never => {
    throw new FunctionError(`time: invalid duration ${quote(text)}`);
  };
  if (text.length > 200) return bad();
  let rest = text.replace(/^[+-]/, "");
  if (rest === "0") return 0n;
  if (rest === "") return bad();
  let total = 0n;
  while (rest !== "") {
    const match = /^(\d*)(?:\.(\d*))?/.exec(rest)!;
    const [whole, digits = "", fraction = ""] = match;
    if (digits === "" && fraction === "") return bad();
    rest = rest.slice(whole.length);
    const unit = /^[^.\d]+/.exec(rest)?.[0] ?? "";
    if (unit === "") throw new FunctionError(`time: missing unit in duration ${quote(text)}`);
    const scale = units[unit];
    if (scale === undefined) throw new FunctionError(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    rest = rest.slice(unit.length);
    total += BigInt(digits || "0") * scale;
    if (fraction !== "") total += (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
    if (total > 2n ** 63n) return bad();
  }
  if (text[0] === "-") return -total;
  return total > 2n ** 63n - 1n ? bad() : total;
}

/** Go's time.Time. */
export class GoTime extends GoStruct {
  constructor(
    /** Nanoseconds since 1970. */
    readonly nano: bigint,
    readonly zone: Zone = utc,
    /** The zone called `Local` where this time is used. */
    readonly local: Zone = utc,
  ) {
    super("time.Time", new Map(), {
      text: () => formatTime(this, "2006-01-02 15:04:05.999999999 -0700 MST"),
      json: () => formatTime(this, "2006-01-02T15:04:05.999999999Z07:00"),
      methods: methodsOf(() => this),
    });
  }
  static fromMilliseconds(milliseconds: number, zone: Zone = utc): GoTime {
    return new GoTime(BigInt(Math.trunc(milliseconds)) * 1_000_000n, zone, zone);
  }
  get seconds(): bigint {
    return this.nano >= 0n ? this.nano / SECOND : -((-this.nano + SECOND - 1n) / SECOND);
  }
}

/** The zero time: year 1. */
export const zeroTime = (): GoTime => new GoTime(-62_135_596_800n * SECOND);

interface Civil {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
  readonly weekday: number;
  readonly yearDay: number;
  readonly offset: number;
  readonly abbreviation: string;
}

function civil(time: GoTime): Civil {
  const seconds = Number(time.seconds);
  const { offset, abbreviation } = time.zone.at(seconds);
  const date = new Date((seconds + offset) * 1000);
  const year = date.getUTCFullYear();
  const start = new Date(0);
  start.setUTCFullYear(year, 0, 1);
  return {
    year,
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    nanosecond: Number(time.nano - time.seconds * SECOND),
    weekday: date.getUTCDay(),
    yearDay: Math.floor((date.getTime() - start.getTime()) / 86_400_000) + 1,
    offset,
    abbreviation,
  };
}

// The parts of a layout, longest first where one starts another.
const layoutParts =
  /January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|002|__2|_2006|_2|0[1-6]|15|PM|pm|[.,](?:0+|9+)(?![0-9])|[1-5]/g;

/** Go's Time.Format. */
export function formatTime(time: GoTime, layout: string): string {
  const t = civil(time);
  const zoneText = (form: string): string => {
    if (form[0] === "Z" && t.offset === 0) return "Z";
    const size = Math.abs(t.offset);
    const [h, m, s] = [Math.floor(size / 3600), Math.floor(size / 60) % 60, size % 60].map((part) => pad(part)) as [
      string,
      string,
      string,
    ];
    const colon = form.includes(":") ? ":" : "";
    const digits = form.replace(/[^0-9]/g, "").length;
    return `${t.offset < 0 ? "-" : "+"}${h}${digits >= 4 ? colon + m : ""}${digits >= 6 ? colon + s : ""}`;
  };
  return layout.replace(layoutParts, (part) => {
    switch (part) {
      case "January":
        return months[t.month - 1]!;
      case "Jan":
        return months[t.month - 1]!.slice(0, 3);
      case "Monday":
        return days[t.weekday]!;
      case "Mon":
        return days[t.weekday]!.slice(0, 3);
      case "MST":
        return t.abbreviation;
      case "2006":
        return t.year < 0 ? `-${pad(-t.year, 4)}` : pad(t.year, 4);
      case "_2006":
        return `_${pad(t.year, 4)}`;
      case "06":
        return pad(((t.year % 100) + 100) % 100);
      case "01":
        return pad(t.month);
      case "1":
        return String(t.month);
      case "02":
        return pad(t.day);
      case "_2":
        return String(t.day).padStart(2);
      case "2":
        return String(t.day);
      case "002":
        return pad(t.yearDay, 3);
      case "__2":
        return String(t.yearDay).padStart(3);
      case "15":
        return pad(t.hour);
      case "03":
        return pad(t.hour % 12 || 12);
      case "3":
        return String(t.hour % 12 || 12);
      case "04":
        return pad(t.minute);
      case "4":
        return String(t.minute);
      case "05":
        return pad(t.second);
      case "5":
        return String(t.second);
      case "PM":
        return t.hour >= 12 ? "PM" : "AM";
      case "pm":
        return t.hour >= 12 ? "pm" : "am";
    }
    if (part[0] === "." || part[0] === ",") {
      const digits = pad(t.nanosecond, 9).slice(0, part.length - 1);
      if (part[1] === "0") return part[0] + digits;
      const trimmed = digits.replace(/0+$/, "");
      return trimmed === "" ? "" : part[0] + trimmed;
    }
    return zoneText(part);
  });
}

/** Seconds since 1970 when the clocks of `zone` show `wall`, which is counted as if they were at UTC. As Go's time.Date. */
function onClock(wall: number, zone: Zone): number {
  const { offset } = zone.at(wall);
  return wall - zone.at(wall - offset).offset;
}

/** The offset that `zone` has under an abbreviation in the year around `wall`. */
function offsetNamed(abbreviation: string, zone: Zone, wall: number): number | undefined {
  const halfYear = 182 * 24 * 3600;
  for (const when of [wall - zone.at(wall).offset, wall - halfYear, wall + halfYear]) {
    const found = zone.at(when);
    if (found.abbreviation === abbreviation) return found.offset;
  }
  return undefined;
}

/** Go's time.ParseInLocation; throws a {@link FunctionError} with Go's text. */
export function parseTime(layout: string, value: string, local: Zone = utc): GoTime {
  const fields: Record<string, number> = { year: 0, month: 1, day: 1, hour: 0, minute: 0, second: 0, nano: 0 };
  let [pm, hasPm, hasYearDay] = [false, false, 0];
  let zone: Zone | undefined;
  let offset: number | undefined;
  let abbreviation: string | undefined;
  let rest = value;
  const fail = (element: string, remaining: string, extra = ""): never => {
    throw new FunctionError(
      extra !== ""
        ? `parsing time ${quote(value)}${extra}`
        : `parsing time ${quote(value)} as ${quote(layout)}: cannot parse ${quote(remaining)} as ${quote(element)}`,
    );
  };
  const digits = (element: string, least: number, most: number): number => {
    const match = new RegExp(`^[0-9]{${least},${most}}`).exec(rest);
    if (!match) return fail(element, rest);
    rest = rest.slice(match[0].length);
    return Number(match[0]);
  };
  const word = (element: string, list: readonly string[], width?: number): number => {
    const index = list.findIndex((each) =>
      rest.toLowerCase().startsWith((width ? each.slice(0, width) : each).toLowerCase()),
    );
    if (index < 0) return fail(element, rest);
    rest = rest.slice(width ?? list[index]!.length);
    return index;
  };
  const range = (name: string, number: number, low: number, high: number): number => {
    if (number < low || number > high) fail("", "", `: ${name} out of range`);
    return number;
  };
  const literal = (text: string) => {
    for (const char of text) {
      if (char === " ") {
        if (rest !== "" && rest[0] !== " ") fail(text, rest);
        rest = rest.replace(/^ +/, "");
      } else if (rest[0] === char) rest = rest.slice(1);
      else fail(text, rest);
    }
  };
  let last = 0;
  const elements = [...layout.matchAll(layoutParts)];
  for (const [position, match] of elements.entries()) {
    const [part] = match;
    literal(layout.slice(last, match.index));
    last = match.index + part.length;
    switch (part) {
      case "2006":
        if (!/^[0-9]{4}/.test(rest)) fail(part, rest);
        fields["year"] = digits(part, 4, 4);
        break;
      case "06": {
        const year = digits(part, 2, 2);
        fields["year"] = year >= 69 ? 1900 + year : 2000 + year;
        break;
      }
      case "January":
        fields["month"] = word(part, months) + 1;
        break;
      case "Jan":
        fields["month"] = word(part, months, 3) + 1;
        break;
      case "Monday":
        word(part, days);
        break;
      case "Mon":
        word(part, days, 3);
        break;
      case "01":
      case "1":
        fields["month"] = range("month", digits(part, part.length, 2), 1, 12);
        break;
      case "02":
      case "2":
      case "_2":
        if (part === "_2" && rest[0] === " ") rest = rest.slice(1);
        fields["day"] = digits(part, part === "02" ? 2 : 1, 2);
        break;
      case "002":
      case "__2":
        rest = rest.replace(/^ {0,2}/, part === "__2" ? "" : "$&");
        hasYearDay = digits(part, part === "002" ? 3 : 1, 3);
        break;
      case "15":
        fields["hour"] = range("hour", digits(part, 1, 2), 0, 23);
        break;
      case "03":
      case "3":
        fields["hour"] = range("hour", digits(part, part.length, 2), 0, 12);
        break;
      case "04":
      case "4":
        fields["minute"] = range("minute", digits(part, part.length, 2), 0, 59);
        break;
      case "05":
      case "5": {
        fields["second"] = range("second", digits(part, part.length, 2), 0, 59);
        // A fraction may follow where the layout has none.
        const next = elements[position + 1]?.[0][0];
        const fraction = /^[.,]([0-9]+)/.exec(rest);
        if (fraction && next !== "." && next !== ",") {
          fields["nano"] = Number(fraction[1]!.slice(0, 9).padEnd(9, "0"));
          rest = rest.slice(fraction[0].length);
        }
        break;
      }
      case "PM":
      case "pm": {
        const text = rest.slice(0, 2);
        if (!(part === "PM" ? ["AM", "PM"] : ["am", "pm"]).includes(text)) fail(part, rest);
        hasPm = true;
        pm = text.toLowerCase() === "pm";
        rest = rest.slice(2);
        break;
      }
      case "MST": {
        const match = /^(?:[A-Z]{3,5}|[+-]\d{2})/.exec(rest);
        if (!match) return fail(part, rest);
        rest = rest.slice(match[0].length);
        if (match[0] === "UTC") zone = utc;
        else abbreviation = match[0];
        break;
      }
      default:
        if (part[0] === "." || part[0] === ",") {
          const fraction = /^[.,]([0-9]+)/.exec(rest);
          if (part[1] === "0") {
            if (!fraction || fraction[1]!.length < part.length - 1) return fail(part, rest);
            fields["nano"] = Number(fraction[1]!.slice(0, part.length - 1).padEnd(9, "0"));
            rest = rest.slice(part.length);
          } else if (fraction) {
            fields["nano"] = Number(fraction[1]!.slice(0, 9).padEnd(9, "0"));
            rest = rest.slice(fraction[0].length);
          }
          break;
        }
        if (part[0] === "Z" && rest[0] === "Z") {
          rest = rest.slice(1);
          zone = utc;
          break;
        }
        {
          const colon = part.includes(":") ? ":" : "";
          const count = part.replace(/[^0-9]/g, "").length;
          const pattern = new RegExp(
            `^([+-])(\\d{2})${count >= 4 ? `${colon}(\\d{2})` : "()"}${count >= 6 ? `${colon}(\\d{2})` : "()"}`,
          );
          const match = pattern.exec(rest);
          if (!match) return fail(part, rest);
          offset =
            (Number(match[2]) * 3600 + Number(match[3] || 0) * 60 + Number(match[4] || 0)) *
            (match[1] === "-" ? -1 : 1);
          rest = rest.slice(match[0].length);
        }
    }
  }
  literal(layout.slice(last));
  if (rest !== "") fail("", "", `: extra text: ${quote(rest)}`);
  const { year = 0, month = 1, day = 1, minute = 0, second = 0, nano = 0 } = fields;
  let hour = fields["hour"] ?? 0;
  if (hasPm) hour = pm && hour < 12 ? hour + 12 : !pm && hour === 12 ? 0 : hour;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, 1);
  const most = new Date(Date.UTC(year < 100 ? year + 400 : year, month, 0)).getUTCDate();
  if (hasYearDay > 0) date.setUTCFullYear(year, 0, hasYearDay);
  else {
    if (day < 1 || day > most) fail("", "", ": day out of range");
    date.setUTCFullYear(year, month - 1, day);
  }
  date.setUTCHours(hour, minute, second, 0);
  const wall = date.getTime() / 1000;
  const made = (seconds: number, where: Zone) => new GoTime(BigInt(seconds) * SECOND + BigInt(nano), where, local);
  if (zone) return made(wall, zone);
  if (offset !== undefined) {
    const here = local.at(wall - offset);
    const isLocal = here.offset === offset && (abbreviation ?? here.abbreviation) === here.abbreviation;
    return made(wall - offset, isLocal ? local : fixed(offset, abbreviation ?? numericZone(offset)));
  }
  if (abbreviation === undefined) return made(onClock(wall, local), local);
  const known = offsetNamed(abbreviation, local, wall);
  if (known !== undefined) return made(wall - known, local);
  const shift = /^GMT([+-]\d+)$/.exec(abbreviation)?.[1];
  const assumed = Number(shift ?? 0) * 3600;
  return made(wall - assumed, fixed(assumed, abbreviation));
}

const numericZone = (offset: number): string => numeric(offset).padEnd(5, "0");

function methodsOf(self: () => GoTime): NonNullable<GoStruct["options"]["methods"]> {
  const own = (value: (time: GoTime) => GoValue) => ({ params: [], call: () => value(self()) });
  const other = (value: GoValue): GoTime => {
    if (value instanceof GoTime) return value;
    throw new FunctionError("wrong type for value; expected time.Time");
  };
  return {
    Format: { params: ["string"], call: (layout: string) => formatTime(self(), layout) },
    String: own((time) => formatTime(time, "2006-01-02 15:04:05.999999999 -0700 MST")),
    Unix: own((time) => int64(time.seconds)),
    UnixMilli: own((time) => int64(time.nano / 1_000_000n)),
    UnixMicro: own((time) => int64(time.nano / 1000n)),
    UnixNano: own((time) => int64(time.nano)),
    Year: own((time) => int(civil(time).year)),
    Month: own((time) => new NamedInt(civil(time).month, "time.Month", months[civil(time).month - 1]!)),
    Day: own((time) => int(civil(time).day)),
    Hour: own((time) => int(civil(time).hour)),
    Minute: own((time) => int(civil(time).minute)),
    Second: own((time) => int(civil(time).second)),
    Nanosecond: own((time) => int(civil(time).nanosecond)),
    YearDay: own((time) => int(civil(time).yearDay)),
    Weekday: own((time) => new NamedInt(civil(time).weekday, "time.Weekday", days[civil(time).weekday]!)),
    UTC: own((time) => new GoTime(time.nano, utc, time.local)),
    Local: own((time) => new GoTime(time.nano, time.local, time.local)),
    IsZero: own((time) => time.nano === zeroTime().nano),
    AddDate: {
      params: ["int", "int", "int"],
      call: (years: number, addedMonths: number, addedDays: number) => {
        const t = civil(self());
        const date = new Date(0);
        date.setUTCFullYear(t.year + years, t.month - 1 + addedMonths, t.day + addedDays);
        date.setUTCHours(t.hour, t.minute, t.second);
        const { zone, local } = self();
        return new GoTime(BigInt(onClock(date.getTime() / 1000, zone)) * SECOND + BigInt(t.nanosecond), zone, local);
      },
    },
    Before: { params: ["any"], call: (value: GoValue) => self().nano < other(value).nano },
    After: { params: ["any"], call: (value: GoValue) => self().nano > other(value).nano },
    Equal: { params: ["any"], call: (value: GoValue) => self().nano === other(value).nano },
    Sub: { params: ["any"], call: (value: GoValue) => new GoDuration(self().nano - other(value).nano) },
  };
}
