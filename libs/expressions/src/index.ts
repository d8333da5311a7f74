export {
  type CompiledExpression,
  type CompileOptions,
  compileExpression,
  type Env,
  type ExpressionFunction,
} from "./compile.js";
export { formatGoTime, parseGoTime } from "./datetime.js";
export * from "./errors.js";
export * from "./evaluate.js";
export { compileGovaluate, evaluateGovaluate, type GovaluateExpression, type GovaluateOptions } from "./govaluate.js";
export { sprig } from "./sprig.js";
export * from "./template.js";
export { Duration, parseDuration, textOf, typeName } from "./values.js";
