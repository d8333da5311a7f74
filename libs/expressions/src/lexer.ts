import { limits } from "@tiphys/limits";
import { ExpressionError } from "./errors.js";

export interface Token {
  readonly kind: "number" | "string" | "name" | "op" | "end";
  /** The text of a name or operator, the value of a string. */
  readonly text: string;
  readonly value?: number;
  readonly at: number;
}

const OPERATORS = ["...", "**", "..", "==", "!=", "<=", ">=", "=~", "!~", "&&", "||", "??", "?.", "<<", ">>"];
const MOST_TOKENS = 4_000;
const SINGLE = "+-*/%^<>!?:,.()[]{}|#;=&~";

/** Splits expr-lang or govaluate source into tokens; both share literals and most operators. */
export function tokenize(source: string): Token[] {
  if (source.length > limits.expressionBytes) {
    throw new ExpressionError(`longer than ${limits.expressionBytes} characters`, source, 0);
  }
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const char = source[at] as string;
    if (/\s/.test(char)) at++;
    else if (source.startsWith("//", at)) at = endOf(source, "\n", at + 2);
    else if (source.startsWith("/*", at)) at = endOf(source, "*/", at + 2);
    else if (/[0-9]/.test(char) || (char === "." && /[0-9]/.test(source[at + 1] ?? "")))
      at = number(source, at, tokens);
    else if (char === '"' || char === "'" || char === "`") at = string(source, at, tokens);
    else if (/[\p{L}_$]/u.test(char)) {
      const text = /^[\p{L}\p{N}_$]+/u.exec(source.slice(at))?.[0] ?? char;
      tokens.push({ kind: "name", text, at });
      at += text.length;
    } else {
      const operator = OPERATORS.find((op) => source.startsWith(op, at)) ?? (SINGLE.includes(char) ? char : undefined);
      if (!operator) throw new ExpressionError(`unrecognized character "${char}"`, source, at);
      tokens.push({ kind: "op", text: operator, at });
      at += operator.length;
    }
  }
  // Every operator may be one more level of what is evaluated.
  if (tokens.length > MOST_TOKENS) throw new ExpressionError(`longer than ${MOST_TOKENS} words and signs`, source, 0);
  tokens.push({ kind: "end", text: "end of expression", at: source.length });
  return tokens;
}

function endOf(source: string, mark: string, from: number): number {
  const found = source.indexOf(mark, from);
  return found < 0 ? source.length : found + mark.length;
}

function number(source: string, at: number, tokens: Token[]): number {
  const rest = source.slice(at);
  const match =
    /^0[xX][0-9a-fA-F_]+|^0[bB][01_]+|^0[oO][0-7_]+/.exec(rest) ??
    // A range such as 1..3 must not be read as the number 1. followed by .3
    /^(?:[0-9][0-9_]*)?(?:\.(?!\.)[0-9_]*)?(?:[eE][+-]?[0-9]+)?/.exec(rest);
  const text = match?.[0] ?? "";
  const value = Number(text.replaceAll("_", ""));
  if (Number.isNaN(value)) throw new ExpressionError(`bad number "${text}"`, source, at);
  tokens.push({ kind: "number", text, value, at });
  return at + text.length;
}

const ESCAPES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    n: "\n",
    r: "\r",
    t: "\t",
    b: "\b",
    f: "\f",
    v: "\v",
    a: "\x07",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "`": "`",
  }),
);

function string(source: string, start: number, tokens: Token[]): number {
  const quote = source[start];
  let text = "";
  for (let at = start + 1; at < source.length; at++) {
    const char = source[at] as string;
    if (char === quote) {
      tokens.push({ kind: "string", text, at: start });
      return at + 1;
    }
    if (char !== "\\" || quote === "`") {
      text += char;
      continue;
    }
    const next = source[++at] ?? "";
    const wide = /^(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})/.exec(source.slice(at, at + 9))?.[0];
    if (wide) {
      text += String.fromCodePoint(Number.parseInt(wide.slice(1), 16));
      at += wide.length - 1;
    } else if (ESCAPES.has(next)) text += ESCAPES.get(next);
    else throw new ExpressionError(`invalid escape "\\${next}"`, source, at);
  }
  throw new ExpressionError("literal not terminated", source, start);
}
