/**
 * Go's strings are bytes. Ours are JavaScript strings in which a byte that is not part of valid UTF-8 stands as the lone
 * surrogate U+DC80 to U+DCFF, so that cutting a character in half and joining it again loses nothing.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
const asciiOnly = /^[\x00-\x7f]*$/;
const surrogate = /[\ud800-\udfff]/;

export const isAscii = (text: string): boolean => asciiOnly.test(text);

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes of a Go string. */
export function toBytes(text: string): Uint8Array {
  if (!surrogate.test(text)) return Buffer.from(text);
  const out: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) out.push(code - 0xdc00);
    else if (code >= 0xd800 && code <= 0xdfff) out.push(0xef, 0xbf, 0xbd);
    else for (const byte of Buffer.from(char)) out.push(byte);
  }
  return Buffer.from(out);
}

/** The Go string of some bytes. */
export function fromBytes(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    // Not UTF-8: the bytes that do not fit are kept one by one.
  }
  let out = "";
  let start = 0;
  for (let i = 0; i < bytes.length; ) {
    const width = sequenceLength(bytes, i);
    if (width > 0) {
      i += width;
      continue;
    }
    if (i > start) out += decoder.decode(bytes.subarray(start, i));
    out += String.fromCharCode(0xdc00 + bytes[i]!);
    sawBytes = true;
    start = ++i;
  }
  return out + decoder.decode(bytes.subarray(start));
}

// Texts with single bytes in them are rare: until there is one, nothing has to be put together again.
let sawBytes = false;

/** Puts single bytes that stand side by side together to the characters they are. */
export function joinBytes(text: string): string {
  return sawBytes && surrogate.test(text) ? fromBytes(toBytes(text)) : text;
}

/** Bytes of the UTF-8 sequence at `at`; 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const width =
    first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
  if (width === 0 || at + width > bytes.length) return 0;
  const second = bytes[at + 1]!;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < width; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  return width;
}

/** Go's `len` of a string. */
export function byteLength(text: string): number {
  if (!surrogate.test(text)) return isAscii(text) ? text.length : Buffer.byteLength(text);
  return toBytes(text).length;
}

/** Go's `text[start:end]`; the caller has checked the range. */
export function sliceBytes(text: string, start: number, end?: number): string {
  if (isAscii(text)) return text.slice(start, end);
  return fromBytes(toBytes(text).subarray(start, end));
}

/** Byte order, which is the order of code points. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  if (!surrogate.test(a) && !surrogate.test(b)) return a < b ? -1 : 1;
  return Buffer.compare(toBytes(a), toBytes(b));
}

/** Go's `[]rune(text)`: a byte that is no UTF-8 is U+FFFD. */
export function runes(text: string): string[] {
  const chars = [...text];
  if (!surrogate.test(text)) return chars;
  return chars.map((char) => (char.length === 1 && surrogate.test(char) ? "\ufffd" : char));
}

/** Whether every byte belongs to valid UTF-8. */
export function isValid(text: string): boolean {
  return !surrogate.test(text) || !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}
const space = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
/** Go's `unicode.IsSpace`. */
export const isSpace = (char: string): boolean => space.test(char);
const leading = /^[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;
const plainEdge = /^[\x21-\x7e](?:[\s\S]*[\x21-\x7e])?$/;
/** Go's `strings.TrimSpace`. */
export function trimSpace(text: string): string {
  if (text === "" || plainEdge.test(text)) return text;
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1]!)) end--;
  return text.slice(0, end).replace(leading, "");
}
const printableClass = /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u;
/** Go's `unicode.IsPrint`. */
export const isPrint = (char: string): boolean => {
  const code = char.charCodeAt(0);
  return code < 0x7f ? code >= 0x20 : printableClass.test(char);
};
