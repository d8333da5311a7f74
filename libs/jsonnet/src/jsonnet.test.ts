import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeWith, programPath, seeded, workspaceRoot } from "@tiphys/testing";
import { evaluate, evaluateToJson, JsonnetRuntimeError, JsonnetSyntaxError, parse, standardNames } from "./index.js";
import { bad, good } from "./testing/corpus.js";
import { ours, theirs } from "./testing/run.js";

/** What go-jsonnet 0.21, the engine of Argo CD, printed for the corpus. */
const recorded = JSON.parse(
  readFileSync(join(workspaceRoot(), "libs/jsonnet/src/testdata/go-jsonnet-0.21.json"), "utf8"),
) as Record<string, unknown>;

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("programs that give a value", () => {
  for (const [part, programs] of Object.entries(good)) {
    it.each(programs.map((text) => ({ text })))(`${part}: $text`, ({ text }) => {
      const result = ours(text);
      expect(result).toHaveProperty("value");
      expect(plain((result as { value: unknown }).value)).toEqual(recorded[text]);
    });
  }

  it("print as the original prints them", () => {
    expect(evaluateToJson({ file: "a.jsonnet", text: "{ b: [1, {}], a: 'x' }" })).toBe(
      '{\n   "a": "x",\n   "b": [\n      1,\n      { }\n   ]\n}\n',
    );
  });
});

describe("programs that end in an error", () => {
  it.each(bad.map((text) => ({ text })))("$text", ({ text }) => {
    const result = ours(text);
    expect(result).toHaveProperty("error");
    expect((result as { error: string }).error).toMatch(/^Jsonnet(Syntax|Runtime)Error: /);
  });

  it("name file, line and column, and the calls on the way", () => {
    const text = "local f(x) = x + {};\n{\n  a: f(1),\n}";
    expect(() => evaluate({ file: "app/main.jsonnet", text })).toThrow(
      "binary operator + requires matching types, got number and object\n    at app/main.jsonnet:1:16\n    at app/main.jsonnet:3:7",
    );
    expect(() => evaluate({ file: "app/main.jsonnet", text: "{\n  a: b\n}" })).toThrow(
      "app/main.jsonnet:2:6: unknown variable: b",
    );
  });
});

describe("coverage of the corpus", () => {
  const all = Object.values(good).flat().join("\n");
  it("has every builtin", () => {
    const missing = standardNames.filter((name) => !new RegExp(`std\\.${name}\\b`).test(all) && name !== "isNull");
    console.log(`jsonnet corpus: ${standardNames.length - missing.length} of ${standardNames.length} builtins`);
    expect(missing).toEqual([]);
  });

  it("has every form of expression", () => {
    const seen = new Set<string>();
    const visit = (node: unknown): void => {
      if (Array.isArray(node)) node.forEach(visit);
      else if (node && typeof node === "object") {
        if ("type" in node) seen.add(String(node.type));
        if ("op" in node && "type" in node) seen.add(`operator ${node.type} ${node.op}`);
        Object.values(node).forEach(visit);
      }
    };
    for (const text of Object.values(good).flat()) visit(parse("corpus.jsonnet", text));
    visit(parse("corpus.jsonnet", "[import 'a', importstr 'b', importbin 'c', error 'd']"));
    const forms = [
      ...["literal", "self", "dollar", "variable", "array", "arrayComp", "object", "objectComp", "index", "slice"],
      ...["superIndex", "inSuper", "apply", "binary", "unary", "local", "function", "if", "assert", "error", "import"],
      ...["*", "/", "%", "+", "-", "<<", ">>", "<", "<=", ">", ">=", "in", "==", "!=", "&", "^", "|", "&&", "||"].map(
        (operator) => `operator binary ${operator}`,
      ),
      ...["+", "-", "!", "~"].map((operator) => `operator unary ${operator}`),
    ];
    console.log(`jsonnet corpus: ${forms.filter((form) => seen.has(form)).length} of ${forms.length} forms`);
    expect(forms.filter((form) => !seen.has(form))).toEqual([]);
  });
});

/** Where Debian's 0.18 differs from go-jsonnet 0.21, whose ways Argo CD has and so have we. */
const newerThanDebian = [
  { words: /std\.parseYaml\('plain'\)/, why: "0.18 makes an array of a document that is one text" },
  { words: /%g %g %g/, why: "0.18 overflows at %g of 0" },
  { words: /'1e5': 8/, why: "0.18 takes 1e5 for no number as a key" },
  { words: /0\.1|1\.42/, why: "std.manifestJsonEx of 0.18 writes 17 digits" },
];

describeWith(["jsonnet"], "Debian's jsonnet", () => {
  const program = programPath("jsonnet") as string;

  it("gives the same values, but for what it does not have yet", () => {
    let compared = 0;
    for (const text of Object.values(good).flat()) {
      const other = theirs(program, text);
      const older =
        "error" in other &&
        /field does not exist|not supported|function has no parameter|should have length 1/i.test(other.error);
      if (older || newerThanDebian.some(({ words }) => words.test(text))) continue;
      compared++;
      expect({ text, ...ours(text) }).toEqual({ text, ...other });
    }
    expect(compared).toBeGreaterThan(80);
  });

  it("fails where we fail", () => {
    for (const text of bad) expect({ text, failed: "error" in theirs(program, text) }).toEqual({ text, failed: true });
  });
});

describe("imports", () => {
  const files: Readonly<Record<string, string>> = {
    "app/lib.libsonnet":
      "{ name: importstr 'name.txt', bytes: importbin 'name.txt', file: std.thisFile, deep: import '../vendor/x.libsonnet' }",
    "app/name.txt": "hi",
    "vendor/x.libsonnet": "local twice(x) = [x, x]; { twice: twice }",
    "app/loop.libsonnet": "(import 'loop.libsonnet').a",
  };
  const importer = (from: string, path: string) => {
    const parts = from.split("/").slice(0, -1);
    for (const part of path.split("/")) part === ".." ? parts.pop() : parts.push(part);
    const name = parts.join("/");
    return files[name] === undefined ? undefined : { path: name, data: Buffer.from(files[name]) };
  };
  const run = (text: string) => evaluate({ file: "app/main.jsonnet", text, importer });

  it("start at the file that imports, and give values, texts and bytes", () => {
    expect(run("local lib = import 'lib.libsonnet'; lib { deep: lib.deep.twice(1) }")).toEqual({
      name: "hi",
      bytes: [104, 105],
      file: "app/lib.libsonnet",
      deep: [1, 1],
    });
  });

  it("that are missing or go in a circle are named", () => {
    expect(() => run("import 'absent.libsonnet'")).toThrow(
      `couldn't open import "absent.libsonnet": no match locally or in the library paths\n    at app/main.jsonnet:1:1`,
    );
    expect(() => run("import 'loop.libsonnet'")).toThrow("infinite recursion");
  });
});

describe("what is given from outside", () => {
  it("external variables are texts or programs, top-level arguments fill the function", () => {
    const text = "function(a, b='d') { a: a, b: b, c: std.extVar('c'), t: std.extVar('t') }";
    expect(
      evaluate({
        file: "main.jsonnet",
        text,
        extVars: { c: { code: "1 + 1" }, t: { text: "1 + 1" } },
        topLevelArguments: { a: { code: "[1]" } },
      }),
    ).toEqual({ a: [1], b: "d", c: 2, t: "1 + 1" });
  });

  it("names that objects of JavaScript have are names like others", () => {
    expect(() => evaluate({ file: "m", text: "std.extVar('constructor')" })).toThrow("undefined external variable");
    const value = evaluate({ file: "m", text: "{ ['__proto__']: { a: 1 }, constructor: 2 }" }) as object;
    expect(Object.keys(value)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it("trace says what it is told", () => {
    const said: string[] = [];
    evaluate({ file: "m", text: "std.trace('here', 1)", trace: (text) => said.push(text) });
    expect(said).toEqual(["here"]);
  });
});

describe("hostile programs end within their limits", () => {
  it.each([
    { name: "endless recursion", text: "local f(n) = 1 + f(n + 1); f(0)", problem: "max stack frames exceeded" },
    { name: "endless loop", text: "local f(n) = f(n + 1) tailstrict; f(0)", problem: "was stopped after" },
    {
      name: "a text that doubles",
      text: "std.foldl(function(a, b) a + a, std.range(1, 60), 'xxxxxxxxxx')",
      problem: "longer than",
    },
    {
      name: "an array that doubles",
      text: "std.foldl(function(a, b) a + a, std.range(1, 60), [1])",
      problem: "larger than",
    },
    {
      name: "an object that doubles",
      text: "std.foldl(function(a, b) a + a, std.range(1, 60), { a: 1 })",
      problem: "larger than",
    },
    { name: "a huge array", text: "std.length(std.range(1, 1e12))", problem: "larger than" },
    { name: "a huge text", text: "std.length(std.repeat('x', 1e12))", problem: "larger than" },
    { name: "a huge width", text: "'%999999999d' % 1", problem: "is more than" },
    {
      name: "a product of loops",
      text: "[1 for a in std.range(1, 1e4) for b in std.range(1, 1e4)]",
      problem: "larger than",
    },
    {
      name: "a tree of one value",
      text: "local t(n) = if n == 0 then 'xxxxxxxxxx' else { a: t(n - 1), b: t(n - 1) }; t(30)",
      problem: "",
    },
    { name: "deep nesting", text: `${"[".repeat(100_000)}`, problem: "nested deeper" },
    { name: "deep signs", text: `${"-".repeat(100_000)}1`, problem: "nested deeper" },
    {
      name: "deep data",
      text: "std.parseJson(std.repeat('[', 5000) + std.repeat(']', 5000))",
      problem: "max stack frames exceeded",
    },
  ])("$name", ({ text, problem }) => {
    const run = () => evaluate({ file: "m", text, maxSteps: 100_000, maxAllocation: 1_000_000 });
    let thrown: unknown;
    try {
      run();
    } catch (error) {
      thrown = error;
    }
    expect(thrown instanceof JsonnetRuntimeError || thrown instanceof JsonnetSyntaxError).toBe(true);
    expect((thrown as Error).message).toContain(problem);
  });

  it("whatever text is given, the parser answers with a program or a place", () => {
    const random = seeded(7);
    const texts = Object.values(good).flat();
    for (let count = 0; count < 3000; count++) {
      let text = texts[Math.floor(random() * texts.length)] as string;
      for (let change = 0; change < 3; change++) {
        const at = Math.floor(random() * (text.length + 1));
        const cut = Math.floor(random() * 4);
        const put = random() < 0.5 ? "" : String.fromCharCode(32 + Math.floor(random() * 95));
        text = text.slice(0, at) + put + text.slice(at + cut);
      }
      try {
        parse("fuzz.jsonnet", text);
      } catch (error) {
        if (!(error instanceof JsonnetSyntaxError)) throw new Error(`${JSON.stringify(text)}: ${error}`);
      }
    }
  });
});
