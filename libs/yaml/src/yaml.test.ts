import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { parseYaml, parseYamlDocuments, toYaml } from "./index.js";

describe("parseYaml", () => {
  it.each([
    ["y", true],
    ["yes", true],
    ["On", true],
    ["off", false],
    ["0777", 511],
    ["0o777", 511],
    ["0888", 888],
    ["0b11", 3],
    ["-0x10", -16],
    ["1_000", 1000],
    ["-.5", -0.5],
    [".5", 0.5],
    ["1e3", 1000],
    ["+12", 12],
    ["1.5e+2", 150],
    ["9007199254740993", 9007199254740993n],
    ["18446744073709551616", 2 ** 64],
    ["2001-01-01", "2001-01-01"],
    ["2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"],
    ["1:30", "1:30"],
    ["1.2.3", "1.2.3"],
    ["~", null],
    ["Null", null],
    ["_1", "_1"],
    ['"yes"', "yes"],
    ["!!str 12", "12"],
    ["!!string 12", "12"],
    ["!mine true", "true"],
    ["!mine {a: 1}", { a: 1 }],
    ["!mine [1]", [1]],
    ["!!binary aGk=", "hi"],
    ["-0", 0],
    ["1.", 1],
    ["0x", "0x"],
    ["v1", "v1"],
  ])("reads %s as Go's reader does", (text, want) => expect(parseYaml(`a: ${text}`)).toEqual({ a: want }));

  it("reads keys as strings, the last of two equal keys winning", () => {
    expect(parseYaml("yes: 1\n8080: a\na: 1\na: 2\n")).toEqual({ true: 1, 8080: "a", a: 2 });
  });

  it("names file, line, column and reason of a broken document", () => {
    const text = "a: 1\n---\nb:\n  - c\n d: e\n";
    expect(() => parseYamlDocuments(text, { file: "app.yaml" })).toThrow(InvalidArgumentError);
    expect(() => parseYamlDocuments(text, { file: "app.yaml" })).toThrow(/^app\.yaml:5:\d+: \S/);
  });

  it("refuses numbers that JSON has no form for", () => {
    expect(() => parseYaml("a: 1\nb: .inf\n", { file: "x.yaml" })).toThrow(/^x\.yaml:2:4: \.inf has no JSON form/);
  });

  it("gives the line of every document and leaves empty ones out", () => {
    const text = "# hello\n---\n# nothing\n---\na: 1\n--- {b: 2}\n---\nc: |\n  x\n  --- no\n...\n---\n";
    expect(parseYamlDocuments(text)).toEqual([
      { value: { a: 1 }, line: 5 },
      { value: { b: 2 }, line: 6 },
      { value: { c: "x\n--- no\n" }, line: 8 },
    ]);
  });

  it("reads directives, JSON and a byte order mark", () => {
    expect(parseYaml('\ufeff%YAML 1.2\n---\n{"a": [1, "x"]}')).toEqual({ a: [1, "x"] });
    expect(parseYaml("")).toBeNull();
  });

  it("copies aliases and merges", () => {
    const value = parseYaml("a: &x {k: [1]}\nb: *x\nc:\n  <<: *x\n  z: 2\n") as Record<string, { k: unknown }>;
    expect(value).toEqual({ a: { k: [1] }, b: { k: [1] }, c: { k: [1], z: 2 } });
    expect(value["a"]).not.toBe(value["b"]);
    expect(value["a"]!.k).not.toBe(value["c"]!.k);
  });

  it.each([
    [
      "an alias bomb",
      "a: &a [x,x,x,x,x,x,x,x,x,x]\n" +
        [..."bcdefghij"].map((n, i) => `${n}: &${n} [${Array(10).fill(`*${"abcdefghij"[i]}`).join(",")}]\n`).join(""),
    ],
    ["deep nesting", "[".repeat(200) + "]".repeat(200)],
    ["too many documents", "---\na: 1\n".repeat(10_001)],
    ["too many bytes", "a".repeat(11 * 1024 * 1024)],
  ])("refuses %s", (_name, text) => expect(() => parseYamlDocuments(text)).toThrow(LimitExceededError));

  it("refuses an alias that contains itself", () => {
    expect(() => parseYaml("a: &a\n  b: *a\n")).toThrow(/contains itself|unidentified alias/);
  });

  it("keeps a __proto__ key as data", () => {
    const value = parseYaml("__proto__: {polluted: true}\n") as object;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("toYaml", () => {
  it("sorts keys, does not indent lists and quotes what would change its type", () => {
    const value = { b: ["x", { d: 1, c: "yes" }], a: { n: null, e: [], o: {}, t: "a: b" }, version: "1.0", s: "*x" };
    expect(toYaml(value)).toBe(
      'a:\n  e: []\n  "n": null\n  o: {}\n  t: \'a: b\'\nb:\n- x\n- c: "yes"\n  d: 1\ns: \'*x\'\nversion: "1.0"\n',
    );
  });

  it.each([
    "plain",
    "",
    " lead",
    "trail ",
    "a\nb",
    "a\nb\n",
    "a\n\n\n",
    "\n",
    "\nx",
    "tab\there",
    "a #b",
    "a: b",
    "a:",
    "- x",
    "-",
    "?",
    "#c",
    "'",
    '"',
    "it's",
    "é😀",
    "\u0001",
    "0x10",
    "1e3",
    "null",
    "~",
    "---",
    "--- a",
    "...",
    "{a}",
    "[a]",
    "a,b",
    "a\n  b\n c",
    "x \ny",
    "%a",
    "@a",
    "`a",
    "!t",
    "&a",
    "|",
    ">",
    "2001-01-01",
    "<<",
    "a\r\nb",
    "\ud800",
    "::",
    ":a",
    "key: |\n  x\n",
    "a\n---\nb",
  ])("round-trips %j as value, key and item", (text) => {
    const value = { k: text, list: [text, [text]], nested: { deep: { x: text } }, [text]: 1 };
    expect(parseYaml(toYaml(value))).toEqual(value);
    expect(parseYaml(toYaml(text))).toEqual(text === "" ? "" : text);
  });

  it("round-trips numbers beyond 2^53", () => {
    expect(parseYaml(toYaml({ a: 9007199254740993n, b: 1.5, c: -1, d: true }))).toEqual({
      a: 9007199254740993n,
      b: 1.5,
      c: -1,
      d: true,
    });
  });
});
