import { FunctionError } from "../errors.js";
import { marshalJson, unmarshalJson } from "../json.js";
import type { GoFunction } from "../state.js";
import { kindOf, typeOf } from "../values.js";
import { empty } from "./convert.js";

/** The value, or what the function gives when it cannot. */
const or = <T>(value: () => T, otherwise: T): T => {
  try {
    return value();
  } catch (error) {
    if (error instanceof FunctionError) return otherwise;
    throw error;
  }
};

const any = ["any"] as const;

export const defaultFunctions: Readonly<Record<string, GoFunction>> = {
  default: {
    params: ["any", "any"],
    variadic: true,
    call: ([fallback, given]) => (given === undefined || empty(given) ? fallback : given),
  },
  empty: { params: any, call: ([value]) => empty(value) },
  coalesce: { params: any, variadic: true, call: (values) => values.find((value) => !empty(value)) ?? null },
  all: { params: any, variadic: true, call: (values) => !values.some(empty) },
  any: { params: any, variadic: true, call: (values) => values.some((value) => !empty(value)) },
  ternary: { params: ["any", "any", "bool"], call: ([yes, no, test]) => (test ? yes : no) },
  fromJson: { params: ["string"], call: ([text]) => or(() => unmarshalJson(text), null) },
  mustFromJson: { params: ["string"], call: ([text]) => unmarshalJson(text) },
  toJson: { params: any, call: ([value]) => or(() => marshalJson(value), "") },
  mustToJson: { params: any, call: ([value]) => marshalJson(value) },
  toPrettyJson: { params: any, call: ([value]) => or(() => marshalJson(value, { indent: "  " }), "") },
  mustToPrettyJson: { params: any, call: ([value]) => marshalJson(value, { indent: "  " }) },
  toRawJson: { params: any, call: ([value]) => marshalJson(value, { escapeHtml: false }) },
  mustToRawJson: { params: any, call: ([value]) => marshalJson(value, { escapeHtml: false }) },
  typeOf: { params: any, call: ([value]) => typeOf(value) },
  typeIs: { params: ["string", "any"], call: ([type, value]) => type === typeOf(value) },
  typeIsLike: {
    params: ["string", "any"],
    call: ([type, value]) => type === typeOf(value) || `*${type}` === typeOf(value),
  },
  kindOf: { params: any, call: ([value]) => kindOf(value) },
  kindIs: { params: ["string", "any"], call: ([kind, value]) => kind === kindOf(value) },
  fail: {
    params: ["string"],
    call: ([message]) => {
      throw new FunctionError(message);
    },
  },
};
