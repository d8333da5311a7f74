import { FunctionError } from "../errors.js";
import type { GoFunction } from "../state.js";
import { GoMap, type GoValue, sortedKeys, strings, typeOf } from "../values.js";
import { empty, strval } from "./convert.js";

type Dict = Map<string, GoValue>;

function dict(values: readonly GoValue[]): Dict {
  const map: Dict = new Map();
  for (let i = 0; i < values.length; i += 2) map.set(strval(values[i]), i + 1 < values.length ? values[i + 1] : "");
  return map;
}

/** Merges deeply, as mergo does: a value of `into` that is empty gives way, with `overwrite` any value does. */
export function merge(into: Dict, from: ReadonlyMap<string, GoValue>, overwrite: boolean): void {
  for (const [key, value] of from) {
    if (value === null || value === undefined) {
      if (overwrite) into.set(key, null);
      continue;
    }
    const present = into.has(key);
    const old = into.get(key);
    if (value instanceof Map && old instanceof Map) merge(old, value, overwrite);
    if (present && !empty(old)) {
      if (Array.isArray(value) || value instanceof Uint8Array) {
        if (overwrite) into.set(key, value);
        continue;
      }
      if (value instanceof Map && old instanceof Map) continue;
    }
    if (overwrite || !present || empty(old)) into.set(key, value);
  }
}

const merging = (overwrite: boolean): GoFunction => ({
  params: ["map", "map"],
  variadic: true,
  call: ([target, ...sources]) => {
    const into: Dict = target ?? new Map();
    for (const source of sources) if (source && source !== into) merge(into, source, overwrite);
    return into;
  },
});

const conversion = (value: GoValue, wanted: string): never => {
  throw new FunctionError(
    `interface conversion: interface {} is ${value === null || value === undefined ? "nil" : typeOf(value)}, not ${wanted}`,
  );
};

function dig(values: readonly GoValue[]): GoValue {
  if (values.length < 3) throw new FunctionError("dig needs at least three arguments");
  const plainMap = (value: GoValue): Dict =>
    value instanceof Map && !(value instanceof GoMap) ? value : conversion(value, "map[string]interface {}");
  let map = plainMap(values.at(-1));
  const keys = values.slice(0, -2).map((key) => (typeof key === "string" ? key : conversion(key, "string")));
  for (let i = 0; i < keys.length; i++) {
    if (!map.has(keys[i]!)) return values.at(-2);
    const step = map.get(keys[i]!);
    if (i === keys.length - 1) return step;
    map = plainMap(step);
  }
  return null;
}

const setNil = (): never => {
  throw new FunctionError("assignment to entry in nil map");
};

export const dictFunctions: Readonly<Record<string, GoFunction>> = {
  dict: { params: ["any"], variadic: true, call: dict },
  get: { params: ["map", "string"], call: ([map, key]) => (map?.has(key) ? map.get(key) : "") },
  set: {
    params: ["map", "string", "any"],
    call: ([map, key, value], state) => {
      if (!map) return setNil();
      state.step();
      return map.set(key, value);
    },
  },
  unset: {
    params: ["map", "string"],
    call: ([map, key]) => {
      map?.delete(key);
      return map ?? new Map();
    },
  },
  hasKey: { params: ["map", "string"], call: ([map, key]) => map?.has(key) ?? false },
  pluck: {
    params: ["string", "map"],
    variadic: true,
    call: ([key, ...maps]) => maps.filter((map) => map?.has(key)).map((map) => map.get(key)),
  },
  // Go's order is random; ours is sorted.
  keys: {
    params: ["map"],
    variadic: true,
    call: (maps) => strings(maps.flatMap((map) => (map ? sortedKeys(map) : []))),
  },
  values: { params: ["map"], call: ([map]) => (map ? sortedKeys(map).map((key) => map.get(key)) : []) },
  pick: {
    params: ["map", "string"],
    variadic: true,
    call: ([map, ...names]) => new Map(names.filter((name) => map?.has(name)).map((name) => [name, map.get(name)])),
  },
  omit: {
    params: ["map", "string"],
    variadic: true,
    call: ([map, ...names]) => new Map([...((map as Dict | null) ?? [])].filter(([name]) => !names.includes(name))),
  },
  merge: merging(false),
  mustMerge: merging(false),
  mergeOverwrite: merging(true),
  mustMergeOverwrite: merging(true),
  dig: { params: ["any"], variadic: true, call: dig },
};
