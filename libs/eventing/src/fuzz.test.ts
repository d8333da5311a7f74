import { mutate, mutations, nested, randomJson, seeded, survives } from "@tiphys/testing";
import type { WireEvent } from "./cloud-event.js";
import { compileConditions, decodeEvent, encodeEvent, fromWire, getPath, goDuration, setPath } from "./index.js";
import { compileTemplate } from "./template.js";

const data = { body: { after: "abc", list: [{ id: 1, name: "a" }, { id: 2 }], "a.b": 1 }, n: null };
const event = {
  id: "0123",
  source: "forge",
  type: "github",
  subject: "push",
  time: new Date("2026-01-01T00:00:00Z"),
  datacontenttype: "application/json",
  data,
};

it("reads any path of any data, or refuses the path", () => {
  const random = seeded(1);
  const paths = [
    "body.after",
    "body.list.#.name",
    'body.list.#(name=="a").id',
    "body.list.#(id>1)#.id",
    "b*.af?er",
    "body.a\\.b",
    "body.list.0",
  ];
  survives(mutations(paths, 1500), (path) => getPath(random() < 0.5 ? data : randomJson(random), path));
  survives(mutations(["a.b", "a.0.c", "list.-1", ":0.a", "__proto__.polluted"], 1000, 2), (path) =>
    setPath(random() < 0.5 ? structuredClone(data) : randomJson(random), path, "x"),
  );
});

it("gives a path no way to hang or to overflow", () => {
  const long = { ["a".repeat(10_000)]: 1, list: ["a".repeat(10_000)] };
  survives([`${"*a".repeat(30)}b`, `${"a*".repeat(200)}b`, `list.#(%"${"*a".repeat(30)}b")`], (path) =>
    getPath(long, path),
  );
  survives(["a.".repeat(100_000), "#(".repeat(50_000), nested("#(", "a", ")", 20_000), "#.".repeat(50_000)], (path) =>
    getPath([long], path),
  );
  survives(["a.".repeat(50_000), "0.".repeat(50_000)], (path) => setPath({}, path, 1));
});

it("decodes any message or refuses it", () => {
  const text = Buffer.from(encodeEvent(event)).toString("utf8");
  survives(mutations([text], 1000), (input) => decodeEvent(Buffer.from(input)));
  const random = seeded(3);
  for (let i = 0; i < 2000; i++) survives([randomJson(random)], (input) => fromWire(input as WireEvent));
  survives([nested("[", "", "]", 200_000)], (input) => decodeEvent(Buffer.from(input)));
  survives([nested("[", "", "]", 100_000)], (inner) =>
    decodeEvent(
      Buffer.from(text.replace(/"data_base64":"[^"]*"/, `"data_base64":"${Buffer.from(inner).toString("base64")}"`)),
    ),
  );
});

it("compiles any conditions or refuses them", () => {
  survives(mutations(["a && (b || c)", "a || b && c", "(a)"], 1000), (text) =>
    compileConditions(text, ["a", "b", "c"])(new Set(["a"])),
  );
  survives([nested("(", "a", ")", 100_000), `a${" && a".repeat(50_000)}`, `a${" || a".repeat(50_000)}`], (text) =>
    compileConditions(text, ["a"])(new Set(["a"])),
  );
});

it("reads any duration in no time", () => {
  survives(mutations(["1h30m", "1.5s", "10", "300ms"], 2000), (text) => goDuration(text, "interval"));
  survives(["1".repeat(1_000_000), "1.".repeat(200_000), `${"1h".repeat(200_000)}x`], (text) =>
    goDuration(text, "interval"),
  );
});

it("compiles and fills in any template, or refuses it", () => {
  const random = seeded(5);
  const samples = [
    "{{ .Input.body.after }}",
    "{{ if .Input.n }}a{{ else }}b{{ end }}",
    "{{ .Input.body.list | len }}",
    '{{ printf "%s" .Input.a }}',
  ];
  survives(mutations(samples, 2000), (text) => compileTemplate(mutate(text, random))({ Input: data } as never));
  survives(
    ['{{ "\\x" }}', "{{ .Input | lower }}", "{{ .Input.odd | quote }}", "{{ .Input.odd | default 1 | trim }}"],
    (text) => compileTemplate(text)({ odd: { toString: 1, valueOf: null } }),
  );
  survives(
    ["{{".repeat(50_000), nested("{{if a}}", "x", "{{end}}", 10_000), `{{ ${nested("(", "1", ")", 20_000)} }}`],
    (text) => compileTemplate(text)({ Input: data } as never),
  );
});
