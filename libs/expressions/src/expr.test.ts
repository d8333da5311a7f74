import { analysisFunctions, compileExpression, ExpressionError, evaluate, evaluateBoolean } from "./index.js";

const env = {
  result: [0.97, 2],
  empty: [],
  name: "web-1",
  user: { name: "Ada", tags: ["a", "b"], missing: null },
  people: [
    { name: "Ada", age: 36 },
    { name: "Bob", age: 20 },
    { name: "Cy", age: 36 },
  ],
};

it.each([
  ["1 + 2 * 3", 7],
  ["(1 + 2) * 3", 9],
  ["2 ** 3 ** 2", 512],
  ["-2 + 5 % 3", 0],
  ["7 / 2", 3.5],
  ["1..3", [1, 2, 3]],
  ["0x10 + 1_000", 1016],
  ["\"a\" + 'b' + `c\\n`", "abc\\n"],
  ['"\\u0041\\x42\\n"', "AB\n"],
  ["result[0] >= 0.95", true],
  ["result[-1]", 2],
  ["len(result) > 0 && result[0] < 1", true],
  ["not (1 == 2) and true", true],
  ["1 in [1, 2] && 3 not in [1, 2]", true],
  ['"name" in user', true],
  ["user.name", "Ada"],
  ['user["name"]', "Ada"],
  ["user.nothing", null],
  ["user.missing?.deep.deeper", null],
  ['user.missing?.deep ?? "none"', "none"],
  ["nothing ?? 1 + 1", 2],
  ["true ? 1 : 2", 1],
  ["false ? 1 : true ? 2 : 3", 2],
  ["if 1 > 2 { 'a' } else if true { 'b' } else { 'c' }", "b"],
  ["let x = 2; let y = x * 2; x + y", 6],
  ['name matches "^web-[0-9]+$"', true],
  ['name not matches "x"', true],
  ['name startsWith "web" && name endsWith "1" && name contains "b-"', true],
  ['"hello"[1:3]', "el"],
  ["[1, 2, 3][1:]", [2, 3]],
  ["filter(people, {.age > 30}) | map(.name)", ["Ada", "Cy"]],
  ["map(1..3, # * 2)", [2, 4, 6]],
  ["all(people, .age > 18)", true],
  ["any(people, {#.age < 21})", true],
  ["none(people, .age < 18)", true],
  ["one(people, .name == 'Bob')", true],
  ["count(people, .age == 36)", 2],
  ["count([true, false, true])", 2],
  ["sum(people, .age)", 92],
  ["find(people, .age < 30).name", "Bob"],
  ["findIndex(people, .age < 30)", 1],
  ["reduce(1..4, #acc + #, 0)", 10],
  ["map(people, #index)", [0, 1, 2]],
  ["sortBy(people, .age)[0].name", "Bob"],
  ["keys(groupBy(people, .age))", ["20", "36"]],
  ["map(filter(people, .age > 30), {map([1], {# + 1})})", [[2], [2]]],
  ['split("a,b", ",") | join("-") | upper()', "A-B"],
  ['"  x " | trim()', "x"],
  ['int("42") + asInt("1")', 43],
  ['float("1.5")', 1.5],
  ["string(1.0) + string(true)", "1true"],
  ["fromJSON('{\"a\":[1]}').a[0]", 1],
  ["toJson({b: 1, a: 2})", '{"a":2,"b":1}'],
  ['duration("1h30m").Minutes()', 90],
  ['(date("2026-01-02") + duration("24h")).Format("2006-01-02")', "2026-01-03"],
  ['date("2026-01-02T03:04:05Z") > date("2026-01-01")', true],
  ["{a: 1}.a + {'b': 2}['b']", 3],
  ["max(1, 3, 2) + min([4, 2])", 5],
  ["1 == 1.0 && '1' != 1", true],
  ["nil == nothing", true],
  ["// a comment\n1 /* and another */ + 1", 2],
  ["$env.name", "web-1"],
])("%s", (source, want) => expect(evaluate(source, env)).toEqual(want));

it.each([
  ["1 +", "unexpected end of expression"],
  ["(1", 'expected ")"'],
  ["1 2", 'unexpected "2"'],
  ["'a", "literal not terminated"],
  ["a @ b", 'unrecognized character "@"'],
  ["'a' matches '('", "bad pattern"],
  ["now()", "must not depend on the time"],
])("refuses %s at compile time", (source, problem) => expect(() => compileExpression(source)).toThrow(problem));

it.each([
  ["empty[0]", "index out of range"],
  ["nothing.x", "cannot fetch x from nil"],
  ["1 + 'a'", "invalid operation: int + string"],
  ["1 && true", "expected bool, but got int"],
  ["int('x')", "invalid operation: int(string"],
  ["name()", "name is not a function"],
  ["nothing()", "nothing is not a function"],
])("fails at run time on %s", (source, problem) => {
  expect(() => evaluate(source, env)).toThrow(problem);
  expect(() => evaluate(source, env)).toThrow(ExpressionError);
});

it.each(["repeat('x', 1e12)", "1..1e9", "map(1..2000, map(1..2000, 1))", "reduce(1..100, #acc + #acc, 'xxxxxxxxxx')"])(
  "ends %s by its fuel",
  (source) => expect(() => evaluate(source, {})).toThrow("too many steps"),
);

it("reaches nothing of JavaScript", () => {
  expect(evaluate("user.constructor", env)).toBeNull();
  expect(evaluate('{"__proto__": 1}.toString', env)).toBeNull();
  expect(() => evaluate('"a".constructor', env)).toThrow("cannot fetch constructor from string");
  expect(evaluate("constructor", {})).toBeNull();
});

it("calls given functions, and knows the names it needs", () => {
  const condition = compileExpression("!isNaN(result) && default(other, 1) == 1", { functions: analysisFunctions });
  expect(condition({ result: 1 })).toBe(true);
  expect(condition.names).toEqual(["result", "other"]);
  expect(compileExpression("now().Year()", { now: () => new Date("2026-05-01T00:00:00Z") })({})).toBe(2026);
});

it("wants a boolean where one is needed", () => {
  expect(() => evaluateBoolean("1 + 1", {})).toThrow("must give true or false, but gives int");
  expect(() => compileExpression("a", { allowUndefined: false })({})).toThrow("unknown name a");
});
