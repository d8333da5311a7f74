/** Where something is in the source: offset in code points. */
export type Offset = number;

interface Node {
  /** Unique in its expression; types, references and sizes are kept by it. */
  readonly id: number;
  readonly at: Offset;
}

export type Literal = bigint | number | string | boolean | null | Uint8Array | UintLiteral;
/** An unsigned integer: `5u`. */
export interface UintLiteral {
  readonly uint: bigint;
}

export interface LiteralExpr extends Node {
  readonly is: "literal";
  readonly value: Literal;
}
export interface IdentExpr extends Node {
  readonly is: "ident";
  readonly name: string;
}
export interface SelectExpr extends Node {
  readonly is: "select";
  readonly operand: Expr;
  readonly field: string;
  /** `has(a.b)`: whether the field is there, not what it is. */
  readonly test: boolean;
}
export interface CallExpr extends Node {
  readonly is: "call";
  readonly fn: string;
  readonly target?: Expr;
  readonly args: readonly Expr[];
}
export interface ListExpr extends Node {
  readonly is: "list";
  readonly elements: readonly Expr[];
  /** Indexes of elements written `?x`. */
  readonly optional: ReadonlySet<number>;
}
export interface MapEntry {
  readonly key: Expr;
  readonly value: Expr;
  readonly optional: boolean;
}
export interface MapExpr extends Node {
  readonly is: "map";
  readonly entries: readonly MapEntry[];
}
export interface StructExpr extends Node {
  readonly is: "struct";
  readonly type: string;
  readonly fields: readonly { readonly name: string; readonly value: Expr; readonly optional: boolean }[];
}
/** A loop: what every macro over lists and maps becomes. */
export interface LoopExpr extends Node {
  readonly is: "loop";
  readonly macro: LoopMacro;
  readonly range: Expr;
  readonly variable: string;
  readonly variable2?: string;
  readonly accumulator: string;
  readonly init: Expr;
  readonly condition: Expr;
  readonly step: Expr;
  readonly result: Expr;
  /** The macro's own arguments, which the program runs directly. */
  readonly body: readonly Expr[];
}
export type LoopMacro =
  | "all"
  | "exists"
  | "exists_one"
  | "map"
  | "filter"
  | "transformList"
  | "transformMap"
  | "transformMapEntry";
/** One variable for one expression. */
export interface BindExpr extends Node {
  readonly is: "bind";
  readonly variable: string;
  readonly init: Expr;
  readonly result: Expr;
}

export type Expr =
  | LiteralExpr
  | IdentExpr
  | SelectExpr
  | CallExpr
  | ListExpr
  | MapExpr
  | StructExpr
  | LoopExpr
  | BindExpr;

/** The accumulator of macros: no source can spell it. */
export const ACCUMULATOR = "@result";

/** `a.b.c` as one name; undefined when it is not only names. */
export function qualifiedName(expr: Expr): string | undefined {
  if (expr.is === "ident") return expr.name;
  if (expr.is !== "select" || expr.test) return undefined;
  const prefix = qualifiedName(expr.operand);
  return prefix === undefined ? undefined : `${prefix}.${expr.field}`;
}
