import { mutations, nested, randomJson, seeded, survives } from "@tiphys/testing";
import { parseYaml, parseYamlDocuments, toYaml } from "./index.js";

const samples = [
  "a: 1\nb: [x, 'y', \"z\"]\nc:\n  - d: |\n      text\n    e: >-\n      folded\n",
  "---\na: &x {b: 1}\nc: *x\n---\n# comment\n? k\n: v\n...\n",
  "<<: {a: 1}\nb: !!str 1\nc: 0x1F\nd: 1_000\ne: .inf\nf: 2001-01-01\ng: ~\n",
  '{"json": [1, 2.5e3, null, true], "__proto__": {"polluted": 1}}',
  "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
];

it("parses whatever text into documents or refuses it", () => {
  survives(mutations(samples, 1500), (text) => parseYamlDocuments(text));
});

it("refuses what is nested too deeply", () => {
  const deep = [nested("[", "", "]", 100_000), nested("{a: ", "1", "}", 20_000), nested("- ", "a", "", 20_000)];
  survives([...deep, nested("? ", "a", "", 5_000), "a: ".repeat(5_000), `${"&a ".repeat(5_000)}x`], (text) =>
    parseYaml(text),
  );
});

it("reads back what it writes", () => {
  const random = seeded(7);
  for (let i = 0; i < 500; i++) {
    const value = randomJson(random);
    survives([value], (input) => expect(numbers(parseYaml(toYaml(input)))).toEqual(input));
  }
});

/**
 * Integers of 2^53 and above are read as bigint. Not by way of JSON: `JSON.parse` of Node 24.21 takes a key that is one
 * escaped character for a backslash once it has seen an object with such a key.
 */
function numbers(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(numbers);
  if (value === null || typeof value !== "object") return value;
  const read: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value))
    Object.defineProperty(read, key, { value: numbers(member), enumerable: true, configurable: true, writable: true });
  return read;
}
