import { jsonPath } from "./json-path.js";

const document = {
  data: {
    rate: 0.02,
    "dotted.key": 1,
    list: [
      { n: "a", v: 1 },
      { n: "b", v: 5 },
      { n: "c", v: 9 },
    ],
  },
  ok: true,
  nothing: null,
};

describe("jsonPath", () => {
  it.each([
    ["{$.data.rate}", [0.02]],
    ["{.data.rate}", [0.02]],
    ["$.data.rate", [0.02]],
    ["{$}", [document]],
    ["{$.ok}", [true]],
    ["{$.nothing}", [null]],
    ["{$.data['dotted.key']}", [1]],
    ["{.data.dotted\\.key}", [1]],
    ["{$.data.list[0].v}", [1]],
    ["{$.data.list[-1].v}", [9]],
    ["{$.data.list[*].v}", [1, 5, 9]],
    ["{$.data.list[0:2].n}", ["a", "b"]],
    ["{$.data.list[0,2].n}", ["a", "c"]],
    ["{$..v}", [1, 5, 9]],
    ['{$.data.list[?(@.n=="b")].v}', [5]],
    ["{$.data.list[?(@.v > 4)].n}", ["b", "c"]],
    ["{$.data.list[?(@.missing)]}", []],
    ["{$.absent.deeper}", []],
    ["{$.__proto__}", []],
  ])("%s", (expression, want) => expect(jsonPath(expression, document)).toEqual(want));

  it.each([
    ["{$.data[0}", "a [ is not closed"],
    ["{$.data..}", "a name is missing"],
    ["{$.data[?(x)]}", "is not understood"],
    ["{range .items[*]}{.x}{end}", "one {…} is expected"],
  ])("refuses %s", (expression, problem) => expect(() => jsonPath(expression, document)).toThrow(problem));
});
