const unit: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const largest = 0x7fffffffffffffffn;

/** Reads `1h30m`, `-1.5s`, as Go does; nanoseconds, undefined when it is no duration. */
export function parseGoDuration(text: string): bigint | undefined {
  const match = /^([+-]?)(.+)$/.exec(text);
  if (match === null) return undefined;
  const [, sign, rest = ""] = match;
  if (rest === "0") return 0n;
  let nanos = 0n;
  let at = 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  while (at < rest.length) {
    part.lastIndex = at;
    const found = part.exec(rest);
    if (found === null) return undefined;
    const [whole = "0", fraction = ""] = found[1]!.split(".");
    const size = unit[found[2]!]!;
    nanos += BigInt(whole || "0") * size;
    if (fraction !== "") nanos += (BigInt(fraction) * size) / 10n ** BigInt(fraction.length);
    if (nanos > largest) return undefined;
    at = part.lastIndex;
  }
  return sign === "-" ? -nanos : nanos;
}

/** Durations in resources may also be `3 days` or `1w`. */
export function parseStrictDuration(text: string): bigint | undefined {
  const plain = parseGoDuration(text);
  if (plain !== undefined) return plain;
  const more: Readonly<Record<string, bigint>> = { ...unit, d: 24n * unit["h"]!, w: 168n * unit["h"]! };
  const names: Readonly<Record<string, string>> = {
    nano: "ns",
    micro: "us",
    milli: "ms",
    sec: "s",
    second: "s",
    min: "m",
    minute: "m",
    hr: "h",
    hour: "h",
    day: "d",
    wk: "w",
    week: "w",
  };
  let total = 0n;
  let seen = false;
  const left = text.toLowerCase().replace(/(\d+)\s*([a-zµμ]+)/g, (whole, count, name) => {
    const size = more[name] ?? more[names[name.replace(/s$/, "")] ?? ""];
    if (size === undefined) return whole;
    total += BigInt(count) * size;
    seen = true;
    return "";
  });
  return seen && left.trim() === "" ? total : undefined;
}

/** `3600s`, `1.5s`: how CEL writes a duration. */
export function formatSeconds(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos;
  const whole = size / 1_000_000_000n;
  const rest = (size % 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${nanos < 0n ? "-" : ""}${whole}${rest === "" ? "" : `.${rest}`}s`;
}

const dateTime = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)$/;

/** Reads RFC 3339; nanoseconds since 1970, undefined when it is no time. */
export function parseDateTime(text: string): bigint | undefined {
  const match = dateTime.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", zone = "Z"] = match;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const date = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  const millis = date.getTime();
  if (Number.isNaN(millis) || date.getUTCDate() !== Number(day)) return undefined;
  let offset = 0;
  if (zone !== "Z") {
    const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4));
    offset = (zone.startsWith("-") ? -1 : 1) * minutes * 60_000;
  }
  return BigInt(millis - offset) * 1_000_000n + BigInt(fraction.padEnd(9, "0") || "0");
}

/** RFC 3339 in UTC, with as many digits of the second as there are. */
export function formatDateTime(nanos: bigint): string {
  const seconds = nanos >= 0n ? nanos / 1_000_000_000n : -((-nanos + 999_999_999n) / 1_000_000_000n);
  const rest = (nanos - seconds * 1_000_000_000n).toString().padStart(9, "0").replace(/0+$/, "");
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}${rest === "" ? "" : `.${rest}`}Z`;
}

/** Fields of a time in a zone: an IANA name or `+02:30`; undefined when there is no such zone. */
export function timeParts(nanos: bigint, zone: string | undefined): Date | undefined {
  const floor = nanos >= 0n ? nanos / 1_000_000n : -((-nanos + 999_999n) / 1_000_000n);
  const millis = Number(floor);
  if (zone === undefined || zone === "" || zone === "UTC") return new Date(millis);
  const fixed = /^([+-]?)(\d\d):(\d\d)$/.exec(zone);
  if (fixed !== null) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3]);
    return new Date(millis + (fixed[1] === "-" ? -1 : 1) * minutes * 60_000);
  }
  try {
    const parts = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    }).formatToParts(new Date(millis));
    const get = (type: string) => Number(parts.find((part) => part.type === type)?.value);
    const local = Date.UTC(get("year"), get("month") - 1, get("day"), get("hour"), get("minute"), get("second"));
    return new Date(local + (((millis % 1000) + 1000) % 1000));
  } catch {
    return undefined;
  }
}
