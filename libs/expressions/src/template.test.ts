import { collectTags, substitute, substituteJson, UnresolvedTagError } from "./index.js";

const values: Record<string, string> = {
  name: "web",
  "inputs.parameters.x": "{{name}}",
  key: "name",
  quote: 'a "b"\n',
};
const resolve = (tag: string) => (Object.hasOwn(values, tag) ? values[tag] : undefined);
const options = { env: () => ({ n: 2, items: [1, 2, 3], text: "t", inputs: { parameters: { x: "1" } } }) };

it.each([
  ["hello {{name}}!", "hello web!", "a plain tag"],
  ["{{ name }}", "web", "white space is allowed"],
  ["{{other}} {{name}}", "{{other}} web", "unknown tags stay"],
  ["{{{{key}}}}", "web", "the innermost tag is first"],
  ["{{inputs.parameters.x}}", "{{name}}", "inserted text is data"],
  ["{{=n + 1}} {{=text}}", "3 t", "expressions"],
  ["{{=filter(items, {# > 1})}}", "[2,3]", "other values than text are JSON"],
  ["{{=asInt(inputs.parameters.x) + 1}}", "2", "a variable by its path"],
  ["{{=sprig.upper(text)}}", "T", "a Sprig function"],
  ["{{=missing.x}}", "{{=missing.x}}", "an expression that fails stays"],
  ["{{name", "{{name", "a tag without its end is text"],
  ["}} {{name}} }}", "}} web }}", "an end without a tag is text"],
  ["{{{name}}}", "{web}", "three braces"],
])("%s → %s (%s)", (text, want) => expect(substitute(text, resolve, options)).toBe(want));

it("names the tag that cannot be resolved", () => {
  const strict = { ...options, onUnknown: "error" as const };
  expect(() => substitute("{{steps.a.outputs.result}}", resolve, strict)).toThrow(UnresolvedTagError);
  expect(() => substitute("{{steps.a.outputs.result}}", resolve, strict)).toThrow(
    "failed to resolve {{steps.a.outputs.result}}",
  );
  expect(() => substitute("{{=missing.x}}", resolve, strict)).toThrow("cannot fetch x from nil");
});

it("says by name which Sprig function is not there", () => {
  expect(() => substitute("{{=sprig.uuidv4()}}", resolve, options)).toThrow("sprig.uuidv4 is not implemented");
});

it("goes through keys and values of JSON, and shares what has no tags", () => {
  const input = { plain: { a: [1, true, null] }, "{{name}}": ["{{quote}}"] };
  const output = substituteJson(input, resolve);
  expect(output).toEqual({ plain: { a: [1, true, null] }, web: ['a "b"\n'] });
  expect((output as typeof input).plain).toBe(input.plain);
});

it("collects tags", () => {
  expect(collectTags("{{a}} {{=b + 1}} {{c.{{d}}}}")).toEqual([
    { tag: "a", expression: false },
    { tag: "b + 1", expression: true },
    { tag: "d", expression: false },
    { tag: "c.{{d}}", expression: false },
  ]);
});
