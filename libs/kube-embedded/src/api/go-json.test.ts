import { goJsonProblem } from "./go-json.js";

it.each([
  { text: "", want: "unexpected end of JSON input" },
  { text: '{"a":[1,2', want: "unexpected end of JSON input" },
  { text: "abc", want: "invalid character 'a' looking for beginning of value" },
  { text: "{'a':1}", want: "invalid character '\\'' looking for beginning of object key string" },
  { text: '{"a" 1}', want: "invalid character '1' after object key" },
  { text: '{"a":1 "b"}', want: "invalid character '\"' after object key:value pair" },
  { text: "[1 2]", want: "invalid character '2' after array element" },
  { text: "{} x", want: "invalid character 'x' after top-level value" },
  { text: '"\u0001"', want: "invalid character '\\x01' in string literal" },
  { text: '"\\q"', want: "invalid character 'q' in string escape code" },
  { text: '"\\u12x"', want: "invalid character 'x' in \\u hexadecimal character escape" },
  { text: "tru1", want: "invalid character '1' in literal true (expecting 'e')" },
  { text: "-a", want: "invalid character 'a' in numeric literal" },
  { text: "1.x", want: "invalid character 'x' after decimal point in numeric literal" },
  { text: "1ex", want: "invalid character 'x' in exponent of numeric literal" },
  { text: "[é]", want: "invalid character 'Ã' looking for beginning of value" },
])("$text: $want", ({ text, want }) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(goJsonProblem(text)).toBe(want);
});
