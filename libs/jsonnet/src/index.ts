export { JsonnetRuntimeError, JsonnetSyntaxError, type Place } from "./errors.js";
export {
  dataAsCode,
  type EvaluateOptions,
  evaluate,
  evaluateToJson,
  type Imported,
  type Outside,
} from "./evaluate.js";
export { parse } from "./parser.js";
export { standardNames } from "./std/index.js";
