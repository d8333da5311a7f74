/** Syntax tree of expr-lang; `at` is the position for messages. */
export type Node =
  | { readonly type: "literal"; readonly value: unknown; readonly at: number }
  | { readonly type: "name"; readonly name: string; readonly at: number }
  | { readonly type: "pointer"; readonly name: string; readonly at: number }
  | { readonly type: "unary"; readonly op: string; readonly operand: Node; readonly at: number }
  | { readonly type: "binary"; readonly op: string; readonly left: Node; readonly right: Node; readonly at: number }
  | { readonly type: "conditional"; readonly test: Node; readonly yes: Node; readonly no: Node; readonly at: number }
  | {
      readonly type: "member";
      readonly object: Node;
      readonly key: Node;
      readonly optional: boolean;
      readonly at: number;
    }
  /** A run of accesses that a `?.` inside may cut short to nil. */
  | { readonly type: "chain"; readonly body: Node; readonly at: number }
  | { readonly type: "slice"; readonly object: Node; readonly from?: Node; readonly to?: Node; readonly at: number }
  | { readonly type: "call"; readonly callee: Node; readonly args: readonly Node[]; readonly at: number }
  | { readonly type: "builtin"; readonly name: string; readonly args: readonly Node[]; readonly at: number }
  | { readonly type: "predicate"; readonly body: Node; readonly at: number }
  | { readonly type: "array"; readonly items: readonly Node[]; readonly at: number }
  | { readonly type: "map"; readonly entries: readonly (readonly [Node, Node])[]; readonly at: number }
  | { readonly type: "let"; readonly name: string; readonly value: Node; readonly body: Node; readonly at: number };
