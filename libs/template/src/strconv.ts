import { formatShortestG } from "@tiphys/yaml";
import { fromBytes, isPrint } from "./go-string.js";

/** Go's strconv.Quote; with `ascii`, its QuoteToASCII. */
export function quote(text: string, ascii = false): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: printable ASCII but quotes and backslashes
  if (/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/.test(text)) return `"${text}"`;
  let out = '"';
  for (const char of text) out += escapeRune(char, '"', ascii);
  return `${out}"`;
}

/** Go's strconv.QuoteRune. */
export const quoteRune = (char: string, ascii = false): string => `'${escapeRune(char, "'", ascii)}'`;

const short: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

function escapeRune(char: string, mark: string, ascii: boolean): string {
  if (char === mark || char === "\\") return `\\${char}`;
  const code = char.codePointAt(0)!;
  if (code >= 0xdc80 && code <= 0xdcff && char.length === 1) return `\\x${(code - 0xdc00).toString(16)}`;
  if (code < 0x80 ? code >= 0x20 && code < 0x7f : !ascii && isPrint(char)) return char;
  if (short[char]) return short[char]!;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code >= 0xd800 && code <= 0xdfff) return "\\ufffd";
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
}

/** Go's strconv.Unquote of a string, raw string or character literal; undefined when its syntax is wrong. */
export function unquote(text: string): string | undefined {
  const mark = text[0];
  if (text.length < 2 || text.at(-1) !== mark) return undefined;
  const body = text.slice(1, -1);
  if (mark === "`") return body.includes("`") ? undefined : body.replaceAll("\r", "");
  if (mark !== '"' && mark !== "'") return undefined;
  if (body.includes("\n")) return undefined;
  if (!body.includes("\\")) {
    if (body.includes(mark)) return undefined;
    return mark === "'" && [...body].length !== 1 ? undefined : body;
  }
  const bytes: Uint8Array[] = [];
  let count = 0;
  for (let i = 0; i < body.length; count++) {
    const char = String.fromCodePoint(body.codePointAt(i)!);
    if (char === mark) return undefined;
    if (char !== "\\") {
      bytes.push(Buffer.from(char));
      i += char.length;
      continue;
    }
    const sign = body[i + 1] ?? "";
    const simple = "abfnrtv\\".indexOf(sign);
    if (sign !== "" && simple >= 0) {
      bytes.push(Buffer.from("\x07\b\f\n\r\t\v\\"[simple]!));
      i += 2;
    } else if (sign === mark) {
      bytes.push(Buffer.from(sign));
      i += 2;
    } else if (sign === "x" || sign === "u" || sign === "U") {
      const width = sign === "x" ? 2 : sign === "u" ? 4 : 8;
      const digits = body.slice(i + 2, i + 2 + width);
      if (!/^[0-9a-fA-F]+$/.test(digits) || digits.length !== width) return undefined;
      const code = Number.parseInt(digits, 16);
      if (sign === "x" && mark === '"') bytes.push(Buffer.from([code]));
      else if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
      else bytes.push(Buffer.from(String.fromCodePoint(code)));
      i += 2 + width;
    } else if (sign >= "0" && sign <= "7" && sign !== "") {
      const digits = body.slice(i + 1, i + 4);
      const code = Number.parseInt(digits, 8);
      if (!/^[0-7]{3}$/.test(digits) || code > 255) return undefined;
      bytes.push(mark === '"' ? Buffer.from([code]) : Buffer.from(String.fromCodePoint(code)));
      i += 4;
    } else return undefined;
  }
  if (mark === "'" && count !== 1) return undefined;
  return fromBytes(Buffer.concat(bytes));
}

/** Digits and exponent of a decimal number: 0.d1d2d3… × 10^point. */
interface Decimal {
  readonly negative: boolean;
  readonly digits: string;
  readonly point: number;
}

/** The exact decimal expansion of a double. */
function exactDecimal(value: number): Decimal {
  const negative = value < 0 || Object.is(value, -0);
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, Math.abs(value));
  const bits = view.getBigUint64(0);
  const exponent = Number(bits >> 52n);
  const fraction = bits & 0xfffffffffffffn;
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n);
  const shift = (exponent === 0 ? 1 : exponent) - 1075;
  if (mantissa === 0n) return { negative, digits: "", point: 0 };
  if (shift >= 0) {
    const digits = (mantissa << BigInt(shift)).toString();
    return { negative, digits: digits.replace(/0+$/, ""), point: digits.length };
  }
  // m / 2^k = m × 5^k / 10^k
  const digits = (mantissa * 5n ** BigInt(-shift)).toString();
  return { negative, digits: digits.replace(/0+$/, ""), point: digits.length + shift };
}

function shortestDecimal(value: number): Decimal {
  const negative = value < 0 || Object.is(value, -0);
  if (value === 0) return { negative, digits: "", point: 0 };
  const [mantissa = "", exponent = "0"] = Math.abs(value).toExponential().split("e");
  return { negative, digits: mantissa.replace(".", "").replace(/0+$/, ""), point: Number(exponent) + 1 };
}

/** Rounds to `count` digits, half to even as the exact value demands. */
function roundTo({ negative, digits, point }: Decimal, count: number): Decimal {
  if (count >= digits.length) return { negative, digits, point };
  if (count < 0) return { negative, digits: "", point: 0 };
  const kept = digits.slice(0, count);
  const rest = digits.slice(count);
  const half =
    rest[0]! > "5" || (rest[0] === "5" && (rest.length > 1 || (count > 0 && (kept.charCodeAt(count - 1) & 1) === 1)));
  if (!half) return { negative, digits: kept.replace(/0+$/, ""), point };
  if (count === 0) return { negative, digits: "1", point: point + 1 };
  const up = (BigInt(kept) + 1n).toString().padStart(count, "0");
  return { negative, digits: up.replace(/0+$/, ""), point: up.length > count ? point + 1 : point };
}

/** Go's strconv.FormatFloat for float64; `precision` -1 is the shortest form. */
export function formatFloat(value: number, format: string, precision: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const lower = format.toLowerCase();
  if (lower === "g" && precision < 0) {
    const text = formatShortestG(value);
    return format === "G" ? text.toUpperCase() : text;
  }
  if (lower === "b") return formatBinary(value);
  if (lower === "x") return formatHex(value, format, precision);
  const shortest = precision < 0;
  let decimal = shortest ? shortestDecimal(value) : exactDecimal(value);
  if (lower === "e") {
    const count = shortest ? Math.max(decimal.digits.length - 1, 0) : precision;
    if (!shortest) decimal = roundTo(decimal, count + 1);
    return exponentForm(decimal, count, format);
  }
  if (lower === "f") {
    const count = shortest ? Math.max(decimal.digits.length - decimal.point, 0) : precision;
    if (!shortest) decimal = roundTo(decimal, decimal.point + count);
    return fixedForm(decimal, count);
  }
  const significant = precision === 0 ? 1 : precision;
  decimal = roundTo(decimal, significant);
  const eprec =
    significant > decimal.digits.length && decimal.digits.length >= decimal.point ? decimal.digits.length : significant;
  const exponent = decimal.point - 1;
  if (decimal.digits !== "" && (exponent < -4 || exponent >= eprec)) {
    return exponentForm(decimal, Math.min(significant, decimal.digits.length) - 1, format === "G" ? "E" : "e");
  }
  return fixedForm(decimal, Math.max(decimal.digits.length - decimal.point, 0));
}

function exponentForm({ negative, digits, point }: Decimal, count: number, format: string): string {
  const exponent = digits === "" ? 0 : point - 1;
  const size = Math.abs(exponent);
  const fraction = count > 0 ? `.${digits.slice(1, count + 1).padEnd(count, "0")}` : "";
  return `${negative ? "-" : ""}${digits[0] ?? "0"}${fraction}${format}${exponent < 0 ? "-" : "+"}${size < 10 ? "0" : ""}${size}`;
}

function fixedForm({ negative, digits, point }: Decimal, count: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0";
  let fraction = "";
  if (count > 0) {
    const at = (index: number) => (index < 0 ? "0" : (digits[index] ?? "0"));
    fraction = ".";
    for (let i = 0; i < count; i++) fraction += at(point + i);
  }
  return `${negative ? "-" : ""}${whole}${fraction}`;
}

function parts(value: number): { negative: boolean; mantissa: bigint; exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const raw = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  return {
    negative: bits >> 63n === 1n,
    mantissa: raw === 0 ? fraction : fraction | (1n << 52n),
    exponent: (raw === 0 ? 1 : raw) - 1075,
  };
}

function formatBinary(value: number): string {
  const { negative, mantissa, exponent } = parts(value);
  return `${negative ? "-" : ""}${mantissa}p${exponent < 0 ? "" : "+"}${exponent}`;
}

function formatHex(value: number, format: string, precision: number): string {
  let { negative, mantissa, exponent } = parts(value);
  const sign = negative ? "-" : "";
  exponent += 52;
  if (mantissa === 0n) exponent = 0;
  else {
    while (mantissa < 1n << 52n) {
      mantissa <<= 1n;
      exponent--;
    }
  }
  // One bit before the point, fifteen hexadecimal digits after it.
  let scaled = mantissa << 8n;
  if (precision >= 0 && precision < 15) {
    const shift = BigInt(precision * 4);
    const extra = (scaled << shift) & ((1n << 60n) - 1n);
    scaled >>= 60n - shift;
    if (extra > 1n << 59n || (extra === 1n << 59n && (scaled & 1n) === 1n)) scaled++;
    scaled <<= 60n - shift;
    if (scaled >= 1n << 61n) {
      scaled >>= 1n;
      exponent++;
    }
  }
  const lead = scaled >> 60n;
  let digits = (scaled & ((1n << 60n) - 1n)).toString(16).padStart(15, "0");
  digits = precision < 0 ? digits.replace(/0+$/, "") : digits.slice(0, precision).padEnd(precision, "0");
  const size = Math.abs(exponent);
  const text = `0x${lead}${digits === "" ? "" : `.${digits}`}p${exponent < 0 ? "-" : "+"}${size < 10 ? "0" : ""}${size}`;
  return sign + (format === "X" ? text.toUpperCase() : text);
}

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Go's strconv.ParseInt(text, base, 64); base 0 reads prefixes and underscores. Undefined when it is an error. */
export function parseInt64(text: string, base: 0 | 2 | 8 | 10 | 16 = 10): bigint | undefined {
  const magnitude = parseMagnitude(text.replace(/^[+-]/, ""), base);
  if (magnitude === undefined) return undefined;
  const value = text[0] === "-" ? -magnitude : magnitude;
  return value > INT64_MAX || value < INT64_MIN ? undefined : value;
}

/** Go's strconv.ParseUint(text, base, 64). */
export function parseUint64(text: string, base: 0 | 2 | 8 | 10 | 16 = 10): bigint | undefined {
  const value = parseMagnitude(text, base);
  return value === undefined || value >= 2n ** 64n ? undefined : value;
}

function parseMagnitude(text: string, base: number): bigint | undefined {
  if (text.length > 400) return undefined;
  if (base === 0) {
    if (!/^(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)$/.test(text))
      return undefined;
    const digits = text.replaceAll("_", "").toLowerCase();
    return BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits);
  }
  const pattern = base === 10 ? /^[0-9]+$/ : base === 8 ? /^[0-7]+$/ : base === 2 ? /^[01]+$/ : /^[0-9a-fA-F]+$/;
  if (!pattern.test(text)) return undefined;
  return BigInt((base === 10 ? "" : base === 8 ? "0o" : base === 2 ? "0b" : "0x") + text);
}

/** Go's strconv.ParseFloat(text, 64); undefined when it is an error. */
export function parseFloat64(text: string): number | undefined {
  if (/^[+-]?(?:inf|infinity)$/i.test(text)) return text[0] === "-" ? -Infinity : Infinity;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  if (/^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
  const hex = /^([+-]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([+-]?[0-9]+)$/.exec(text);
  if (!hex || `${hex[2]}${hex[3]}` === "") return undefined;
  const scale = Number(hex[4]) - 4 * (hex[3] as string).length;
  const value = Number(BigInt(`0x${hex[2]}${hex[3]}`)) * 2 ** scale;
  return hex[1] === "-" ? -value : value;
}
