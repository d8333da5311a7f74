import { fillPlaceholders, wantedSecrets } from "./index.js";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const held: Record<string, Record<string, unknown>> = {
  "secret/data/db": {
    password: "s3cret",
    port: 5432,
    tls: true,
    json: '{"a":{"b":"deep"},"list":[1,2]}',
    yaml: "a: 1\n",
    lines: "first\n  second\nthird\n",
    encoded: base64("clear"),
  },
  "secret/data/db 3": { password: "older" },
};
const values = ({ path, version }: { path: string; version?: string }) => held[version ? `${path} ${version}` : path];
const object = (kind: string, fields: object, annotations?: Record<string, string>) => ({
  apiVersion: "v1",
  kind,
  metadata: { name: "web", ...(annotations ? { annotations } : {}) },
  ...fields,
});
const fill = (kind: string, fields: object, annotations?: Record<string, string>) =>
  fillPlaceholders(object(kind, fields, annotations), values);
const DB = "path:secret/data/db";
const at = (path: string) => ({ "avp.kubernetes.io/path": path });

describe("placeholders", () => {
  it.each([
    ["a whole text", `<${DB}#password>`, "s3cret"],
    ["several in one text", `u:<${DB}#password>@h/<${DB}#password>`, "u:s3cret@h/s3cret"],
    ["a version", `<${DB}#password#3>`, "older"],
    ["spaces before modifiers", `<${DB}#password | base64encode>`, base64("s3cret")],
    ["several modifiers", `<${DB}#encoded | base64decode | sha256sum>`, expect.stringMatching(/^[0-9a-f]{64}$/)],
    ["JSONPath", `<${DB}#json | jsonPath {.a.b}>`, "deep"],
    ["JSONPath in a text", `<${DB}#json | jsonPath {.a.b}-{.list[1]}>`, "deep-2"],
    ["JSONPath that gives a map", `<${DB}#json | jsonPath {.a}>`, '{"b":"deep"}'],
    ["indentation", `<${DB}#lines | indent 2>`, "first\n  second\n  third\n"],
    ["other angles", "a <b> c", "a <b> c"],
    ["a number, as a number", `<${DB}#port>`, 5432],
    ["a boolean, as one", `<${DB}#tls>`, true],
    ["a map, as a map", `<${DB}#json | jsonParse>`, { a: { b: "deep" }, list: [1, 2] }],
    ["YAML, as a map", `<${DB}#yaml | yamlParse>`, { a: 1 }],
  ])("are filled: %s", (_, given, want) => {
    expect(fill("Widget", { spec: { list: [given] } })["spec"].list).toEqual([want]);
  });

  it("are filled inside what a Secret's data stands for, and as texts in a ConfigMap", () => {
    const secret = fill("Secret", {
      data: {
        a: base64(`x <${DB}#password>`),
        b: `<${DB}#password | base64encode>`,
        c: base64("<no placeholder>"),
        d: "AAAA",
      },
      stringData: { e: `<${DB}#password>` },
    });
    expect(secret["data"]).toEqual({
      a: base64("x s3cret"),
      b: base64("s3cret"),
      c: base64("<no placeholder>"),
      d: "AAAA",
    });
    expect(secret["stringData"]).toEqual({ e: "s3cret" });
    expect(fill("Secret", { data: { port: base64(`<${DB}#port>`) } })["data"].port).toBe(base64("5432"));
    expect(fill("ConfigMap", { data: { port: `<${DB}#port>` } })["data"].port).toBe("5432");
  });

  it("may be keys alone where an annotation says of which secret, and of which version", () => {
    expect(fill("Widget", { spec: { n: "<port>", p: "<password>" } }, at("secret/data/db"))["spec"]).toEqual({
      n: 5432,
      p: "s3cret",
    });
    const older = { ...at("secret/data/db"), "avp.kubernetes.io/secret-version": "3" };
    expect(fill("Widget", { spec: { p: `<password> <${DB}#password>` } }, older)["spec"].p).toBe("older s3cret");
    expect(wantedSecrets(object("Widget", { spec: "<a>" }, older))).toEqual([{ path: "secret/data/db", version: "3" }]);
  });

  it("are none where an annotation says so", () => {
    const given = object("Widget", { spec: `<${DB}#password>` }, { "avp.kubernetes.io/ignore": "true" });
    expect(wantedSecrets(given)).toEqual([]);
    expect(fillPlaceholders(given, values)).toBe(given);
  });

  it("name each secret once, with the engine that the object says", () => {
    const spec = [`<${DB}#a><${DB}#b>`, `<${DB}#a#2>`, base64(`<${DB}#c>`)];
    const engine = { "avp.kubernetes.io/kv-version": "1" };
    expect(wantedSecrets(object("Widget", { spec }, engine))).toEqual([
      { path: "secret/data/db", engine: "1" },
      { path: "secret/data/db", version: "2", engine: "1" },
    ]);
    expect(wantedSecrets(object("Secret", { data: { a: base64(`<${DB}#c>`) } }))).toEqual([{ path: "secret/data/db" }]);
  });

  it("that have no value are refused by name, or go with their field where an annotation says so", () => {
    const missing = { data: { a: `<${DB}#none>`, b: "kept", c: { d: `<${DB}#none>` } } };
    expect(() => fill("ConfigMap", missing)).toThrow(
      "ConfigMap web: data.a: <path:secret/data/db#none> has no value: secret/data/db has no key none",
    );
    const removed = fill("ConfigMap", missing, { "avp.kubernetes.io/remove-missing": "true" });
    expect(removed["data"]).toEqual({ b: "kept", c: {} });
    expect(() => fill("Widget", missing, { "avp.kubernetes.io/remove-missing": "true" })).toThrow(
      "Secrets and ConfigMaps",
    );
    expect(() => fill("Widget", { a: `<${DB}#__proto__>` })).toThrow("has no key __proto__");
  });

  it.each([
    ["an unknown modifier", "shout", "there is no such modifier"],
    ["a modifier of a value that is no text", "jsonParse | base64encode", "the value is no text"],
    ["a path that finds nothing", "jsonPath {.nothing}", "{.nothing} is not found"],
    ["indentation without a number", "indent", "it takes a number"],
  ])("refuse %s without a word of the value", (_, pipeline, problem) => {
    const filling = () => fill("Widget", { spec: `<${DB}#json | ${pipeline}>` });
    expect(filling).toThrow(problem);
    expect(filling).not.toThrow("deep");
  });

  it("are not looked for beyond a bound, in texts made to take time", () => {
    const given = object("Widget", { spec: "<path:".repeat(100_000) });
    expect(wantedSecrets(given)).toEqual([]);
  });
});
