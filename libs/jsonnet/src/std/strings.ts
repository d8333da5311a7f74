import { format } from "../format.js";
import type { Machine } from "../machine.js";
import { jsonText } from "../manifest.js";
import { toText } from "../operators.js";
import { isPlain, type JArray, typeOf, type Value } from "../values.js";
import { define, type Functions, fail, integer, number, sequence, text } from "./define.js";

/** Positions of a text within another, counted in characters. */
export function positions(machine: Machine, pattern: string, within: string): number[] {
  const found: number[] = [];
  if (pattern === "" || within === "") return found;
  machine.charge(within.length);
  const plain = isPlain(within);
  for (let at = within.indexOf(pattern); at >= 0; at = within.indexOf(pattern, at + 1)) {
    found.push(plain ? at : [...within.slice(0, at)].length);
  }
  return found;
}

function strip(where: string, given: Value, characters: Value, left: boolean, right: boolean): string {
  const all = [...text(where, given)];
  const set = new Set(sequence(where, characters));
  let from = 0;
  let to = all.length;
  while (left && from < to && set.has(all[from] as string)) from++;
  while (right && to > from && set.has(all[to - 1] as string)) to--;
  return all.slice(from, to).join("");
}

function split(
  machine: Machine,
  where: string,
  given: Value,
  separator: Value,
  limit: number,
  fromRight: boolean,
): JArray {
  const whole = text(where, given);
  const by = text(where, separator);
  if (by === "") fail(`${where} second parameter should have length 1 or greater, got 0`);
  machine.charge(whole.length);
  const parts = whole.split(by);
  if (limit < 0 || parts.length <= limit + 1) return parts;
  return fromRight
    ? [parts.slice(0, parts.length - limit).join(by), ...parts.slice(parts.length - limit)]
    : [...parts.slice(0, limit), parts.slice(limit).join(by)];
}

function limitOf(where: string, value: Value): number {
  const limit = integer(where, value);
  return limit < -1 ? fail(`${where} third parameter should be -1 or non-negative, got ${limit}`) : limit;
}

function digits(where: string, given: Value, base: number, pattern: RegExp): number {
  const value = text(where, given);
  if (!pattern.test(value)) fail(`${where}: ${JSON.stringify(value.slice(0, 40))} is not a base ${base} integer`);
  let sum = 0;
  for (const digit of value.replace(/^-/, "").toLowerCase()) sum = sum * base + Number.parseInt(digit, base);
  if (!Number.isFinite(sum)) fail("overflow");
  return value.startsWith("-") ? -sum : sum;
}

const upper = (value: string): string => value.replace(/[a-z]/g, (letter) => letter.toUpperCase());
const lower = (value: string): string => value.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
const XML: Readonly<Record<string, string>> = { "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&apos;" };
export const xmlText = (value: string): string => value.replace(/[<>&"']/g, (letter) => XML[letter] as string);

const escapeXml = define("escapeStringXML", ["str_"], (machine, str) => xmlText(toText(machine, str)));

export const strings: Functions = {
  toString: define("toString", ["a"], (machine, a) => toText(machine, a)),
  codepoint: define("codepoint", ["str"], (_m, str) => {
    const characters = [...text("std.codepoint", str)];
    if (characters.length !== 1) fail(`codepoint takes a string of length 1, got length ${characters.length}`);
    return (characters[0] as string).codePointAt(0) as number;
  }),
  char: define("char", ["n"], (_m, n) => {
    const point = Math.trunc(number("std.char", n));
    if (point < 0 || point > 0x10ffff) fail(`invalid unicode codepoint, got ${point}`);
    return point >= 0xd800 && point <= 0xdfff ? "\ufffd" : String.fromCodePoint(point);
  }),
  substr: define("substr", ["str", "from", "len"], (_m, str, from, len) => {
    const value = text("std.substr first parameter", str);
    const start = integer("std.substr second parameter", from);
    const count = integer("std.substr third parameter", len);
    if (start < 0) fail(`substr second parameter should be greater than zero, got ${start}`);
    if (count < 0) fail(`substr third parameter should be greater than zero, got ${count}`);
    return isPlain(value) ? value.substr(start, count) : [...value].slice(start, start + count).join("");
  }),
  findSubstr: define("findSubstr", ["pat", "str"], (machine, pattern, str) =>
    positions(machine, text("std.findSubstr", pattern), text("std.findSubstr", str)),
  ),
  startsWith: define("startsWith", ["a", "b"], (_m, a, b) => startsOrEnds(a, b, "startsWith")),
  endsWith: define("endsWith", ["a", "b"], (_m, a, b) => startsOrEnds(a, b, "endsWith")),
  stripChars: define("stripChars", ["str", "chars"], (_m, str, chars) =>
    strip("std.stripChars", str, chars, true, true),
  ),
  lstripChars: define("lstripChars", ["str", "chars"], (_m, str, chars) =>
    strip("std.lstripChars", str, chars, true, false),
  ),
  rstripChars: define("rstripChars", ["str", "chars"], (_m, str, chars) =>
    strip("std.rstripChars", str, chars, false, true),
  ),
  trim: define("trim", ["str"], (_m, str) => strip("std.trim", str, " \t\n\f\r\u0085\u00a0", true, true)),
  split: define("split", ["str", "c"], (machine, str, c) => split(machine, "std.split", str, c, -1, false)),
  splitLimit: define("splitLimit", ["str", "c", "maxsplits"], (machine, str, c, limit) =>
    split(machine, "std.splitLimit", str, c, limitOf("std.splitLimit", limit), false),
  ),
  splitLimitR: define("splitLimitR", ["str", "c", "maxsplits"], (machine, str, c, limit) =>
    split(machine, "std.splitLimitR", str, c, limitOf("std.splitLimitR", limit), true),
  ),
  strReplace: define("strReplace", ["str", "from", "to"], (machine, str, from, to) => {
    const [value, old, by] = [text("std.strReplace", str), text("std.strReplace", from), text("std.strReplace", to)];
    if (old === "") fail("'from' string must not be zero length.");
    const parts = value.split(old);
    machine.charge(value.length + parts.length * by.length);
    return parts.join(by);
  }),
  isEmpty: define("isEmpty", ["str"], (_m, str) => text("std.isEmpty", str) === ""),
  equalsIgnoreCase: define("equalsIgnoreCase", ["str1", "str2"], (_m, a, b) => {
    return lower(text("std.equalsIgnoreCase", a)) === lower(text("std.equalsIgnoreCase", b));
  }),
  asciiUpper: define("asciiUpper", ["str"], (_m, str) => upper(text("std.asciiUpper", str))),
  asciiLower: define("asciiLower", ["str"], (_m, str) => lower(text("std.asciiLower", str))),
  stringChars: define("stringChars", ["str"], (machine, str) => {
    const characters = [...text("std.stringChars", str)];
    machine.charge(characters.length);
    return characters;
  }),
  format: define("format", ["str", "vals"], (machine, str, vals) => format(machine, text("std.format", str), vals)),
  escapeStringJson: define("escapeStringJson", ["str_"], (machine, str) => jsonText(toText(machine, str))),
  escapeStringPython: define("escapeStringPython", ["str"], (machine, str) => jsonText(toText(machine, str))),
  escapeStringBash: define(
    "escapeStringBash",
    ["str_"],
    (machine, str) => `'${toText(machine, str).replaceAll("'", `'"'"'`)}'`,
  ),
  escapeStringDollars: define("escapeStringDollars", ["str_"], (machine, str) =>
    toText(machine, str).replaceAll("$", "$$$$"),
  ),
  escapeStringXML: escapeXml,
  parseInt: define("parseInt", ["str"], (_m, str) => digits("std.parseInt", str, 10, /^-?[0-9]+$/)),
  parseOctal: define("parseOctal", ["str"], (_m, str) => digits("std.parseOctal", str, 8, /^[0-7]+$/)),
  parseHex: define("parseHex", ["str"], (_m, str) => digits("std.parseHex", str, 16, /^[0-9a-fA-F]+$/)),
};

function startsOrEnds(a: Value, b: Value, which: "startsWith" | "endsWith"): boolean {
  if (typeof a === "string" && typeof b === "string") return a[which](b);
  return fail(`std.${which} expected strings, got ${typeOf(a)} and ${typeOf(b)}`);
}
