import yaml from "js-yaml";

const trueWords = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];
const falseWords = ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];
const booleans = new Map<string, boolean>([
  ...trueWords.map((word) => [word, true] as const),
  ...falseWords.map((word) => [word, false] as const),
]);
const nulls = new Set(["", "~", "null", "Null", "NULL"]);
const nonFinite = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const integer = /^[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const largest = 2n ** 64n - 1n;
const smallest = -(2n ** 63n);

/** The value Go's reader gives a plain scalar that is a number; undefined when it is a string to it. */
export function goNumber(text: string): number | bigint | undefined {
  const first = text.charCodeAt(0);
  // Only + - . and digits can start a number: this keeps the common case (a word) cheap.
  if (first !== 0x2b && first !== 0x2d && first !== 0x2e && (first < 0x30 || first > 0x39)) return undefined;
  const plain = first !== 0x2e && text.includes("_") ? text.replaceAll("_", "") : text;
  if (integer.test(plain)) {
    const exact = goInteger(plain);
    if (exact !== undefined) return exact;
  }
  if (float.test(plain)) return Number(plain);
  return nonFinite.test(text) ? Number.NaN : undefined;
}

function goInteger(plain: string): number | bigint | undefined {
  const negative = plain[0] === "-";
  let digits = negative || plain[0] === "+" ? plain.slice(1) : plain;
  if (digits.length > 1 && digits[0] === "0" && digits[1]! >= "0" && digits[1]! <= "7") digits = `0o${digits.slice(1)}`;
  if (digits.length < 16) return negative ? -Number(digits) || 0 : Number(digits);
  const big = negative ? -BigInt(digits.toLowerCase()) : BigInt(digits.toLowerCase());
  if (big > largest || big < smallest) return undefined;
  return big >= BigInt(Number.MIN_SAFE_INTEGER) && big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big;
}

/** True when Go's reader would read `text`, unquoted, as something other than a string. */
export const isNotString = (text: string): boolean =>
  nulls.has(text) || booleans.has(text) || text === "<<" || timestamp.test(text) || goNumber(text) !== undefined;
const timestamp = /^\d{4}-\d\d?-\d\d?(([Tt]|[ \t]+)\d\d?:\d\d:\d\d(\.\d*)?([ \t]*(Z|[-+]\d\d?(:\d\d)?))?)?$/;

const nullType = new yaml.Type("tag:yaml.org,2002:null", {
  kind: "scalar",
  resolve: (data: string | null) => data === null || nulls.has(data),
  construct: () => null,
});
/** Stands for a null that is said: the parser gives null for an empty value without asking a type. */
const SAID_NULL = Symbol("null");
const saidNullType = new yaml.Type("tag:yaml.org,2002:null", {
  kind: "scalar",
  resolve: (data: string | null) => data !== null && nulls.has(data),
  construct: (data: string) => (data === "" ? null : SAID_NULL),
});
/** A scalar whose text says more than its value, such as `1.10`. As a key it is its text. */
class Written {
  constructor(
    readonly value: unknown,
    readonly text: string,
  ) {}
  get [Symbol.toStringTag](): string {
    return "Written";
  }
  toString(): string {
    return this.text;
  }
}
const written = (value: unknown, text: string): unknown => (String(value) === text ? value : new Written(value, text));

/** Texts of the members of maps that their values do not tell. */
const texts = new WeakMap<object, Map<string, Written>>();

/** How a scalar of a map was written, where it is still what was read with `asNodes`. */
export function writtenText(map: object, key: string): string | undefined {
  const found = texts.get(map)?.get(key);
  return found && found.value === (map as Record<string, unknown>)[key] ? found.text : undefined;
}

/** Makes null of nulls that are said and undefined of empty values, in place. */
export function tellNulls(value: unknown): unknown {
  if (value === SAID_NULL) return null;
  if (value === null) return undefined;
  if (value instanceof Written) return value.value;
  if (typeof value === "object") {
    const members = value as Record<string, unknown>;
    for (const key of Object.keys(members)) {
      const member = members[key];
      if (member instanceof Written && !Array.isArray(value)) {
        const known = texts.get(members);
        if (known) known.set(key, member);
        else texts.set(members, new Map([[key, member]]));
      }
      if (member === null || typeof member === "object" || typeof member === "symbol") members[key] = tellNulls(member);
    }
  }
  return value;
}
const boolType = new yaml.Type("tag:yaml.org,2002:bool", {
  kind: "scalar",
  resolve: (data: string | null) => data !== null && data.length <= 5 && booleans.has(data),
  construct: (data: string) => booleans.get(data),
});
const plainBoolType = new yaml.Type("tag:yaml.org,2002:bool", {
  kind: "scalar",
  resolve: (data: string | null) => data !== null && /^(?:true|True|TRUE|false|False|FALSE)$/.test(data),
  construct: (data: string) => written(booleans.get(data), data),
});
const isInt = (value: number | bigint | undefined) =>
  typeof value === "bigint" || (value !== undefined && Number.isInteger(value));
const intType = new yaml.Type("tag:yaml.org,2002:int", {
  kind: "scalar",
  resolve: (data: string | null) => data !== null && isInt(goNumber(data)),
  construct: (data: string) => goNumber(data),
});
function floatOf(data: string): number {
  const value = goNumber(data)!;
  if (Number.isNaN(value)) throw new NonFiniteError(data);
  return typeof value === "bigint" ? Number(value) : value;
}
const floatType = new yaml.Type("tag:yaml.org,2002:float", {
  kind: "scalar",
  resolve: (data: string | null) => data !== null && goNumber(data) !== undefined,
  construct: floatOf,
});
const nodeIntType = new yaml.Type("tag:yaml.org,2002:int", {
  kind: "scalar",
  resolve: (data: string | null) => data !== null && isInt(goNumber(data)),
  construct: (data: string) => written(goNumber(data), data),
});
const nodeFloatType = new yaml.Type("tag:yaml.org,2002:float", {
  kind: "scalar",
  resolve: (data: string | null) => data !== null && goNumber(data) !== undefined,
  construct: (data: string) => written(floatOf(data), data),
});
const mergeType = new yaml.Type("tag:yaml.org,2002:merge", {
  kind: "scalar",
  resolve: (data: string | null) => data === "<<",
});
const binaryType = new yaml.Type("tag:yaml.org,2002:binary", {
  kind: "scalar",
  resolve: (data: string | null) => data !== null && /^[A-Za-z0-9+/=\s]*$/.test(data),
  construct: (data: string) => Buffer.from(data, "base64").toString("utf8"),
});

/** `.inf` and `.nan` have no JSON form. */
export class NonFiniteError extends Error {
  constructor(readonly text: string) {
    super(`${text} has no JSON form: use a finite number or quote it`);
  }
}

/** A tag that nobody knows: a scalar is a text then, and lists and maps are what they are. */
const unknownTags = (["!", "tag:"] as const).flatMap((prefix) => [
  new yaml.Type(prefix, { kind: "scalar", multi: true, construct: (data: string | null) => data ?? "" }),
  new yaml.Type(prefix, { kind: "sequence", multi: true }),
  new yaml.Type(prefix, { kind: "mapping", multi: true }),
]);

/** Plain scalars as Go's sigs.k8s.io/yaml reads them; dates stay strings. */
export const goSchema = yaml.FAILSAFE_SCHEMA.extend({
  implicit: [nullType, boolType, intType, floatType, mergeType],
  explicit: [binaryType, ...unknownTags],
});

const DATE = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[Tt ](\d{1,2}):(\d{2}):(\d{2})(\.\d+)?(Z|[+-]\d{2}:\d{2})?)?$/;
const two = (part: string) => part.padStart(2, "0");
/** A date as RFC 3339 has it, which is what Go's JSON of it is; undefined when the text is none. */
function goDate(text: string): string | undefined {
  const [found, year, month = "", day = "", hour, minute, second, fraction, zone] = DATE.exec(text) ?? [];
  if (!found || Number(month) < 1 || Number(month) > 12 || Number(day) < 1 || Number(day) > 31) return undefined;
  if (hour === undefined) return `${year}-${two(month)}-${two(day)}T00:00:00Z`;
  // With a T there is a zone, with a space there is none.
  if (text.includes(" ") === (zone !== undefined)) return undefined;
  const part = fraction?.replace(/0+$/, "") ?? "";
  return `${year}-${two(month)}-${two(day)}T${two(hour)}:${minute}:${second}${part === "." ? "" : part}${zone ?? "Z"}`;
}
const dateType = new yaml.Type("tag:yaml.org,2002:timestamp", {
  kind: "scalar",
  resolve: (data: string | null) => data !== null && data.length > 7 && goDate(data) !== undefined,
  construct: (data: string) => written(goDate(data), data),
});

/** The same where an empty value is undefined and no null, only true and false are booleans, and dates are said in full: as Go's yaml.v3 reads, and kustomize with it. */
export const goNodeSchema = yaml.FAILSAFE_SCHEMA.extend({
  implicit: [saidNullType, plainBoolType, nodeIntType, nodeFloatType, dateType, mergeType],
  explicit: [binaryType, ...unknownTags],
});
