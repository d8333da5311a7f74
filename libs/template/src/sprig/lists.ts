import { FunctionError } from "../errors.js";
import type { GoFunction, State } from "../state.js";
import { deepCopy, deepEqual, GoSlice, type GoValue, kindOf, nilSlice } from "../values.js";
import { elements, empty, isSlice, toInt64 } from "./convert.js";

/** The elements of a list, or the error of the function that wanted one. */
function listOf(value: GoValue, problem: (kind: string) => string): GoValue[] {
  if (isSlice(value)) return elements(value);
  if (value === null || value === undefined)
    throw new FunctionError("runtime error: invalid memory address or nil pointer dereference");
  throw new FunctionError(problem(kindOf(value)));
}

const checked = (state: State, list: GoValue[]): GoValue[] => {
  state.checkSize(list.length * 8);
  return list;
};

function chunk(size: number, value: GoValue): GoValue {
  const list = listOf(value, (kind) => `Cannot chunk type ${kind}`);
  if (size <= 0) {
    throw new FunctionError("runtime error: makeslice: len out of range");
  }
  const chunks: GoValue[] = [];
  for (let i = 0; i < list.length; i += size) chunks.push(list.slice(i, i + size));
  return GoSlice.of_("[]interface {}", chunks);
}

function uniq(state: State, list: readonly GoValue[]): GoValue[] {
  const seen = new Set<GoValue>();
  const result: GoValue[] = [];
  for (const item of list) {
    if (typeof item !== "object" || item === null) {
      if (seen.has(item) && !Number.isNaN(item)) continue;
      seen.add(item);
    } else {
      state.step(result.length >> 3);
      if (result.some((each) => deepEqual(item, each))) continue;
    }
    result.push(item);
  }
  return result;
}

function slice(value: GoValue, indices: readonly GoValue[]): GoValue {
  const list = listOf(value, (kind) => `list should be type of slice or array but ${kind}`);
  if (list.length === 0) return null;
  const start = indices.length > 0 ? Number(toInt64(indices[0])) : 0;
  const end = indices.length < 2 ? list.length : Number(toInt64(indices[1]));
  if (start < 0 || start > end || end > list.length)
    throw new FunctionError("reflect.Value.Slice: slice index out of bounds");
  if (value instanceof Uint8Array) return value.slice(start, end);
  return value instanceof GoSlice
    ? GoSlice.of_(value.elem, list.slice(start, end), false, value.defined)
    : list.slice(start, end);
}

const any = ["any"] as const;
const both = (names: readonly string[], fn: GoFunction) => Object.fromEntries(names.map((name) => [name, fn]));
const onList = (verb: string, pick: (list: GoValue[], state: State) => GoValue): GoFunction => ({
  params: any,
  call: ([value], state) =>
    pick(
      listOf(value, (kind) => `Cannot ${verb} on type ${kind}`),
      state,
    ),
});

export const listFunctions: Readonly<Record<string, GoFunction>> = {
  list: { params: any, variadic: true, call: (values) => values },
  tuple: { params: any, variadic: true, call: (values) => values },
  ...both(["append", "push", "mustAppend", "mustPush"], {
    params: ["any", "any"],
    call: ([list, value], state) => checked(state, [...listOf(list, (kind) => `Cannot push on type ${kind}`), value]),
  }),
  ...both(["prepend", "mustPrepend"], {
    params: ["any", "any"],
    call: ([list, value], state) =>
      checked(state, [value, ...listOf(list, (kind) => `Cannot prepend on type ${kind}`)]),
  }),
  ...both(
    ["first", "mustFirst"],
    onList("find first", (list) => list[0] ?? null),
  ),
  ...both(
    ["last", "mustLast"],
    onList("find last", (list) => list.at(-1) ?? null),
  ),
  ...both(
    ["rest", "mustRest"],
    onList("find rest", (list) => (list.length === 0 ? nilSlice() : list.slice(1))),
  ),
  ...both(
    ["initial", "mustInitial"],
    onList("find initial", (list) => (list.length === 0 ? nilSlice() : list.slice(0, -1))),
  ),
  ...both(
    ["reverse", "mustReverse"],
    onList("find reverse", (list) => [...list].reverse()),
  ),
  ...both(
    ["compact", "mustCompact"],
    onList("compact", (list) => list.filter((item) => !empty(item))),
  ),
  ...both(
    ["uniq", "mustUniq"],
    onList("find uniq", (list, state) => uniq(state, list)),
  ),
  ...both(["without", "mustWithout"], {
    params: ["any", "any"],
    variadic: true,
    call: ([value, ...omitted]) =>
      listOf(value, (kind) => `Cannot find without on type ${kind}`).filter(
        (item) => !omitted.some((each) => deepEqual(item, each)),
      ),
  }),
  ...both(["has", "mustHas"], {
    params: ["any", "any"],
    call: ([needle, haystack]) =>
      haystack !== null &&
      listOf(haystack, (kind) => `Cannot find has on type ${kind}`).some((item) => deepEqual(needle, item)),
  }),
  ...both(["slice", "mustSlice"], {
    params: ["any", "any"],
    variadic: true,
    call: ([list, ...indices]) => slice(list, indices),
  }),
  concat: {
    params: any,
    variadic: true,
    call: (lists, state) => {
      const parts = lists.map((list) => listOf(list, (kind) => `Cannot concat type ${kind} as list`));
      state.checkSize(parts.reduce((sum, { length }) => sum + length, 0) * 8);
      const all = ([] as GoValue[]).concat(...parts);
      return all.length === 0 ? nilSlice() : all;
    },
  },
  ...both(["chunk", "mustChunk"], { params: ["int", "any"], call: ([size, list]) => chunk(size, list) }),
  ...both(["deepCopy", "mustDeepCopy"], { params: any, call: ([value]) => deepCopy(value) }),
  deepEqual: { params: ["any", "any"], call: ([a, b]) => deepEqual(a, b) },
};
