import { compile, declare, intType, type SchemaNode, stringType, type Type, toValue } from "./index.js";

const schema: SchemaNode = {
  type: "object",
  properties: {
    n: { type: "integer" },
    s: { type: "string", rules: { maxLength: 10 } },
    list: { type: "array", items: { type: "string" } },
    set: { type: "array", items: { type: "string" }, listType: "set" },
  },
};
const declared = declare(schema, false, "self")!;
const environment = {
  variables: new Map<string, Type>([
    ["self", declared.type],
    ["x", intType],
    ["name.with.dots", stringType],
  ]),
  declared: new Map([["self", declared]]),
};

function run(source: string, fuel = 1_000_000) {
  const compiled = compile(source, environment);
  if (compiled.program === undefined) return compiled.text;
  const raw = { n: 3, s: "abc", list: ["a", "b"], set: ["a", "b"] };
  const outcome = compiled.program.evaluate({ self: toValue(raw, schema), x: 7n, "name.with.dots": "dots" }, fuel);
  return "error" in outcome ? outcome.error : outcome.value;
}

describe("expressions", () => {
  it.each([
    ["1 + 2 * 3", 7n],
    ["-(1 - 4)", 3n],
    ["--x", 7n],
    ["7 / 2", 3n],
    ["7.0 / 2.0", 3.5],
    ["self.n + x", 10n],
    ["name.with.dots", "dots"],
    ["self.set == ['b', 'a']", true],
    ["self.list == ['b', 'a']", false],
    ["self.list.map(i, i + self.s)[1]", "babc"],
    ["self.list.exists(i, i == 'b') ? 'yes' : 'no'", "yes"],
    ["false && 1 / 0 == 0", false],
    ["1 / 0 == 0 || true", true],
    ["[1, 2, 3].filter(i, i > 1).size()", 2n],
    ["'a,b'.split(',').join('+')", "a+b"],
    ["duration('1m') < duration('61s')", true],
    ["string(timestamp('2026-01-02T03:04:05+01:00'))", "2026-01-02T02:04:05Z"],
    ["// a comment\nx", 7n],
  ])("%s", (source, want) => expect(run(source)).toEqual(want));

  it.each([
    ["1 / 0", "division by zero"],
    ["9223372036854775807 + x", "integer overflow"],
    ["[1][x]", "index out of bounds: 7"],
    ["{'a': 1}['b']", "no such key: b"],
    ["dyn(1).startsWith('a')", "no such overload"],
    ["optional.none().value() == 1", "optional.none() dereference"],
  ])("%s fails", (source, message) => expect(run(source)).toMatchObject({ message }));

  it.each([
    ["self.q", "ERROR: <input>:1:5: undefined field 'q'\n | self.q\n | ....^"],
    [
      "1 + 'a'",
      "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + 'a'\n | ..^",
    ],
    ["nothing", "ERROR: <input>:1:1: undeclared reference to 'nothing' (in container '')\n | nothing\n | ^"],
    ["matches('a', '(')", "ERROR: <input>:1:14: invalid matches argument\n | matches('a', '(')\n | .............^"],
  ])("%s does not compile", (source, text) => expect(run(source)).toBe(text));

  it("counts what a run costs, and ends it there", () => {
    const source = "[1, 2, 3].all(a, [1, 2, 3].all(b, a + b > 0))";
    const { program } = compile(source, environment);
    expect(program?.evaluate({}, 1000)).toEqual({ value: true, cost: expect.any(Number) });
    expect(run(source, 50)).toMatchObject({ message: "operation cancelled: actual cost limit exceeded" });
    // Nothing absorbs the end of the fuel, as it absorbs failures.
    expect(run(`${source} || true`, 50)).toMatchObject({ message: "operation cancelled: actual cost limit exceeded" });
  });

  it("estimates by the sizes that the schema allows", () => {
    const most = (source: string) => compile(source, environment).program!.estimate().max;
    expect(most("self.s == 'a'")).toBe(3);
    expect(most("self.list.all(i, i == 'a')")).toBeGreaterThan(1_000_000);
    expect(most("self.list.all(a, self.list.all(b, self.list.all(c, a == b && b == c)))")).toBeGreaterThan(1e15);
  });

  it.each([
    ["(".repeat(5000)],
    ["[".repeat(5000)],
    ["!".repeat(100_000)],
    ["a".repeat(200_000)],
    ["x.".repeat(5000)],
    ["x?x:".repeat(5000)],
  ])("refuses input made to exhaust it: %.5s…", (source) =>
    expect(compile(source, environment).program).toBeUndefined(),
  );
});
