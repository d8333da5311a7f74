import { jsonPath } from "@tiphys/json-path";
import { mutations, nested, randomJson, seeded, survives } from "@tiphys/testing";

const document = { a: { b: [{ c: 1, d: "x" }, { c: 2 }] }, "x.y": 1, rate: 0.5 };

it("finds what any JSONPath names, or refuses it", () => {
  const random = seeded(1);
  const samples = [
    "{$.a.b[0].c}",
    "{$.a.b[?(@.c>1)].d}",
    "{..c}",
    "{$['x.y']}",
    "{.a.b[0:2:1]}",
    "{.a['b','c']}",
    "{$}",
    "rate",
  ];
  survives(mutations(samples, 2000), (path) => jsonPath(path, random() < 0.5 ? document : randomJson(random)));
});

it("gives neither path nor document a way to hang or to overflow", () => {
  const deep = JSON.parse(nested('{"a":', "1", "}", 100_000));
  survives(["{..x}", "{..a..a..a}", "{..*}", `{${".a".repeat(2_000)}}`], (path) => jsonPath(path, deep));
  const wide = {
    list: Array.from({ length: 1_000 }, (_, n) => ({ n, list: Array.from({ length: 100 }, (_, m) => m) })),
  };
  survives(
    [
      "{..[*]..[*]..[*]}",
      "{..*}",
      `{$.list[${"*,".repeat(1_500)}*]}`,
      `{${"[*]".repeat(1_000)}}`,
      `{${nested("[?(@", "", ")]", 500)}}`,
    ],
    (path) => jsonPath(path, wide),
  );
});
