import { limits } from "@tiphys/limits";
import type { Node } from "./ast.js";
import { ExpressionError } from "./errors.js";
import { type Token, tokenize } from "./lexer.js";

interface Operator {
  readonly power: number;
  readonly right?: boolean;
}

const BINARY: ReadonlyMap<string, Operator> = new Map(
  Object.entries({
    "|": { power: 0 },
    or: { power: 10 },
    "||": { power: 10 },
    and: { power: 15 },
    "&&": { power: 15 },
    "==": { power: 20 },
    "!=": { power: 20 },
    "<": { power: 20 },
    ">": { power: 20 },
    "<=": { power: 20 },
    ">=": { power: 20 },
    in: { power: 20 },
    matches: { power: 20 },
    contains: { power: 20 },
    startsWith: { power: 20 },
    endsWith: { power: 20 },
    "..": { power: 25 },
    "+": { power: 30 },
    "-": { power: 30 },
    "*": { power: 60 },
    "/": { power: 60 },
    "%": { power: 60 },
    "**": { power: 100, right: true },
    "^": { power: 100, right: true },
    "??": { power: 500 },
  }),
);
const UNARY: ReadonlyMap<string, number> = new Map(Object.entries({ not: 50, "!": 50, "-": 90, "+": 90 }));

/** Builtins whose second argument is a predicate, written as `{…}` or bare. */
export const PREDICATE_BUILTINS: ReadonlySet<string> = new Set([
  "all",
  "none",
  "any",
  "one",
  "filter",
  "map",
  "find",
  "findIndex",
  "findLast",
  "findLastIndex",
  "count",
  "sum",
  "groupBy",
  "sortBy",
  "reduce",
]);

/** Parses expr-lang. `isBuiltin` tells which plain names may be called as builtins (and piped into). */
export function parse(source: string, isBuiltin: (name: string) => boolean): Node {
  return new Parser(source, isBuiltin).program();
}

class Parser {
  private readonly tokens: Token[];
  private position = 0;
  private depth = 0;
  private predicates = 0;

  constructor(
    private readonly source: string,
    private readonly isBuiltin: (name: string) => boolean,
  ) {
    this.tokens = tokenize(source);
  }

  program(): Node {
    const node = this.sequence();
    if (this.current.kind !== "end") this.fail(`unexpected "${this.current.text}"`);
    return node;
  }

  private get current(): Token {
    return this.tokens[this.position] as Token;
  }

  private fail(problem: string, at = this.current.at): never {
    throw new ExpressionError(problem, this.source, at);
  }

  private is(text: string): boolean {
    const token = this.current;
    return (token.kind === "op" || token.kind === "name") && token.text === text;
  }

  private take(text: string): boolean {
    if (!this.is(text)) return false;
    this.position++;
    return true;
  }

  private expect(text: string): void {
    if (!this.take(text)) this.fail(`expected "${text}", found "${this.current.text}"`);
  }

  private name(): string {
    if (this.current.kind !== "name") this.fail(`expected a name, found "${this.current.text}"`);
    return (this.tokens[this.position++] as Token).text;
  }

  /** `let` bindings, then the expression they serve. */
  private sequence(): Node {
    const { at } = this.current;
    if (!this.is("let")) return this.expression(0);
    this.position++;
    const name = this.name();
    this.expect("=");
    const value = this.expression(0);
    this.expect(";");
    return { type: "let", name, value, body: this.sequence(), at };
  }

  private expression(power: number): Node {
    if (++this.depth > limits.documentDepth) this.fail(`nested deeper than ${limits.documentDepth}`);
    try {
      if (power === 0 && this.is("if")) return this.ifElse();
      let left = this.primary();
      for (;;) {
        const { at, text } = this.current;
        const negated = text === "not" && this.current.kind === "name";
        const op = negated ? (this.tokens[this.position + 1]?.text ?? "") : text;
        const operator = this.current.kind === "op" || this.current.kind === "name" ? BINARY.get(op) : undefined;
        if (!operator || operator.power < power || (negated && !/^[a-z]/i.test(op))) break;
        this.position += negated ? 2 : 1;
        if (op === "|") {
          left = this.pipe(left);
          continue;
        }
        const right = this.expression(operator.right ? operator.power : operator.power + 1);
        const node: Node = { type: "binary", op, left, right, at };
        left = negated ? { type: "unary", op: "!", operand: node, at } : node;
      }
      return power === 0 ? this.conditional(left) : left;
    } finally {
      this.depth--;
    }
  }

  private conditional(test: Node): Node {
    const { at } = this.current;
    if (!this.take("?")) return test;
    if (this.take(":")) return { type: "conditional", test, yes: test, no: this.expression(0), at };
    const yes = this.expression(0);
    this.expect(":");
    return { type: "conditional", test, yes, no: this.expression(0), at };
  }

  private ifElse(): Node {
    const { at } = this.current;
    this.expect("if");
    const test = this.expression(0);
    this.expect("{");
    const yes = this.sequence();
    this.expect("}");
    this.expect("else");
    if (this.is("if")) return { type: "conditional", test, yes, no: this.ifElse(), at };
    this.expect("{");
    const no = this.sequence();
    this.expect("}");
    return { type: "conditional", test, yes, no, at };
  }

  private pipe(input: Node): Node {
    const { at } = this.current;
    const name = this.name();
    const args = this.arguments(name, [input]);
    return this.postfix(this.callOf(name, args, at), at);
  }

  private callOf(name: string, args: readonly Node[], at: number): Node {
    if (PREDICATE_BUILTINS.has(name) || this.isBuiltin(name)) return { type: "builtin", name, args, at };
    return { type: "call", callee: { type: "name", name, at }, args, at };
  }

  private arguments(name: string, first: readonly Node[]): Node[] {
    const args = [...first];
    this.expect("(");
    while (!this.take(")")) {
      if (args.length > first.length) this.expect(",");
      args.push(PREDICATE_BUILTINS.has(name) && args.length === 1 ? this.predicate() : this.expression(0));
    }
    return args;
  }

  private predicate(): Node {
    const { at } = this.current;
    this.predicates++;
    const braces = this.take("{");
    const body = braces ? this.sequence() : this.expression(0);
    if (braces) this.expect("}");
    this.predicates--;
    return { type: "predicate", body, at };
  }

  private primary(): Node {
    const token = this.current;
    const unary = token.kind === "op" || token.kind === "name" ? UNARY.get(token.text) : undefined;
    if (unary !== undefined) {
      this.position++;
      const operand = this.expression(unary);
      return { type: "unary", op: token.text === "not" ? "!" : token.text, operand, at: token.at };
    }
    return this.postfix(this.atom(), token.at);
  }

  private atom(): Node {
    const token = this.current;
    const { at } = token;
    if (token.kind === "end") this.fail("unexpected end of expression");
    if (token.kind === "number" || token.kind === "string") {
      this.position++;
      return { type: "literal", value: token.kind === "number" ? token.value : token.text, at };
    }
    if (token.kind === "name") return this.named();
    if (this.take("(")) {
      const inner = this.sequence();
      this.expect(")");
      return inner;
    }
    if (this.take("[")) return { type: "array", items: this.list("]"), at };
    if (this.take("{")) return { type: "map", entries: this.entries(), at };
    if (this.predicates > 0 && this.take("#")) {
      const name = this.current.kind === "name" && this.current.at === at + 1 ? this.name() : "";
      if (name && name !== "index" && name !== "acc") this.fail(`unknown pointer "#${name}"`, at);
      return { type: "pointer", name, at };
    }
    if (this.predicates > 0 && this.is(".")) return { type: "pointer", name: "", at };
    return this.fail(`unexpected "${token.text}"`);
  }

  private named(): Node {
    const { at } = this.current;
    const name = this.name();
    if (name === "true" || name === "false") return { type: "literal", value: name === "true", at };
    if (name === "nil" || name === "null") return { type: "literal", value: null, at };
    if (this.is("(")) return this.callOf(name, this.arguments(name, []), at);
    return { type: "name", name, at };
  }

  private list(end: string): Node[] {
    const items: Node[] = [];
    while (!this.take(end)) {
      if (items.length > 0) {
        this.expect(",");
        if (this.take(end)) break;
      }
      items.push(this.expression(0));
    }
    return items;
  }

  private entries(): [Node, Node][] {
    const entries: [Node, Node][] = [];
    while (!this.take("}")) {
      if (entries.length > 0) {
        this.expect(",");
        if (this.take("}")) break;
      }
      const { at, kind, text } = this.current;
      let key: Node;
      if (kind === "name" || kind === "string" || kind === "number") {
        this.position++;
        key = { type: "literal", value: text, at };
      } else if (this.take("(")) {
        key = this.expression(0);
        this.expect(")");
      } else return this.fail("a map key must be a quoted string, a number, a name or in parentheses");
      this.expect(":");
      entries.push([key, this.expression(0)]);
    }
    return entries;
  }

  private postfix(start: Node, chainAt: number): Node {
    let node = start;
    let optional = false;
    for (;;) {
      const { at } = this.current;
      if (this.take("?.")) {
        optional = true;
        node = this.is("[") ? this.index(node, true) : this.property(node, true, at);
      } else if (this.is(".")) {
        this.position++;
        node = this.property(node, false, at);
      } else if (this.is("[")) node = this.index(node, false);
      else if (this.is("(") && node.type !== "literal")
        node = { type: "call", callee: node, args: this.arguments("", []), at };
      else break;
    }
    return optional ? { type: "chain", body: node, at: chainAt } : node;
  }

  private property(object: Node, optional: boolean, at: number): Node {
    return { type: "member", object, key: { type: "literal", value: this.name(), at }, optional, at };
  }

  private index(object: Node, optional: boolean): Node {
    const { at } = this.current;
    this.expect("[");
    if (this.take(":")) {
      if (this.take("]")) return { type: "slice", object, at };
      const to = this.expression(0);
      this.expect("]");
      return { type: "slice", object, to, at };
    }
    const from = this.expression(0);
    if (this.take(":")) {
      if (this.take("]")) return { type: "slice", object, from, at };
      const to = this.expression(0);
      this.expect("]");
      return { type: "slice", object, from, to, at };
    }
    this.expect("]");
    return { type: "member", object, key: from, optional, at };
  }
}
