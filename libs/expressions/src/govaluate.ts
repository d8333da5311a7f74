import { limits } from "@tiphys/limits";
import { RE2JS } from "re2js";
import type { Env } from "./compile.js";
import { ExpressionError } from "./errors.js";
import { type Token, tokenize } from "./lexer.js";
import { equal, typeName } from "./values.js";

export interface GovaluateOptions {
  /** `when` of Workflows: a bare word is the text itself, not a variable. */
  readonly bareWordsAreStrings?: boolean;
}

export interface GovaluateExpression {
  (env: Env): unknown;
  readonly source: string;
  /** Variables that it reads. */
  readonly names: readonly string[];
}

type Closure = (env: Env) => unknown;

const POWER: ReadonlyMap<string, number> = new Map(
  Object.entries({
    "??": 4,
    "||": 6,
    "&&": 8,
    "==": 10,
    "!=": 10,
    ">": 10,
    "<": 10,
    ">=": 10,
    "<=": 10,
    "=~": 10,
    "!~": 10,
    in: 10,
    "&": 12,
    "|": 12,
    "^": 12,
    "<<": 14,
    ">>": 14,
    "+": 16,
    "-": 16,
    "*": 18,
    "/": 18,
    "%": 18,
    "**": 20,
  }),
);
const PREFIX = 19;

/** Compiles the condition language of `when` and of event filters. Throws {@link ExpressionError} for a fault in the text. */
export function compileGovaluate(source: string, options: GovaluateOptions = {}): GovaluateExpression {
  const parser = new Parser(source, options);
  const run = parser.program();
  return Object.assign((env: Env) => run(env), { source, names: [...parser.names] });
}

/** Compiles and runs a condition. */
export const evaluateGovaluate = (source: string, env: Env, options?: GovaluateOptions): unknown =>
  compileGovaluate(source, options)(env);

class Parser {
  readonly names = new Set<string>();
  private readonly tokens: Token[];
  private position = 0;
  private depth = 0;

  constructor(
    private readonly source: string,
    private readonly options: GovaluateOptions,
  ) {
    this.tokens = tokenize(source);
  }

  program(): Closure {
    const closure = this.ternary();
    if (this.current.kind !== "end") this.fail(`unexpected "${this.current.text}"`);
    return closure;
  }

  private get current(): Token {
    return this.tokens[this.position] as Token;
  }

  private fail(problem: string, at = this.current.at): never {
    throw new ExpressionError(problem, this.source, at);
  }

  private take(text: string): boolean {
    if (this.current.kind !== "op" || this.current.text !== text) return false;
    this.position++;
    return true;
  }

  private expect(text: string): void {
    if (!this.take(text)) this.fail(`expected "${text}", found "${this.current.text}"`);
  }

  private ternary(): Closure {
    if (++this.depth > limits.documentDepth) this.fail(`nested deeper than ${limits.documentDepth}`);
    const { at } = this.current;
    const test = this.binary(0);
    this.depth--;
    if (!this.take("?")) return test;
    const yes = this.ternary();
    const no = this.take(":") ? this.ternary() : () => null;
    return (env) => (this.boolean(test(env), "?", at) ? yes(env) : no(env));
  }

  private binary(power: number): Closure {
    let left = this.unary();
    for (;;) {
      const { kind, text, at } = this.current;
      const own = kind === "op" || text === "in" ? POWER.get(text) : undefined;
      if (own === undefined || own <= power) return left;
      this.position++;
      left = this.apply(text, left, this.binary(text === "**" ? own - 1 : own), at);
    }
  }

  private unary(): Closure {
    const { at, kind, text } = this.current;
    if (kind !== "op" || !["!", "-", "~"].includes(text)) return this.atom();
    this.position++;
    if (++this.depth > limits.documentDepth) this.fail(`nested deeper than ${limits.documentDepth}`);
    const operand = this.binary(PREFIX);
    this.depth--;
    if (text === "!") return (env) => !this.boolean(operand(env), "!", at);
    return (env) => {
      const value = this.number(operand(env), text, at);
      return text === "-" ? -value : ~value;
    };
  }

  private atom(): Closure {
    const token = this.current;
    this.position++;
    if (token.kind === "number") return () => token.value;
    if (token.kind === "string") return () => token.text;
    if (token.kind === "name") return this.word(token);
    if (token.kind === "op" && token.text === "(") return this.parenthesis();
    if (token.kind === "op" && token.text === "[") {
      const end = this.source.indexOf("]", token.at);
      if (end < 0) this.fail('"[" without "]"', token.at);
      while (this.current.at < end && this.current.kind !== "end") this.position++;
      this.expect("]");
      return this.variable(this.source.slice(token.at + 1, end), token.at);
    }
    this.position--;
    return token.kind === "end"
      ? this.fail("unexpected end of expression")
      : this.fail(`invalid token: "${token.text}"`);
  }

  private parenthesis(): Closure {
    if (this.take(")")) return () => [];
    const items = [this.ternary()];
    while (this.take(",")) items.push(this.ternary());
    this.expect(")");
    return items.length === 1 ? (items[0] as Closure) : (env) => items.map((item) => item(env));
  }

  private word(token: Token): Closure {
    if (token.text === "true" || token.text === "false") return () => token.text === "true";
    let name = token.text;
    while (this.take(".")) {
      if (this.current.kind !== "name") this.fail(`expected a name, found "${this.current.text}"`);
      name += `.${this.current.text}`;
      this.position++;
    }
    if (this.current.kind === "op" && this.current.text === "(") this.fail(`there is no function ${name}`, token.at);
    return this.options.bareWordsAreStrings ? () => name : this.variable(name, token.at);
  }

  private variable(name: string, at: number): Closure {
    if (this.options.bareWordsAreStrings) return () => name;
    this.names.add(name);
    return (env) => {
      if (Object.hasOwn(env, name)) return env[name];
      const parts = name.split(".");
      let value: unknown = env;
      for (const part of parts) {
        if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) {
          this.fail(`no parameter "${name}" found`, at);
        }
        value = (value as Record<string, unknown>)[part];
      }
      return value;
    };
  }

  private boolean(value: unknown, operator: string, at: number): boolean {
    if (typeof value !== "boolean") this.fail(`operator ${operator} needs a bool, not ${typeName(value)}`, at);
    return value;
  }

  private number(value: unknown, operator: string, at: number): number {
    if (typeof value !== "number") this.fail(`operator ${operator} needs a number, not ${typeName(value)}`, at);
    return value;
  }

  private apply(operator: string, left: Closure, right: Closure, at: number): Closure {
    switch (operator) {
      case "&&":
        return (env) => this.boolean(left(env), "&&", at) && this.boolean(right(env), "&&", at);
      case "||":
        return (env) => this.boolean(left(env), "||", at) || this.boolean(right(env), "||", at);
      case "??":
        return (env) => left(env) ?? right(env);
      case "==":
        return (env) => equal(left(env), right(env));
      case "!=":
        return (env) => !equal(left(env), right(env));
      case "in":
        return (env) => {
          const list = right(env);
          if (!Array.isArray(list)) this.fail(`operator in needs an array, not ${typeName(list)}`, at);
          const value = left(env);
          return list.some((item) => equal(item, value));
        };
      case "=~":
        return (env) => this.matches(left(env), right(env), at);
      case "!~":
        return (env) => !this.matches(left(env), right(env), at);
      case ">":
      case "<":
      case ">=":
      case "<=":
        return (env) => this.compare(operator, left(env), right(env), at);
      case "+":
        return (env) => {
          const [a, b] = [left(env), right(env)];
          if (typeof a === "string" || typeof b === "string") return `${plain(a)}${plain(b)}`;
          return this.number(a, "+", at) + this.number(b, "+", at);
        };
      default:
        return (env) =>
          arithmetic(operator, this.number(left(env), operator, at), this.number(right(env), operator, at));
    }
  }

  private compare(operator: string, a: unknown, b: unknown, at: number): boolean {
    const fits = (typeof a === "number" && typeof b === "number") || (typeof a === "string" && typeof b === "string");
    if (!fits) this.fail(`cannot compare ${typeName(a)} ${operator} ${typeName(b)}`, at);
    const [x, y] = [a as number, b as number];
    return operator === ">" ? x > y : operator === "<" ? x < y : operator === ">=" ? x >= y : x <= y;
  }

  private matches(text: unknown, pattern: unknown, at: number): boolean {
    if (typeof text !== "string" || typeof pattern !== "string") this.fail("=~ needs two strings", at);
    try {
      return RE2JS.compile(pattern).matcher(text).find();
    } catch (cause) {
      throw new ExpressionError(`bad pattern: ${(cause as Error).message}`, this.source, at, { cause });
    }
  }
}

const plain = (value: unknown): string => (value === null || value === undefined ? "<nil>" : String(value));

function arithmetic(operator: string, a: number, b: number): number {
  switch (operator) {
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a % b;
    case "**":
      return a ** b;
    case "&":
      return Number(wholeNumber(a) & wholeNumber(b));
    case "|":
      return Number(wholeNumber(a) | wholeNumber(b));
    case "^":
      return Number(wholeNumber(a) ^ wholeNumber(b));
    case "<<":
      return a * 2 ** b;
    default:
      return Math.floor(a / 2 ** b);
  }
}

/** The operand of a bit operation; what is no finite number has no bits. */
const wholeNumber = (value: number): bigint => (Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n);
