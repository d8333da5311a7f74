import { weightedChooser } from "./weighted.js";

describe("weighted choice", () => {
  const run = (weights: number[], times: number) => {
    const chooser = weightedChooser();
    const choices = weights.map((weight, value) => ({ value, weight }));
    return Array.from({ length: times }, () => chooser.choose("k", choices));
  };
  it("is exact over a period and never a streak", () => {
    expect(run([70, 30], 10).join("")).toBe("0100010010");
    const counts = [0, 0];
    for (const value of run([95, 5], 200)) counts[value!]!++;
    expect(counts).toEqual([190, 10]);
  });
  it("gives nothing to weight 0, and nothing at all when all are 0", () => {
    expect(new Set(run([100, 0], 50))).toEqual(new Set([0]));
    expect(run([0, 0], 1)).toEqual([undefined]);
  });
  it("starts anew when the weights change", () => {
    const chooser = weightedChooser();
    const at = (a: number, b: number) =>
      chooser.choose("k", [
        { value: "a", weight: a },
        { value: "b", weight: b },
      ]);
    expect([at(50, 50), at(90, 10), at(90, 10)]).toEqual(["a", "a", "a"]);
  });
});
