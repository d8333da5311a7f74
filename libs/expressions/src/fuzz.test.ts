import { mutations, nested, survives } from "@tiphys/testing";
import { collectTags, evaluate, evaluateGovaluate, parseDuration, substitute, substituteJson } from "./index.js";

const env = {
  a: 1,
  text: "shop",
  list: [1, "two", { three: 3 }],
  map: { key: "value", __proto__: null },
  inputs: { parameters: { x: "1" } },
};
const samples = [
  "a + 2 * 3 == 7 && text contains 'sh'",
  "filter(list, {# > 1}) | len()",
  "map['key'] ?? 'none'",
  "a > 1 ? list[0] : text[1:2]",
  "let x = a; x ** 2 + len(text)",
  "text matches '^s.*p$' and not (a in [1, 2])",
  "toJson({'a': [1, 2]}) + string(a)",
  "sprig.trim(' x ') + join(['a', 'b'], ',')",
  "all(list, # != nil) || any(list, {.three == 3})",
  "1..10",
  "bitand(a, 3) + bitor(a, 1.5) + bitxor(a, 1e999)",
  "toJson(list) + upper(text) + string(map)",
  "fromJson('[1]')[0] + int('7') + float('1.5')",
  "sum([1, 2.5])",
  "split(repeat(text, 3), 'o')",
  "inputs.parameters.x + map.toString.constructor",
];
const govaluate = [
  "a > 1 && text == 'x'",
  "a in (1, 2, 3)",
  "[a] * 2 ** 3 - (4 % 3)",
  "text =~ '^s.*'",
  "!true || a != 1 ? 1 : 2",
];

it("evaluates any expression or refuses it", () => {
  survives(mutations(samples, 2000), (source) => evaluate(source, env));
});

it("evaluates any when-expression or refuses it", () => {
  survives(mutations(govaluate, 1500, 2), (source) => evaluateGovaluate(source, env));
});

it("refuses what is nested too deeply, or makes too much", () => {
  const deep = [
    nested("(", "1", ")", 30_000),
    nested("[", "", "]", 30_000),
    nested("!", "true", "", 60_000),
    nested("-", "1", "", 60_000),
    nested("{a:", "1", "}", 15_000),
    `1${"+1".repeat(30_000)}`,
    `a${".b".repeat(30_000)}`,
    `a${" ? 1 : a".repeat(6_000)}`,
    `1${" ** 1".repeat(10_000)}`,
    nested("f(", "1", ")", 20_000),
  ];
  survives([...deep, "repeat('x', 1000000000)", "1..1000000000", "map(1..100000, {map(1..100000, {#})})"], (source) =>
    evaluate(source, env),
  );
  survives(deep, (source) => evaluateGovaluate(source, env));
});

it("gives user-written regular expressions no way to hang", () => {
  survives([`'${"a".repeat(40)}!' matches '^(a+)+$'`, `'${"a".repeat(40)}!' matches '(a|a)*b'`], (source) =>
    evaluate(source, env),
  );
});

it("gives a layout of a time no way to hang", () => {
  const source = `date('${"a".repeat(60)}!', '${"Jan".repeat(15)}')`;
  survives([source], (text) => evaluate(text, env));
});

it("fills in any template or refuses it", () => {
  const templates = ["{{a}} and {{ inputs.parameters.x }}", "{{=a + 1}} {{= text }}", "{{a}", "x}}{{", "{{={{a}}}}"];
  survives(mutations(templates, 1000, 3), (text) => {
    collectTags(text);
    substitute(text, (tag) => (tag.startsWith("a") ? "1" : undefined));
    substituteJson({ text, [text]: [text] }, () => "x");
  });
  survives(["{{".repeat(100_000), nested("{{", "a", "}}", 50_000), "{".repeat(200_000)], (text) =>
    substitute(text, () => "x"),
  );
});

it("reads any duration in no time", () => {
  survives(mutations(["1h30m", "1.5s", "-3ms", "0", "1h-1m"], 2000, 4), parseDuration);
  survives(["1".repeat(1_000_000), "1.".repeat(200_000), `${"1h".repeat(300_000)}x`], parseDuration);
});
