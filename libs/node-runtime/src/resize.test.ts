import { resizeProblem } from "./resize.js";

const node = { cpu: 2, memory: 1000 };

it.each([
  ["what fits", { cpu: 1, memory: 100 }, { cpu: 1, memory: 900 }, undefined],
  [
    "more than the node has",
    { cpu: 2.5, memory: 1 },
    { cpu: 0, memory: 0 },
    /^Infeasible .*: cpu, requested: 2500, capacity: 2000$/,
  ],
  [
    "more than is left",
    { cpu: 1, memory: 200 },
    { cpu: 1, memory: 900 },
    /^Deferred .*: memory, requested: 200, used: 900, capacity: 1000$/,
  ],
])("resizing answers %s", (_title, wanted, others, expected) => {
  const problem = resizeProblem(wanted, node, others);
  if (!expected) expect(problem).toBeUndefined();
  else expect(`${problem?.reason} ${problem?.message}`).toMatch(expected);
});
