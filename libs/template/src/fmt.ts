import { fromBytes, runes, toBytes } from "./go-string.js";
import { formatFloat, quote, quoteRune } from "./strconv.js";
import { GoFunc, GoInt, GoMap, GoSlice, GoStruct, type GoValue, kindOf, sortedKeys, typeOf } from "./values.js";

/** Widest field that a verb may ask for, as in Go. */
const TOO_LARGE = 1e6;

/** A value with Go methods that print it: durations, times, versions. */
const textOf = (value: GoValue): string | undefined => {
  if (value instanceof GoInt) return value.text();
  if (value instanceof GoStruct) return value.options.text?.();
  return undefined;
};

/** Go's fmt.Sprintf. */
export function sprintf(format: string, args: readonly GoValue[]): string {
  return new Printer().printf(format, args);
}

/** Go's fmt.Sprint: blanks between operands when neither is a string. */
export function sprint(args: readonly GoValue[]): string {
  if (args.length === 1) return formatValue(args[0]);
  const printer = new Printer();
  let afterString = false;
  args.forEach((arg, index) => {
    const isString = typeof arg === "string";
    if (index > 0 && !isString && !afterString) printer.out += " ";
    printer.arg(arg, "v");
    afterString = isString;
  });
  return printer.out;
}

/** Go's fmt.Sprintln. */
export function sprintln(args: readonly GoValue[]): string {
  return `${args.map(formatValue).join(" ")}\n`;
}

/** The text of one value as %v has it. */
export function formatValue(value: GoValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "number") return formatFloat(value, "g", -1);
  if (value instanceof GoInt) return value.text() ?? value.v.toString();
  const printer = new Printer();
  printer.arg(value, "v");
  return printer.out;
}

class Printer {
  out = "";
  private sharp = false;
  private zero = false;
  private plus = false;
  private minus = false;
  private space = false;
  private sharpV = false;
  private plusV = false;
  private width: number | undefined;
  private precision: number | undefined;
  private erroring = false;
  private reordered = false;
  private good = true;

  private clear(): void {
    this.sharp = this.zero = this.plus = this.minus = this.space = this.sharpV = this.plusV = false;
    this.width = this.precision = undefined;
  }

  printf(format: string, args: readonly GoValue[]): string {
    const end = format.length;
    let next = 0;
    let afterIndex = false;
    for (let i = 0; i < end; ) {
      this.good = true;
      const percent = format.indexOf("%", i);
      if (percent < 0) {
        this.out += format.slice(i);
        break;
      }
      this.out += format.slice(i, percent);
      i = percent + 1;
      this.clear();
      flags: for (; i < end; i++) {
        switch (format[i]) {
          case "#":
            this.sharp = true;
            break;
          case "0":
            this.zero = true;
            break;
          case "+":
            this.plus = true;
            break;
          case "-":
            this.minus = true;
            break;
          case " ":
            this.space = true;
            break;
          default:
            break flags;
        }
      }
      [next, i, afterIndex] = this.argNumber(next, format, i, args.length);
      if (format[i] === "*") {
        i++;
        this.width = intArgument(args[next]);
        next++;
        if (this.width === undefined) this.out += "%!(BADWIDTH)";
        else if (this.width < 0) {
          this.width = -this.width;
          this.minus = true;
          this.zero = false;
        }
        afterIndex = false;
      } else {
        [this.width, i] = parseNumber(format, i);
        if (afterIndex && this.width !== undefined) this.good = false;
      }
      if (i + 1 <= end && format[i] === ".") {
        i++;
        if (afterIndex) this.good = false;
        [next, i, afterIndex] = this.argNumber(next, format, i, args.length);
        if (format[i] === "*") {
          i++;
          this.precision = intArgument(args[next]);
          next++;
          if (this.precision !== undefined && this.precision < 0) this.precision = undefined;
          if (this.precision === undefined) this.out += "%!(BADPREC)";
          afterIndex = false;
        } else {
          [this.precision, i] = parseNumber(format, i);
          this.precision ??= 0;
        }
      }
      if (!afterIndex) [next, i, afterIndex] = this.argNumber(next, format, i, args.length);
      if (i >= end) {
        this.out += "%!(NOVERB)";
        break;
      }
      const verb = String.fromCodePoint(format.codePointAt(i)!);
      i += verb.length;
      if (verb === "%") this.out += "%";
      else if (!this.good) this.out += `%!${verb}(BADINDEX)`;
      else if (next >= args.length) this.out += `%!${verb}(MISSING)`;
      else {
        if (verb === "v") {
          this.sharpV = this.sharp;
          this.plusV = this.plus;
          this.sharp = this.plus = false;
        }
        this.arg(args[next], verb);
        next++;
      }
    }
    if (!this.reordered && next < args.length) {
      this.clear();
      this.out += "%!(EXTRA ";
      args.slice(next).forEach((arg, index) => {
        if (index > 0) this.out += ", ";
        if (arg === null || arg === undefined) this.out += "<nil>";
        else {
          this.out += `${typeOf(arg)}=`;
          this.arg(arg, "v");
        }
      });
      this.out += ")";
    }
    return this.out;
  }

  private argNumber(next: number, format: string, i: number, count: number): [number, number, boolean] {
    if (format[i] !== "[") return [next, i, false];
    this.reordered = true;
    const close = format.indexOf("]", i + 1);
    if (close < 0) {
      this.good = false;
      return [next, i + 1, false];
    }
    const digits = format.slice(i + 1, close);
    const index = /^[0-9]{1,7}$/.test(digits) ? Number(digits) - 1 : -1;
    if (/^[0-9]{1,7}$/.test(digits)) {
      if (index >= 0 && index < count) return [index, close + 1, true];
      this.good = false;
      return [next, close + 1, true];
    }
    this.good = false;
    return [next, close + 1, false];
  }

  arg(value: GoValue, verb: string): void {
    if (value === null || value === undefined) {
      if (verb === "T" || verb === "v") this.pad("<nil>");
      else this.badVerb(verb, value);
      return;
    }
    if (verb === "T") {
      this.string(typeOf(value), "s");
      return;
    }
    if (verb === "p") {
      this.pointer(value, verb);
      return;
    }
    this.value(value, verb, 0);
  }

  private badVerb(verb: string, value: GoValue): void {
    this.erroring = true;
    this.out += `%!${verb}(`;
    if (value === null || value === undefined) this.out += "<nil>";
    else {
      this.out += `${typeOf(value)}=`;
      this.value(value, "v", 0);
    }
    this.out += ")";
    this.erroring = false;
  }

  private value(value: GoValue, verb: string, depth: number): void {
    if (typeof value === "string") {
      this.string(value, verb, value);
      return;
    }
    if (typeof value === "number") {
      this.float(value, verb);
      return;
    }
    if (typeof value === "boolean") {
      if (verb === "t" || verb === "v") this.pad(value ? "true" : "false");
      else this.badVerb(verb, value);
      return;
    }
    if (value === null || value === undefined) {
      this.out += this.sharpV ? "interface {}(nil)" : "<nil>";
      return;
    }
    if (!this.erroring) {
      if (verb === "w") {
        this.badVerb(verb, value);
        return;
      }
      if (!this.sharpV && "vsxXq".includes(verb)) {
        const text = textOf(value);
        if (text !== undefined) {
          this.string(text, verb, value);
          return;
        }
      }
    }
    if (value instanceof GoInt) {
      this.integer(value, verb);
      return;
    }
    if (value instanceof Map) {
      this.map(value, verb, depth);
      return;
    }
    if (value instanceof Uint8Array) {
      this.bytes(value, verb, depth);
      return;
    }
    if (Array.isArray(value)) {
      this.list(value, verb, depth);
      return;
    }
    if (value instanceof GoStruct) {
      this.struct(value, verb, depth);
      return;
    }
    if (value instanceof GoFunc) {
      this.pointer(value, verb);
      return;
    }
    this.out += `?${typeOf(value)}?`;
  }

  private pointer(value: GoValue, verb: string): void {
    const kind = kindOf(value);
    if (!["map", "slice", "ptr", "func"].includes(kind)) {
      this.badVerb(verb, value);
      return;
    }
    // Addresses differ from run to run in Go too.
    const text = this.sharp ? "c000000000" : "0xc000000000";
    if (verb === "v" || verb === "p") this.pad(this.sharpV ? `(${typeOf(value)})(${text})` : text);
    else if ("bodxX".includes(verb)) this.integer(new GoInt(0xc000000000n, "uint64"), verb);
    else this.badVerb(verb, value);
  }

  private map(map: Map<string, GoValue>, verb: string, depth: number): void {
    const sharp = this.sharpV;
    this.out += sharp ? `${typeOf(map)}{` : "map[";
    let first = true;
    for (const key of sortedKeys(map)) {
      if (!first) this.out += sharp ? ", " : " ";
      first = false;
      this.value(key, verb, depth + 1);
      this.out += ":";
      this.element(map.get(key), verb, depth, map instanceof GoMap ? map.elem : "interface {}");
    }
    this.out += sharp ? "}" : "]";
  }

  private element(value: GoValue, verb: string, depth: number, type: string): void {
    if ((value === null || value === undefined) && this.sharpV && type !== "interface {}") this.out += `${type}(nil)`;
    else this.value(value, verb, depth + 1);
  }

  private list(list: readonly GoValue[], verb: string, depth: number): void {
    const sharp = this.sharpV;
    if (sharp) {
      this.out += typeOf(list);
      if (list instanceof GoSlice && list.nil) {
        this.out += "(nil)";
        return;
      }
    }
    this.out += sharp ? "{" : "[";
    list.forEach((item, index) => {
      if (index > 0) this.out += sharp ? ", " : " ";
      this.value(item, verb, depth + 1);
    });
    this.out += sharp ? "}" : "]";
  }

  private struct(value: GoStruct, verb: string, depth: number): void {
    if (value.options.pointer) {
      if (depth > 0) {
        this.pointer(value, verb);
        return;
      }
      this.out += "&";
    }
    const sharp = this.sharpV;
    if (sharp) this.out += value.typeName;
    this.out += "{";
    let first = true;
    for (const [name, field] of value.fields) {
      if (!first) this.out += sharp ? ", " : " ";
      first = false;
      if (sharp || this.plusV) this.out += `${name}:`;
      this.value(field, verb, depth + 1);
    }
    this.out += "}";
  }

  private bytes(value: Uint8Array, verb: string, depth: number): void {
    if (verb === "s") {
      this.pad(this.truncate(fromBytes(value)));
      return;
    }
    if (verb === "x" || verb === "X") {
      this.hex(value, verb);
      return;
    }
    if (verb === "q") {
      this.quoted(fromBytes(value));
      return;
    }
    const items = [...value].map((byte) => new GoInt(BigInt(byte), "uint8"));
    if (verb !== "v" && verb !== "d") {
      this.list(items, verb, depth);
      return;
    }
    if (this.sharpV) {
      this.out += `${depth === 0 ? "[]byte" : "[]uint8"}{${items.map((item) => `0x${item.v.toString(16)}`).join(", ")}}`;
      return;
    }
    this.out += "[";
    items.forEach((item, index) => {
      if (index > 0) this.out += " ";
      this.integer(item, "d");
    });
    this.out += "]";
  }

  private string(text: string, verb: string, owner: GoValue = text): void {
    switch (verb) {
      case "v":
        if (this.sharpV) this.quoted(text);
        else this.pad(this.truncate(text));
        return;
      case "s":
        this.pad(this.truncate(text));
        return;
      case "x":
      case "X":
        this.hex(toBytes(text), verb);
        return;
      case "q":
        this.quoted(text);
        return;
      default:
        this.badVerb(verb, owner);
    }
  }

  private truncate(text: string): string {
    if (this.precision === undefined) return text;
    return text.length <= this.precision ? text : [...text].slice(0, this.precision).join("");
  }

  private quoted(whole: string): void {
    const text = this.truncate(whole);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a raw string cannot hold
    if (this.sharp && !/[`\x00-\x08\x0a-\x1f\x7f\ufeff\udc80-\udcff]/.test(text)) {
      this.pad(`\`${text}\``);
      return;
    }
    this.pad(quote(text, this.plus));
  }

  private hex(bytes: Uint8Array, verb: string): void {
    const length = this.precision !== undefined && this.precision < bytes.length ? this.precision : bytes.length;
    if (length === 0) {
      this.out += this.padding(this.width ?? 0);
      return;
    }
    const prefix = this.sharp ? (verb === "X" ? "0X" : "0x") : "";
    let text = "";
    for (let i = 0; i < length; i++) {
      if (i === 0) text += prefix;
      else if (this.space) text += ` ${prefix}`;
      text += bytes[i]!.toString(16).padStart(2, "0");
    }
    if (verb === "X") text = text.toUpperCase();
    const fill = this.padding((this.width ?? 0) - text.length);
    this.out += this.minus ? text + fill : fill + text;
  }

  private padding(count: number): string {
    if (count <= 0) return "";
    return (this.zero && !this.minus ? "0" : " ").repeat(count);
  }

  private pad(text: string): void {
    if (!this.width) {
      this.out += text;
      return;
    }
    const fill = this.padding(this.width - runes(text).length);
    this.out += this.minus ? text + fill : fill + text;
  }

  private padBlank(text: string): void {
    const zero = this.zero;
    this.zero = false;
    this.pad(text);
    this.zero = zero;
  }

  private float(value: number, verb: string): void {
    switch (verb) {
      case "v":
        this.formatFloat(value, "g", -1);
        return;
      case "b":
      case "g":
      case "G":
      case "x":
      case "X":
        this.formatFloat(value, verb, -1);
        return;
      case "f":
      case "e":
      case "E":
        this.formatFloat(value, verb, 6);
        return;
      case "F":
        this.formatFloat(value, "f", 6);
        return;
      default:
        this.badVerb(verb, value);
    }
  }

  private formatFloat(value: number, verb: string, standard: number): void {
    const precision = this.precision ?? standard;
    let text = formatFloat(value, verb, precision);
    if (text[0] !== "-" && text[0] !== "+") text = `+${text}`;
    if (this.space && text[0] === "+" && !this.plus) text = ` ${text.slice(1)}`;
    if (text[1] === "I" || text[1] === "N") {
      if (text[1] === "N" && !this.space && !this.plus) text = text.slice(1);
      else if (text[0] === "+" && !this.plus) text = text.slice(1);
      this.padBlank(text);
      return;
    }
    if (this.sharp && verb !== "b") text = sharpFloat(text, verb, precision);
    if (this.plus || text[0] !== "+") {
      if (this.zero && !this.minus && this.width !== undefined && this.width > text.length) {
        this.out += text[0] + "0".repeat(this.width - text.length) + text.slice(1);
        return;
      }
      this.pad(text);
      return;
    }
    this.pad(text.slice(1));
  }

  private integer(value: GoInt, verb: string): void {
    switch (verb) {
      case "v":
        if (this.sharpV && !value.signed) {
          this.out += `0x${value.v.toString(16)}`;
          return;
        }
        this.formatInteger(value.v, 10, verb);
        return;
      case "d":
        this.formatInteger(value.v, 10, verb);
        return;
      case "b":
        this.formatInteger(value.v, 2, verb);
        return;
      case "o":
      case "O":
        this.formatInteger(value.v, 8, verb);
        return;
      case "x":
      case "X":
        this.formatInteger(value.v, 16, verb);
        return;
      case "c":
        this.pad(runeOf(value.v));
        return;
      case "q":
        this.pad(quoteRune(runeOf(value.v), this.plus));
        return;
      case "U":
        this.unicode(value.v);
        return;
      default:
        this.badVerb(verb, value);
    }
  }

  private formatInteger(value: bigint, base: number, verb: string): void {
    const negative = value < 0n;
    let digits = (negative ? -value : value).toString(base);
    if (verb === "X") digits = digits.toUpperCase();
    let precision = 0;
    if (this.precision !== undefined) {
      precision = this.precision;
      if (precision === 0 && value === 0n) {
        this.out += " ".repeat(this.width ?? 0);
        return;
      }
    } else if (this.zero && !this.minus && this.width !== undefined) {
      precision = this.width - (negative || this.plus || this.space ? 1 : 0);
    }
    digits = digits.padStart(precision, "0");
    if (this.sharp) {
      if (base === 2) digits = `0b${digits}`;
      else if (base === 8) digits = digits[0] === "0" ? digits : `0${digits}`;
      else if (base === 16) digits = (verb === "X" ? "0X" : "0x") + digits;
    }
    if (verb === "O") digits = `0o${digits}`;
    this.padBlank(`${negative ? "-" : this.plus ? "+" : this.space ? " " : ""}${digits}`);
  }

  private unicode(value: bigint): void {
    const code = BigInt.asUintN(64, value);
    let text = `U+${code
      .toString(16)
      .toUpperCase()
      .padStart(Math.max(this.precision ?? 4, 4), "0")}`;
    if (this.sharp && code <= 0x10ffffn) {
      const shown = quoteRune(runeOf(value));
      if (!shown.startsWith("'\\") || code === 0x5cn || code === 0x27n) text += ` '${runeOf(value)}'`;
    }
    this.padBlank(text);
  }
}

function runeOf(value: bigint): string {
  const code = BigInt.asIntN(32, value);
  if (BigInt.asUintN(64, value) > 0x10ffffn || code < 0n || (code >= 0xd800n && code < 0xe000n)) return "\ufffd";
  return String.fromCodePoint(Number(code));
}

/** The `#` flag of floats: keeps trailing zeros and the point. */
function sharpFloat(text: string, verb: string, precision: number): string {
  let digits = "gGxXv".includes(verb) && verb !== "X" ? (precision === -1 ? 6 : precision) : 0;
  const split = verb === "x" || verb === "X" ? text.search(/[pP]/) : text.search(/[eEpP]/);
  const tail = split < 0 ? "" : text.slice(split);
  let head = split < 0 ? text : text.slice(0, split);
  let seen = false;
  for (const char of head.slice(1)) {
    if (char === ".") continue;
    if (char !== "0") seen = true;
    if (seen) digits--;
  }
  if (!head.includes(".")) {
    if (head.length === 2 && head[1] === "0") digits--;
    head += ".";
  }
  return head + "0".repeat(Math.max(0, digits)) + tail;
}

function parseNumber(format: string, at: number): [number | undefined, number] {
  let end = at;
  while (end < format.length && format[end]! >= "0" && format[end]! <= "9") end++;
  if (end === at) return [undefined, at];
  const value = Number(format.slice(at, end));
  // A width beyond the limit swallows the rest of the format, as in Go.
  return value > TOO_LARGE * 10 ? [undefined, format.length] : [value, end];
}

function intArgument(value: GoValue): number | undefined {
  if (!(value instanceof GoInt)) return undefined;
  const number = Number(value.v);
  return Math.abs(number) > TOO_LARGE ? undefined : number;
}
