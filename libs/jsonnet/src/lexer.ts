import { JsonnetSyntaxError, type Place } from "./errors.js";

export type TokenType = "number" | "string" | "identifier" | "keyword" | "symbol" | "operator" | "end";

export interface Token {
  readonly type: TokenType;
  /** The text of a word, symbol or operator; the value of a string. */
  readonly text: string;
  readonly number?: number;
  readonly place: Place;
}

const KEYWORDS: ReadonlySet<string> = new Set([
  "assert",
  "else",
  "error",
  "false",
  "for",
  "function",
  "if",
  "import",
  "importstr",
  "importbin",
  "in",
  "local",
  "null",
  "self",
  "super",
  "tailstrict",
  "then",
  "true",
]);

const OPERATOR_CHARACTERS = "!$:~+-&|^=<>*/%";
/** No operator is longer; a long run of signs is looked at once. */
const LONGEST_OPERATOR = 8;
const NUMBER = /(?:0|[1-9](?:_?\d)*)(?:\.\d(?:_?\d)*)?(?:[eE][+-]?\d(?:_?\d)*)?/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const SPACE = /[ \t\r\n]*/y;
const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;
const BLOCK_HEAD = /\|\|\|(-?)[ \t\r]*\n/y;

/** Splits a program into tokens; the last one is the end. */
export class Lexer {
  private at = 0;
  private line = 1;
  private lineStart = 0;
  private readonly tokens: Token[] = [];

  constructor(
    private readonly file: string,
    private readonly text: string,
  ) {}

  run(): readonly Token[] {
    while (this.skipSpace()) this.next();
    this.push("end", "end of file", this.here());
    return this.tokens;
  }

  private here(): Place {
    return { file: this.file, line: this.line, column: this.at - this.lineStart + 1 };
  }

  private fail(problem: string, place = this.here()): never {
    throw new JsonnetSyntaxError(place, problem);
  }

  private push(type: TokenType, text: string, place: Place, number?: number): void {
    this.tokens.push(number === undefined ? { type, text, place } : { type, text, place, number });
  }

  private match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text) ?? undefined;
  }

  /** Moves on and keeps count of lines. */
  private advance(count: number): void {
    const end = this.at + count;
    for (
      let next = this.text.indexOf("\n", this.at);
      next >= 0 && next < end;
      next = this.text.indexOf("\n", next + 1)
    ) {
      this.line++;
      this.lineStart = next + 1;
    }
    this.at = end;
  }

  /** Skips white space and comments; false at the end of the text. */
  private skipSpace(): boolean {
    for (;;) {
      this.advance(this.match(SPACE)?.[0].length ?? 0);
      if (this.text[this.at] === "#" || this.text.startsWith("//", this.at)) {
        const end = this.text.indexOf("\n", this.at);
        this.advance((end < 0 ? this.text.length : end) - this.at);
      } else if (this.text.startsWith("/*", this.at)) {
        const end = this.text.indexOf("*/", this.at + 2);
        if (end < 0) this.fail("multi-line comment has no terminating */");
        this.advance(end + 2 - this.at);
      } else return this.at < this.text.length;
    }
  }

  private next(): void {
    const place = this.here();
    const first = this.text[this.at] as string;
    const word = this.match(WORD)?.[0];
    if ("{}[](),.;".includes(first)) {
      this.advance(1);
      this.push("symbol", first, place);
    } else if (first >= "0" && first <= "9") this.number(place);
    else if (word) {
      this.advance(word.length);
      this.push(KEYWORDS.has(word) ? "keyword" : "identifier", word, place);
    } else if (first === '"' || first === "'") this.quoted(first, place);
    else if (first === "@") this.verbatim(place);
    else if (this.text.startsWith("|||", this.at)) this.block(place);
    else if (OPERATOR_CHARACTERS.includes(first)) this.operator(place);
    else {
      const shown = JSON.stringify(String.fromCodePoint(this.text.codePointAt(this.at) ?? 0));
      this.fail(`could not lex the character ${shown}`);
    }
  }

  private number(place: Place): void {
    const text = this.match(NUMBER)?.[0] ?? "";
    this.advance(text.length);
    const rest = this.text.slice(this.at, this.at + 2);
    if (/^\d/.test(rest) || /^_/.test(rest)) this.fail(`couldn't lex number: "${rest[0]}" cannot follow ${text}`);
    if (/^\.(?!\w)/.test(rest) || /^\.\d/.test(rest)) this.fail("couldn't lex number, junk after decimal point");
    if (/^[eE]/.test(rest)) this.fail("couldn't lex number, junk after 'E'");
    const number = Number(text.replaceAll("_", ""));
    if (!Number.isFinite(number)) this.fail(`the number ${text} overflows`, place);
    this.push("number", text, place, number);
  }

  private quoted(quote: string, place: Place): void {
    let value = "";
    let at = this.at + 1;
    for (;;) {
      const character = this.text[at];
      if (character === undefined) this.fail("unterminated string", place);
      if (character === quote) break;
      if (character !== "\\") {
        value += character;
        at++;
        continue;
      }
      const letter = this.text[at + 1] ?? "";
      const simple = { '"': '"', "'": "'", "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }[letter];
      if (simple !== undefined) {
        value += simple;
        at += 2;
      } else if (letter === "u") {
        const digits = this.text.slice(at + 2, at + 6);
        if (!/^[0-9A-Fa-f]{4}$/.test(digits)) this.fail("truncated or malformed unicode escape in a string", place);
        value += String.fromCharCode(Number.parseInt(digits, 16));
        at += 6;
      } else this.fail(`unknown escape sequence \\${letter} in a string`, place);
    }
    this.advance(at + 1 - this.at);
    // Half of a surrogate pair has no meaning as text: it becomes U+FFFD, as in the originals.
    this.push("string", value.replace(LONE_SURROGATE, "\ufffd"), place);
  }

  private verbatim(place: Place): void {
    const quote = this.text[this.at + 1];
    if (quote !== '"' && quote !== "'") this.fail("couldn't lex a verbatim string: a quote must follow @", place);
    let value = "";
    let at = this.at + 2;
    for (;;) {
      const end = this.text.indexOf(quote, at);
      if (end < 0) this.fail("unterminated string", place);
      value += this.text.slice(at, end);
      at = end + 1;
      if (this.text[at] !== quote) break;
      value += quote;
      at++;
    }
    this.advance(at - this.at);
    this.push("string", value, place);
  }

  /** A text block: lines between ||| and |||, less the indentation of the first one. */
  private block(place: Place): void {
    const head = this.match(BLOCK_HEAD);
    if (!head) this.fail("text block requires new line after |||", place);
    this.advance(head[0].length);
    let value = "";
    const line = (): string => {
      const end = this.text.indexOf("\n", this.at);
      if (end < 0) this.fail("unexpected end of file in a text block", place);
      return this.text.slice(this.at, end + 1);
    };
    while (/^\r?\n$/.test(line())) {
      value += "\n";
      this.advance(line().length);
    }
    const indent = /^[ \t]*/.exec(line())?.[0] ?? "";
    if (indent === "") this.fail("text block's first line must start with whitespace");
    for (;;) {
      const text = line();
      if (text.startsWith(indent)) value += text.slice(indent.length);
      else if (/^\r?\n$/.test(text)) value += "\n";
      else break;
      this.advance(text.length);
      if (this.at >= this.text.length) this.fail("unexpected end of file in a text block", place);
      if (this.text.indexOf("\n", this.at) < 0) break;
    }
    const end = /^[ \t]*\|\|\|/.exec(this.text.slice(this.at, this.at + 10_000));
    if (!end) this.fail("text block not terminated with |||");
    this.advance(end[0].length);
    this.push("string", head[1] ? value.replace(/\n$/, "") : value, place);
  }

  /** The longest run of operator characters that is one operator of the language's rules. */
  private operator(place: Place): void {
    let end = this.at;
    const most = Math.min(this.text.length, this.at + LONGEST_OPERATOR);
    while (end < most && OPERATOR_CHARACTERS.includes(this.text[end] as string)) {
      if (this.text.startsWith("//", end) || this.text.startsWith("/*", end)) break;
      if (end > this.at && this.text.startsWith("|||", end)) break;
      end++;
    }
    // Only a first character may be one of the unary ones, so that `a==-1` is three tokens.
    while (end > this.at + 1 && "+-~!$".includes(this.text[end - 1] as string)) end--;
    const text = this.text.slice(this.at, end);
    this.advance(text.length);
    this.push(text === "$" ? "symbol" : "operator", text, place);
  }
}
