import { gzipSync } from "node:zlib";
import { loadArchive, loadDirectory, readValueSources, renderChart, valuesFromPlain } from "./index.js";

const environment = { now: () => 0, random: (count: number) => new Uint8Array(count) };
const small = { steps: 200_000, size: 1_000_000 };
const render = (template: string, files: Record<string, string> = {}, fuel = small) =>
  renderChart(
    loadDirectory(
      Object.entries({
        "Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
        "templates/a.yaml": template,
        ...files,
      }).map(([name, text]) => ({
        name,
        data: Buffer.from(text),
      })),
    ),
    new Map(),
    { releaseName: "r", environment, fuel },
  );

describe("hostile charts", () => {
  it.each([
    ["endless tpl", '{{ define "t" }}{{ tpl "{{ include \\"t\\" . }}" . }}{{ end }}{{ include "t" . }}'],
    ["tpl of itself", '{{ $_ := set .Values "x" "{{ tpl .Values.x . }}" }}{{ tpl .Values.x . }}'],
    ["template that calls itself", '{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}'],
    ["range bomb", "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}"],
    ["range over a number", "{{ range 9000000000000 }}{{ end }}"],
    ["repeat bomb", '{{ repeat 1000 (repeat 1000 (repeat 1000 "x")) }}'],
    ["growing list", '{{ $l := list "x" }}{{ range until 64 }}{{ $l = concat $l $l }}{{ end }}'],
    ["growing text", '{{ $s := "xxxxxxxxxx" }}{{ range until 64 }}{{ $s = printf "%s%s" $s $s }}{{ end }}{{ $s }}'],
    [
      "growing replace",
      '{{ $s := "aaaaaaaaaa" }}{{ range until 64 }}{{ $s = replace "a" "aaaaaaaa" $s }}{{ end }}{{ $s }}',
    ],
    ["seq bomb", "{{ seq 1 1 900000000 }}"],
    ["indent bomb", '{{ indent 100000000 "a\\nb" }}'],
    ["width bomb", '{{ printf "%999999d%999999d" 1 2 | repeat 9 }}'],
    ["output bomb", '{{ range until 90000 }}{{ printf "%100s" "x" }}{{ end }}'],
    ["map that holds itself", '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ mustToJson $d }}'],
    ["random bytes", "{{ randBytes 900000000 }}"],
  ])("%s is refused", (_, template) => {
    expect(() => render(template)).toThrow(/c\/templates\/a\.yaml|steps|larger|longer|deep/);
  });

  it("says file and line of what ran out", () => {
    expect(() => render("a: b\nc: {{ range until 1000000 }}{{ end }}")).toThrow(/^c\/templates\/a\.yaml:2:\d+: /);
  });

  it("keeps patterns in linear time", () => {
    expect(() => render(`x: {{ regexMatch "^(a+)+$" (printf "%sb" (repeat 5000 "a")) }}`)).not.toThrow();
  });

  it("refuses values whose aliases explode", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      ..."bcdefghi".split("").map((name, i) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`),
    ].join("\n");
    expect(() => readValueSources({ files: [{ name: "bomb.yaml", text: bomb }] })).toThrow(
      /aliases expand to more than/,
    );
  });

  it("refuses deep nesting in values, set and templates", () => {
    expect(() =>
      readValueSources({ files: [{ name: "deep.yaml", text: `${"{a: ".repeat(500)}1${"}".repeat(500)}` }] }),
    ).toThrow(/deep|depth/i);
    expect(() => readValueSources({ set: [`${"a.".repeat(40)}b=1`] })).toThrow(/nested level/);
    expect(() => readValueSources({ set: ["a[70000]=1"] })).toThrow(/maximum supported index/);
    expect(() => render("{{ if true }}".repeat(5000))).toThrow(/nested deeper|EOF/);
    expect(() => render(`{{ ${"(".repeat(20000)} }}`)).toThrow();
  });

  it("refuses a schema that reaches outside", () => {
    const schema = '{"properties":{"a":{"$ref":"https://example.invalid/x.json"}}}';
    expect(() => render("a: b", { "values.schema.json": schema })).toThrow(/values\.schema\.json/);
  });

  const tar = (name: string, text = "x", type = "0") => {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write("0000644\0", 100);
    header.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write(type, 156);
    const body = Buffer.alloc(Math.ceil(text.length / 512) * 512);
    body.write(text);
    return gzipSync(Buffer.concat([header, body, Buffer.alloc(1024)]));
  };
  it.each([
    ["../../etc/passwd", /parent directory/],
    ["c/../../x", /parent directory/],
    ["c//abs", /absolute|missing/],
    ["Chart.yaml", /base directory/],
    ["c/c:/x", /illegally named/],
  ])("refuses a packed chart with the path %s", (name, message) => {
    expect(() => loadArchive(tar(name))).toThrow(message);
  });

  it("refuses a packed chart that grows beyond the limit", () => {
    expect(() => loadArchive(gzipSync(Buffer.alloc(130 << 20)))).toThrow(/larger than the maximum size/);
  }, 30_000);

  it("never follows a link in a packed chart", () => {
    expect(() => loadArchive(tar("c/Chart.yaml", "", "2"))).toThrow(/name is required/);
  });
});

describe("seeded nonsense", () => {
  let state = 7;
  const below = (limit: number) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return (state >> 8) % limit;
  };
  const parts = [
    "{{",
    "}}",
    "{{-",
    "-}}",
    " ",
    "\n",
    "if",
    "else",
    "end",
    "range",
    "with",
    "define",
    "template",
    "block",
    '"a"',
    "`b`",
    "'c'",
    ".",
    "$",
    "$x",
    ":=",
    "=",
    "|",
    ",",
    "(",
    ")",
    "1",
    "1.5e3",
    "nil",
    "true",
    ".Values.a",
    "printf",
    "include",
    "/*",
    "*/",
    "é",
    "\\",
    "break",
    "x:",
  ];
  const nonsense = (words: readonly string[], most: number) =>
    Array.from({ length: below(most) }, () => words[below(words.length)]).join("");

  it("ends every template with output or an error that names the place", () => {
    for (let i = 0; i < 1500; i++) {
      const text = nonsense(parts, 14);
      try {
        render(text);
      } catch (error) {
        expect(error).toMatchObject({
          name: expect.any(String),
          message: expect.stringMatching(/c\/templates\/a\.yaml|gotpl/),
        });
      }
    }
  }, 60_000);

  it("ends every --set with values or an error of its own", () => {
    const words = ["a", "b", ".", "[", "]", "0", "1", "=", ",", "{", "}", "\\", " ", "null", "é", "-1"];
    for (let i = 0; i < 1000; i++) {
      for (const kind of ["set", "setString", "json", "setLiteral"] as const) {
        try {
          readValueSources({ [kind]: [nonsense(words, 12)] });
        } catch (error) {
          expect((error as Error).message).toMatch(/^failed parsing --set/);
        }
      }
    }
  });

  it("takes plain data as values", () => {
    expect(valuesFromPlain({ a: [1, { b: "x" }] }).get("a")).toEqual([1, new Map([["b", "x"]])]);
  });
});
