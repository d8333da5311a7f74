import type { CallExpr, Expr, Literal, MapEntry, Offset } from "./ast.js";
import type { Problem } from "./errors.js";
import { reserved, SyntaxProblem, type Token, tokenize } from "./lexer.js";
import { expandMacro } from "./macros.js";

/** Deepest nesting, as in the API server's compiler. */
const deepest = 250;
/** Longest source in code points, as there. */
const longest = 100_000;

const operand =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** Makes nodes, each with an id of its own. */
export class Builder {
  private last = 0;
  next(): number {
    return ++this.last;
  }
  literal = (at: Offset, value: Literal): Expr => ({ is: "literal", id: this.next(), at, value });
  ident = (at: Offset, name: string): Expr => ({ is: "ident", id: this.next(), at, name });
  call = (at: Offset, fn: string, args: readonly Expr[], target?: Expr): CallExpr => ({
    is: "call",
    id: this.next(),
    at,
    fn,
    args,
    ...(target === undefined ? {} : { target }),
  });
  list = (at: Offset, elements: readonly Expr[], optional: ReadonlySet<number> = new Set()): Expr => ({
    is: "list",
    id: this.next(),
    at,
    elements,
    optional,
  });
  map = (at: Offset, entries: readonly MapEntry[]): Expr => ({ is: "map", id: this.next(), at, entries });
  select = (at: Offset, operand: Expr, field: string, test = false): Expr => ({
    is: "select",
    id: this.next(),
    at,
    operand,
    field,
    test,
  });
}

/** Reads a source, or says what is wrong with it. */
export function parse(
  source: string,
): { expr: Expr; problems?: undefined } | { expr?: undefined; problems: Problem[] } {
  const size = [...source].length;
  if (size > longest) {
    const message = `expression code point size exceeds limit: size: ${size}, limit ${longest}`;
    return { problems: [{ offset: 0, message }] };
  }
  const problems: Problem[] = [];
  try {
    const read = tokenize(source);
    problems.push(...read.problems);
    const expr = new Parser(read.tokens).whole();
    if (problems.length === 0) return { expr };
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    problems.push({ offset: error.offset, message: error.message });
  }
  return { problems };
}

const relations = new Set(["<", "<=", ">", ">=", "==", "!=", "in"]);

class Parser {
  private at = 0;
  private depth = 0;
  private readonly make = new Builder();

  constructor(private readonly tokens: readonly Token[]) {}

  whole(): Expr {
    const expr = this.expression();
    const { kind, text, at } = this.token;
    if (kind !== "end") {
      // One token too many is told apart from input that cannot go on like this.
      const what = this.tokens[this.at + 1]?.kind === "end" ? "extraneous" : "mismatched";
      throw new SyntaxProblem(at, `Syntax error: ${what} input '${text}' expecting <EOF>`);
    }
    return expr;
  }

  private get token(): Token {
    return this.tokens[this.at]!;
  }

  private take(sign: string): Token | undefined {
    const { token } = this;
    if (token.kind !== "sign" || token.text !== sign) return undefined;
    this.at++;
    return token;
  }

  private need(sign: string): Token {
    const found = this.take(sign);
    if (found !== undefined) return found;
    const { text, at } = this.token;
    throw new SyntaxProblem(at, `Syntax error: missing '${sign}' at '${text}'`);
  }

  private expression(): Expr {
    if (++this.depth > deepest) {
      throw new SyntaxProblem(this.token.at, `expression recursion limit exceeded: ${deepest}`);
    }
    const condition = this.or();
    const question = this.take("?");
    let out = condition;
    if (question !== undefined) {
      const yes = this.or();
      this.need(":");
      const no = this.expression();
      out = this.make.call(question.at, "_?_:_", [condition, yes, no]);
    }
    this.depth--;
    return out;
  }

  private chain(sign: string, fn: string, next: () => Expr): Expr {
    let left = next();
    for (let found = this.take(sign); found !== undefined; found = this.take(sign)) {
      left = this.make.call(found.at, fn, [left, next()]);
    }
    return left;
  }

  private or(): Expr {
    return this.chain("||", "_||_", () => this.and());
  }

  private and(): Expr {
    return this.chain("&&", "_&&_", () => this.relation());
  }

  private binary(signs: ReadonlySet<string>, next: () => Expr): Expr {
    let left = next();
    while (this.token.kind === "sign" && signs.has(this.token.text)) {
      const { text, at } = this.token;
      this.at++;
      left = this.make.call(at, text === "in" ? "@in" : `_${text}_`, [left, next()]);
    }
    return left;
  }

  private relation(): Expr {
    return this.binary(relations, () => this.sum());
  }

  private sum(): Expr {
    return this.binary(sums, () => this.product());
  }

  private product(): Expr {
    return this.binary(products, () => this.unary());
  }

  private unary(): Expr {
    const { token } = this;
    if (token.kind !== "sign" || (token.text !== "!" && token.text !== "-")) return this.member();
    let count = 0;
    while (this.take(token.text)) count++;
    const next = this.token;
    if (token.text === "-" && next.kind === "literal" && isNumber(next.value)) {
      this.at++;
      const negative = typeof next.value === "bigint" ? -next.value : -(next.value as number);
      let out = this.members(this.make.literal(token.at, negative));
      if (count % 2 === 0) out = this.make.call(token.at, "-_", [out]);
      return out;
    }
    const inner = this.member();
    if (count % 2 === 0) return inner;
    return this.make.call(token.at, token.text === "!" ? "!_" : "-_", [inner]);
  }

  private member(): Expr {
    return this.members(this.primary());
  }

  private members(start: Expr): Expr {
    let out = start;
    let steps = 0;
    for (;;) {
      if (++steps > 10 * deepest)
        throw new SyntaxProblem(this.token.at, `expression recursion limit exceeded: ${deepest}`);
      const dot = this.take(".") ?? this.take("?.");
      if (dot !== undefined) {
        const optional = dot.text === "?." || this.take("?") !== undefined;
        const { kind, text, at } = this.token;
        if (kind !== "ident" && kind !== "quoted" && !(kind === "sign" && text === "in")) {
          throw new SyntaxProblem(at, `Syntax error: ${oddInput(text)} expecting IDENTIFIER`);
        }
        this.at++;
        const open = optional || kind === "quoted" ? undefined : this.take("(");
        if (open !== undefined) {
          const args = this.list(")");
          out = this.macro(open.at, text, args, out);
        } else if (optional) {
          out = this.make.call(dot.at, "_?._", [out, this.make.literal(at, text)]);
        } else out = this.make.select(dot.at, out, text);
        continue;
      }
      const index = this.take("[") ?? this.take("[?");
      if (index !== undefined) {
        const key = this.expression();
        this.need("]");
        out = this.make.call(index.at, index.text === "[" ? "_[_]" : "_[?_]", [out, key]);
        continue;
      }
      const brace = this.token;
      if (brace.kind === "sign" && brace.text === "{") {
        const name = nameOf(out);
        if (name === undefined) return out;
        this.at++;
        out = { is: "struct", id: this.make.next(), at: brace.at, type: name, fields: this.fields() };
        continue;
      }
      return out;
    }
  }

  private macro(at: Offset, name: string, args: readonly Expr[], target?: Expr): Expr {
    return expandMacro(this.make, at, name, args, target) ?? this.make.call(at, name, args, target);
  }

  private fields() {
    const fields: { name: string; value: Expr; optional: boolean }[] = [];
    while (this.take("}") === undefined) {
      const optional = this.take("?") !== undefined;
      const { kind, text, at } = this.token;
      if (kind !== "ident" && kind !== "quoted")
        throw new SyntaxProblem(at, `Syntax error: ${oddInput(text)} expecting IDENTIFIER`);
      this.at++;
      this.need(":");
      fields.push({ name: text, value: this.expression(), optional });
      if (this.take(",") === undefined) {
        this.need("}");
        break;
      }
    }
    return fields;
  }

  private list(closing: string): Expr[] {
    const out: Expr[] = [];
    if (this.take(closing)) return out;
    for (;;) {
      out.push(this.expression());
      if (this.take(closing)) return out;
      this.need(",");
    }
  }

  private primary(): Expr {
    const { token } = this;
    this.at++;
    if (token.kind === "literal") return this.make.literal(token.at, this.checked(token));
    if (token.kind === "ident") return this.name(token, token.text);
    if (token.kind === "sign") {
      switch (token.text) {
        case ".": {
          const name = this.token;
          if (name.kind !== "ident") break;
          this.at++;
          return this.name(name, name.text);
        }
        case "(": {
          const inner = this.expression();
          this.need(")");
          return inner;
        }
        case "[":
        case "[?":
          return this.listLiteral(token);
        case "{":
        case "{?":
          return this.mapLiteral(token);
      }
    }
    this.at--;
    throw new SyntaxProblem(token.at, `Syntax error: mismatched input '${token.text}' expecting ${operand}`);
  }

  private checked({ value, at }: Token): Literal {
    if (typeof value === "bigint" && value > 0x7fffffffffffffffn) throw new SyntaxProblem(at, "invalid int literal");
    return value!;
  }

  private name({ at, text }: Token, name: string): Expr {
    const open = this.take("(");
    if (open !== undefined) return this.macro(open.at, name, this.list(")"));
    if (reserved.has(text)) throw new SyntaxProblem(at, `reserved identifier: ${text}`);
    return this.make.ident(at, name);
  }

  private listLiteral(open: Token): Expr {
    const elements: Expr[] = [];
    const optional = new Set<number>();
    if (open.text === "[?") optional.add(0);
    else if (this.take("]")) return this.make.list(open.at, elements);
    for (;;) {
      if (this.take("?")) optional.add(elements.length);
      elements.push(this.expression());
      if (this.take("]")) break;
      this.need(",");
      if (this.take("]")) break;
    }
    return this.make.list(open.at, elements, optional);
  }

  private mapLiteral(open: Token): Expr {
    const entries: MapEntry[] = [];
    let optional = open.text === "{?";
    if (!optional && this.take("}")) return this.make.map(open.at, entries);
    for (;;) {
      if (this.take("?")) optional = true;
      const key = this.expression();
      this.need(":");
      entries.push({ key, value: this.expression(), optional });
      optional = false;
      if (this.take("}")) break;
      this.need(",");
      if (this.take("}")) break;
    }
    return this.make.map(open.at, entries);
  }
}

const sums = new Set(["+", "-"]);
const products = new Set(["*", "/", "%"]);
const isNumber = (value: unknown): boolean => typeof value === "bigint" || typeof value === "number";

/** The struct that `a.b{…}` makes. */
function nameOf(expr: Expr): string | undefined {
  if (expr.is === "ident") return expr.name;
  if (expr.is !== "select") return undefined;
  const prefix = nameOf(expr.operand);
  return prefix && `${prefix}.${expr.field}`;
}

const oddInput = (text: string): string => `mismatched input '${text}'`;
