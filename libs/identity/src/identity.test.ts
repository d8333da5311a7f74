import { changeAnnotations, changeOf, changeOfCommit, isTraceparent, isUlid, newChange, ulid } from "./index.js";

const random = (size: number) => new Uint8Array(size).fill(7);
const now = new Date("2026-01-01T00:00:00Z");

it("makes ULIDs that sort by time", () => {
  const early = ulid(now, random);
  const late = ulid(new Date(now.getTime() + 1), random);
  expect(isUlid(early)).toBe(true);
  expect(early < late).toBe(true);
});

it("carries a change on an object and back", () => {
  const change = newChange(now, random);
  expect(isTraceparent(change.traceparent)).toBe(true);
  expect(changeOf({ metadata: { annotations: changeAnnotations(change) } })).toEqual(change);
});

it("finds the change in a commit's trailer and nowhere else", () => {
  const id = ulid(now, random);
  expect(changeOfCommit(`Release 1.2\n\nTiphys-Change: ${id}\n`)).toBe(id);
  expect(changeOfCommit(`see Tiphys-Change: ${id} above`)).toBeUndefined();
  expect(changeOfCommit("Tiphys-Change: nonsense")).toBeUndefined();
});
