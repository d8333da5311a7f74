import { limits } from "@tiphys/limits";
import type {
  Assertion,
  BinaryOperator,
  Bind,
  CompClause,
  Field,
  Node,
  Param,
  UnaryOperator,
  Visibility,
} from "./ast.js";
import { JsonnetSyntaxError, type Place } from "./errors.js";
import { Lexer, type Token, type TokenType } from "./lexer.js";

/** Binding strength of the binary operators, the strongest lowest. */
const PRECEDENCE: Readonly<Record<string, number>> = {
  "*": 5,
  "/": 5,
  "%": 5,
  "+": 6,
  "-": 6,
  "<<": 7,
  ">>": 7,
  "<": 8,
  "<=": 8,
  ">": 8,
  ">=": 8,
  in: 8,
  "==": 9,
  "!=": 9,
  "&": 10,
  "^": 11,
  "|": 12,
  "&&": 13,
  "||": 14,
};
const WEAKEST = 14;
const UNARY: ReadonlySet<string> = new Set(["+", "-", "!", "~"]);

/** Reads a program. Throws JsonnetSyntaxError with the place of the first problem. */
export function parse(file: string, text: string): Node {
  return new Parser(new Lexer(file, text).run()).program();
}

class Parser {
  private at = 0;
  private depth = 0;
  /** How many objects enclose the place: self, super and $ need one. */
  private objects = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  program(): Node {
    const node = this.expression();
    if (this.peek().type !== "end") this.unexpected("the end of the program");
    return node;
  }

  private peek(ahead = 0): Token {
    return this.tokens[Math.min(this.at + ahead, this.tokens.length - 1)] as Token;
  }

  private take(): Token {
    const token = this.peek();
    this.at++;
    return token;
  }

  private is(text: string, type: TokenType = "symbol"): boolean {
    const token = this.peek();
    return token.type === type && token.text === text;
  }

  private accept(text: string, type: TokenType = "symbol"): boolean {
    if (!this.is(text, type)) return false;
    this.at++;
    return true;
  }

  private unexpected(wanted: string): never {
    const token = this.peek();
    const found = token.type === "string" ? "a string" : token.type === "end" ? token.text : `"${token.text}"`;
    throw new JsonnetSyntaxError(token.place, `expected ${wanted} but got ${found}`);
  }

  private expect(text: string, type: TokenType = "symbol"): Token {
    if (!this.is(text, type)) this.unexpected(`"${text}"`);
    return this.take();
  }

  private identifier(): Token {
    if (this.peek().type !== "identifier") this.unexpected("an identifier");
    return this.take();
  }

  private expression(strength = WEAKEST): Node {
    if (++this.depth > limits.jsonnetDepth) {
      throw new JsonnetSyntaxError(
        this.peek().place,
        `expressions are nested deeper than ${limits.jsonnetDepth} levels`,
      );
    }
    try {
      const { place, type, text } = this.peek();
      if (type === "keyword") {
        const node = this.prefix(text, place);
        if (node) return node;
      }
      return this.binary(strength);
    } finally {
      this.depth--;
    }
  }

  /** The forms that reach as far to the right as they can. */
  private prefix(word: string, place: Place): Node | undefined {
    switch (word) {
      case "assert": {
        const assertion = this.assertion();
        this.expect(";");
        return { type: "assert", assertion, body: this.expression(), place };
      }
      case "error":
        this.take();
        return { type: "error", message: this.expression(), place };
      case "if": {
        this.take();
        const condition = this.expression();
        this.expect("then", "keyword");
        const then = this.expression();
        return this.accept("else", "keyword")
          ? { type: "if", condition, then, else: this.expression(), place }
          : { type: "if", condition, then, place };
      }
      case "function": {
        this.take();
        if (!this.is("(")) this.unexpected('"("');
        const params = this.params();
        return { type: "function", params, body: this.expression(), place };
      }
      case "import":
      case "importstr":
      case "importbin": {
        this.take();
        const path = this.expression();
        if (path.type !== "literal" || typeof path.value !== "string") {
          throw new JsonnetSyntaxError(path.place, "computed imports are not allowed");
        }
        return { type: "import", kind: word, path: path.value, place };
      }
      case "local": {
        this.take();
        const binds: Bind[] = [];
        do {
          this.bind(binds);
        } while (this.accept(","));
        if (!this.is(";")) this.unexpected('"," or ";"');
        this.take();
        return { type: "local", binds, body: this.expression(), place };
      }
      default:
        return undefined;
    }
  }

  private assertion(): Assertion {
    const { place } = this.expect("assert", "keyword");
    const condition = this.expression();
    return this.accept(":", "operator") ? { condition, message: this.expression(), place } : { condition, place };
  }

  private bind(binds: Bind[]): void {
    const { text: name, place } = this.identifier();
    if (binds.some((bind) => bind.name === name)) throw new JsonnetSyntaxError(place, `duplicate local var: ${name}`);
    const params = this.is("(") ? this.params() : undefined;
    this.expect("=", "operator");
    const body = this.expression();
    binds.push({ name, place, body: params ? { type: "function", params, body, place } : body });
  }

  private params(): Param[] {
    this.expect("(");
    const params: Param[] = [];
    while (!this.is(")")) {
      const { text: name, place } = this.identifier();
      if (params.some((param) => param.name === name)) {
        throw new JsonnetSyntaxError(place, `duplicate function parameter: ${name}`);
      }
      params.push(this.accept("=", "operator") ? { name, default: this.expression() } : { name });
      if (!this.accept(",")) break;
    }
    this.expect(")");
    return params;
  }

  private binary(strength: number): Node {
    let left = this.unary();
    for (;;) {
      const { type, text, place } = this.peek();
      if (type !== "operator" && !(type === "keyword" && text === "in")) return left;
      const found = PRECEDENCE[text];
      if (found === undefined) {
        if (type === "operator" && ![":", "::", ":::", "=", "+:", "+::", "+:::"].includes(text)) {
          throw new JsonnetSyntaxError(place, `"${text}" is not a binary operator`);
        }
        return left;
      }
      if (found > strength) return left;
      this.take();
      if (text === "in" && this.is("super", "keyword") && ![".", "["].includes(this.peek(1).text)) {
        this.needObject(this.take().place, "super");
        left = { type: "inSuper", key: left, place };
        continue;
      }
      const right = this.expression(found - 1);
      left = { type: "binary", op: text as BinaryOperator, left, right, place };
    }
  }

  private unary(): Node {
    const { type, text, place } = this.peek();
    if (type === "operator") {
      if (!UNARY.has(text)) throw new JsonnetSyntaxError(place, `"${text}" is not a unary operator`);
      this.take();
      // The operand may itself be a prefix form or another unary, but no binary expression.
      const operand = this.expression(4);
      return { type: "unary", op: text as UnaryOperator, operand, place };
    }
    return this.postfix(this.terminal());
  }

  private postfix(target: Node): Node {
    let node = target;
    for (;;) {
      const { type, text, place } = this.peek();
      if (type !== "symbol") return node;
      if (text === ".") {
        this.take();
        const name = this.identifier();
        node = { type: "index", target: node, key: { type: "literal", value: name.text, place: name.place }, place };
      } else if (text === "[") node = this.subscript(node);
      else if (text === "(") node = this.call(node);
      else if (text === "{") {
        const right = this.object();
        node = { type: "binary", op: "+", left: node, right, place };
      } else return node;
    }
  }

  private subscript(target: Node): Node {
    const { place } = this.expect("[");
    const parts: (Node | undefined)[] = [];
    let colons = 0;
    while (!this.is("]")) {
      if (this.accept("::", "operator")) {
        colons += 2;
      } else if (this.accept(":", "operator")) colons++;
      else if (parts[colons] !== undefined) this.unexpected('"]"');
      else parts[colons] = this.expression();
      if (colons > 2) this.unexpected('"]"');
    }
    this.take();
    if (colons === 0) {
      if (!parts[0]) throw new JsonnetSyntaxError(place, "a[] is not a valid expression: an index is missing");
      return { type: "index", target, key: parts[0], place };
    }
    const [from, to, step] = parts;
    return {
      type: "slice",
      target,
      ...(from ? { from } : {}),
      ...(to ? { to } : {}),
      ...(step ? { step } : {}),
      place,
    };
  }

  private call(target: Node): Node {
    const { place } = this.expect("(");
    const positional: Node[] = [];
    const named: { name: string; value: Node }[] = [];
    while (!this.is(")")) {
      if (this.peek().type === "identifier" && this.peek(1).type === "operator" && this.peek(1).text === "=") {
        const name = this.take().text;
        this.take();
        named.push({ name, value: this.expression() });
      } else {
        if (named.length > 0) {
          throw new JsonnetSyntaxError(this.peek().place, "positional argument after a named argument is not allowed");
        }
        positional.push(this.expression());
      }
      if (!this.accept(",")) break;
    }
    this.expect(")");
    return { type: "apply", target, positional, named, tailstrict: this.accept("tailstrict", "keyword"), place };
  }

  private needObject(place: Place, word: string): void {
    if (this.objects === 0) throw new JsonnetSyntaxError(place, `can't use ${word} outside of an object`);
  }

  private terminal(): Node {
    const token = this.peek();
    const { place, text, type } = token;
    if (type === "number") return { type: "literal", value: this.take().number as number, place };
    if (type === "string") return { type: "literal", value: this.take().text, place };
    if (type === "identifier") return { type: "variable", name: this.take().text, place };
    if (type === "symbol") {
      if (text === "{") return this.object();
      if (text === "[") return this.array();
      if (text === "(") {
        this.take();
        const node = this.expression();
        this.expect(")");
        return node;
      }
      if (text === "$") {
        this.needObject(place, "$");
        this.take();
        return { type: "dollar", place };
      }
    }
    if (type === "keyword") {
      if (text === "null" || text === "true" || text === "false") {
        this.take();
        return { type: "literal", value: text === "null" ? null : text === "true", place };
      }
      if (text === "self") {
        this.needObject(place, "self");
        this.take();
        return { type: "self", place };
      }
      if (text === "super") return this.superIndex();
      const node = this.prefix(text, place);
      if (node) return node;
    }
    return this.unexpected("an expression");
  }

  private superIndex(): Node {
    const { place } = this.take();
    this.needObject(place, "super");
    if (this.accept(".")) {
      const name = this.identifier();
      return { type: "superIndex", key: { type: "literal", value: name.text, place: name.place }, place };
    }
    if (!this.is("[")) this.unexpected('"." or "[" after super');
    this.take();
    const key = this.expression();
    this.expect("]");
    return { type: "superIndex", key, place };
  }

  private array(): Node {
    const { place } = this.expect("[");
    const items: Node[] = [];
    while (!this.is("]")) {
      items.push(this.expression());
      const comma = this.accept(",");
      if (items.length === 1 && this.is("for", "keyword")) {
        const clauses = this.clauses();
        this.expect("]");
        return { type: "arrayComp", item: items[0] as Node, clauses, place };
      }
      if (!comma) break;
    }
    if (!this.is("]")) this.unexpected('"," or "]"');
    this.take();
    return { type: "array", items, place };
  }

  private clauses(): CompClause[] {
    const clauses: CompClause[] = [];
    for (;;) {
      const { place } = this.peek();
      if (this.accept("for", "keyword")) {
        const name = this.identifier().text;
        this.expect("in", "keyword");
        clauses.push({ type: "for", name, array: this.expression(), place });
      } else if (this.accept("if", "keyword")) clauses.push({ type: "if", condition: this.expression(), place });
      else return clauses;
    }
  }

  private object(): Node {
    const { place } = this.expect("{");
    this.objects++;
    const fields: Field[] = [];
    const locals: Bind[] = [];
    const asserts: Assertion[] = [];
    const names = new Set<string>();
    for (;;) {
      if (this.accept("}")) break;
      if (this.is("for", "keyword")) {
        const node = this.objectComprehension(place, fields, locals, asserts);
        this.objects--;
        return node;
      }
      this.member(fields, locals, asserts, names);
      if (this.accept(",") || this.is("for", "keyword")) continue;
      if (!this.is("}")) this.unexpected('"," or "}"');
    }
    this.objects--;
    return { type: "object", fields, locals, asserts, place };
  }

  private member(fields: Field[], locals: Bind[], asserts: Assertion[], names: Set<string>): void {
    const { type, text, place } = this.peek();
    if (this.accept("local", "keyword")) {
      this.bind(locals);
      return;
    }
    if (this.is("assert", "keyword")) {
      asserts.push(this.assertion());
      return;
    }
    let name: Node;
    if (this.accept("[")) {
      // The name is computed outside of the object that it is part of.
      this.objects--;
      name = this.expression();
      this.objects++;
      this.expect("]");
    } else if (type === "identifier" || type === "string") {
      this.take();
      if (names.has(text)) throw new JsonnetSyntaxError(place, `duplicate field: ${text}`);
      names.add(text);
      name = { type: "literal", value: text, place };
    } else this.unexpected("a field, local or assert");
    const params = this.is("(") ? this.params() : undefined;
    const colon = this.take();
    const form = /^(\+?)(:{1,3})$/.exec(colon.type === "operator" ? colon.text : "");
    if (!form) {
      this.at--;
      this.unexpected('":", "::", ":::" or "+:"');
    }
    if (params && form[1]) throw new JsonnetSyntaxError(colon.place, "cannot use +: sugar in a method");
    const body = this.expression();
    fields.push({
      name,
      visibility: form[2] as Visibility,
      plus: form[1] === "+",
      body: params ? { type: "function", params, body, place } : body,
      place,
    });
  }

  private objectComprehension(
    place: Place,
    fields: readonly Field[],
    locals: readonly Bind[],
    asserts: readonly Assertion[],
  ): Node {
    const [field] = fields;
    const problem =
      asserts.length > 0
        ? "object comprehension cannot have asserts"
        : fields.length !== 1 || !field
          ? "object comprehension can only have one field"
          : field.visibility !== ":"
            ? "object comprehensions cannot have hidden fields"
            : field.place === field.name.place
              ? "object comprehensions can only have [e] fields"
              : undefined;
    if (problem || !field) throw new JsonnetSyntaxError(this.peek().place, problem ?? "");
    const clauses = this.clauses();
    this.expect("}");
    return { type: "objectComp", field, locals, clauses, place };
  }
}
