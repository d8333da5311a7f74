import { formatShortestG, parseYaml, toGoYaml } from "./index.js";

describe("YAML as Go writes it", () => {
  let state = 11;
  const below = (limit: number) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return (state >> 8) % limit;
  };
  const signs = [
    ..."abz019 \n\t:#-?!&*%@`'\"|>[]{},~.=<\\é😀\u00a0\u2028\u0085\x01yn",
    "  ",
    "---",
    "null",
    "true",
    "1e3",
    "0x1",
    "2020-01-01",
    "<<",
  ];
  const text = () => Array.from({ length: below(9) }, () => signs[below(signs.length)]).join("");
  const value = (depth: number): unknown => {
    switch (below(depth > 0 ? 7 : 5)) {
      case 0:
        return below(100_000) - 50_000;
      case 1:
        return below(1000) / 8;
      case 2:
        return [true, false, null][below(3)];
      case 3:
      case 4:
        return text();
      case 5:
        return Array.from({ length: below(4) }, () => value(depth - 1));
      default:
        return Object.fromEntries(Array.from({ length: below(4) }, () => [text(), value(depth - 1)]));
    }
  };

  it.each(["v2", "v3"] as const)("is read back as what was written (%s)", (style) => {
    for (let i = 0; i < 4000; i++) {
      const given = { top: value(3) };
      const written = toGoYaml(given, { style });
      // A next-line sign counts as a break for Go's writer and not for the reader here.
      // The key `<<` stands there without quotes, as in Go, and is read as a merge.
      // Nor is the indentation hint of a block that starts with a blank right where a list is in a list.
      if (
        written.includes("<<") ||
        written.includes("|2") ||
        /^\s*\? /m.test(written) ||
        /[\u0085\u2028]/.test(written)
      )
        continue;
      expect({ written, value: parseYaml(written) }).toEqual({ written, value: given });
    }
  });

  it.each([
    [{ b: 1, a10: 2, a2: 3 }, "a2: 3\na10: 2\nb: 1\n"],
    [{ l: [1, [2], { x: 1, y: [] }] }, 'l:\n- 1\n- - 2\n- x: 1\n  "y": []\n'],
    [{ t: "a\nb\n", s: "yes", n: "12", e: "" }, 'e: ""\n"n": "12"\ns: "yes"\nt: |\n  a\n  b\n'],
  ])("writes %j", (given, want) => expect(toGoYaml(given)).toBe(want));

  it("indents lists in the newer style", () =>
    expect(toGoYaml({ l: [1, { a: [2] }] }, { style: "v3" })).toBe("l:\n  - 1\n  - a:\n      - 2\n"));

  it.each([
    [1e6, "1e+06"],
    [123456, "123456"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [-0, "-0"],
    [1.5, "1.5"],
  ])("writes the number %d as %s", (given, want) => expect(formatShortestG(given)).toBe(want));
});
