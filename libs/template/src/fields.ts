import type { State } from "./state.js";
import { quote } from "./strconv.js";
import { GoFunc, GoInt, GoMap, GoSlice, GoStruct, type GoValue, type Method, typeOf, zeroOf } from "./values.js";

/** Methods of values that are no structs: defined map, slice and integer types. */
const methodTables = new Map<string, Readonly<Record<string, Method>>>();

/** Gives the values of a defined type their methods; `this` of a method is its first argument. */
export function defineMethods(typeName: string, methods: Readonly<Record<string, Method>>): void {
  methodTables.set(typeName, methods);
}

/** The method of that name, with its receiver as first argument of `call` for defined types. */
export function methodOf(value: GoValue, name: string): { method: Method; bound: boolean } | undefined {
  if (value instanceof GoStruct) {
    const own = value.options.methods;
    if (own && Object.hasOwn(own, name)) return { method: own[name]!, bound: true };
  }
  const typeName =
    value instanceof GoMap
      ? value.typeName
      : value instanceof GoSlice
        ? value.defined
        : value instanceof GoInt
          ? value.name
          : value instanceof GoStruct
            ? value.typeName
            : undefined;
  if (typeName === undefined) return undefined;
  const table = methodTables.get(typeName);
  return table && Object.hasOwn(table, name) ? { method: table[name]!, bound: false } : undefined;
}

/** A field without arguments of a value that has no such method. `viaInterface`: the value came out of an interface{}. */
export function fieldOf(
  state: State,
  receiver: GoValue,
  name: string,
  hasArgs: boolean,
  viaInterface: boolean,
): GoValue {
  if (receiver instanceof Map) {
    if (hasArgs) state.fail(`${name} is not a method but has arguments`);
    const value = receiver.get(name);
    if (value !== undefined) return value;
    if (state.missingKey === "error") state.fail(`map has no entry for key ${quote(name)}`);
    if (state.missingKey === "default") return undefined;
    return receiver instanceof GoMap ? zeroOf(receiver.elem) : null;
  }
  const type = viaInterface ? "interface {}" : typeOf(receiver);
  if (receiver === null) state.fail(`nil pointer evaluating interface {}.${name}`);
  if (receiver instanceof GoStruct && receiver.fields.has(name)) {
    if (!/^\p{Lu}/u.test(name)) state.fail(`${name} is an unexported field of struct type ${type}`);
    if (hasArgs) state.fail(`${name} has arguments but cannot be invoked as function`);
    return receiver.fields.get(name);
  }
  return state.fail(`can't evaluate field ${name} in type ${type}`);
}

/** Whether a call of a value makes sense: only functions can be called. */
export const isFunction = (value: GoValue): value is GoFunc => value instanceof GoFunc;
