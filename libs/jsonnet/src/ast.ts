import type { Place } from "./errors.js";

export type Visibility = ":" | "::" | ":::";

export interface Param {
  readonly name: string;
  readonly default?: Node;
}

export interface Bind {
  readonly name: string;
  readonly body: Node;
  readonly place: Place;
}

export interface Assertion {
  readonly condition: Node;
  readonly message?: Node;
  readonly place: Place;
}

export interface Field {
  readonly name: Node;
  readonly visibility: Visibility;
  /** `f+: e`: the value is added to the inherited one. */
  readonly plus: boolean;
  readonly body: Node;
  readonly place: Place;
}

export type CompClause =
  | { readonly type: "for"; readonly name: string; readonly array: Node; readonly place: Place }
  | { readonly type: "if"; readonly condition: Node; readonly place: Place };

export type BinaryOperator =
  | "*"
  | "/"
  | "%"
  | "+"
  | "-"
  | "<<"
  | ">>"
  | "<"
  | "<="
  | ">"
  | ">="
  | "in"
  | "=="
  | "!="
  | "&"
  | "^"
  | "|"
  | "&&"
  | "||";

export type UnaryOperator = "+" | "-" | "!" | "~";

/** An expression; the grammar's sugar is kept where compiling it directly is faster than what it stands for. */
export type Node = { readonly place: Place } & (
  | { readonly type: "literal"; readonly value: null | boolean | number | string }
  | { readonly type: "self" }
  | { readonly type: "dollar" }
  | { readonly type: "variable"; readonly name: string }
  | { readonly type: "array"; readonly items: readonly Node[] }
  | { readonly type: "arrayComp"; readonly item: Node; readonly clauses: readonly CompClause[] }
  | {
      readonly type: "object";
      readonly fields: readonly Field[];
      readonly locals: readonly Bind[];
      readonly asserts: readonly Assertion[];
    }
  | {
      readonly type: "objectComp";
      readonly field: Field;
      readonly locals: readonly Bind[];
      readonly clauses: readonly CompClause[];
    }
  | { readonly type: "index"; readonly target: Node; readonly key: Node }
  | {
      readonly type: "slice";
      readonly target: Node;
      readonly from?: Node;
      readonly to?: Node;
      readonly step?: Node;
    }
  | { readonly type: "superIndex"; readonly key: Node }
  | { readonly type: "inSuper"; readonly key: Node }
  | {
      readonly type: "apply";
      readonly target: Node;
      readonly positional: readonly Node[];
      readonly named: readonly { readonly name: string; readonly value: Node }[];
      readonly tailstrict: boolean;
    }
  | { readonly type: "binary"; readonly op: BinaryOperator; readonly left: Node; readonly right: Node }
  | { readonly type: "unary"; readonly op: UnaryOperator; readonly operand: Node }
  | { readonly type: "local"; readonly binds: readonly Bind[]; readonly body: Node }
  | { readonly type: "function"; readonly params: readonly Param[]; readonly body: Node }
  | { readonly type: "if"; readonly condition: Node; readonly then: Node; readonly else?: Node }
  | { readonly type: "assert"; readonly assertion: Assertion; readonly body: Node }
  | { readonly type: "error"; readonly message: Node }
  | { readonly type: "import"; readonly kind: "import" | "importstr" | "importbin"; readonly path: string }
);
