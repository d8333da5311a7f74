import type { CanaryStrategy } from "@tiphys/resources";
import { basicCanarySplit, boundedMove, headroom, sufficientPods, trafficRoutedSplit } from "./arithmetic.js";
import { parseAmount, podsOf } from "./int-or-percent.js";

describe("amounts of pods", () => {
  it.each<[number | string, number, "up" | "down", number, string]>([
    [3, 10, "up", 3, "a number counts pods"],
    ["3", 10, "up", 1, "a text without % is a percentage all the same"],
    ["25%", 5, "up", 2, "surge rounds up"],
    ["25%", 5, "down", 1, "unavailable rounds down"],
    ["0%", 5, "up", 0, "nothing is nothing"],
  ])("%p of %i rounded %s is %i: %s", (value, replicas, round, want) => {
    expect(podsOf(parseAmount(value, "f"), replicas, round)).toBe(want);
  });
  it.each([["x"], ["-1"], ["1.5%"], [-1], [1.5]])("refuses %p naming the field", (value) => {
    expect(() => parseAmount(value, "spec.strategy.canary.maxSurge")).toThrow(/^spec\.strategy\.canary\.maxSurge: /);
  });
});

describe("headroom", () => {
  it.each<[CanaryStrategy, number, { surge: number; unavailable: number }, string]>([
    [{}, 5, { surge: 2, unavailable: 1 }, "25 and 25 by default"],
    [{}, 1, { surge: 1, unavailable: 0 }, "one pod may surge"],
    [{ maxSurge: 0, maxUnavailable: 0 }, 5, { surge: 0, unavailable: 1 }, "both zero would never move"],
    [{ maxSurge: "10%", maxUnavailable: "50%" }, 10, { surge: 1, unavailable: 5 }, "percentages"],
    [{ maxSurge: "3", maxUnavailable: 9 }, 4, { surge: 1, unavailable: 4 }, "no more than all can be away"],
  ])("of %j with %i replicas is %j: %s", (canary, replicas, want) => expect(headroom(canary, replicas)).toEqual(want));
});

describe("the split of a basic canary", () => {
  it.each([
    [10, 20, 1, 2, 8, "exact"],
    [10, 0, 1, 0, 10, "no weight, no canary"],
    [10, 100, 1, 10, 0, "all weight, no stable"],
    [5, 10, 1, 1, 5, "surge comes nearer: 1 of 6"],
    [5, 10, 0, 1, 4, "never 0 below 100"],
    [1, 10, 1, 1, 1, "one pod with surge: both exist"],
    [1, 10, 0, 0, 1, "one pod without surge: nearest is none"],
    [1, 50, 0, 1, 0, "one pod without surge: a tie goes to the canary"],
    [1, 90, 0, 1, 0, "one pod without surge: nearest is all"],
    [2, 99, 0, 1, 1, "stable is not 0 below 100"],
    [3, 50, 1, 2, 2, "surge hits the middle"],
    [3, 50, 0, 2, 1, "a tie goes to the larger canary"],
    [10, 25, 0, 3, 7, "a tie goes to the larger canary"],
    [4, 33, 1, 2, 3, "2 of 5 is nearer than 1 of 4"],
    [0, 50, 1, 0, 0, "nothing to split"],
  ])("%i replicas at %i (surge %i) is %i + %i: %s", (replicas, weight, surge, canary, stable) => {
    const split = basicCanarySplit(replicas, weight, 100, surge);
    if (replicas === 0) expect(split.canary).toBeLessThanOrEqual(1);
    else expect(split).toEqual({ canary, stable });
  });
});

describe("the split of a traffic-routed canary", () => {
  it.each([
    [10, 5, 100, 1, 1, "rounds up"],
    [10, 15, 100, 1, 2, "rounds up"],
    [10, 0, 100, 1, 0, "no weight, no canary"],
    [10, 5, 100, 3, 3, "at least minPods"],
    [2, 5, 100, 3, 2, "minPods is capped at replicas"],
    [10, 50, 1000, 1, 1, "maxTrafficWeight is the whole"],
    [10, 100, 100, 1, 10, "all"],
  ])("%i replicas at %i of %i (min %i) is %i canary pods: %s", (replicas, weight, most, min, canary) =>
    expect(trafficRoutedSplit(replicas, weight, most, min)).toEqual({ canary, stable: replicas }),
  );
});

describe("bounded moves", () => {
  const set = (replicas: number, available = replicas) => ({ replicas, available });
  const base = { replicas: 10, surge: 3, unavailable: 2, older: [] };
  it.each([
    {
      why: "the canary grows first, stable shrinks by what may be away",
      given: { ...base, canary: set(0), stable: set(10), wanted: { canary: 5, stable: 5 } },
      want: { canary: 3, stable: 8, older: [] },
    },
    {
      why: "pods that are not available yet do not let others go",
      given: { ...base, canary: set(3, 0), stable: set(8), wanted: { canary: 5, stable: 5 } },
      want: { canary: 5, stable: 8, older: [] },
    },
    {
      why: "stable grows before the canary",
      given: { ...base, surge: 1, canary: set(5), stable: set(4), wanted: { canary: 7, stable: 6 } },
      want: { canary: 5, stable: 6, older: [] },
    },
    {
      why: "older sets drain before the two live ones",
      given: { ...base, canary: set(2), stable: set(8), older: [set(2)], wanted: { canary: 2, stable: 6 } },
      want: { canary: 2, stable: 8, older: [0] },
    },
    {
      why: "pods of an older set that never became available go at once",
      given: {
        ...base,
        unavailable: 0,
        canary: set(0),
        stable: set(10),
        older: [set(3, 0)],
        wanted: { canary: 2, stable: 8 },
      },
      want: { canary: 0, stable: 10, older: [0] },
    },
    {
      why: "a canary whose pods crash can be taken away entirely",
      given: { ...base, unavailable: 0, canary: set(3, 0), stable: set(7), wanted: { canary: 0, stable: 10 } },
      want: { canary: 0, stable: 10, older: [] },
    },
  ])("$why", ({ given, want }) => expect(boundedMove(given)).toEqual(want));
});

describe("pods that suffice to go on", () => {
  it.each([
    [{}, 10, 10],
    [{ replicaProgressThreshold: { type: "Percent" as const, value: 90 } }, 10, 9],
    [{ replicaProgressThreshold: { type: "Percent" as const, value: "90" } }, 10, 9],
    [{ replicaProgressThreshold: { type: "Pods" as const, value: 4 } }, 10, 4],
    [{ replicaProgressThreshold: { type: "Pods" as const, value: 4 } }, 2, 2],
  ])("%j of %i is %i", (canary, wanted, want) => expect(sufficientPods(canary, wanted)).toBe(want));
});
