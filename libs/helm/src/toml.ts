import {
  compareStrings,
  FunctionError,
  formatFloat,
  GoDuration,
  GoInt,
  GoSlice,
  GoStruct,
  GoTime,
  type GoValue,
  int64,
  typeOf,
} from "@tiphys/template";
import { parse, TomlDate } from "smol-toml";

/** What BurntSushi's encoder refuses; the message is what `toToml` answers. */
class TomlError extends Error {}

const bareKey = /^[A-Za-z0-9_-]+$/;
const escapes: Readonly<Record<string, string>> = {
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\f": "\\f",
  "\r": "\\r",
  '"': '\\"',
  "\\": "\\\\",
};

const quoted = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that TOML escapes
  `"${text.replace(/[\x00-\x1f"\\\x7f]/g, (char) => escapes[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;
const keyText = (key: string): string => (bareKey.test(key) ? key : key === "" ? '""' : quoted(key));

const isTable = (value: GoValue): value is Map<string, GoValue> => value instanceof Map;
const tableOf = (value: GoValue): Map<string, GoValue> | undefined => {
  if (value instanceof Map) return value;
  if (value instanceof GoStruct && !(value instanceof GoTime)) return new Map(value.fields);
  return undefined;
};
const isTableList = (value: GoValue): value is GoValue[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => tableOf(item) !== undefined);

/** Writes a map as TOML, in the form of BurntSushi's encoder: plain values first, then tables, keys sorted, two spaces a level. */
export function toToml(value: GoValue): string {
  try {
    if (value === null || value === undefined)
      throw new FunctionError("reflect: call of reflect.Value.Type on zero Value");
    const table = tableOf(value);
    const writer = new Writer();
    if (!table) return writer.inline(value);
    writer.table([], table);
    return writer.out;
  } catch (error) {
    if (error instanceof TomlError) return error.message;
    throw error;
  }
}

class Writer {
  out = "";

  table(path: readonly string[], table: Map<string, GoValue>): void {
    const keys = [...table.keys()].sort(compareStrings);
    const isDirect = (value: GoValue) =>
      !isTable(value) && !isTableList(value) && !(value instanceof GoStruct && !(value instanceof GoTime));
    for (const key of keys) {
      const value = table.get(key);
      if (value === null || value === undefined) continue;
      if (isDirect(value))
        this.out += `${"  ".repeat(Math.max(0, path.length - 1))}${path.length > 0 ? "  " : ""}${keyText(key)} = ${this.inline(value)}\n`;
    }
    for (const key of keys) {
      const value = table.get(key);
      if (value === null || value === undefined || isDirect(value)) continue;
      const inner = [...path, key];
      const indent = "  ".repeat(path.length);
      const name = inner.map(keyText).join(".");
      if (isTableList(value)) {
        for (const item of value) {
          this.newline();
          this.out += `${indent}[[${name}]]\n`;
          this.table(inner, tableOf(item)!);
        }
      } else {
        if (inner.length === 1) this.newline();
        this.out += `${indent}[${name}]\n`;
        this.table(inner, tableOf(value)!);
      }
    }
  }

  private newline(): void {
    if (this.out !== "") this.out += "\n";
  }

  inline(value: GoValue): string {
    if (typeof value === "string") return quoted(value);
    if (typeof value === "boolean") return String(value);
    if (typeof value === "number") return floatText(value);
    if (value instanceof GoInt) return value instanceof GoDuration ? quoted(value.text()) : value.v.toString();
    if (value instanceof GoTime) return value.options.json!() as string;
    if (value instanceof Uint8Array) return `[${[...value].join(", ")}]`;
    if (Array.isArray(value)) {
      if (value.some((item) => item === null || item === undefined))
        throw new TomlError("toml: cannot encode array with nil element");
      return `[${value.map((item) => this.inline(item)).join(", ")}]`;
    }
    const table = tableOf(value);
    if (table) {
      const members = [...table.keys()].sort(compareStrings).filter((key) => table.get(key) !== null);
      return `{${members.map((key) => `${keyText(key)} = ${this.inline(table.get(key))}`).join(", ")}}`;
    }
    throw new TomlError(`toml: unsupported type: ${typeOf(value)}`);
  }
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const text = formatFloat(value, "g", -1);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Reads TOML as BurntSushi's decoder gives it: integers are int64. Throws an Error. */
export function fromToml(text: string): Map<string, GoValue> {
  return convert(parse(text, { integersAsBigInt: true })) as Map<string, GoValue>;
}

function convert(value: unknown): GoValue {
  if (typeof value === "bigint") return int64(value);
  if (value instanceof TomlDate) return new GoTime(BigInt(value.getTime()) * 1_000_000n);
  if (Array.isArray(value)) {
    const items = value.map(convert);
    return items.length > 0 && items.every((item) => item instanceof Map)
      ? GoSlice.of_("map[string]interface {}", items)
      : items;
  }
  if (typeof value === "object" && value !== null) {
    return new Map(Object.entries(value).map(([key, member]) => [key, convert(member)]));
  }
  return value;
}
