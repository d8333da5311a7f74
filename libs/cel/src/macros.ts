import { ACCUMULATOR, type Expr, type LoopExpr, type LoopMacro, type Offset } from "./ast.js";
import { SyntaxProblem } from "./lexer.js";
import type { Builder } from "./parser.js";

/** What a call that is a macro becomes; undefined when it is an ordinary call. */
export function expandMacro(
  make: Builder,
  at: Offset,
  name: string,
  args: readonly Expr[],
  target: Expr | undefined,
): Expr | undefined {
  if (target === undefined) return name === "has" && args.length === 1 ? has(make, args[0]!) : undefined;
  switch (`${name}/${args.length}`) {
    case "all/2":
    case "exists/2":
    case "exists_one/2":
    case "existsOne/2":
    case "filter/2":
    case "map/2":
    case "map/3":
      return loop(make, at, target, name === "existsOne" ? "exists_one" : (name as LoopMacro), args, 1);
    case "all/3":
    case "exists/3":
    case "exists_one/3":
    case "existsOne/3":
      return loop(make, at, target, name === "existsOne" ? "exists_one" : (name as LoopMacro), args, 2);
    case "transformList/3":
    case "transformList/4":
    case "transformMap/3":
    case "transformMap/4":
    case "transformMapEntry/3":
    case "transformMapEntry/4":
      return loop(make, at, target, name as LoopMacro, args, 2);
    case "optMap/2":
    case "optFlatMap/2":
      return optMap(make, at, target, name, args);
    case "sortBy/2":
      return sortBy(make, at, target, args);
    default:
      return undefined;
  }
}

function has(make: Builder, arg: Expr): Expr {
  if (arg.is !== "select" || arg.test) throw new SyntaxProblem(arg.at, "invalid argument to has() macro");
  return make.select(arg.at, arg.operand, arg.field, true);
}

function variable(expr: Expr, problem = "argument must be a simple name"): string {
  if (expr.is !== "ident") throw new SyntaxProblem(expr.at, problem);
  if (expr.name === ACCUMULATOR || expr.name === "__result__") {
    throw new SyntaxProblem(expr.at, "iteration variable overwrites accumulator variable");
  }
  return expr.name;
}

function loop(
  make: Builder,
  at: Offset,
  range: Expr,
  macro: LoopMacro,
  args: readonly Expr[],
  variables: 1 | 2,
): LoopExpr {
  const problem =
    variables === 1 && (macro === "map" || macro === "filter") ? "argument is not an identifier" : undefined;
  const names = args.slice(0, variables).map((arg) => variable(arg, problem));
  if (variables === 2 && names[0] === names[1]) {
    throw new SyntaxProblem(args[1]!.at, `duplicate variable name: ${names[1]}`);
  }
  const body = args.slice(variables);
  const shape = loopShape(make, at, macro, body, names);
  return {
    is: "loop",
    id: make.next(),
    at,
    macro,
    range,
    variable: names[0]!,
    ...(names[1] === undefined ? {} : { variable2: names[1] }),
    accumulator: ACCUMULATOR,
    body,
    ...shape,
  };
}

type Shape = Pick<LoopExpr, "init" | "condition" | "step" | "result">;

/** The loop in terms of other expressions: types and costs are derived from these. */
function loopShape(
  make: Builder,
  at: Offset,
  macro: LoopMacro,
  body: readonly Expr[],
  names: readonly string[],
): Shape {
  const accumulator = () => make.ident(at, ACCUMULATOR);
  const { call, literal, list, map } = make;
  const first = body[0]!;
  const last = body.at(-1)!;
  const filtered = (step: Expr): Expr => (body.length === 2 ? call(at, "_?_:_", [first, step, accumulator()]) : step);
  switch (macro) {
    case "all":
      return {
        init: literal(at, true),
        condition: call(at, "@not_strictly_false", [accumulator()]),
        step: call(at, "_&&_", [accumulator(), first]),
        result: accumulator(),
      };
    case "exists":
      return {
        init: literal(at, false),
        condition: call(at, "@not_strictly_false", [call(at, "!_", [accumulator()])]),
        step: call(at, "_||_", [accumulator(), first]),
        result: accumulator(),
      };
    case "exists_one":
      return {
        init: literal(at, 0n),
        condition: literal(at, true),
        step: call(at, "_?_:_", [first, call(at, "_+_", [accumulator(), literal(at, 1n)]), accumulator()]),
        result: call(at, "_==_", [accumulator(), literal(at, 1n)]),
      };
    case "map":
    case "transformList":
      return {
        init: list(at, []),
        condition: literal(at, true),
        step: filtered(call(at, "_+_", [accumulator(), list(at, [last])])),
        result: accumulator(),
      };
    case "filter":
      return {
        init: list(at, []),
        condition: literal(at, true),
        step: call(at, "_?_:_", [
          first,
          call(at, "_+_", [accumulator(), list(at, [make.ident(at, names[0]!)])]),
          accumulator(),
        ]),
        result: accumulator(),
      };
    case "transformMap":
      return {
        init: map(at, []),
        condition: literal(at, true),
        step: filtered(call(at, "cel.@mapInsert", [accumulator(), make.ident(at, names[0]!), last])),
        result: accumulator(),
      };
    case "transformMapEntry":
      return {
        init: map(at, []),
        condition: literal(at, true),
        step: filtered(call(at, "cel.@mapInsert", [accumulator(), last])),
        result: accumulator(),
      };
  }
}

function optMap(make: Builder, at: Offset, target: Expr, name: string, args: readonly Expr[]): Expr {
  const mapped = args[1]!;
  const { call } = make;
  const value =
    name === "optMap"
      ? call(at, "optional.of", [bound(make, at, name, target, args[0]!, mapped)])
      : bound(make, at, name, target, args[0]!, mapped);
  return call(at, "_?_:_", [call(at, "hasValue", [], target), value, call(at, "optional.none", [])]);
}

function bound(make: Builder, at: Offset, macro: string, target: Expr, name: Expr, result: Expr): Expr {
  return {
    is: "bind",
    id: make.next(),
    at,
    variable: variable(name, `${macro}() variable name must be a simple identifier`),
    init: make.call(at, "value", [], target),
    result,
  };
}

/** Sorts by a key: the keys are computed first, one per element. */
function sortBy(make: Builder, at: Offset, target: Expr, args: readonly Expr[]): Expr {
  if (
    target.is !== "select" &&
    target.is !== "ident" &&
    target.is !== "list" &&
    target.is !== "call" &&
    target.is !== "loop"
  ) {
    throw new SyntaxProblem(
      target.at,
      "sortBy can only be applied to a list, identifier, comprehension, call or select expression",
    );
  }
  const name = "@__sortBy_input__";
  const keys = loop(make, at, make.ident(at, name), "map", args, 1);
  return {
    is: "bind",
    id: make.next(),
    at,
    variable: name,
    init: target,
    result: make.call(at, "@sortByAssociatedKeys", [keys], make.ident(at, name)),
  };
}
