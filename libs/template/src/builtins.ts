import { FunctionError } from "./errors.js";
import { formatValue, sprint, sprintf, sprintln } from "./fmt.js";
import { byteLength, compareStrings, isPrint, joinBytes, sliceBytes, toBytes } from "./go-string.js";
import type { GoFunction } from "./state.js";
import { GoInt, GoMap, GoSlice, GoStruct, type GoValue, int, isTrue, typeOf, zeroOf } from "./values.js";

type Basic = "bool" | "int" | "uint" | "float" | "string" | undefined;

function basicKind(value: GoValue): Basic {
  if (typeof value === "string") return "string";
  if (typeof value === "number") return "float";
  if (typeof value === "boolean") return "bool";
  if (value instanceof GoInt) return value.signed ? "int" : "uint";
  return undefined;
}

const isInt = (kind: Basic) => kind === "int" || kind === "uint";
const isNil = (value: GoValue) => value === null || value === undefined || (value instanceof GoSlice && value.nil);

function equal(a: GoValue, b: GoValue): boolean {
  const left = basicKind(a);
  const right = basicKind(b);
  if (left !== right) {
    if (isInt(left) && isInt(right)) return (a as GoInt).v === (b as GoInt).v;
    if (a !== null && a !== undefined && b !== null && b !== undefined) {
      throw new FunctionError(`incompatible types for comparison: ${typeOf(a)} and ${typeOf(b)}`);
    }
    return false;
  }
  if (isInt(left)) return (a as GoInt).v === (b as GoInt).v;
  if (left !== undefined) return a === b;
  const nilA = isNil(a);
  const nilB = isNil(b);
  const kind = (value: GoValue) =>
    value instanceof Map
      ? "map"
      : Array.isArray(value) || value instanceof Uint8Array
        ? "slice"
        : value instanceof GoStruct
          ? value.options.pointer
            ? "ptr"
            : "struct"
          : "";
  if (a !== null && a !== undefined && b !== null && b !== undefined && kind(a) !== kind(b)) {
    throw new FunctionError(`non-comparable types ${formatValue(a)}: ${typeOf(a)}, ${typeOf(b)}: ${formatValue(b)}`);
  }
  if (nilA || nilB) return nilA === nilB;
  if (b instanceof Map || Array.isArray(b) || b instanceof Uint8Array) {
    throw new FunctionError(`non-comparable type ${shown(b)}: ${typeOf(b)}`);
  }
  return a === b;
}

/** A reflect.Value with %s: its content. */
const shown = (value: GoValue): string => sprintf("%s", [value]);

function less(a: GoValue, b: GoValue): boolean {
  const left = basicKind(a);
  const right = basicKind(b);
  if (left === undefined || right === undefined) throw new FunctionError("invalid type for comparison");
  if (left !== right && !(isInt(left) && isInt(right))) {
    throw new FunctionError(`incompatible types for comparison: ${typeOf(a)} and ${typeOf(b)}`);
  }
  if (left === "bool") throw new FunctionError("invalid type for comparison");
  if (isInt(left)) return (a as GoInt).v < (b as GoInt).v;
  if (left === "float") return (a as number) < (b as number);
  return compareStrings(a as string, b as string) < 0;
}

const lessOrEqual = (a: GoValue, b: GoValue) => less(a, b) || equal(a, b);

function indexOf(index: GoValue, size: number): number {
  if (index === null || index === undefined) throw new FunctionError("cannot index slice/array with nil");
  if (!(index instanceof GoInt)) throw new FunctionError(`cannot index slice/array with type ${typeOf(index)}`);
  if (index.v < 0n || index.v > BigInt(size)) throw new FunctionError(`index out of range: ${index.v}`);
  return Number(index.v);
}

/** Go's runtime panics on the element after the last one, which index itself lets through. */
const beyond = (at: number, size: number, what: string) => {
  if (at >= size) throw new FunctionError(`reflect: ${what} index out of range`);
};

function index(item: GoValue, ...indexes: GoValue[]): GoValue {
  if (item === null || item === undefined) throw new FunctionError("index of untyped nil");
  let value = item;
  for (const each of indexes) {
    if (value === null || value === undefined) throw new FunctionError("index of nil pointer");
    if (Array.isArray(value)) {
      const at = indexOf(each, value.length);
      beyond(at, value.length, "slice");
      value = value[at] ?? null;
    } else if (value instanceof Uint8Array) {
      const at = indexOf(each, value.length);
      beyond(at, value.length, "slice");
      value = new GoInt(BigInt(value[at]!), "uint8");
    } else if (typeof value === "string") {
      const bytes = toBytes(value);
      const at = indexOf(each, bytes.length);
      beyond(at, bytes.length, "string");
      value = new GoInt(BigInt(bytes[at]!), "uint8");
    } else if (value instanceof Map) {
      if (each === null || each === undefined) throw new FunctionError("value is nil; should be of type string");
      if (typeof each !== "string") throw new FunctionError(`value has type ${typeOf(each)}; should be string`);
      const found = value.get(each);
      value = found === undefined ? (value instanceof GoMap ? zeroOf(value.elem) : null) : found;
    } else throw new FunctionError(`can't index item of type ${typeOf(value)}`);
  }
  return value;
}

function slice(item: GoValue, ...indexes: GoValue[]): GoValue {
  if (item === null || item === undefined) throw new FunctionError("slice of untyped nil");
  if (indexes.length > 3) throw new FunctionError(`too many slice indexes: ${indexes.length}`);
  const isString = typeof item === "string";
  if (isString && indexes.length === 3) throw new FunctionError("cannot 3-index slice a string");
  if (!isString && !Array.isArray(item) && !(item instanceof Uint8Array)) {
    throw new FunctionError(`can't slice item of type ${typeOf(item)}`);
  }
  const size = isString ? byteLength(item) : item.length;
  const [from = 0, to = size, most = size] = indexes.map((each) => indexOf(each, size));
  if (from > to) throw new FunctionError(`invalid slice index: ${from} > ${to}`);
  if (to > most) throw new FunctionError(`invalid slice index: ${to} > ${most}`);
  if (isString) return sliceBytes(item, from, to);
  if (item instanceof GoSlice) return GoSlice.of_(item.elem, item.slice(from, to), false, item.defined);
  return (item as unknown[]).slice(from, to);
}

function length(item: GoValue): GoValue {
  if (item === null || item === undefined) throw new FunctionError("len of nil pointer");
  if (typeof item === "string") return int(byteLength(item));
  if (Array.isArray(item) || item instanceof Uint8Array) return int(item.length);
  if (item instanceof Map) return int(item.size);
  throw new FunctionError(`len of type ${typeOf(item)}`);
}

const argsText = (args: readonly GoValue[]): string =>
  args.length === 1 && typeof args[0] === "string"
    ? args[0]
    : sprint(
        args.map((arg) =>
          arg instanceof GoStruct && arg.options.pointer
            ? new GoStruct(arg.typeName, arg.fields, { ...arg.options, pointer: false })
            : arg,
        ),
      );

const htmlSigns: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is one of the signs
const htmlEscape = (text: string) => text.replace(/[\0"'&<>]/g, (char) => htmlSigns[char]!);

function jsEscape(text: string): string {
  let out = "";
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (char === "\\" || char === "'" || char === '"') out += `\\${char}`;
    else if ("<>&=".includes(char) || code < 0x20) out += `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
    else if (code < 0x80 || isPrint(char)) out += char;
    else out += `\\u${(code >= 0xd800 && code <= 0xdfff ? 0xfffd : code).toString(16).toUpperCase().padStart(4, "0")}`;
  }
  return out;
}

/** Go's url.QueryEscape. */
export function queryEscape(text: string): string {
  let out = "";
  for (const byte of toBytes(text)) {
    const char = String.fromCharCode(byte);
    if (/[A-Za-z0-9\-_.~]/.test(char)) out += char;
    else if (char === " ") out += "+";
    else out += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

const any = ["any"] as const;
const value = ["value"] as const;

/** The functions that every Go template has. `and`, `or` and `call` are compiled by themselves. */
export const builtins: Readonly<Record<string, GoFunction>> = {
  and: { params: value, variadic: true, call: () => null },
  or: { params: value, variadic: true, call: () => null },
  call: { params: value, variadic: true, call: () => null },
  not: { params: value, call: ([item]) => !isTrue(item) },
  len: { params: value, call: ([item]) => length(item) },
  index: { params: ["value", "value"], variadic: true, call: ([item, ...rest]) => index(item, ...rest) },
  slice: { params: ["value", "value"], variadic: true, call: ([item, ...rest]) => slice(item, ...rest) },
  html: { params: any, variadic: true, call: (args) => htmlEscape(argsText(args)) },
  js: { params: any, variadic: true, call: (args) => jsEscape(argsText(args)) },
  urlquery: { params: any, variadic: true, call: (args) => queryEscape(argsText(args)) },
  print: { params: any, variadic: true, call: (args) => sprint(args) },
  println: { params: any, variadic: true, call: (args) => sprintln(args) },
  printf: {
    params: ["string", "any"],
    variadic: true,
    call: ([format, ...args], state) => {
      const text = joinBytes(sprintf(format, args));
      state.checkSize(text.length);
      return text;
    },
  },
  eq: {
    params: ["value", "value"],
    variadic: true,
    call: ([first, ...rest]) => {
      if (rest.length === 0) throw new FunctionError("missing argument for comparison");
      return rest.some((each) => equal(first, each));
    },
  },
  ne: { params: ["value", "value"], call: ([a, b]) => !equal(a, b) },
  lt: { params: ["value", "value"], call: ([a, b]) => less(a, b) },
  le: { params: ["value", "value"], call: ([a, b]) => lessOrEqual(a, b) },
  gt: { params: ["value", "value"], call: ([a, b]) => !lessOrEqual(a, b) },
  ge: { params: ["value", "value"], call: ([a, b]) => !less(a, b) },
};
