import type { Machine } from "../machine.js";
import { force, JFunction, JObject, later, objectOf, type Slot, typeOf, type Value } from "../values.js";
import { boolean, define, defineLazy, type Functions, fail, func, object, text } from "./define.js";

const fields = (machine: Machine, where: string, value: Value, hidden: boolean): string[] => {
  const names = object(where, value).names(hidden);
  machine.charge(names.length);
  return names;
};

const listing = (name: string, hidden: boolean, of: (machine: Machine, from: JObject, field: string) => Slot) =>
  define(name, ["o"], (machine, o) =>
    fields(machine, `std.${name}`, o, hidden).map((field) => of(machine, o as JObject, field)),
  );

const fieldName = (_machine: Machine, _from: JObject, field: string): Slot => field;
const fieldValue = (machine: Machine, from: JObject, field: string): Slot => from.slot(machine, field);
const keyValue = (machine: Machine, from: JObject, field: string): Slot =>
  objectOf([
    ["key", field],
    ["value", from.slot(machine, field)],
  ]);

function lengthOf(value: Value): number {
  if (typeof value === "string") return [...value].length;
  if (Array.isArray(value)) return value.length;
  if (value instanceof JObject) return value.names(false).length;
  if (value instanceof JFunction) return value.params.filter((param) => !param.default).length;
  return fail(`length operates on strings, objects, functions and arrays, got ${typeOf(value)}`);
}

/** RFC 7396: what the patch says, field by field; null removes. */
function mergePatch(machine: Machine, target: Value, patch: Value): Value {
  if (!(patch instanceof JObject)) return patch;
  machine.enter();
  const base = target instanceof JObject ? target : undefined;
  const entries = new Map<string, Slot>();
  for (const name of base?.names(false) ?? []) entries.set(name, (base as JObject).slot(machine, name));
  for (const name of patch.names(false)) {
    const change = patch.get(name) as Value;
    if (change === null) entries.delete(name);
    else entries.set(name, mergePatch(machine, base?.has(name, false) ? (base.get(name) as Value) : null, change));
  }
  machine.leave();
  return objectOf(entries);
}

const isEmpty = (value: Value): boolean =>
  value === null ||
  (Array.isArray(value) && value.length === 0) ||
  (value instanceof JObject && value.names(false).length === 0);

/** Drops nulls and what is empty, from the leaves up. */
function prune(machine: Machine, value: Value): Value {
  if (!Array.isArray(value) && !(value instanceof JObject)) return value;
  machine.enter();
  let result: Value;
  if (Array.isArray(value)) {
    result = value.map((slot) => prune(machine, force(slot))).filter((item) => !isEmpty(item));
  } else {
    const kept: [string, Slot][] = [];
    for (const name of (value as JObject).names(false)) {
      const pruned = prune(machine, (value as JObject).get(name) as Value);
      if (!isEmpty(pruned)) kept.push([name, pruned]);
    }
    result = objectOf(kept);
  }
  machine.leave();
  return result;
}

const is = (name: string, type: string) => define(name, ["v"], (_m, v) => typeOf(v) === type);

export const objects: Functions = {
  type: define("type", ["x"], (_m, x) => typeOf(x)),
  isString: is("isString", "string"),
  isNumber: is("isNumber", "number"),
  isBoolean: is("isBoolean", "boolean"),
  isObject: is("isObject", "object"),
  isArray: is("isArray", "array"),
  isFunction: is("isFunction", "function"),
  isNull: is("isNull", "null"),
  length: define("length", ["x"], (_m, x) => lengthOf(x)),
  get: defineLazy("get", ["o", "f", ["default", null], ["inc_hidden", true]], (_m, o, f, absent, hidden) => {
    const from = object("std.get", force(o));
    const name = text("std.get", force(f));
    return from.has(name, boolean("std.get", force(hidden))) ? (from.get(name) as Value) : force(absent);
  }),
  objectHas: define("objectHas", ["o", "f"], (_m, o, f) =>
    object("std.objectHas", o).has(text("std.objectHas", f), false),
  ),
  objectHasAll: define("objectHasAll", ["o", "f"], (_m, o, f) =>
    object("std.objectHasAll", o).has(text("std.objectHasAll", f), true),
  ),
  objectHasEx: define("objectHasEx", ["obj", "fname", "hidden"], (_m, o, f, hidden) =>
    object("std.objectHasEx", o).has(text("std.objectHasEx", f), boolean("std.objectHasEx", hidden)),
  ),
  objectFields: listing("objectFields", false, fieldName),
  objectFieldsAll: listing("objectFieldsAll", true, fieldName),
  objectFieldsEx: define("objectFieldsEx", ["obj", "hidden"], (machine, o, hidden) =>
    fields(machine, "std.objectFieldsEx", o, boolean("std.objectFieldsEx", hidden)),
  ),
  objectValues: listing("objectValues", false, fieldValue),
  objectValuesAll: listing("objectValuesAll", true, fieldValue),
  objectKeysValues: listing("objectKeysValues", false, keyValue),
  objectKeysValuesAll: listing("objectKeysValuesAll", true, keyValue),
  objectRemoveKey: define("objectRemoveKey", ["obj", "key"], (_m, o, key) => {
    const from = object("std.objectRemoveKey", o);
    const gone = text("std.objectRemoveKey", key);
    return new JObject(
      from.layers.map((layer) =>
        layer.fields.has(gone)
          ? { ...layer, fields: new Map([...layer.fields].filter(([name]) => name !== gone)) }
          : layer,
      ),
    );
  }),
  mapWithKey: define("mapWithKey", ["func", "obj"], (machine, run, o) => {
    const called = func("std.mapWithKey", run);
    const from = object("std.mapWithKey", o);
    return objectOf(
      from
        .names(false)
        .map((name) => [name, later(machine, () => machine.call(called, [name, from.slot(machine, name)]))] as const),
    );
  }),
  mergePatch: define("mergePatch", ["target", "patch"], mergePatch),
  prune: define("prune", ["a"], prune),
  resolvePath: define("resolvePath", ["f", "r"], (_m, f, r) => {
    const parts = text("std.resolvePath", f).split("/");
    return [...parts.slice(0, -1), text("std.resolvePath", r)].join("/");
  }),
  trace: defineLazy("trace", ["str", "rest"], (machine, str, rest) => {
    const said = text("std.trace", force(str));
    machine.options.trace?.(said);
    return force(rest);
  }),
  extVar: define("extVar", ["x"], (machine, x) => {
    const name = text("std.extVar", x);
    const value = machine.options.extVar(name);
    return value === undefined ? fail(`undefined external variable: ${name}`) : value;
  }),
  native: define("native", ["name"], (machine, name) => machine.options.native(text("std.native", name)) ?? null),
};
