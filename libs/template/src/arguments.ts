import type { State } from "./state.js";
import { GoInt, GoMap, GoSlice, GoStruct, type GoValue, type ParamType, paramTypeName, typeOf } from "./values.js";

/**
 * Checks a value against a parameter's type and gives it the form functions expect: JavaScript numbers for `int`, bigint for
 * `int64`, null for every nil. `typed`: a nil here still has the type interface{}, which the error names.
 */
export function validate(state: State, value: GoValue, type: ParamType, typed: boolean): GoValue {
  switch (type) {
    case "any":
    case "value":
      return value ?? null;
    case "string":
      if (typeof value === "string") return value;
      break;
    case "int":
      if (value instanceof GoInt && value.name === "int") return Number(value.v);
      break;
    case "int64":
      if (value instanceof GoInt && value.name === "int64") return value.v;
      break;
    case "uint32":
      if (value instanceof GoInt && value.name === "uint32") return Number(value.v);
      break;
    case "float64":
      if (typeof value === "number") return value;
      break;
    case "bool":
      if (typeof value === "boolean") return value;
      break;
    case "map":
      if (value instanceof Map && (!(value instanceof GoMap) || value.elem === "interface {}")) return value;
      if (value === undefined) return null;
      break;
    case "list":
      if (Array.isArray(value) && (!(value instanceof GoSlice) || value.elem === "interface {}")) return value;
      if (value === undefined) return null;
      break;
    case "time":
      if (value instanceof GoStruct && value.typeName === "time.Time" && !value.options.pointer) return value;
      break;
    case "certificate":
      if (value instanceof GoStruct && value.typeName === "sprig.certificate") return value;
      break;
  }
  const expected = paramTypeName[type];
  if (value === undefined || (value === null && !typed)) return state.fail(`invalid value; expected ${expected}`);
  return state.fail(
    `wrong type for value; expected ${expected}; got ${value === null ? "interface {}" : typeOf(value)}`,
  );
}
