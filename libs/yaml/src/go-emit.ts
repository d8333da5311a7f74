import { isNotString } from "./go-schema.js";

/** How a Go YAML library writes: `v2` is what sigs.k8s.io/yaml uses, `v3` its successor with an indentation of two. */
export type GoYamlStyle = "v2" | "v3";

export interface GoYamlOptions {
  readonly style?: GoYamlStyle;
  /** Turns a value that is no plain data into plain data (or a `Map`); anything else is refused. */
  readonly plain?: (value: object) => unknown;
  /** Numbers as JSON carries them: whole ones become integers. Default true (sigs.k8s.io/yaml goes through JSON). */
  readonly viaJson?: boolean;
  /** Most characters of the text; more is a RangeError. */
  readonly maxLength?: number;
}

/** A value that has no YAML form. */
export class NotEncodableError extends Error {}

/**
 * Writes a value as Go's YAML libraries do: keys in their "natural" order (`a2` before `a10`), `|` for texts of several lines,
 * quotes only where the text would be read as something else, long lines never folded. Ends with a line break.
 */
export function toGoYaml(value: unknown, options: GoYamlOptions = {}): string {
  const writer = new Writer(options);
  writer.node(value, -1, false, false, false);
  return writer.text();
}

const DEPTH = 250;

class Writer {
  /** The lines that are whole, and the one under way: only that one is looked at, so a long text costs no more a line. */
  private lines = "";
  private line = "";
  private depth = 0;
  private readonly v3: boolean;
  private readonly viaJson: boolean;
  private readonly plain: ((value: object) => unknown) | undefined;
  private readonly maxLength: number;

  constructor(options: GoYamlOptions) {
    this.v3 = options.style === "v3";
    this.viaJson = options.viaJson ?? true;
    this.plain = options.plain;
    this.maxLength = options.maxLength ?? Number.POSITIVE_INFINITY;
  }

  /** `fresh`: the text stands after `- `, so the first line of a block needs no line break of its own. */
  node(value: unknown, indent: number, inMapping: boolean, fresh: boolean, inSequence: boolean): void {
    if (this.lines.length + this.line.length > this.maxLength)
      throw new RangeError(`the YAML text is longer than ${this.maxLength}`);
    if (++this.depth > DEPTH) throw new NotEncodableError(`nested deeper than ${DEPTH} levels`);
    if (typeof value === "string") this.scalar(value, indent);
    else if (value === null || value === undefined) this.put("null");
    else if (typeof value === "boolean") this.put(value ? "true" : "false");
    else if (typeof value === "number") this.put(this.number(value));
    else if (typeof value === "bigint") this.put(value.toString());
    else if (Array.isArray(value)) this.sequence(value, indent, inMapping, fresh, inSequence);
    else if (value instanceof Map) this.mapping(value, indent, fresh, inSequence);
    else if (this.plain && Object.getPrototypeOf(value) !== Object.prototype) {
      const converted = this.plain(value as object);
      if (converted === value) throw new NotEncodableError(`no YAML form for this ${typeof value}`);
      this.node(converted, indent, inMapping, fresh, inSequence);
    } else if (typeof value === "object") {
      this.mapping(new Map(Object.entries(value)), indent, fresh, inSequence);
    } else throw new NotEncodableError(`no YAML form for this ${typeof value}`);
    this.depth--;
  }

  private put(text: string): void {
    this.add(this.isEmpty || this.line.endsWith(" ") ? text : ` ${text}`);
  }

  private add(text: string): void {
    const end = text.lastIndexOf("\n") + 1;
    if (end === 0) {
      this.line += text;
      return;
    }
    this.lines += this.line + text.slice(0, end);
    this.line = text.slice(end);
  }

  private get isEmpty(): boolean {
    return this.line === "" && this.lines === "";
  }

  /** All of it, with a line break at its end. */
  text(): string {
    return this.line === "" && this.lines !== "" ? this.lines : `${this.lines}${this.line}\n`;
  }

  private startLine(indent: number, first: boolean): void {
    if (first) this.line += " ";
    else if (!this.isEmpty) this.add(`${this.line === "" ? "" : "\n"}${" ".repeat(indent)}`);
  }

  private deeper(indent: number, inSequence: boolean): number {
    if (indent < 0) return 0;
    if (!this.v3 || inSequence) return indent + 2;
    return 2 * ((indent + 2) >> 1);
  }

  private sequence(items: readonly unknown[], indent: number, inMapping: boolean, fresh: boolean, inSequence: boolean) {
    if (items.length === 0) {
      this.put("[]");
      return;
    }
    const own = inMapping && !this.v3 ? Math.max(indent, 0) : this.deeper(indent, inSequence);
    let first = fresh;
    for (const item of items) {
      this.startLine(own, first);
      first = false;
      this.add("-");
      this.node(item, own, false, true, true);
    }
  }

  private mapping(map: ReadonlyMap<string, unknown>, indent: number, fresh: boolean, inSequence: boolean): void {
    if (map.size === 0) {
      this.put("{}");
      return;
    }
    const own = this.deeper(indent, inSequence);
    let first = fresh;
    const keys = [...map.keys()];
    if (keys.length > 1) sortKeys(keys, this.v3);
    for (const key of keys) {
      this.startLine(own, first);
      first = false;
      if (!key.includes("\n") && (key.length < 43 || Buffer.byteLength(key) <= 128)) {
        const text = keyText(
          this.viaJson && loneSurrogate.test(key) ? key.replace(loneSurrogates, "\ufffd") : key,
          this.v3,
        );
        this.add(`${text}:`);
        this.node(map.get(key), own, true, false, false);
      } else {
        this.add("?");
        this.scalar(key, own);
        this.startLine(own, false);
        this.add(":");
        this.node(map.get(key), own, true, true, false);
      }
    }
  }

  private number(value: number): string {
    if (!Number.isFinite(value)) {
      if (this.viaJson) throw new NotEncodableError(`${value} has no JSON form`);
      return Number.isNaN(value) ? ".nan" : value > 0 ? ".inf" : "-.inf";
    }
    if (this.viaJson && Number.isInteger(value) && value < 2 ** 64 && value >= -(2 ** 63)) {
      return String(value);
    }
    return formatShortestG(value);
  }

  private scalar(given: string, indent: number): void {
    const text = this.viaJson && loneSurrogate.test(given) ? given.replace(loneSurrogates, "\ufffd") : given;
    const kind = scalarKind(text, this.v3);
    if (kind === "literal") {
      this.literal("|", text, indent);
      return;
    }
    if (kind === "binary") {
      const encoded = base64Lines(text);
      if (encoded.includes("\n")) this.literal("!!binary |", encoded, indent);
      else this.put(`!!binary ${encoded}`);
      return;
    }
    this.put("");
    const column = this.line.length;
    const width = this.v3 ? Number.POSITIVE_INFINITY : WIDTH;
    const whole = kind === "plain" ? text : kind === "single" ? `'${text.replaceAll("'", "''")}'` : doubleQuoted(text);
    this.add(column + whole.length <= width ? whole : fold(text, kind, whole, [...this.line].length, indent));
  }

  private literal(head: string, text: string, indent: number): void {
    const pad = " ".repeat(indent < 0 ? 2 : this.v3 ? 2 * ((indent + 2) >> 1) : indent + 2);
    const hint = /^[ \n\r\u0085\u2028\u2029]/.test(text) ? "2" : "";
    const chomp = !/[\n\r\u0085\u2028\u2029]$/.test(text)
      ? "-"
      : /(?:^|[\n\r\u0085\u2028\u2029])[\n\r\u0085\u2028\u2029]$/.test(text)
        ? "+"
        : "";
    this.put(`${head}${hint}${chomp}\n`);
    let start = 0;
    while (start < text.length) {
      let end = text.indexOf("\n", start);
      if (end < 0) end = text.length;
      if (end > start) this.add(pad + text.slice(start, end));
      if (end < text.length) this.add("\n");
      start = end + 1;
    }
  }
}

/** Columns after which a blank becomes a line break (v2 alone). */
const WIDTH = 80;

/** Breaks a text at blanks beyond the width; `whole` is its quoted form. */
function fold(text: string, kind: Kind, whole: string, column: number, indent: number): string {
  const pad = " ".repeat(indent < 0 ? 2 : indent + 2);
  const chars = [...(kind === "plain" ? text : whole.slice(1, -1))];
  let out = kind === "plain" ? "" : whole[0]!;
  let at = column + out.length;
  let afterSpace = false;
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]!;
    if (char !== " ") {
      out += char;
      at++;
      afterSpace = false;
      continue;
    }
    const inside = kind === "plain" || (i > 0 && i < chars.length - 1);
    const nextIsSpace = chars[i + 1] === " ";
    if (!afterSpace && at > WIDTH && inside && (kind === "double" || !nextIsSpace)) {
      out += `\n${pad}${kind === "double" && nextIsSpace ? "\\" : ""}`;
      at = pad.length;
    } else {
      out += " ";
      at++;
    }
    afterSpace = true;
  }
  return kind === "plain" ? out : out + whole[0]!;
}

type Kind = "plain" | "single" | "double" | "literal" | "binary";

// What nearly every text of a manifest is: a word that starts with a letter and has nothing special in it.
const simple = /^[A-Za-z][A-Za-z0-9_./-]*$/;
const kinds = new Map<string, Kind>();

function scalarKind(text: string, v3: boolean): Kind {
  if (text.length > 64) return classify(text, v3);
  const key = v3 ? `3${text}` : text;
  const known = kinds.get(key);
  if (known !== undefined) return known;
  const kind = classify(text, v3);
  if (kinds.size > 4096) kinds.clear();
  kinds.set(key, kind);
  return kind;
}

function classify(text: string, v3: boolean): Kind {
  if (text === "") return "double";
  const typed = resolvesToOther(text);
  if (!typed && simple.test(text)) return "plain";
  // Bytes that are no UTF-8 stand as lone surrogates in our texts.
  if (/[\ud800-\udfff]/.test(text) && loneSurrogate.test(text)) return "binary";
  const { plain, single, block } = analyse(text, v3);
  if (text.includes("\n")) return block ? "literal" : "double";
  if (typed) return "double";
  return plain ? "plain" : single ? "single" : "double";
}

const loneSurrogates = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;
const base60 = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
const timestamp =
  /^\d{4}-(\d{1,2})-(\d{1,2})(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d{1,})?(?:Z|[-+](?:[01]\d|2[0-4]):[0-5]\d)|\x20(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,]\d+)?)?$/;

/** True for a text that unquoted would be read as a number, a boolean, null, a time or a base 60 number. */
function resolvesToOther(text: string): boolean {
  if (text !== "<<" && isNotString(text)) return true;
  const first = text.charCodeAt(0);
  if ((first < 0x30 || first > 0x39) && first !== 0x2b && first !== 0x2d) return false;
  if (base60.test(text)) return true;
  const match = timestamp.exec(text);
  if (!match) return false;
  const [month, day] = [Number(match[1]), Number(match[2])];
  const [hour, minute, second] = [match[3] ?? match[6], match[4] ?? match[7], match[5] ?? match[8]].map((part) =>
    Number(part ?? 0),
  );
  const days = new Date(Date.UTC(Number(text.slice(0, 4)), month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= days && hour! < 24 && minute! < 60 && second! < 60;
}

function printable(code: number): boolean {
  if (code === 0x0a) return true;
  if (code < 0x20) return false;
  if (code <= 0x7e) return true;
  if (code < 0xa0) return false;
  if (code >= 0xd800 && code <= 0xdfff) return false;
  return code !== 0xfeff && code !== 0xfffe && code !== 0xffff;
}

const isBreak = (code: number) => code === 0x0a || code === 0x0d || code === 0x85 || code === 0x2028 || code === 0x2029;
const isBlankOrEnd = (code: number) => Number.isNaN(code) || code === 0x20 || code === 0x09;

function analyse(text: string, v3: boolean): { plain: boolean; single: boolean; block: boolean } {
  let indicators = text.startsWith("---") || text.startsWith("...");
  let breaks = false;
  let special = false;
  let tabs = false;
  let edge = false;
  let trailingSpace = false;
  let breakSpace = false;
  let spaceBreak = false;
  let previousSpace = false;
  let previousBreak = false;
  let afterBlank = true;
  const last = text.length - 1;
  for (let i = 0; i <= last; i++) {
    const code = text.charCodeAt(i);
    if (i === 0) {
      if ("#,[]{}&*!|>'\"%@`".includes(text[0]!)) indicators = true;
      else if ("?:-".includes(text[0]!) && isBlankOrEnd(text.charCodeAt(1))) indicators = true;
    } else if (code === 0x3a) {
      if (isBlankOrEnd(text.charCodeAt(i + 1))) indicators = true;
    } else if (code === 0x23 && afterBlank) indicators = true;
    if (v3 && code === 0x09) tabs = true;
    else if (!printable(code)) special = true;
    if (code === 0x20) {
      if (i === 0 || i === last) edge = true;
      if (i === last) trailingSpace = true;
      if (previousBreak) breakSpace = true;
      previousSpace = true;
      previousBreak = false;
    } else if (isBreak(code)) {
      breaks = true;
      if (i === 0 || i === last) edge = true;
      if (previousSpace) spaceBreak = true;
      previousSpace = false;
      previousBreak = true;
    } else {
      previousSpace = false;
      previousBreak = false;
    }
    afterBlank = code === 0x20 || code === 0x09 || isBreak(code);
  }
  return {
    plain: !indicators && !edge && !breakSpace && !spaceBreak && !special && !tabs && !breaks,
    single: !breakSpace && !spaceBreak && !special && !tabs,
    block: !trailingSpace && !spaceBreak && !special,
  };
}

function keyText(key: string, v3: boolean): string {
  const kind = scalarKind(key, v3);
  if (kind === "plain") return key;
  if (kind === "single") return `'${key.replaceAll("'", "''")}'`;
  if (kind === "binary") return `!!binary ${base64Lines(key)}`;
  return doubleQuoted(key);
}

const escapes: Readonly<Record<number, string>> = {
  0: "\\0",
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  27: "\\e",
  34: '\\"',
  92: "\\\\",
  133: "\\N",
  160: "\\_",
  8232: "\\L",
  8233: "\\P",
};

function doubleQuoted(text: string): string {
  let out = '"';
  // The original looks for a byte order mark at the start of the text, whatever character it writes.
  const marked = text.startsWith("\ufeff");
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (!marked && printable(code) && code < 0x10000 && code !== 34 && code !== 92 && !isBreak(code)) out += char;
    else if (escapes[code] !== undefined) out += escapes[code];
    else if (code <= 0xff) out += `\\x${code.toString(16).toUpperCase().padStart(2, "0")}`;
    else if (code <= 0xffff) out += `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
    else out += `\\U${code.toString(16).toUpperCase().padStart(8, "0")}`;
  }
  return `${out}"`;
}

function base64Lines(text: string): string {
  // Lone surrogates U+DC80 to U+DCFF stand for single bytes.
  const parts: Buffer[] = [];
  for (const char of text) {
    const code = char.codePointAt(0)!;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.from([code - 0xdc00]) : Buffer.from(char));
  }
  const encoded = Buffer.concat(parts).toString("base64");
  if (encoded.length < 70) return encoded;
  return encoded.replace(/.{1,70}/g, "$&\n");
}

const letter = /\p{L}/u;
const digit = /\p{Nd}/u;
const isLetter = (char: string) => (char < "\x80" ? /[A-Za-z]/.test(char) : letter.test(char));
const isDigit = (char: string) => (char < "\x80" ? char >= "0" && char <= "9" : digit.test(char));
const lowerWord = /^[A-Za-z]+$/;

function sortKeys(keys: string[], v3: boolean): void {
  // Words of letters alone sort as any text does.
  if (keys.every((key) => lowerWord.test(key))) keys.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  else keys.sort((a, b) => compareKeys(a, b, v3));
}

/** The order of keys in Go's YAML libraries: runs of digits compare as numbers, letters come after other signs. */
function compareKeys(left: string, right: string, v3: boolean): number {
  if (left === right) return 0;
  const a = [...left];
  const b = [...right];
  let digits = false;
  for (let i = 0; i < a.length && i < b.length; i++) {
    const ca = a[i]!;
    const cb = b[i]!;
    if (ca === cb) {
      digits = isDigit(ca);
      continue;
    }
    const la = isLetter(ca);
    const lb = isLetter(cb);
    if (la && lb) return ca.codePointAt(0)! - cb.codePointAt(0)!;
    if (la || lb) return (v3 && digits ? la : lb) ? -1 : 1;
    let na = 0n;
    let nb = 0n;
    if (ca === "0" || cb === "0") {
      for (let j = i - 1; j >= 0 && isDigit(a[j]!); j--) {
        if (a[j] !== "0") {
          na = 1n;
          nb = 1n;
          break;
        }
      }
    }
    let ai = i;
    let bi = i;
    for (; ai < a.length && isDigit(a[ai]!); ai++)
      na = BigInt.asIntN(64, na * 10n + BigInt(a[ai]!.codePointAt(0)! - 48));
    for (; bi < b.length && isDigit(b[bi]!); bi++)
      nb = BigInt.asIntN(64, nb * 10n + BigInt(b[bi]!.codePointAt(0)! - 48));
    if (na !== nb) return na < nb ? -1 : 1;
    if (ai !== bi) return ai - bi;
    return ca.codePointAt(0)! - cb.codePointAt(0)!;
  }
  return a.length - b.length;
}

/** Go's `strconv.FormatFloat(value, 'g', -1, 64)`: the shortest digits; an exponent below 1e-4 and from 1e+06 on. */
export function formatShortestG(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return String(value);
  const [mantissa = "", exponent = "0"] = value.toExponential().split("e");
  return goExponent(mantissa, Number(exponent));
}

function goExponent(mantissa: string, exponent: number): string {
  const size = Math.abs(exponent);
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${size < 10 ? "0" : ""}${size}`;
}
