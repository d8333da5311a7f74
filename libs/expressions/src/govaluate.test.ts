import { compileGovaluate, evaluateGovaluate } from "./index.js";

it.each([
  ["heads == heads", true],
  ["heads == 'tails'", false],
  ["heads != tails && 1 < 2", true],
  ["'a b' =~ '^a'", true],
  ["'a b' !~ 'z$'", true],
  ["5 in (1, 5)", true],
  ["dev in (dev, 'prod')", true],
  ["!(1 >= 2) || false", true],
  ["1 + 2 * 3 == 7", true],
  ["10 - 2 - 3 == 5", true],
  ["true ? a : b", "a"],
  ["2 ** 3", 8],
  ["-1 + 2", 1],
  ["'1' == 1", false],
])("when: %s", (source, want) => expect(evaluateGovaluate(source, {}, { bareWordsAreStrings: true })).toBe(want));

it("reads variables where words are variables", () => {
  const condition = compileGovaluate("a > 1 && [b c] == 'x' && d.e");
  expect(condition.names).toEqual(["a", "b c", "d.e"]);
  expect(condition({ a: 2, "b c": "x", d: { e: true } })).toBe(true);
  expect(() => condition({ a: 2 })).toThrow('no parameter "b c" found');
});

it.each([
  ["a ==", "unexpected end"],
  ["(a", 'expected ")"'],
  ["a b", 'unexpected "b"'],
  ["f(1)", "there is no function f"],
  ["1.2.3 == x", "unexpected"],
])("refuses %s", (source, problem) => expect(() => compileGovaluate(source)).toThrow(problem));

it("does not mix types", () => {
  expect(() => evaluateGovaluate("a > 1", {}, { bareWordsAreStrings: true })).toThrow("cannot compare string > int");
  expect(() => evaluateGovaluate("1 && true", {})).toThrow("needs a bool");
});
