import type { Literal } from "./ast.js";
import type { Problem } from "./errors.js";

export interface Token {
  readonly kind: "ident" | "quoted" | "literal" | "sign" | "end";
  readonly text: string;
  readonly at: number;
  readonly value?: Literal;
}

/** Reading stopped here. */
export class SyntaxProblem extends Error {
  constructor(
    readonly offset: number,
    message: string,
  ) {
    super(message);
  }
}

const signs = [
  "&&", "||", "==", "!=", "<=", ">=", "?.", "[?", "{?",
  "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "+", "-", "*", "/", "%", "!", "<", ">",
]; // biome-ignore format: a table
const words = new Set(["true", "false", "null", "in"]);

/** Words that no identifier may be. */
export const reserved = new Set(
  "as break const continue else for function if import let loop package namespace return var void while".split(" "),
);

/** Splits a source into tokens; offsets are in code points. What is no token is left out, and told. */
export function tokenize(source: string): { tokens: Token[]; problems: Problem[] } {
  const chars = [...source];
  const tokens: Token[] = [];
  const problems: Problem[] = [];
  let at = 0;
  const rest = (size: number) => chars.slice(at, at + size).join("");
  while (at < chars.length) {
    const sign = chars[at]!;
    if (/\s/.test(sign)) {
      at++;
      continue;
    }
    if (sign === "/" && chars[at + 1] === "/") {
      while (at < chars.length && chars[at] !== "\n") at++;
      continue;
    }
    const from = at;
    const prefix = /^(?:[rR]?[bB]?|[bB][rR])(?=["'])/.exec(rest(3))?.[0];
    if (prefix !== undefined) {
      at += prefix.length;
      const isBytes = /[bB]/.test(prefix);
      const { value, end } = readText(chars, at, /[rR]/.test(prefix), isBytes);
      at = end;
      if (value === undefined) {
        problems.push(unrecognized(chars.slice(from, end).join(""), from));
        continue;
      }
      tokens.push({ kind: "literal", text: chars.slice(from, at).join(""), at: from, value });
      continue;
    }
    if (/[0-9]/.test(sign) || (sign === "." && /[0-9]/.test(chars[at + 1] ?? ""))) {
      const text =
        /^(0x[0-9a-fA-F]+u?|(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?)|\d+[uU]?)/i.exec(
          rest(512),
        )![0];
      at += text.length;
      tokens.push({ kind: "literal", text, at: from, value: readNumber(text, from) });
      continue;
    }
    if (/[A-Za-z_]/.test(sign)) {
      while (at < chars.length && /[A-Za-z0-9_]/.test(chars[at]!)) at++;
      const text = chars.slice(from, at).join("");
      if (text === "true" || text === "false") tokens.push({ kind: "literal", text, at: from, value: text === "true" });
      else if (text === "null") tokens.push({ kind: "literal", text, at: from, value: null });
      else tokens.push({ kind: words.has(text) ? "sign" : "ident", text, at: from });
      continue;
    }
    if (sign === "`") {
      const end = chars.indexOf("`", at + 1);
      const name = end < 0 ? "" : chars.slice(at + 1, end).join("");
      if (!/^[A-Za-z0-9_.\-/ ]+$/.test(name))
        throw new SyntaxProblem(at, "Syntax error: token recognition error at: '`'");
      at = end + 1;
      tokens.push({ kind: "quoted", text: name, at: from });
      continue;
    }
    const two = rest(2);
    const found = signs.find((one) => (one.length === 2 ? one === two : one === sign));
    if (found === undefined) {
      const text = sign === "=" || sign === "&" || sign === "|" ? `${sign}${chars[at + 1] ?? "<EOF>"}` : sign;
      problems.push(unrecognized(text, at));
      at += text.length === 1 ? 1 : 2;
      continue;
    }
    at += found.length;
    tokens.push({ kind: "sign", text: found, at: from });
  }
  tokens.push({ kind: "end", text: "<EOF>", at: chars.length });
  return { tokens, problems };
}

const unrecognized = (text: string, offset: number): Problem => ({
  offset,
  message: `Syntax error: token recognition error at: '${text}'`,
});

function readNumber(text: string, at: number): Literal {
  if (/^0x/i.test(text) || /^\d+u?$/i.test(text)) {
    const unsigned = /u$/i.test(text);
    const value = BigInt(unsigned ? text.slice(0, -1) : text);
    if (unsigned) {
      if (value > 0xffffffffffffffffn) throw new SyntaxProblem(at, "invalid uint literal");
      return { uint: value };
    }
    // One more than the largest is let through: it may stand behind a minus.
    if (value > 0x8000000000000000n) throw new SyntaxProblem(at, "invalid int literal");
    return value;
  }
  return Number(text);
}

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "`": "`",
  "?": "?",
};

function readText(
  chars: readonly string[],
  from: number,
  raw: boolean,
  isBytes: boolean,
): { value?: string | Uint8Array; end: number } {
  const quote = chars[from]!;
  const triple = chars[from + 1] === quote && chars[from + 2] === quote;
  const closing = triple ? 3 : 1;
  let at = from + closing;
  const out: number[] = [];
  let text = "";
  const push = (sign: string) => {
    if (isBytes) out.push(...Buffer.from(sign, "utf8"));
    else text += sign;
  };
  for (;;) {
    const sign = chars[at];
    if (sign === undefined || (!triple && (sign === "\n" || sign === "\r"))) {
      return { end: at };
    }
    if (sign === quote && (!triple || (chars[at + 1] === quote && chars[at + 2] === quote))) {
      return { value: isBytes ? Uint8Array.from(out) : text, end: at + closing };
    }
    if (sign !== "\\" || raw) {
      push(sign);
      at++;
      continue;
    }
    const next = chars[at + 1] ?? "";
    if (escapes[next] !== undefined) {
      push(escapes[next]!);
      at += 2;
      continue;
    }
    const size = next === "x" || next === "X" ? 2 : next === "u" ? 4 : next === "U" ? 8 : 0;
    const digits = size > 0 ? chars.slice(at + 2, at + 2 + size).join("") : chars.slice(at + 1, at + 4).join("");
    const code = Number.parseInt(digits, size > 0 ? 16 : 8);
    const ok = size > 0 ? new RegExp(`^[0-9a-fA-F]{${size}}$`).test(digits) : /^[0-3][0-7]{2}$/.test(digits);
    if (!ok || code > 0x10ffff || (isBytes && (next === "u" || next === "U"))) {
      return { end: at + 2 };
    }
    if (isBytes) out.push(code);
    else text += String.fromCodePoint(code);
    at += size > 0 ? 2 + size : 4;
  }
}
