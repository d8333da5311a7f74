import { isPrint } from "./go-string.js";
import { quote } from "./strconv.js";

export type TokenType =
  | "error"
  | "bool"
  | "char"
  | "charConstant"
  | "complex"
  | "assign"
  | "declare"
  | "EOF"
  | "field"
  | "identifier"
  | "leftDelim"
  | "leftParen"
  | "number"
  | "pipe"
  | "rawString"
  | "rightDelim"
  | "rightParen"
  | "space"
  | "string"
  | "text"
  | "variable"
  | "dot"
  | "nil"
  | "block"
  | "break"
  | "continue"
  | "define"
  | "else"
  | "end"
  | "if"
  | "range"
  | "template"
  | "with";

export interface Token {
  readonly type: TokenType;
  readonly pos: number;
  readonly text: string;
  readonly line: number;
}

const keywords: ReadonlyMap<string, TokenType> = new Map(
  (["block", "break", "continue", "define", "else", "end", "if", "range", "nil", "template", "with"] as const).map(
    (word) => [word, word],
  ),
);

/** A token as error messages show it. */
export function showToken({ type, text }: Token): string {
  if (type === "EOF") return "EOF";
  if (type === "error") return text;
  if (keywords.has(type) || type === "dot") return `<${text}>`;
  const chars = [...text];
  return chars.length > 10 ? `${quote(chars.slice(0, 10).join(""))}...` : quote(text);
}

const alphaNumeric = /[\p{L}\p{Nd}_]/u;
const isAlphaNumeric = (char: string): boolean =>
  char !== "" && (char < "\x80" ? /[A-Za-z0-9_]/.test(char) : alphaNumeric.test(char));
const isBlank = (char: string | undefined): boolean => char === " " || char === "\t" || char === "\r" || char === "\n";

const unicodeName = (char: string): string => {
  const code = char === "" ? -1 : char.codePointAt(0)!;
  // At the end of the input Go prints the rune -1.
  if (code < 0) return "U+FFFFFFFFFFFFFFFF";
  const name = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return isPrint(char) ? `${name} '${char}'` : name;
};

/** Splits a template into tokens as Go's text/template does, on demand. */
export class Lexer {
  private pos = 0;
  private line = 1;
  private inside = false;
  private parens = 0;
  private stopped: Token | undefined;

  constructor(
    private readonly input: string,
    private readonly left = "{{",
    private readonly right = "}}",
  ) {}

  next(): Token {
    if (this.stopped) return { ...this.stopped, type: "EOF", text: "EOF" };
    return this.inside ? this.insideAction() : this.text();
  }

  private token(type: TokenType, start: number, line: number): Token {
    return { type, pos: start, text: this.input.slice(start, this.pos), line };
  }

  private fail(message: string, start: number, line = this.line): Token {
    const token: Token = { type: "error", pos: start, text: message, line };
    this.stopped = token;
    return token;
  }

  private countLines(from: number, to: number): number {
    let count = 0;
    for (let at = this.input.indexOf("\n", from); at >= 0 && at < to; at = this.input.indexOf("\n", at + 1)) count++;
    return count;
  }

  private text(): Token {
    for (;;) {
      const { input } = this;
      const start = this.pos;
      const found = input.indexOf(this.left, start);
      if (found < 0) {
        if (start === input.length) return { type: "EOF", pos: start, text: "EOF", line: this.line };
        const line = this.line;
        this.line += this.countLines(start, input.length);
        this.pos = input.length;
        return this.token("text", start, line);
      }
      const afterDelim = found + this.left.length;
      const trims = input[afterDelim] === "-" && isBlank(input[afterDelim + 1]);
      if (found > start) {
        let end = found;
        if (trims) while (end > start && isBlank(input[end - 1])) end--;
        const line = this.line;
        this.line += this.countLines(start, found);
        this.pos = found;
        if (end > start) return { type: "text", pos: start, text: input.slice(start, end), line };
      }
      const marker = trims ? 2 : 0;
      if (input.startsWith("/*", afterDelim + marker)) {
        const problem = this.comment(afterDelim + marker);
        if (problem) return problem;
        continue;
      }
      this.pos = afterDelim;
      const token = this.token("leftDelim", found, this.line);
      this.inside = true;
      this.parens = 0;
      this.line += this.countLines(afterDelim, afterDelim + marker);
      this.pos = afterDelim + marker;
      return token;
    }
  }

  private comment(start: number): Token | undefined {
    const { input } = this;
    const close = input.indexOf("*/", start + 2);
    if (close < 0) return this.fail("unclosed comment", start);
    let end = close + 2;
    const trims = isBlank(input[end]) && input[end + 1] === "-" && input.startsWith(this.right, end + 2);
    if (!trims && !input.startsWith(this.right, end)) {
      return this.fail("comment ends before closing delimiter", start);
    }
    end += (trims ? 2 : 0) + this.right.length;
    if (trims) while (isBlank(input[end])) end++;
    this.line += this.countLines(start, end);
    this.pos = end;
    return undefined;
  }

  private atRight(at: number): "plain" | "trim" | undefined {
    const { input } = this;
    if (isBlank(input[at]) && input[at + 1] === "-" && input.startsWith(this.right, at + 2)) return "trim";
    return input.startsWith(this.right, at) ? "plain" : undefined;
  }

  private rightDelim(kind: "plain" | "trim"): Token {
    const { input } = this;
    if (kind === "trim") {
      this.line += this.countLines(this.pos, this.pos + 2);
      this.pos += 2;
    }
    const start = this.pos;
    this.pos += this.right.length;
    const token = this.token("rightDelim", start, this.line);
    if (kind === "trim") {
      const from = this.pos;
      while (isBlank(input[this.pos])) this.pos++;
      this.line += this.countLines(from, this.pos);
    }
    this.inside = false;
    return token;
  }

  private insideAction(): Token {
    const { input } = this;
    const start = this.pos;
    const line = this.line;
    const right = this.atRight(start);
    if (right) return this.parens === 0 ? this.rightDelim(right) : this.fail("unclosed left paren", start);
    if (start >= input.length) return this.fail("unclosed action", start);
    const char = String.fromCodePoint(input.codePointAt(start)!);
    this.pos += char.length;
    if (isBlank(char)) return this.space(start, line);
    switch (char) {
      case "=":
        return this.token("assign", start, line);
      case ":":
        if (input[this.pos] !== "=") return this.fail("expected :=", start);
        this.pos++;
        return this.token("declare", start, line);
      case "|":
        return this.token("pipe", start, line);
      case '"':
        return this.quoted(start, line, '"', "string", "unterminated quoted string");
      case "`":
        return this.raw(start, line);
      case "$":
        if (this.atTerminator()) return this.token("variable", start, line);
        return this.name("variable", start, line);
      case "'":
        return this.quoted(start, line, "'", "charConstant", "unterminated character constant");
      case "(":
        this.parens++;
        return this.token("leftParen", start, line);
      case ")":
        this.parens--;
        if (this.parens < 0) return this.fail("unexpected right paren", start);
        return this.token("rightParen", start, line);
    }
    if (char === ".") {
      const next = input[this.pos];
      if (next !== undefined && (next < "0" || next > "9")) {
        return this.atTerminator() ? this.token("dot", start, line) : this.name("field", start, line);
      }
    }
    if (char === "." || char === "+" || char === "-" || (char >= "0" && char <= "9")) {
      this.pos = start;
      return this.number(start, line);
    }
    if (isAlphaNumeric(char)) return this.identifier(start, line);
    if (char < "\x80" && isPrint(char)) return this.token("char", start, line);
    return this.fail(`unrecognized character in action: ${unicodeName(char)}`, start);
  }

  private space(start: number, line: number): Token {
    const { input } = this;
    while (isBlank(input[this.pos])) this.pos++;
    if (this.atRight(this.pos - 1) === "trim") {
      this.pos--;
      if (this.pos === start) return this.rightDelim("trim");
    }
    this.line += this.countLines(start, this.pos);
    return this.token("space", start, line);
  }

  private quoted(start: number, line: number, mark: string, type: TokenType, problem: string): Token {
    const { input } = this;
    for (;;) {
      const char = input[this.pos++];
      if (char === mark) return this.token(type, start, line);
      if (char === undefined || char === "\n") return this.fail(problem, start, line);
      if (char === "\\") {
        const next = input[this.pos++];
        if (next === undefined || next === "\n") return this.fail(problem, start, line);
      }
    }
  }

  private raw(start: number, line: number): Token {
    const close = this.input.indexOf("`", this.pos);
    if (close < 0) return this.fail("unterminated raw quoted string", start, line);
    this.pos = close + 1;
    this.line += this.countLines(start, this.pos);
    return this.token("rawString", start, line);
  }

  private atTerminator(): boolean {
    const char = this.input[this.pos];
    if (char === undefined || isBlank(char) || ".,|:)(".includes(char)) return true;
    return this.input.startsWith(this.right, this.pos);
  }

  private peekChar(): string {
    const code = this.input.codePointAt(this.pos);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  private takeAlphaNumeric(): void {
    for (let char = this.peekChar(); isAlphaNumeric(char); char = this.peekChar()) this.pos += char.length;
  }

  private name(type: TokenType, start: number, line: number): Token {
    this.takeAlphaNumeric();
    if (!this.atTerminator()) return this.fail(`bad character ${unicodeName(this.peekChar())}`, start);
    return this.token(type, start, line);
  }

  private identifier(start: number, line: number): Token {
    this.takeAlphaNumeric();
    if (!this.atTerminator()) return this.fail(`bad character ${unicodeName(this.peekChar())}`, start);
    const word = this.input.slice(start, this.pos);
    const keyword = keywords.get(word);
    if (keyword) return this.token(keyword, start, line);
    return this.token(word === "true" || word === "false" ? "bool" : "identifier", start, line);
  }

  private number(start: number, line: number): Token {
    if (!this.scanNumber()) return this.fail(`bad number syntax: ${quote(this.input.slice(start, this.pos))}`, start);
    const sign = this.input[this.pos];
    if (sign === "+" || sign === "-") {
      if (!this.scanNumber() || this.input[this.pos - 1] !== "i") {
        return this.fail(`bad number syntax: ${quote(this.input.slice(start, this.pos))}`, start);
      }
      return this.token("complex", start, line);
    }
    return this.token("number", start, line);
  }

  private accept(chars: string): boolean {
    const char = this.input[this.pos];
    if (char === undefined || !chars.includes(char)) return false;
    this.pos++;
    return true;
  }

  private acceptRun(chars: string): void {
    while (this.accept(chars));
  }

  private scanNumber(): boolean {
    this.accept("+-");
    let digits = "0123456789_";
    if (this.accept("0")) {
      if (this.accept("xX")) digits = "0123456789abcdefABCDEF_";
      else if (this.accept("oO")) digits = "01234567_";
      else if (this.accept("bB")) digits = "01_";
    }
    this.acceptRun(digits);
    if (this.accept(".")) this.acceptRun(digits);
    const exponent = digits.length === 11 ? "eE" : digits.length === 23 ? "pP" : "";
    if (exponent !== "" && this.accept(exponent)) {
      this.accept("+-");
      this.acceptRun("0123456789_");
    }
    this.accept("i");
    const next = this.peekChar();
    if (!isAlphaNumeric(next)) return true;
    this.pos += next.length;
    return false;
  }
}
