import { formatValue } from "../fmt.js";
import { fromBytes } from "../go-string.js";
import { parseFloat64, parseInt64 } from "../strconv.js";
import { GoInt, GoSlice, GoStruct, type GoValue } from "../values.js";

/** Text of a value: itself for strings and bytes, its String method, else %v. */
export function strval(value: GoValue): string {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return fromBytes(value);
  if (value instanceof GoStruct && value.options.text) return value.options.text();
  return formatValue(value);
}

/** A float as an int64, as the processor converts it: what does not fit is the smallest integer. */
export function truncate(value: number): bigint {
  if (!Number.isFinite(value) || value >= 2 ** 63 || value < -(2 ** 63)) return -(2n ** 63n);
  return BigInt(Math.trunc(value));
}

function trimZeroDecimal(text: string): string {
  return /\.0*$/.test(text) && /0$/.test(text) ? text.replace(/\.0*$/, "") : text;
}

/** Sprig's int64: numbers are cut, texts read with the prefixes of Go, anything else is 0. */
export function toInt64(value: GoValue): bigint {
  if (value instanceof GoInt) return value.name === value.kind ? BigInt.asIntN(64, value.v) : 0n;
  if (typeof value === "number") return truncate(value);
  if (typeof value === "string") return parseInt64(trimZeroDecimal(value), 0) ?? 0n;
  return value === true ? 1n : 0n;
}

/** Sprig's float64. */
export function toFloat64(value: GoValue): number {
  if (typeof value === "number") return value;
  if (value instanceof GoInt) return value.name === value.kind ? Number(value.v) : 0;
  if (typeof value === "string") return parseFloat64(value) ?? 0;
  return value === true ? 1 : 0;
}

/** Sprig's notion of empty: the zero value of its type. Structs are never empty. */
export function empty(value: GoValue): boolean {
  if (value === null || value === undefined || value === "" || value === 0 || value === false) return true;
  if (typeof value !== "object") return false;
  if (value instanceof Map) return value.size === 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  return value instanceof GoInt && value.v === 0n;
}

/** The texts of a list; nil elements are left out. One value that is no list is a list of one. */
export function strslice(value: GoValue): string[] {
  if (value === null || value === undefined) return [];
  if (value instanceof Uint8Array) return [...value].map(String);
  if (!Array.isArray(value)) return [strval(value)];
  const texts: string[] = [];
  for (const item of value) if (item !== null && item !== undefined) texts.push(strval(item));
  return texts;
}

export const isSlice = (value: GoValue): value is GoValue[] | Uint8Array =>
  Array.isArray(value) || value instanceof Uint8Array;

/** Elements of a list as values of their own. */
export function elements(value: GoValue[] | Uint8Array): GoValue[] {
  if (value instanceof Uint8Array) return [...value].map((byte) => new GoInt(BigInt(byte), "uint8"));
  return value instanceof GoSlice ? Array.from(value) : value;
}
