import { quote } from "./strconv.js";

/** The source a node came from: where errors say they are. */
export interface Source {
  /** The name under which the text was parsed (a file). */
  readonly name: string;
  readonly text: string;
}

interface Base {
  /** Offset in the source's text. */
  readonly pos: number;
  readonly source: Source;
}

export interface ListNode extends Base {
  readonly type: "list";
  readonly nodes: Node[];
}
export interface TextNode extends Base {
  readonly type: "text";
  readonly text: string;
}
export interface ActionNode extends Base {
  readonly type: "action";
  readonly pipe: PipeNode;
}
export interface BranchNode extends Base {
  readonly type: "if" | "range" | "with";
  readonly pipe: PipeNode;
  readonly list: ListNode;
  readonly elseList: ListNode | undefined;
}
export interface TemplateNode extends Base {
  readonly type: "template";
  readonly name: string;
  readonly pipe: PipeNode | undefined;
}
export interface LeafNode extends Base {
  readonly type: "break" | "continue" | "dot" | "nil";
}
export interface EndNode extends Base {
  readonly type: "end" | "else";
}
export interface PipeNode extends Base {
  readonly type: "pipe";
  assign: boolean;
  readonly decl: VariableNode[];
  readonly commands: CommandNode[];
}
export interface CommandNode extends Base {
  readonly type: "command";
  readonly args: Node[];
}
export interface FieldNode extends Base {
  readonly type: "field";
  readonly ident: readonly string[];
}
export interface ChainNode extends Base {
  readonly type: "chain";
  readonly node: Node;
  readonly field: string[];
}
export interface IdentifierNode extends Base {
  readonly type: "identifier";
  readonly name: string;
}
export interface VariableNode extends Base {
  readonly type: "variable";
  readonly ident: readonly string[];
  /** Where the variable lives in a frame; given by the parser. */
  readonly slot: number;
}
export interface BoolNode extends Base {
  readonly type: "bool";
  readonly value: boolean;
}
export interface NumberNode extends Base {
  readonly type: "number";
  readonly text: string;
  readonly int: bigint | undefined;
  readonly uint: bigint | undefined;
  readonly float: number | undefined;
  readonly complex: boolean;
}
export interface StringNode extends Base {
  readonly type: "string";
  readonly quoted: string;
  readonly text: string;
}

export type Node =
  | ListNode
  | TextNode
  | ActionNode
  | BranchNode
  | TemplateNode
  | LeafNode
  | EndNode
  | PipeNode
  | CommandNode
  | FieldNode
  | ChainNode
  | IdentifierNode
  | VariableNode
  | BoolNode
  | NumberNode
  | StringNode;

/** A node as error messages show it. */
export function show(node: Node): string {
  switch (node.type) {
    case "list":
      return node.nodes.map(show).join("");
    case "text":
      return quote(node.text);
    case "action":
      return `{{${show(node.pipe)}}}`;
    case "if":
    case "range":
    case "with":
      return `{{${node.type} ${show(node.pipe)}}}${show(node.list)}${node.elseList ? `{{else}}${show(node.elseList)}` : ""}{{end}}`;
    case "template":
      return `{{template ${quote(node.name)}${node.pipe ? ` ${show(node.pipe)}` : ""}}}`;
    case "break":
    case "continue":
    case "end":
    case "else":
      return `{{${node.type}}}`;
    case "dot":
      return ".";
    case "nil":
      return "nil";
    case "pipe": {
      const decl = node.decl.length > 0 ? `${node.decl.map(show).join(", ")} ${node.assign ? "=" : ":="} ` : "";
      return decl + node.commands.map(show).join(" | ");
    }
    case "command":
      return node.args.map((arg) => (arg.type === "pipe" ? `(${show(arg)})` : show(arg))).join(" ");
    case "field":
      return node.ident.map((name) => `.${name}`).join("");
    case "chain":
      return `${node.node.type === "pipe" ? `(${show(node.node)})` : show(node.node)}${node.field.map((name) => `.${name}`).join("")}`;
    case "identifier":
      return node.name;
    case "variable":
      return node.ident.join(".");
    case "bool":
      return String(node.value);
    case "number":
      return node.text;
    case "string":
      return node.quoted;
  }
}

/** Where a node stands, as `name:line:column`; columns count bytes from 0, as in Go. */
export function locate(node: Node): string {
  const before = node.source.text.slice(0, node.pos);
  let line = 1;
  for (let at = before.indexOf("\n"); at >= 0; at = before.indexOf("\n", at + 1)) line++;
  const column = Buffer.byteLength(before.slice(before.lastIndexOf("\n") + 1));
  return `${node.source.name}:${line}:${column}`;
}

/** True for a tree that prints nothing but blanks: a definition may replace it. */
export function isEmpty(node: Node): boolean {
  if (node.type === "list") return node.nodes.every(isEmpty);
  return node.type === "text" && node.text.trim() === "";
}
