import { RE2JS } from "re2js";

const MONTHS = [
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
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const LAYOUT =
  /January|Jan|Monday|Mon|MST|2006|-07:00|-0700|Z07:00|Z0700|01|02|03|04|05|06|15|002|PM|pm|\.0+|\.9+|_2|1|2|3|4|5/g;
const pad = (value: number, width = 2) => String(value).padStart(width, "0");

/** Formats a time in UTC by Go's reference layout. */
export function formatGoTime(time: Date, layout: string): string {
  const month = time.getUTCMonth();
  const hour = time.getUTCHours();
  const twelve = hour % 12 || 12;
  const forms: Readonly<Record<string, () => string>> = {
    January: () => MONTHS[month] as string,
    Jan: () => (MONTHS[month] as string).slice(0, 3),
    Monday: () => DAYS[time.getUTCDay()] as string,
    Mon: () => (DAYS[time.getUTCDay()] as string).slice(0, 3),
    MST: () => "UTC",
    "2006": () => pad(time.getUTCFullYear(), 4),
    "06": () => pad(time.getUTCFullYear() % 100),
    "-07:00": () => "+00:00",
    "-0700": () => "+0000",
    "Z07:00": () => "Z",
    Z0700: () => "Z",
    "01": () => pad(month + 1),
    "1": () => String(month + 1),
    "02": () => pad(time.getUTCDate()),
    _2: () => String(time.getUTCDate()).padStart(2),
    "2": () => String(time.getUTCDate()),
    "002": () => pad(dayOfYear(time), 3),
    "15": () => pad(hour),
    "03": () => pad(twelve),
    "3": () => String(twelve),
    "04": () => pad(time.getUTCMinutes()),
    "4": () => String(time.getUTCMinutes()),
    "05": () => pad(time.getUTCSeconds()),
    "5": () => String(time.getUTCSeconds()),
    PM: () => (hour < 12 ? "AM" : "PM"),
    pm: () => (hour < 12 ? "am" : "pm"),
  };
  return layout.replace(LAYOUT, (part) => {
    if (part.startsWith(".")) return fraction(time, part);
    return forms[part]?.() ?? part;
  });
}

function fraction(time: Date, part: string): string {
  const digits = pad(time.getUTCMilliseconds(), 3)
    .padEnd(9, "0")
    .slice(0, part.length - 1);
  if (part[1] === "0") return `.${digits}`;
  const trimmed = digits.replace(/0+$/, "");
  return trimmed ? `.${trimmed}` : "";
}

export function dayOfYear(time: Date): number {
  return Math.floor(
    (Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()) - Date.UTC(time.getUTCFullYear(), 0, 0)) /
      86_400_000,
  );
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}(?:\.\d+)?))?\s*(Z|[+-]\d{2}:?\d{2})?)?$/;

/** Parses RFC 3339 and its shorter forms, or by a Go layout made of numbers; undefined when the text does not fit. */
export function parseGoTime(text: string, layout?: string): Date | undefined {
  if (layout === undefined) {
    if (!ISO.test(text)) return undefined;
    const time = new Date(
      /[Zz]|[+-]\d{2}:?\d{2}$/.test(text.slice(10)) || text.length === 10
        ? text.replace(" ", "T")
        : `${text.replace(" ", "T")}Z`,
    );
    return Number.isNaN(time.getTime()) ? undefined : time;
  }
  const fields: string[] = [];
  const pattern = layout.split(LAYOUT).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  let source = pattern[0] ?? "";
  let index = 1;
  for (const [part] of layout.matchAll(LAYOUT)) {
    fields.push(part);
    source +=
      part === "2006"
        ? "(\\d{4})"
        : /^[A-Z-]/.test(part)
          ? "([A-Za-z:+0-9-]+)"
          : part.startsWith(".")
            ? "(\\.\\d+)?"
            : "(\\d{1,2})";
    source += pattern[index++] ?? "";
  }
  // The layout comes from a user: an expression of groups side by side could try every split of the text.
  const match = RE2JS.compile(`^${source}$`).matcher(text);
  if (!match.find()) return undefined;
  const value = (names: readonly string[], fallback: number) => {
    const at = fields.findIndex((field) => names.includes(field));
    return at < 0 ? fallback : Number(match.group(at + 1));
  };
  const named = fields.findIndex((field) => field === "January" || field === "Jan");
  const month =
    named < 0
      ? value(["01", "1"], 1) - 1
      : MONTHS.findIndex((name) => name.slice(0, 3) === match.group(named + 1)?.slice(0, 3));
  const time = Date.UTC(
    value(["2006"], 1970),
    month,
    value(["02", "2", "_2"], 1),
    value(["15", "03", "3"], 0),
    value(["04", "4"], 0),
    value(["05", "5"], 0),
  );
  return Number.isNaN(time) ? undefined : new Date(time);
}
