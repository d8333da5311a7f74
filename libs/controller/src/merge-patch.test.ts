import { mergePatch as merged } from "@tiphys/kube-patch";
import { effectivePatch, mergePatch } from "./merge-patch.js";

it("is the patch that makes one object of another, and nothing when they are equal", () => {
  const from = { a: { b: 1, c: [1] }, d: 1 };
  const to = { a: { b: 2 }, e: { f: 1 } };
  const patch = mergePatch(from, to);
  expect(patch).toEqual({ a: { b: 2, c: null }, d: null, e: { f: 1 } });
  expect(merged(from, patch)).toEqual(to);
  expect(mergePatch(to, structuredClone(to))).toBeUndefined();
});

it.each(["constructor", "toString", "__proto__", "hasOwnProperty"])(
  "tells a member called %s from what every object has",
  (key) => {
    const one = JSON.parse(`{"${key}": "x"}`) as Record<string, unknown>;
    expect(Object.entries(mergePatch(one, {}) ?? {})).toEqual([[key, null]]);
    expect(Object.entries(mergePatch({}, one) ?? {})).toEqual([[key, "x"]]);
    expect(mergePatch(one, JSON.parse(`{"${key}": "x"}`))).toBeUndefined();
  },
);

it("leaves out of a patch what would change nothing", () => {
  expect(effectivePatch({ a: 1, b: { c: 2 } }, { a: 1, b: { c: 3, d: null }, constructor: null })).toEqual({
    b: { c: 3 },
  });
});
