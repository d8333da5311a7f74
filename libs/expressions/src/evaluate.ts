import { type CompiledExpression, type CompileOptions, compileExpression, type Env } from "./compile.js";
import { ExpressionError } from "./errors.js";
import { typeName } from "./values.js";

const CACHED = 500;
const cache = new Map<string, CompiledExpression>();

/** Compiles (expressions without own options are kept) and runs. */
export function evaluate(source: string, env: Env, options?: CompileOptions): unknown {
  if (options) return compileExpression(source, options)(env);
  let compiled = cache.get(source);
  if (!compiled) {
    compiled = compileExpression(source);
    if (cache.size >= CACHED) cache.delete(cache.keys().next().value as string);
    cache.set(source, compiled);
  }
  return compiled(env);
}

/** Runs an expression that must give true or false. */
export function evaluateBoolean(source: string, env: Env, options?: CompileOptions): boolean {
  const value = evaluate(source, env, options);
  if (typeof value !== "boolean") {
    throw new ExpressionError(`must give true or false, but gives ${typeName(value)}`, source, 0);
  }
  return value;
}

/** Functions that Rollouts' analysis conditions may call beside the builtins. */
export const analysisFunctions = {
  isNaN: (value: unknown) => typeof value === "number" && Number.isNaN(value),
  isInf: (value: unknown) => value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY,
  isNil: (value: unknown) => value === null || value === undefined,
  default: (value: unknown, fallback: unknown) => (value === null || value === undefined ? fallback : value),
} as const;
