import { canonicalJson, clone, deepEqual, deepFreeze, digest } from "./index.js";

it("gives equal texts for equal values, whatever the order of keys", () => {
  expect(canonicalJson({ b: [1, { d: null, c: "x" }], a: undefined })).toBe('{"b":[1,{"c":"x","d":null}]}');
  expect(digest({ a: 1, b: 2 })).toBe(digest({ b: 2, a: 1 }));
});

it("compares structures, treating a missing member as undefined", () => {
  expect(deepEqual({ a: 1, b: undefined }, { a: 1 })).toBe(true);
  expect(deepEqual([1, 2], [1])).toBe(false);
  expect(deepEqual({ a: null }, {})).toBe(false);
});

it("clones __proto__ as data", () => {
  const copy = clone(JSON.parse('{"__proto__": {"polluted": true}}'));
  expect(Object.keys(copy)).toEqual(["__proto__"]);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

it("freezes in depth", () => {
  const value = deepFreeze({ a: { b: [1] } });
  expect(Object.isFrozen(value.a.b)).toBe(true);
});
