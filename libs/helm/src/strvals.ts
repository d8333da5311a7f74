import { messageOf } from "@tiphys/errors";
import { GoInt, type GoValue, isSpace, parseInt64, quote, unmarshalJson } from "@tiphys/template";
import type { Values } from "./chart.js";

/** Largest index of a list and deepest nesting of names, as in Helm. */
const MAX_INDEX = 65_536;
const MAX_NESTING = 30;
/** Elements that the lists of one argument may get by their indexes, together. */
const MAX_ELEMENTS = 1_000_000;

/** How values of `key=value` are read. */
export type SetKind = "value" | "string" | "file" | "json" | "literal";

/**
 * Adds the values of `a.b[0]=c,d={e,f}` to `into`, as Helm's `--set`, `--set-string`, `--set-file`, `--set-json` and
 * `--set-literal` read it. `readFile` gives the content of a file for `file`. Throws an Error with Helm's text.
 */
export function parseSet(text: string, into: Values, kind: SetKind, readFile?: (path: string) => string): void {
  const parser = new Parser([...text], kind, readFile);
  try {
    while (parser.key(into, 0) === "more");
  } catch (error) {
    if (error === END) return;
    throw error;
  }
}

/** The end of the text where nothing more is needed; every text ends so, which makes an Error too dear. */
const END = Symbol("EOF");

const end = (): never => {
  throw END;
};

class Parser {
  private at = 0;
  private elements = 0;

  constructor(
    private readonly chars: readonly string[],
    private readonly kind: SetKind,
    private readonly readFile: ((path: string) => string) | undefined,
  ) {}

  /** Reads up to one of `stop`; `\` takes the next character as it is, except in literals. */
  private until(stop: string): { readonly text: string; readonly last: string | undefined } {
    let text = "";
    while (this.at < this.chars.length) {
      const char = this.chars[this.at++]!;
      if (stop.includes(char)) return { text, last: char };
      if (char === "\\" && this.kind !== "literal") {
        if (this.at >= this.chars.length) return { text, last: undefined };
        text += this.chars[this.at++];
      } else text += char;
    }
    return { text, last: undefined };
  }

  key(data: Values, depth: number): "more" {
    const { text: key, last } = this.until(this.kind === "literal" ? "=[." : "=[,.");
    switch (last) {
      case undefined:
        if (key === "") return end();
        throw new Error(`key ${quote(key)} has no value`);
      case "[": {
        const index = this.index();
        const old = data.has(key) ? data.get(key) : [];
        if (!Array.isArray(old))
          throw new Error(`unable to parse key: interface conversion: interface {} is not []interface {}`);
        let list: GoValue[] = old;
        try {
          list = this.listItem(old, index, depth);
        } finally {
          set(data, key, list);
        }
        return "more";
      }
      case "=":
        this.value(data, key);
        return "more";
      case ",":
        set(data, key, "");
        throw new Error(`key ${quote(key)} has no value (cannot end with ,)`);
      default: {
        if (depth + 1 > MAX_NESTING) {
          throw new Error(`value name nested level is greater than maximum supported nested level of ${MAX_NESTING}`);
        }
        const inner = data.has(key) ? data.get(key) : new Map<string, GoValue>();
        if (!(inner instanceof Map)) {
          throw new Error("unable to parse key: interface conversion: interface {} is not map[string]interface {}");
        }
        try {
          this.key(inner, depth + 1);
          if (inner.size === 0) throw new Error(`key map ${quote(key)} has no value`);
        } finally {
          if (inner.size > 0) set(data, key, inner);
        }
        return "more";
      }
    }
  }

  private value(data: Values, key: string): void {
    if (this.kind === "json") {
      set(data, key, this.jsonValue());
      return;
    }
    if (this.kind === "literal") {
      set(data, key, this.until("").text);
      return;
    }
    if (this.at >= this.chars.length) {
      set(data, key, "");
      end();
    }
    const list = this.list();
    set(data, key, list ?? this.typed(this.until(",").text));
  }

  private typed(text: string): GoValue {
    if (this.kind === "file") {
      if (!this.readFile) throw new Error("files cannot be read here");
      return this.readFile(text);
    }
    if (this.kind === "string") return text;
    const lower = text.toLowerCase();
    if (lower === "true") return true;
    if (lower === "false") return false;
    if (lower === "null") return null;
    if (text === "0") return new GoInt(0n, "int64");
    if (text !== "" && text[0] !== "0") {
      const value = parseInt64(text);
      if (value !== undefined) return new GoInt(value, "int64");
    }
    return text;
  }

  /** `{a,b}`; undefined where no list starts. */
  private list(): GoValue[] | undefined {
    if (this.chars[this.at] !== "{") return undefined;
    this.at++;
    const list: GoValue[] = [];
    for (;;) {
      const { text, last } = this.until(",}");
      if (last === undefined) throw new Error("list must terminate with '}'");
      list.push(this.typed(text));
      if (last === "}") {
        if (this.chars[this.at] === ",") this.at++;
        return list;
      }
    }
  }

  /** Blanks up to a comma or the end are an empty value. */
  private empty(): boolean {
    while (this.at < this.chars.length) {
      const char = this.chars[this.at]!;
      if (char === ",") {
        this.at++;
        return true;
      }
      if (!isSpace(char)) return false;
      this.at++;
    }
    return true;
  }

  private jsonValue(): GoValue {
    if (this.empty()) return null;
    const rest = this.chars.slice(this.at).join("");
    const length = jsonLength(rest);
    const value = unmarshalJson(rest.slice(0, length));
    this.at += [...rest.slice(0, length)].length;
    this.empty();
    return value;
  }

  private index(): number {
    const { text, last } = this.until("]");
    if (last === undefined) throw new Error("error parsing index: EOF");
    if (!/^[+-]?[0-9]+$/.test(text))
      throw new Error(`error parsing index: strconv.Atoi: parsing ${quote(text)}: invalid syntax`);
    return Number(text);
  }

  private listItem(list: GoValue[], index: number, depth: number): GoValue[] {
    if (index < 0) throw new Error(`negative ${index} index not allowed`);
    const { text, last } = this.until("[.=");
    if (text !== "") throw new Error(`unexpected data at end of array index: ${quote(text)}`);
    switch (last) {
      case "=": {
        if (this.kind === "json") return this.setAt(list, index, this.jsonValue());
        if (this.kind === "literal") return this.setAt(list, index, this.until("").text);
        if (this.at >= this.chars.length) return this.setAt(list, index, "");
        return this.setAt(list, index, this.list() ?? this.typed(this.until(",").text));
      }
      case "[": {
        const next = this.index();
        const old = list[index] ?? [];
        if (!Array.isArray(old))
          throw new Error("unable to parse key: interface conversion: interface {} is not []interface {}");
        return this.setAt(list, index, this.listItem(old, next, depth));
      }
      case ".": {
        let inner = list[index];
        if (!(inner instanceof Map)) {
          inner = new Map();
          if (index < list.length) list[index] = inner;
        }
        this.key(inner as Values, depth);
        return this.setAt(list, index, inner);
      }
      default:
        return end();
    }
  }

  private setAt(list: GoValue[], index: number, value: GoValue): GoValue[] {
    if (index > MAX_INDEX) throw new Error(`index of ${index} is greater than maximum supported index of ${MAX_INDEX}`);
    this.elements += Math.max(0, index + 1 - list.length);
    if (this.elements > MAX_ELEMENTS) throw new Error(`lists of more than ${MAX_ELEMENTS} elements`);
    while (list.length < index) list.push(null);
    list[index] = value;
    return list;
  }
}

function set(data: Values, key: string, value: GoValue): void {
  if (key !== "") data.set(key, value);
}

/** Characters of the JSON value at the start of a text. */
function jsonLength(text: string): number {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (inString) {
      if (char === "\\") i++;
      else if (char === '"') {
        inString = false;
        if (depth === 0) return i + 1;
      }
    } else if (char === '"') inString = true;
    else if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      depth--;
      if (depth <= 0) return i + 1;
    } else if (depth === 0 && (char === "," || (i > 0 && isSpace(char)))) return i;
  }
  return text.length;
}

/** Where values come from, in the order in which Helm applies them. */
export interface ValueSources {
  /** Texts of `-f`, the later over the earlier; `name` is for errors. */
  readonly files?: readonly { readonly name: string; readonly text: string }[];
  readonly json?: readonly string[];
  readonly set?: readonly string[];
  readonly setString?: readonly string[];
  readonly setFile?: readonly string[];
  readonly setLiteral?: readonly string[];
  /** Content of a file that `setFile` names. */
  readonly readFile?: (path: string) => string;
}

/** Puts the values of all sources together. Throws an Error with Helm's text. */
export function mergeSources(
  sources: ValueSources,
  read: (text: string) => Values,
  merge: (under: Values, over: Values) => Values,
): Values {
  let base: Values = new Map();
  for (const { name, text } of sources.files ?? []) {
    try {
      base = merge(base, read(text));
    } catch (error) {
      throw new Error(`failed to parse ${name}: ${messageOf(error)}`);
    }
  }
  for (const text of sources.json ?? []) {
    const trimmed = text.trim();
    try {
      if (trimmed.startsWith("{")) base = merge(base, unmarshalJson(trimmed, "map") as Values);
      else parseSet(text, base, "json");
    } catch {
      throw new Error(`failed parsing --set-json data ${trimmed.startsWith("{") ? "JSON: " : ""}${text}`);
    }
  }
  const apply = (option: string, texts: readonly string[] | undefined, kind: SetKind) => {
    for (const text of texts ?? []) {
      try {
        parseSet(text, base, kind, sources.readFile);
      } catch (error) {
        throw new Error(`failed parsing --${option} data: ${messageOf(error)}`);
      }
    }
  };
  apply("set", sources.set, "value");
  apply("set-string", sources.setString, "string");
  apply("set-file", sources.setFile, "file");
  apply("set-literal", sources.setLiteral, "literal");
  return base;
}
