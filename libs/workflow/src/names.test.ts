import { nodeId, podName, wideNodeId } from "./index.js";
import { loopChildName } from "./names.js";

it("gives the ids that the originals give", () => {
  // FNV-1a: the offset basis for no text, and the published values for "a" and "foobar".
  expect(nodeId("wf", "")).toBe("wf-2166136261");
  expect(nodeId("wf", "a")).toBe(`wf-${0xe40c292c}`);
  expect(nodeId("wf", "foobar")).toBe(`wf-${0xbf9cf968}`);
  expect(wideNodeId("wf", "foobar")).toBe(`wf-${0x85944171f73967e8n}`);
  expect(nodeId("wf", "wf")).toBe("wf");
});

it("names pods after workflow, template and hash, within the limit of names", () => {
  expect(podName("wf", "wf", "t", "wf")).toBe("wf");
  expect(podName("wf", "wf.a", "t", "wf-123")).toBe("wf-t-123");
  expect(podName("w".repeat(63), "x", "t".repeat(250), "w-4294967295").length).toBeLessThanOrEqual(253);
});

it("names the children of loops", () => {
  expect(loopChildName("n", 0, "a(b)")).toBe("n(0:ab)");
  expect(loopChildName("n", 1, { z: 1, a: "x" })).toBe("n(1:a:x,z:1)");
  expect(loopChildName("n", 2, [1, 2])).toBe("n(2:[1,2])");
});
