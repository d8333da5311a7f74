export { builtins, queryEscape } from "./builtins.js";
export * from "./errors.js";
export { defineMethods } from "./fields.js";
export { formatValue, sprint, sprintf, sprintln } from "./fmt.js";
export { byteLength, compareStrings, fromBytes, isPrint, isSpace, isValid, toBytes, trimSpace } from "./go-string.js";
export { checkWanted, type MarshalOptions, marshalJson, unmarshalJson } from "./json.js";
export { empty, strval, toFloat64, toInt64 } from "./sprig/convert.js";
export { type Environment, randomBelow } from "./sprig/environment.js";
export { sprigFunctions } from "./sprig/index.js";
export { basePath, cleanPath, extension } from "./sprig/paths.js";
export {
  defaultFuel,
  type Fuel,
  type FunctionTable,
  type GoFunction,
  type MissingKey,
  State,
  type TemplateSet,
} from "./state.js";
export { formatFloat, parseFloat64, parseInt64, parseUint64, quote, unquote } from "./strconv.js";
export * from "./template.js";
export { formatTime, GoDuration, GoTime, parseDurationText, parseTime } from "./time.js";
export * from "./values.js";
