import { FunctionError } from "./errors.js";
import { fromPlain, GoInt, GoMap, GoSlice, GoStruct, type GoValue, sortedKeys, typeOf } from "./values.js";

export interface MarshalOptions {
  /** Escapes `<`, `>` and `&`, as json.Marshal does. Default true. */
  readonly escapeHtml?: boolean;
  /** Indentation of each level; none gives one line. */
  readonly indent?: string;
}

const DEPTH = 250;

/** Go's json.Marshal: keys sorted, `<>&` escaped. Throws a {@link FunctionError} for what has no JSON form. */
export function marshalJson(value: GoValue, { escapeHtml = true, indent = "" }: MarshalOptions = {}): string {
  const write = (node: GoValue, line: string, depth: number): string => {
    if (typeof node === "string") return jsonString(node, escapeHtml);
    if (node === null || node === undefined) return "null";
    if (typeof node === "boolean") return node ? "true" : "false";
    if (typeof node === "number") return jsonNumber(node);
    if (node instanceof GoInt) return node.v.toString();
    if (depth > DEPTH)
      throw new FunctionError("json: unsupported value: encountered a cycle via map[string]interface {}");
    if (node instanceof Uint8Array) return `"${Buffer.from(node).toString("base64")}"`;
    const next = indent === "" ? "" : line + indent;
    const open = indent === "" ? "" : `\n${next}`;
    const separator = indent === "" ? "," : `,\n${next}`;
    const close = indent === "" ? "" : `\n${line}`;
    if (Array.isArray(node)) {
      if (node.length === 0) return node instanceof GoSlice && node.nil ? "null" : "[]";
      return `[${open}${node.map((item) => write(item, next, depth + 1)).join(separator)}${close}]`;
    }
    if (node instanceof Map) {
      if (node.size === 0) return "{}";
      const members = sortedKeys(node).map(
        (key) => `${jsonString(key, escapeHtml)}:${indent === "" ? "" : " "}${write(node.get(key), next, depth + 1)}`,
      );
      return `{${open}${members.join(separator)}${close}}`;
    }
    if (node instanceof GoStruct) {
      if (node.options.json) return write(node.options.json(), line, depth + 1);
      if (node.fields.size === 0) return "{}";
      const members = [...node.fields].map(
        ([key, member]) =>
          `${jsonString(key, escapeHtml)}:${indent === "" ? "" : " "}${write(member, next, depth + 1)}`,
      );
      return `{${open}${members.join(separator)}${close}}`;
    }
    throw new FunctionError(`json: unsupported type: ${typeOf(node)}`);
  };
  return write(value, "", 0);
}

function jsonNumber(value: number): string {
  if (!Number.isFinite(value)) {
    throw new FunctionError(`json: unsupported value: ${Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"}`);
  }
  return Object.is(value, -0) ? "-0" : String(value);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: characters that JSON escapes
const special = /["\\\x00-\x1f\x7f<>&\u2028\u2029\ud800-\udfff]/;

function jsonString(text: string, escapeHtml: boolean): string {
  if (!special.test(text)) return `"${text}"`;
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (char === '"' || char === "\\") out += `\\${char}`;
    else if (code < 0x20) {
      const at = "\b\f\n\r\t".indexOf(char);
      out += at >= 0 ? `\\${"bfnrt"[at]}` : `\\u${code.toString(16).padStart(4, "0")}`;
    } else if (escapeHtml && (char === "<" || char === ">" || char === "&")) out += `\\u00${code.toString(16)}`;
    else if (code === 0x2028 || code === 0x2029) out += `\\u${code.toString(16)}`;
    else if (code >= 0xd800 && code <= 0xdfff) out += "\\ufffd";
    else out += char;
  }
  return `${out}"`;
}

/** Go's json.Unmarshal into interface{}; `want` refuses what does not fit a map or list, with Go's text. */
export function unmarshalJson(text: string, want: "any" | "map" | "list" = "any"): GoValue {
  let plain: unknown;
  try {
    plain = JSON.parse(text);
  } catch {
    throw new FunctionError(jsonProblem(text));
  }
  const number = tooLarge(plain);
  if (number !== undefined)
    throw new FunctionError(`json: cannot unmarshal number ${number} into Go value of type float64`);
  return checkWanted(wellFormed(fromPlain(plain)), want);
}

/** The error of Go's reader when a value is not a map or a list. Null fits both. */
export function checkWanted(value: GoValue, want: "any" | "map" | "list"): GoValue {
  if (want === "any" || value === null) return value;
  if (want === "map" ? value instanceof Map : Array.isArray(value)) return value;
  const kind =
    typeof value === "number"
      ? "number"
      : typeof value === "boolean"
        ? "bool"
        : Array.isArray(value)
          ? "array"
          : value instanceof Map
            ? "object"
            : "string";
  const type = want === "map" ? "map[string]interface {}" : "[]interface {}";
  throw new FunctionError(`json: cannot unmarshal ${kind} into Go value of type ${type}`);
}

const tooLarge = (value: unknown): string | undefined => {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : "1e999";
  if (typeof value !== "object" || value === null) return undefined;
  for (const member of Object.values(value)) {
    const found = tooLarge(member);
    if (found !== undefined) return found;
  }
  return undefined;
};

const lone = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
function wellFormed(value: GoValue): GoValue {
  if (typeof value === "string") return /[\ud800-\udfff]/.test(value) ? value.replace(lone, "\ufffd") : value;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = wellFormed(value[i]);
  } else if (value instanceof Map && !(value instanceof GoMap)) {
    for (const [key, member] of value) value.set(key, wellFormed(member));
  }
  return value;
}

const quoteChar = (char: string): string =>
  char === "'" ? `'\\''` : char === '"' ? `'"'` : `'${JSON.stringify(char).slice(1, -1)}'`;

/** What Go's reader says about a text that is no JSON. */
function jsonProblem(text: string): string {
  let at = 0;
  const end = "unexpected end of JSON input";
  const skip = () => {
    while (at < text.length && " \t\r\n".includes(text[at]!)) at++;
  };
  const invalid = (context: string): string =>
    at >= text.length
      ? // Inside a literal, an escape or a number the end is read as a blank.
        context.startsWith("in ") || context.includes("decimal point")
        ? `invalid character ' ' ${context}`
        : end
      : `invalid character ${quoteChar(String.fromCodePoint(text.codePointAt(at)!))} ${context}`;
  const literal = (word: string): string | undefined => {
    for (let i = 1; i < word.length; i++) {
      at++;
      if (text[at] !== word[i]) return invalid(`in literal ${word} (expecting '${word[i]}')`);
    }
    at++;
    return undefined;
  };
  const string = (): string | undefined => {
    at++;
    for (;;) {
      const char = text[at];
      if (char === undefined) return end;
      if (char === '"') {
        at++;
        return undefined;
      }
      if (char < " ") return invalid("in string literal");
      if (char === "\\") {
        at++;
        if (text[at] === "u") {
          for (let i = 0; i < 4; i++) {
            at++;
            if (!/[0-9a-fA-F]/.test(text[at] ?? "")) return invalid("in \\u hexadecimal character escape");
          }
        } else if (!'bfnrt\\/"'.includes(text[at] ?? "?")) return invalid("in string escape code");
      }
      at++;
    }
  };
  const digits = () => {
    while (/[0-9]/.test(text[at] ?? "")) at++;
  };
  const number = (): string | undefined => {
    if (text[at] === "-") {
      at++;
      if (!/[0-9]/.test(text[at] ?? "")) return invalid("in numeric literal");
    }
    if (text[at] === "0") at++;
    else digits();
    if (text[at] === ".") {
      at++;
      if (!/[0-9]/.test(text[at] ?? "")) return invalid("after decimal point in numeric literal");
      digits();
    }
    if (/[eE]/.test(text[at] ?? "")) {
      at++;
      if (/[+-]/.test(text[at] ?? "")) at++;
      if (!/[0-9]/.test(text[at] ?? "")) return invalid("in exponent of numeric literal");
      digits();
    }
    return undefined;
  };
  const value = (): string | undefined => {
    skip();
    const char = text[at];
    if (char === undefined) return end;
    if (char === "{") {
      at++;
      skip();
      if (text[at] === "}") {
        at++;
        return undefined;
      }
      for (;;) {
        skip();
        if (text[at] !== '"') return invalid("looking for beginning of object key string");
        const problem = string();
        if (problem) return problem;
        skip();
        if (text[at] !== ":") return invalid("after object key");
        at++;
        const inner = value();
        if (inner) return inner;
        skip();
        if (text[at] === "}") {
          at++;
          return undefined;
        }
        if (text[at] !== ",") return invalid("after object key:value pair");
        at++;
      }
    }
    if (char === "[") {
      at++;
      skip();
      if (text[at] === "]") {
        at++;
        return undefined;
      }
      for (;;) {
        const inner = value();
        if (inner) return inner;
        skip();
        if (text[at] === "]") {
          at++;
          return undefined;
        }
        if (text[at] !== ",") return invalid("after array element");
        at++;
      }
    }
    if (char === '"') return string();
    if (char === "t") return literal("true");
    if (char === "f") return literal("false");
    if (char === "n") return literal("null");
    if (char === "-" || /[0-9]/.test(char)) return number();
    return invalid("looking for beginning of value");
  };
  try {
    const problem = value();
    if (problem) return problem;
  } catch {
    return "exceeded max depth";
  }
  skip();
  return at < text.length ? invalid("after top-level value") : end;
}
