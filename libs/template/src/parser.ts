import type {
  BranchNode,
  ChainNode,
  CommandNode,
  EndNode,
  ListNode,
  Node,
  NumberNode,
  PipeNode,
  Source,
  TemplateNode,
  VariableNode,
} from "./ast.js";
import { isEmpty, show } from "./ast.js";
import { ParseError } from "./errors.js";
import { Lexer, showToken, type Token, type TokenType } from "./lexer.js";
import { parseFloat64, parseInt64, parseUint64, quote, unquote } from "./strconv.js";

/** One definition: a whole file, or what stands between `define` and `end`. */
export interface Tree {
  readonly name: string;
  readonly root: ListNode;
  /** Variables that live at the same time at most, `$` included. */
  readonly slots: number;
}

export interface ParseOptions {
  readonly isFunction: (name: string) => boolean;
  readonly left?: string;
  readonly right?: string;
}

/** Deepest nesting of parentheses and of control structures. */
const MAX_EXPRESSION_DEPTH = 300;
const MAX_NESTING = 300;

/**
 * Parses a text into its definitions, by name; the text itself is the definition `name`.
 * Throws {@link ParseError}.
 */
export function parse(name: string, text: string, options: ParseOptions): Map<string, Tree> {
  const source = { name, text };
  const trees = new Map<string, Tree>();
  const shared: Shared = {
    lexer: new Lexer(text, options.left, options.right),
    tokens: [],
    source,
    trees,
    options,
    nesting: 0,
    actionLine: 0,
    lastLine: 0,
  };
  new Parser(shared, name).file();
  return trees;
}

/** Adds a definition; an empty one never replaces one with content, and two with content are an error. */
export function addTree(trees: Map<string, Tree>, tree: Tree): boolean {
  const old = trees.get(tree.name);
  if (old === undefined || isEmpty(old.root)) trees.set(tree.name, tree);
  else if (!isEmpty(tree.root)) return false;
  return true;
}

interface Shared {
  readonly lexer: Lexer;
  /** Tokens that were put back, the next one last. */
  readonly tokens: Token[];
  readonly source: Source;
  readonly trees: Map<string, Tree>;
  readonly options: ParseOptions;
  nesting: number;
  actionLine: number;
  lastLine: number;
}

class Parser {
  private vars: { name: string; slot: number }[] = [{ name: "$", slot: 0 }];
  private slots = 1;
  private rangeDepth = 0;
  private parens = 0;

  constructor(
    private readonly shared: Shared,
    private name: string,
  ) {}

  // Tokens

  private next(): Token {
    const token = this.shared.tokens.pop() ?? this.shared.lexer.next();
    this.shared.lastLine = token.line;
    return token;
  }

  private back(...tokens: Token[]): void {
    for (const token of tokens.reverse()) this.shared.tokens.push(token);
  }

  private peek(): Token {
    const token = this.next();
    this.back(token);
    return token;
  }

  private nextNonSpace(): Token {
    let token = this.next();
    while (token.type === "space") token = this.next();
    return token;
  }

  private peekNonSpace(): Token {
    const token = this.nextNonSpace();
    this.back(token);
    return token;
  }

  private fail(message: string): never {
    throw new ParseError(`template: ${this.shared.source.name}:${this.shared.lastLine}: ${message}`);
  }

  private unexpected(token: Token, context: string): never {
    if (token.type === "error") {
      const { actionLine, source } = this.shared;
      let extra = "";
      if (actionLine !== 0 && actionLine !== token.line) {
        extra = ` in action started at ${source.name}:${actionLine}`;
        if (token.text.endsWith(" action")) extra = extra.slice(" in action".length);
      }
      this.fail(token.text + extra);
    }
    this.fail(`unexpected ${showToken(token)} in ${context}`);
  }

  private expect(type: TokenType, context: string): Token {
    const token = this.nextNonSpace();
    if (token.type !== type) this.unexpected(token, context);
    return token;
  }

  private at<T extends object>(pos: number, node: T): T & { pos: number; source: Source } {
    return { ...node, pos, source: this.shared.source };
  }

  // Definitions

  file(): void {
    const root = this.at(this.peek().pos, { type: "list" as const, nodes: [] as Node[] });
    for (;;) {
      const token = this.next();
      if (token.type === "EOF") break;
      if (token.type === "leftDelim") {
        const word = this.nextNonSpace();
        if (word.type === "define") {
          new Parser(this.shared, "definition").definition();
          continue;
        }
        this.back(token, word);
      } else this.back(token);
      const node = this.textOrAction();
      if (node.type === "end" || node.type === "else") this.fail(`unexpected ${show(node)}`);
      root.nodes.push(node);
    }
    this.add(root);
  }

  private definition(): void {
    const context = "define clause";
    this.name = this.templateName(this.nextNonSpace(), context);
    this.expect("rightDelim", context);
    this.body(context);
  }

  private body(context: string): void {
    const { list, end } = this.itemList();
    if (end.type !== "end") this.fail(`unexpected ${show(end)} in ${context}`);
    this.add(list);
  }

  private add(root: ListNode): void {
    if (!addTree(this.shared.trees, { name: this.name, root, slots: this.slots })) {
      this.fail(`template: multiple definition of template ${quote(this.name)}`);
    }
  }

  private itemList(): { list: ListNode; end: EndNode } {
    if (++this.shared.nesting > MAX_NESTING) this.fail(`nested deeper than ${MAX_NESTING} levels`);
    const list: ListNode = this.at(this.peekNonSpace().pos, { type: "list" as const, nodes: [] as Node[] });
    for (;;) {
      if (this.peekNonSpace().type === "EOF") this.fail("unexpected EOF");
      const node = this.textOrAction();
      if (node.type === "end" || node.type === "else") {
        this.shared.nesting--;
        return { list, end: node };
      }
      list.nodes.push(node);
    }
  }

  private textOrAction(): Node {
    const token = this.nextNonSpace();
    if (token.type === "text") return this.at(token.pos, { type: "text" as const, text: token.text });
    if (token.type !== "leftDelim") this.unexpected(token, "input");
    this.shared.actionLine = token.line;
    const node = this.action();
    this.shared.actionLine = 0;
    return node;
  }

  private action(): Node {
    const token = this.nextNonSpace();
    switch (token.type) {
      case "block":
        return this.block();
      case "break":
      case "continue":
        if (this.shared.options.isFunction(token.type)) break;
        return this.loopControl(token, token.type);
      case "else":
        return this.elseControl();
      case "end":
        return this.at(this.expect("rightDelim", "end").pos, { type: "end" as const });
      case "if":
      case "range":
      case "with":
        return this.control(token.type);
      case "template":
        return this.template();
    }
    this.back(token);
    const { pos } = this.peek();
    return this.at(pos, { type: "action" as const, pipe: this.pipeline("command", "rightDelim") });
  }

  private loopControl(token: Token, type: "break" | "continue"): Node {
    const after = this.nextNonSpace();
    if (after.type !== "rightDelim") this.unexpected(after, `{{${type}}}`);
    if (this.rangeDepth === 0) this.fail(`{{${type}}} outside {{range}}`);
    return this.at(token.pos, { type });
  }

  private elseControl(): EndNode {
    const token = this.peekNonSpace();
    if (token.type !== "if" && token.type !== "with") {
      return this.at(this.expect("rightDelim", "else").pos, { type: "else" as const });
    }
    return this.at(token.pos, { type: "else" as const });
  }

  private control(type: BranchNode["type"]): BranchNode {
    const mark = this.vars.length;
    const pipe = this.pipeline(type, "rightDelim");
    if (type === "range") this.rangeDepth++;
    const { list, end } = this.itemList();
    if (type === "range") this.rangeDepth--;
    let elseList: ListNode | undefined;
    if (end.type === "else") {
      if (type !== "range" && this.peek().type === type) {
        this.next();
        if (++this.shared.nesting > MAX_NESTING) this.fail(`nested deeper than ${MAX_NESTING} levels`);
        elseList = this.at(end.pos, { type: "list" as const, nodes: [this.control(type)] as Node[] });
        this.shared.nesting--;
      } else {
        const rest = this.itemList();
        if (rest.end.type !== "end") this.fail(`expected end; found ${show(rest.end)}`);
        elseList = rest.list;
      }
    }
    this.vars.length = mark;
    return this.at(pipe.pos, { type, pipe, list, elseList });
  }

  private block(): TemplateNode {
    const context = "block clause";
    const token = this.nextNonSpace();
    const name = this.templateName(token, context);
    const pipe = this.pipeline(context, "rightDelim");
    new Parser(this.shared, name).body(context);
    return this.at(token.pos, { type: "template" as const, name, pipe });
  }

  private template(): TemplateNode {
    const context = "template clause";
    const token = this.nextNonSpace();
    const name = this.templateName(token, context);
    let pipe: PipeNode | undefined;
    const after = this.nextNonSpace();
    if (after.type !== "rightDelim") {
      this.back(after);
      pipe = this.pipeline(context, "rightDelim");
    }
    return this.at(token.pos, { type: "template" as const, name, pipe });
  }

  private templateName(token: Token, context: string): string {
    if (token.type !== "string" && token.type !== "rawString") this.unexpected(token, context);
    return unquote(token.text) ?? this.fail("invalid syntax");
  }

  // Pipelines

  private declare(token: Token): VariableNode {
    const slot = this.vars.length;
    this.vars.push({ name: token.text, slot });
    if (this.vars.length > this.slots) this.slots = this.vars.length;
    return this.at(token.pos, { type: "variable" as const, ident: [token.text], slot });
  }

  private assigned(token: Token): VariableNode {
    const known = this.vars.findLast(({ name }) => name === token.text);
    return this.at(token.pos, { type: "variable" as const, ident: [token.text], slot: known?.slot ?? -1 });
  }

  private pipeline(context: string, end: TokenType): PipeNode {
    const start = this.peekNonSpace();
    const pipe: PipeNode = this.at(start.pos, {
      type: "pipe" as const,
      assign: false,
      decl: [] as VariableNode[],
      commands: [] as CommandNode[],
    });
    const declared = this.declarations(pipe, context);
    for (;;) {
      const token = this.nextNonSpace();
      switch (token.type) {
        case end:
          this.checkPipeline(pipe, context);
          for (const variable of declared) {
            pipe.decl.push(pipe.assign ? this.assigned(variable) : this.declare(variable));
          }
          return pipe;
        case "bool":
        case "charConstant":
        case "complex":
        case "dot":
        case "field":
        case "identifier":
        case "number":
        case "nil":
        case "rawString":
        case "string":
        case "variable":
        case "leftParen":
          this.back(token);
          pipe.commands.push(this.command());
          break;
        case "break":
        case "continue":
          if (this.shared.options.isFunction(token.type)) {
            this.back({ ...token, type: "identifier" });
            pipe.commands.push(this.command());
            break;
          }
          this.unexpected(token, context);
          break;
        default:
          this.unexpected(token, context);
      }
    }
  }

  /** The variables before `:=` or `=`; they exist once the pipeline's value is there. */
  private declarations(pipe: PipeNode, context: string): Token[] {
    const tokens: Token[] = [];
    for (;;) {
      const variable = this.peekNonSpace();
      if (variable.type !== "variable") return tokens;
      this.next();
      const after = this.peek();
      const next = this.peekNonSpaceAfter(after);
      if (next.type === "assign" || next.type === "declare") {
        pipe.assign = next.type === "assign";
        this.nextNonSpace();
        tokens.push(variable);
        return tokens;
      }
      if (next.type === "char" && next.text === ",") {
        this.nextNonSpace();
        tokens.push(variable);
        if (context === "range" && tokens.length < 2) {
          const { type } = this.peekNonSpace();
          if (type === "variable" || type === "rightDelim" || type === "rightParen") continue;
          this.fail("range can only initialize variables");
        }
        this.fail(`too many declarations in ${context}`);
      }
      this.back(variable);
      return tokens;
    }
  }

  /** The next token that is no space, without losing a space that stands before it. */
  private peekNonSpaceAfter(after: Token): Token {
    if (after.type !== "space") return after;
    this.next();
    const token = this.nextNonSpace();
    this.back(after, token);
    return token;
  }

  private checkPipeline(pipe: PipeNode, context: string): void {
    if (pipe.commands.length === 0) this.fail(`missing value for ${context}`);
    pipe.commands.forEach((command, index) => {
      if (index === 0) return;
      const { type } = command.args[0]!;
      if (type === "bool" || type === "dot" || type === "nil" || type === "number" || type === "string") {
        this.fail(`non executable command in pipeline stage ${index + 1}`);
      }
    });
  }

  private command(): CommandNode {
    const command: CommandNode = this.at(this.peekNonSpace().pos, { type: "command" as const, args: [] as Node[] });
    for (;;) {
      this.peekNonSpaceDropping();
      const operand = this.operand();
      if (operand) command.args.push(operand);
      const token = this.next();
      if (token.type === "space") continue;
      if (token.type === "rightDelim" || token.type === "rightParen") this.back(token);
      else if (token.type !== "pipe") this.unexpected(token, "operand");
      break;
    }
    if (command.args.length === 0) this.fail("empty command");
    return command;
  }

  private peekNonSpaceDropping(): void {
    this.back(this.nextNonSpace());
  }

  private operand(): Node | undefined {
    const node = this.term();
    if (!node || this.peek().type !== "field") return node;
    const { pos } = this.peek();
    const field: string[] = [];
    while (this.peek().type === "field") field.push(this.next().text.slice(1));
    switch (node.type) {
      case "field":
        return this.at(pos, { type: "field" as const, ident: [...node.ident, ...field] });
      case "variable":
        return this.at(pos, { type: "variable" as const, ident: [...node.ident, ...field], slot: node.slot });
      case "bool":
      case "string":
      case "number":
      case "nil":
      case "dot":
        return this.fail(`unexpected . after term ${quote(show(node))}`);
      default: {
        const chain: ChainNode = this.at(pos, { type: "chain" as const, node, field });
        return chain;
      }
    }
  }

  private term(): Node | undefined {
    const token = this.nextNonSpace();
    switch (token.type) {
      case "break":
      case "continue":
        if (!this.shared.options.isFunction(token.type)) break;
        return this.at(token.pos, { type: "identifier" as const, name: token.text });
      case "identifier":
        if (!this.shared.options.isFunction(token.text)) this.fail(`function ${quote(token.text)} not defined`);
        return this.at(token.pos, { type: "identifier" as const, name: token.text });
      case "dot":
      case "nil":
        return this.at(token.pos, { type: token.type });
      case "variable": {
        const known = this.vars.findLast(({ name }) => name === token.text);
        if (!known) this.fail(`undefined variable ${quote(token.text)}`);
        return this.at(token.pos, { type: "variable" as const, ident: [token.text], slot: known.slot });
      }
      case "field":
        return this.at(token.pos, { type: "field" as const, ident: [token.text.slice(1)] });
      case "bool":
        return this.at(token.pos, { type: "bool" as const, value: token.text === "true" });
      case "charConstant":
      case "complex":
      case "number":
        return this.number(token);
      case "leftParen": {
        if (this.parens >= MAX_EXPRESSION_DEPTH) this.fail("max expression depth exceeded");
        this.parens++;
        const pipe = this.pipeline("parenthesized pipeline", "rightParen");
        this.parens--;
        return pipe;
      }
      case "string":
      case "rawString": {
        const text = unquote(token.text);
        if (text === undefined) this.fail("invalid syntax");
        return this.at(token.pos, { type: "string" as const, quoted: token.text, text });
      }
    }
    this.back(token);
    return undefined;
  }

  private number(token: Token): NumberNode {
    const { text } = token;
    const node = { type: "number" as const, text, int: undefined, uint: undefined, float: undefined, complex: false };
    if (token.type === "charConstant") {
      const char = unquote(text);
      if (char === undefined || [...char].length !== 1) this.fail(`malformed character constant: ${text}`);
      const code = BigInt(char.codePointAt(0)!);
      return this.at(token.pos, { ...node, int: code, uint: code, float: Number(code) });
    }
    if (token.type === "complex" || text.endsWith("i")) {
      return this.fail(`complex constants are not supported: ${text}`);
    }
    let uint = parseUint64(text, 0);
    let int = parseInt64(text, 0);
    if (int === 0n) uint = 0n;
    let float: number | undefined;
    if (int !== undefined) float = Number(int);
    else if (uint !== undefined) float = Number(uint);
    else {
      const parsed = parseFloat64(validUnderscores(text));
      if (parsed !== undefined) {
        if (!/[.eEpP]/.test(text)) this.fail(`integer overflow: ${quote(text)}`);
        float = parsed;
        if (Number.isInteger(parsed) && Math.abs(parsed) < 2 ** 63) {
          int = BigInt(parsed);
          if (parsed >= 0) uint = int;
        }
      }
    }
    if (int === undefined && uint === undefined && float === undefined) {
      this.fail(`illegal number syntax: ${quote(text)}`);
    }
    return this.at(token.pos, { ...node, int, uint, float });
  }
}

/** Underscores are allowed only where Go's base prefixes are; elsewhere the number is wrong. */
const validUnderscores = (text: string): string => (/^[+-]?0[xX]/.test(text) ? text.replaceAll("_", "") : text);
