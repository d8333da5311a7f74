import type { CallExpr, Expr, ListExpr } from "./ast.js";
import type { Checked } from "./checker.js";
import { CelRuntimeError, type Problem } from "./errors.js";
import { pattern, toDuration, toTimestamp } from "./functions/standard.js";
import { clauses } from "./functions/strings.js";
import { isOptional, sameType, type Type, typeText } from "./types.js";

const checks: Readonly<Record<string, (text: string) => unknown>> = {
  duration: toDuration,
  timestamp: toTimestamp,
  matches: pattern,
};

/** What is wrong with literals, known before anything runs: durations, times, patterns, mixed lists, format texts. */
export function literalProblems(checked: Checked): Problem[] {
  const problems: Problem[] = [];
  // Arguments of format() may differ in type.
  const mixed = new Set<number>();
  walk(checked.expr, (expr) => {
    if (expr.is === "call") {
      const test = checks[expr.fn];
      const arg = expr.args.at(-1);
      if (test !== undefined && arg?.is === "literal" && typeof arg.value === "string" && fails(test, arg.value)) {
        problems.push({ offset: arg.at, message: `invalid ${expr.fn} argument` });
      }
      if (expr.fn === "format" && arg?.is === "list") {
        mixed.add(arg.id);
        const problem = formatProblem(checked, expr, arg);
        if (problem !== undefined) problems.push(problem);
      }
    } else if (expr.is === "list" && !mixed.has(expr.id)) {
      const problem = mixture(checked, expr.elements);
      if (problem !== undefined) problems.push(problem);
    } else if (expr.is === "map") {
      for (const side of ["key", "value"] as const) {
        const problem = mixture(
          checked,
          expr.entries.map((entry) => entry[side]),
        );
        if (problem !== undefined) problems.push(problem);
      }
    }
  });
  return problems;
}

function fails(test: (text: string) => unknown, text: string): boolean {
  try {
    test(text);
    return false;
  } catch (error) {
    if (error instanceof CelRuntimeError) return true;
    throw error;
  }
}

function mixture({ types }: Checked, elements: readonly Expr[]): Problem | undefined {
  let first: Type | undefined;
  for (const element of elements) {
    let type = types.get(element.id)!;
    if (isOptional(type)) type = type.params[0]!;
    if (first === undefined) first = type;
    else if (!sameType(first, type)) {
      return { offset: element.at, message: `expected type '${typeText(first)}' but found '${typeText(type)}'` };
    }
  }
  return undefined;
}

const accepted: Readonly<Record<string, readonly [kinds: readonly string[], problem: string]>> = {
  s: [
    ["list", "map", "int", "uint", "double", "bool", "string", "timestamp", "bytes", "duration", "type", "null"],
    "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
  ],
  d: [["int", "uint"], "decimal clause can only be used on integers"],
  f: [["double", "string"], "fixed-point clause can only be used on doubles"],
  e: [["double", "string"], "scientific clause can only be used on doubles"],
  b: [["int", "uint", "bool"], "only integers and bools can be formatted as binary"],
  x: [["int", "uint", "string", "bytes"], "only integers, byte buffers, and strings can be formatted as hex"],
  X: [["int", "uint", "string", "bytes"], "only integers, byte buffers, and strings can be formatted as hex"],
  o: [["int", "uint"], "octal clause can only be used on integers"],
};

function formatProblem({ types }: Checked, call: CallExpr, args: ListExpr): Problem | undefined {
  const { target } = call;
  if (target?.is !== "literal" || typeof target.value !== "string") return undefined;
  let used = 0;
  try {
    for (const { verb } of clauses(target.value)) {
      const arg = args.elements[used];
      if (arg === undefined) return { offset: call.at, message: `index ${used} out of range` };
      used++;
      const type = types.get(arg.id)!;
      const [kinds, problem] = accepted[verb]!;
      if (type.kind === "dyn" || kinds.includes(type.kind)) continue;
      return { offset: arg.at, message: `error during formatting: ${problem}, was given ${type.name}` };
    }
  } catch (error) {
    if (error instanceof CelRuntimeError) return { offset: call.at, message: error.message };
    throw error;
  }
  if (args.elements.length === used) return undefined;
  const message = `too many arguments supplied to string.format (expected ${used}, got ${args.elements.length})`;
  return { offset: call.at, message };
}

/** Every expression in another one, outside first. */
export function walk(expr: Expr, visit: (expr: Expr) => void): void {
  visit(expr);
  switch (expr.is) {
    case "select":
      walk(expr.operand, visit);
      break;
    case "call":
      if (expr.target) walk(expr.target, visit);
      for (const arg of expr.args) walk(arg, visit);
      break;
    case "list":
      for (const element of expr.elements) walk(element, visit);
      break;
    case "map":
      for (const { key, value } of expr.entries) {
        walk(key, visit);
        walk(value, visit);
      }
      break;
    case "loop":
      walk(expr.range, visit);
      for (const part of expr.body) walk(part, visit);
      break;
    case "bind":
      walk(expr.init, visit);
      walk(expr.result, visit);
      break;
  }
}
