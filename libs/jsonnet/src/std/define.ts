import { JsonnetRuntimeError } from "../errors.js";
import type { Machine } from "../machine.js";
import { force, type JArray, JFunction, JObject, type Slot, typeOf, type Value } from "../values.js";

/** A parameter: its name, or its name and the value it has when it is not given. */
export type Parameter = string | readonly [name: string, absent: Slot];

export type Functions = Readonly<Record<string, JFunction>>;

const paramsOf = (parameters: readonly Parameter[]) =>
  parameters.map((one) => (typeof one === "string" ? { name: one } : { name: one[0], default: () => one[1] }));

/** A builtin that computes all of its arguments. */
export const define = (
  name: string,
  parameters: readonly Parameter[],
  run: (machine: Machine, ...args: Value[]) => Value,
): JFunction => new JFunction(paramsOf(parameters), name, (machine, slots) => run(machine, ...slots.map(force)));

/** A builtin that computes the arguments which it looks at. */
export const defineLazy = (
  name: string,
  parameters: readonly Parameter[],
  run: (machine: Machine, ...args: Slot[]) => Value,
): JFunction => new JFunction(paramsOf(parameters), name, (machine, slots) => run(machine, ...slots));

const wrong = (where: string, wanted: string, value: Value): never => {
  throw new JsonnetRuntimeError(`${where} expected ${wanted}, got ${typeOf(value)}`);
};

export const text = (where: string, value: Value): string =>
  typeof value === "string" ? value : wrong(where, "a string", value);
export const number = (where: string, value: Value): number =>
  typeof value === "number" ? value : wrong(where, "a number", value);
export const boolean = (where: string, value: Value): boolean =>
  typeof value === "boolean" ? value : wrong(where, "a boolean", value);
export const array = (where: string, value: Value): JArray =>
  Array.isArray(value) ? (value as JArray) : wrong(where, "an array", value);
export const object = (where: string, value: Value): JObject =>
  value instanceof JObject ? value : wrong(where, "an object", value);
export const func = (where: string, value: Value): JFunction =>
  value instanceof JFunction ? value : wrong(where, "a function", value);
export function integer(where: string, value: Value): number {
  const given = number(where, value);
  if (Number.isInteger(given)) return given;
  throw new JsonnetRuntimeError(`${where} expected an integer, got ${given}`);
}
/** The characters of a text, or the slots of an array. */
export const sequence = (where: string, value: Value): JArray =>
  typeof value === "string"
    ? [...value]
    : Array.isArray(value)
      ? (value as JArray)
      : wrong(where, "an array or a string", value);

export const fail = (problem: string): never => {
  throw new JsonnetRuntimeError(problem);
};
