import { exceptions, levelled } from "./exceptions.js";
import { normalise } from "./normalise.js";
import type { Outcome } from "./play.js";

const names = { namespace: "ns-1", run: "run-1" };
const object = () => ({
  kind: "ConfigMap",
  apiVersion: "v1",
  metadata: {
    name: "run-1-a",
    namespace: "ns-1",
    uid: "6f465d38-aaf8-4305-a33b-7370fa2f1f6f",
    resourceVersion: "12",
    creationTimestamp: "2026-01-01T00:00:00Z",
    managedFields: [
      {
        manager: "m",
        operation: "Update",
        apiVersion: "v1",
        time: "2026-01-01T00:00:00Z",
        fieldsType: "FieldsV1",
        fieldsV1: { "f:data": { "f:a": {} } },
      },
    ],
  },
  data: { a: "1" },
});
const refusal = () => ({
  kind: "Status",
  message: 'ConfigMap "x" is invalid: [a: Required value, b: Invalid value: 1]',
  details: {
    causes: [
      { reason: "FieldValueRequired", message: "Required value", field: "a" },
      { reason: "FieldValueInvalid", message: "Invalid value: 1", field: "b" },
    ],
  },
});
type Loose = ReturnType<typeof object> & ReturnType<typeof refusal>;

const outcomeOf = (body: unknown, headers = {}): Outcome | undefined =>
  levelled({ code: 200, headers, layout: "compact", body: normalise(body, names) });

it.each([
  {
    why: "what a server makes up may differ",
    change: (o: Loose) =>
      Object.assign(o.metadata, {
        uid: "7f465d38-aaf8-4305-a33b-7370fa2f1f6f",
        resourceVersion: "99",
        creationTimestamp: "2027-01-01T00:00:00Z",
      }),
  },
  {
    why: "so may the time of an owner",
    change: (o: Loose) => Object.assign(o.metadata.managedFields[0] ?? {}, { time: "2027-01-01T00:00:00Z" }),
  },
])("$why", ({ change }) => {
  const other = object() as Loose;
  change(other);
  expect(outcomeOf(other)).toEqual(outcomeOf(object()));
});

it.each([
  {
    why: "an owner of another name is a difference",
    change: (o: Loose) => Object.assign(o.metadata.managedFields[0] ?? {}, { manager: "n" }),
  },
  {
    why: "so is another operation",
    change: (o: Loose) => Object.assign(o.metadata.managedFields[0] ?? {}, { operation: "Apply" }),
  },
  {
    why: "so is a field more",
    change: (o: Loose) => Object.assign(o.metadata.managedFields[0]?.fieldsV1 ?? {}, { "f:x": {} }),
  },
  {
    why: "so is an owner without a time",
    change: (o: Loose) => {
      delete (o.metadata.managedFields[0] as { time?: string }).time;
    },
  },
  {
    why: "so is an object without a uid",
    change: (o: Loose) => {
      delete (o.metadata as { uid?: string }).uid;
    },
  },
  { why: "so is other data", change: (o: Loose) => Object.assign(o.data, { a: "2" }) },
])("$why", ({ change }) => {
  const other = object() as Loose;
  change(other);
  expect(outcomeOf(other)).not.toEqual(outcomeOf(object()));
});

it("sees the order of causes as nothing, and another cause as a difference", () => {
  const turned = refusal();
  turned.details.causes.reverse();
  turned.message = 'ConfigMap "x" is invalid: [b: Invalid value: 1, a: Required value]';
  expect(outcomeOf(turned)).toEqual(outcomeOf(refusal()));
  for (const change of [{ field: "c" }, { reason: "FieldValueInvalid" }, { message: "Required value: now" }]) {
    const other = refusal();
    Object.assign(other.details.causes[0] ?? {}, change);
    expect(outcomeOf(other)).not.toEqual(outcomeOf(refusal()));
  }
});

it("lets pass the warnings that are exceptions, and no others", () => {
  const ours = '299 - "Thing is stored only, nothing acts on it: see docs/compatibility.md"';
  expect(outcomeOf({}, { warning: ours })).toEqual(outcomeOf({}));
  expect(outcomeOf({}, { warning: '299 - "unknown field"' })).not.toEqual(outcomeOf({}));
});

it("has at most ten exceptions, each with a page of its own", () => {
  expect(exceptions.length).toBeLessThanOrEqual(10);
  expect(new Set(exceptions.map(({ adr }) => adr)).size).toBe(exceptions.length);
});
