import { FunctionError } from "../errors.js";
import { sprintf } from "../fmt.js";
import {
  byteLength,
  compareStrings,
  fromBytes,
  isAscii,
  isSpace,
  runes,
  sliceBytes,
  toBytes,
  trimSpace,
} from "../go-string.js";
import type { GoFunction, State } from "../state.js";
import { quote } from "../strconv.js";
import { GoMap, type GoValue, strings } from "../values.js";
import { elements, isSlice, strslice, strval } from "./convert.js";
import { camelcase, initials, kebabcase, snakecase, swapcase, title, untitle } from "./words.js";

/** The runtime error of a slice that is out of its bounds. */
const outOfBounds = (what: string): never => {
  throw new FunctionError(`runtime error: slice bounds out of range [${what}]`);
};

function trunc(count: number, text: string): string {
  const size = byteLength(text);
  if (count < 0 && size + count > 0) return sliceBytes(text, size + count);
  return count >= 0 && size > count ? sliceBytes(text, 0, count) : text;
}

function substr(start: number, end: number, text: string): string {
  const size = byteLength(text);
  if (start < 0) return end < 0 || end > size ? outOfBounds(`:${end}`) : sliceBytes(text, 0, end);
  if (end < 0 || end > size) return start > size ? outOfBounds(`${start}:${size}`) : sliceBytes(text, start);
  return start > end ? outOfBounds(`${start}:${end}`) : sliceBytes(text, start, end);
}

function abbreviate(text: string, from: number, width: number): string {
  if (text === "" || width < 4) return "";
  const size = byteLength(text);
  if (size <= width) return text;
  let offset = Math.min(from, size);
  if (size - offset < width - 3) offset = size - (width - 3);
  if (offset <= 4) return `${sliceBytes(text, 0, width - 3)}...`;
  if (width < 7) return "";
  if (offset + width - 3 < size) return `...${abbreviate(sliceBytes(text, offset), 0, width - 3)}`;
  return `...${sliceBytes(text, size - (width - 3))}`;
}

function wrap(state: State, text: string, length: number, lineBreak: string, breakWords: boolean): string {
  const width = Math.max(1, length);
  const bytes = toBytes(text);
  const newline = toBytes(lineBreak === "" ? "\n" : lineBreak);
  state.checkSize(bytes.length + Math.ceil(bytes.length / width) * newline.length);
  const out: Uint8Array[] = [];
  let offset = 0;
  while (bytes.length - offset > width) {
    if (bytes[offset] === 0x20) {
      offset++;
      continue;
    }
    const space = bytes.subarray(offset, offset + width + 1).lastIndexOf(0x20);
    if (space >= 0) {
      out.push(bytes.subarray(offset, offset + space), newline);
      offset += space + 1;
    } else if (breakWords) {
      out.push(bytes.subarray(offset, offset + width), newline);
      offset += width;
    } else {
      const next = bytes.indexOf(0x20, offset + width);
      if (next < 0) {
        out.push(bytes.subarray(offset));
        offset = bytes.length;
      } else {
        out.push(bytes.subarray(offset, next), newline);
        offset = next + 1;
      }
    }
  }
  out.push(bytes.subarray(offset));
  return fromBytes(Buffer.concat(out));
}

function trimAll(chars: string, text: string): string {
  const set = new Set(chars);
  const all = [...text];
  let from = 0;
  let to = all.length;
  while (from < to && set.has(all[from]!)) from++;
  while (to > from && set.has(all[to - 1]!)) to--;
  return all.slice(from, to).join("");
}

function nospace(text: string): string {
  if (isAscii(text)) return text.replace(/[\t\n\v\f\r ]/g, "");
  // Byte by byte, as the original: a text with blanks comes out as Latin-1.
  const bytes = [...toBytes(text)].map((byte) => String.fromCharCode(byte));
  const kept = bytes.filter((char) => !isSpace(char));
  return kept.length === bytes.length ? text : kept.join("");
}

export function indent(state: State, spaces: number, text: string): string {
  if (spaces < 0) throw new FunctionError("strings: negative Repeat count");
  if (spaces > 10_000) state.checkSize(spaces * 2 + text.length);
  const pad = " ".repeat(spaces);
  if (!text.includes("\n")) return pad + text;
  const result = pad + text.replaceAll("\n", `\n${pad}`);
  state.checkSize(result.length);
  return result;
}

/** Go's strings.Split: an empty separator gives every character. */
export function split(text: string, separator: string): string[] {
  return separator === "" ? runes(text) : text.split(separator);
}

function splitn(text: string, separator: string, count: number): string[] {
  if (count === 0) return [];
  const parts = split(text, separator);
  if (count < 0 || parts.length <= count) return parts;
  return [...parts.slice(0, count - 1), parts.slice(count - 1).join(separator)];
}

const numbered = (parts: readonly string[]): GoMap =>
  new GoMap(
    "map[string]string",
    "string",
    parts.map((part, index) => [`_${index}`, part] as const),
  );

function repeat(state: State, count: number, text: string): string {
  if (count < 0) throw new FunctionError("strings: negative Repeat count");
  state.checkSize(count * text.length);
  return text.repeat(count);
}

function adler32(text: string): string {
  let a = 1;
  let b = 0;
  for (const byte of toBytes(text)) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return String(b * 65536 + a);
}

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function base32encode(text: string): string {
  let out = "";
  let bits = 0;
  let value = 0;
  for (const byte of toBytes(text)) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += BASE32[(value >> bits) & 31];
    }
  }
  if (bits > 0) out += BASE32[(value << (5 - bits)) & 31];
  return out.padEnd(Math.ceil(out.length / 8) * 8, "=");
}

function base32decode(given: string): string {
  const text = given.replace(/[\r\n]/g, "");
  const corrupt = (at: number) => `illegal base32 data at input byte ${at}`;
  const out: number[] = [];
  let bits = 0;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "=") {
      const used = i % 8;
      const rest = text.slice(i);
      const whole = i - used + 8;
      if (![2, 4, 5, 7].includes(used) || !/^=+$/.test(rest.slice(0, 8 - used))) return corrupt(i);
      if (text.length < whole) return corrupt(text.length);
      return text.length > whole ? corrupt(whole) : fromBytes(Buffer.from(out));
    }
    const digit = BASE32.indexOf(text[i]!);
    if (digit < 0) return corrupt(i);
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out.push((value >> bits) & 0xff);
    }
  }
  return text.length % 8 === 0 ? fromBytes(Buffer.from(out)) : corrupt(text.length - (text.length % 8));
}

/** Go's base64.StdEncoding: the bytes, or the offset of the first byte that does not fit. */
export function decodeBase64(given: string): Uint8Array | number {
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(given))
    return Buffer.from(given, "base64");
  let quantum = 0;
  for (let i = 0; i < given.length; i++) {
    const char = given[i]!;
    if (char === "\n" || char === "\r") continue;
    if (char === "=") {
      if (quantum < 2) return i;
      let at = i + 1;
      if (quantum === 2) {
        while (at < given.length && "\r\n".includes(given[at]!)) at++;
        if (at === given.length) return given.length;
        if (given[at] !== "=") return at - 1 === i ? at - 1 : at - 1;
        at++;
      }
      while (at < given.length && "\r\n".includes(given[at]!)) at++;
      if (at < given.length) return at;
      return Buffer.from(given.replace(/[\r\n]/g, ""), "base64");
    }
    if (!/[A-Za-z0-9+/]/.test(char)) return i;
    quantum = (quantum + 1) % 4;
  }
  if (quantum !== 0) return given.length - quantum;
  return Buffer.from(given.replace(/[\r\n]/g, ""), "base64");
}

export const base64encode = (text: string): string => Buffer.from(toBytes(text)).toString("base64");

function base64decode(text: string): string {
  const bytes = decodeBase64(text);
  return typeof bytes === "number" ? `illegal base64 data at input byte ${bytes}` : fromBytes(bytes);
}

function cat(values: readonly GoValue[]): string {
  const present = values.filter((value) => value !== null && value !== undefined);
  return sprintf(present.map(() => "%v").join(" "), present);
}

const str = (call: (text: string, state: State) => GoValue): GoFunction => ({
  params: ["string"],
  call: ([text], state) => call(text, state),
});
const str2 = (call: (a: string, b: string) => GoValue): GoFunction => ({
  params: ["string", "string"],
  call: ([a, b]) => call(a, b),
});

/** Go maps single characters, so a letter whose other case is longer stays as it is. */
const mapCase = (text: string, upper: boolean): string => {
  const whole = upper ? text.toUpperCase() : text.toLowerCase();
  if (isAscii(text) || whole.length === text.length) return whole;
  let out = "";
  for (const char of text) {
    const mapped = upper ? char.toUpperCase() : char.toLowerCase();
    out += [...mapped].length === 1 ? mapped : char === "İ" ? "i" : char;
  }
  return out;
};

export const stringFunctions: Readonly<Record<string, GoFunction>> = {
  hello: { params: [], call: () => "Hello!" },
  abbrev: { params: ["int", "string"], call: ([width, text]) => (width < 4 ? text : abbreviate(text, 0, width)) },
  abbrevboth: {
    params: ["int", "int", "string"],
    call: ([left, right, text]) => (right < 4 || (left > 0 && right < 7) ? text : abbreviate(text, left, right)),
  },
  trunc: { params: ["int", "string"], call: ([count, text]) => trunc(count, text) },
  trim: str(trimSpace),
  upper: str((text) => mapCase(text, true)),
  lower: str((text) => mapCase(text, false)),
  title: str(title),
  untitle: str(untitle),
  substr: { params: ["int", "int", "string"], call: ([start, end, text]) => substr(start, end, text) },
  repeat: { params: ["int", "string"], call: ([count, text], state) => repeat(state, count, text) },
  trimall: str2(trimAll),
  trimAll: str2(trimAll),
  trimSuffix: str2((part, text) => (part !== "" && text.endsWith(part) ? text.slice(0, -part.length) : text)),
  trimPrefix: str2((part, text) => (text.startsWith(part) ? text.slice(part.length) : text)),
  nospace: str(nospace),
  initials: str(initials),
  swapcase: str(swapcase),
  snakecase: str(snakecase),
  camelcase: str(camelcase),
  kebabcase: str(kebabcase),
  wrap: { params: ["int", "string"], call: ([width, text], state) => wrap(state, text, width, "", false) },
  wrapWith: {
    params: ["int", "string", "string"],
    call: ([width, separator, text], state) => wrap(state, text, width, separator, true),
  },
  contains: str2((part, text) => text.includes(part)),
  hasPrefix: str2((part, text) => text.startsWith(part)),
  hasSuffix: str2((part, text) => text.endsWith(part)),
  quote: {
    params: ["any"],
    variadic: true,
    call: (values) => {
      if (values.length === 1) return values[0] === null ? "" : quote(strval(values[0]));
      return values
        .filter((value) => value !== null)
        .map((value) => quote(strval(value)))
        .join(" ");
    },
  },
  squote: {
    params: ["any"],
    variadic: true,
    call: (values) =>
      values
        .filter((value) => value !== null)
        .map((value) => `'${sprintf("%v", [value])}'`)
        .join(" "),
  },
  cat: { params: ["any"], variadic: true, call: cat },
  indent: { params: ["int", "string"], call: ([spaces, text], state) => indent(state, spaces, text) },
  nindent: { params: ["int", "string"], call: ([spaces, text], state) => `\n${indent(state, spaces, text)}` },
  replace: {
    params: ["string", "string", "string"],
    call: ([old, next, text], state) => {
      if (next.length > old.length)
        state.checkSize((text.length + 1) * Math.max(1, next.length / Math.max(1, old.length)));
      if (old === "") {
        const chars = runes(text);
        return chars.length === 0 ? next : next + chars.join(next) + next;
      }
      return text.replaceAll(old, () => next);
    },
  },
  plural: { params: ["string", "string", "int"], call: ([one, many, count]) => (count === 1 ? one : many) },
  adler32sum: str(adler32),
  ["toString" as string]: { params: ["any"], call: ([value]) => strval(value) },
  toStrings: { params: ["any"], call: ([value]) => strings(strslice(value)) },
  split: { params: ["string", "string"], call: ([separator, text]) => numbered(split(text, separator)) },
  splitList: { params: ["string", "string"], call: ([separator, text]) => strings(split(text, separator)) },
  splitn: {
    params: ["string", "int", "string"],
    call: ([separator, count, text]) => numbered(splitn(text, separator, count)),
  },
  join: {
    params: ["string", "any"],
    call: ([separator, list], state) => {
      const text = strslice(list).join(separator);
      state.checkSize(text.length);
      return text;
    },
  },
  sortAlpha: {
    params: ["any"],
    call: ([list]) =>
      strings(
        isSlice(list) ? strslice(Array.isArray(list) ? list : elements(list)).sort(compareStrings) : [strval(list)],
      ),
  },
  b64enc: str(base64encode),
  b64dec: str(base64decode),
  b32enc: str(base32encode),
  b32dec: str(base32decode),
};
