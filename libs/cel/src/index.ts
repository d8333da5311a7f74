export { type Compiled, compile, type Environment, type Outcome, type Program } from "./compile.js";
export { CelBudgetError, CelRuntimeError, type Problem } from "./errors.js";
export { type Declared, declare, escapeName, type SchemaNode, toValue } from "./schema.js";
export * from "./types.js";
export { Optional, type Value } from "./values.js";
