import { builtinKind, compileSchema } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import { applyServerSide, conflictStatus, sameExceptManagedFieldsTimes, updateManagedFields } from "./index.js";

const { schema } = builtinKind("", "v1", "ConfigMap")!;
const first = "2026-01-01T00:00:00Z";
const later = "2026-01-02T00:00:00Z";
const map = (data: Record<string, string>, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", namespace: "b", ...metadata },
  data,
});
const applyBy = (manager: string, applied: KubeObject, live?: KubeObject, force = false, now = first) =>
  applyServerSide({ applied, manager, force, schema, now, ...(live ? { live } : {}) });
const applied = (...given: Parameters<typeof applyBy>): KubeObject => {
  const { object, conflicts } = applyBy(...given);
  if (object === undefined) throw new Error(JSON.stringify(conflicts));
  return object;
};

describe("applyServerSide", () => {
  it("records what a manager applied, without the names of the object", () => {
    expect(applied("one", map({ x: "1" }, { labels: { l: "1" } })).metadata.managedFields).toEqual([
      {
        manager: "one",
        operation: "Apply",
        apiVersion: "v1",
        time: first,
        fieldsType: "FieldsV1",
        fieldsV1: { "f:metadata": { "f:labels": { "f:l": {} } }, "f:data": { "f:x": {} } },
      },
    ]);
  });

  it("drops what the manager gave up and nobody else owns", () => {
    const one = applied("one", map({ x: "1", y: "2", z: "3" }));
    const both = applied("two", map({ y: "2" }), one);
    expect(applied("one", map({ x: "1" }), both)["data"]).toEqual({ x: "1", y: "2" });
  });

  it("reports a conflict with its manager and field, and takes the field over when forced", () => {
    const live = applied("one", map({ x: "1", y: "2" }));
    const { object, conflicts } = applyBy("two", map({ x: "9" }), live);
    expect(object).toBeUndefined();
    expect(conflictStatus(conflicts)).toEqual({
      message: 'Apply failed with 1 conflict: conflict with "one": .data.x',
      causes: [{ reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".data.x" }],
    });
    const forced = applied("two", map({ x: "9" }), live, true);
    expect(forced["data"]).toEqual({ x: "9", y: "2" });
    expect(forced.metadata.managedFields?.map(({ manager, fieldsV1 }) => [manager, fieldsV1])).toEqual([
      ["one", { "f:data": { "f:y": {} } }],
      ["two", { "f:data": { "f:x": {} } }],
    ]);
  });

  it("is nothing new when the same is applied again, at any time", () => {
    const live = applied("one", map({ x: "1" }));
    expect(sameExceptManagedFieldsTimes(live, applied("one", map({ x: "1" }), live, false, later))).toBe(true);
    expect(sameExceptManagedFieldsTimes(live, applied("one", map({ x: "2" }), live, false, later))).toBe(false);
  });

  it("changes neither the live object nor the configuration", () => {
    const live = applied("one", map({ x: "1", y: "2" }));
    const given = map({ x: "2" });
    const before = JSON.stringify([live, given]);
    applied("one", given, live);
    expect(JSON.stringify([live, given])).toBe(before);
  });

  it("gives an object that nobody tracked to whoever came before", () => {
    const managers = applied("one", map({ x: "1" }), map({ x: "1", y: "2" })).metadata.managedFields;
    expect(managers?.map(({ manager }) => manager)).toEqual(["one", "before-first-apply"]);
  });

  it("merges the lists of a custom resource by their keys, and replaces atomic ones", () => {
    const item = { type: "object", properties: { name: { type: "string" }, v: { type: "integer" } } };
    const keyed = {
      type: "array",
      items: item,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
    };
    const spec = { type: "object", properties: { keyed, atomic: { type: "array", items: item } } };
    const custom = compileSchema({ type: "object", properties: { spec } }).schema;
    const object = (one: object[]): KubeObject => ({
      apiVersion: "x.io/v1",
      kind: "X",
      metadata: { name: "x" },
      spec: { keyed: one, atomic: one },
    });
    const common = { schema: custom, now: first, force: true };
    const live = applyServerSide({ ...common, applied: object([{ name: "a", v: 1 }]), manager: "one" }).object!;
    const next = applyServerSide({ ...common, live, applied: object([{ name: "b", v: 2 }]), manager: "two" }).object!;
    expect(next["spec"]).toEqual({
      keyed: [
        { name: "a", v: 1 },
        { name: "b", v: 2 },
      ],
      atomic: [{ name: "b", v: 2 }],
    });
  });
});

describe("updateManagedFields", () => {
  it("answers the same list when nothing changed", () => {
    const after = map({ x: "1" });
    const managedFields = updateManagedFields({ after, manager: "one", schema, now: first });
    const before = { ...after, metadata: { ...after.metadata, managedFields } };
    const again = updateManagedFields({ before, after: before, manager: "two", schema, now: later });
    expect(again).toBe(before.metadata.managedFields);
  });

  it("moves a changed field to who changed it, and forgets one that is gone", () => {
    const managedFields = updateManagedFields({ after: map({ x: "1", y: "2" }), manager: "one", schema, now: first });
    const before = map({ x: "1", y: "2" }, { managedFields });
    const moved = updateManagedFields({ before, after: map({ x: "9" }), manager: "two", schema, now: later });
    expect(moved.map(({ manager, time, fieldsV1 }) => [manager, time, fieldsV1])).toEqual([
      ["one", first, { "f:data": {} }],
      ["two", later, { "f:data": { "f:x": {} } }],
    ]);
  });

  it("drops all ownership when asked to with one empty entry", () => {
    const before = map({ x: "1" }, { managedFields: [{ manager: "a", operation: "Update", fieldsV1: {} }] });
    const after = map({ x: "1" }, { managedFields: [{}] });
    expect(updateManagedFields({ before, after, manager: "two", schema, now: later })).toEqual([]);
  });

  it("keeps ten update managers and folds older ones", () => {
    let live = map({});
    for (let at = 0; at < 14; at++) {
      const after = { ...live, data: { ...live["data"], [`k${at}`]: "1" } };
      const now = `2026-01-01T00:00:${String(at).padStart(2, "0")}Z`;
      const before = at === 0 ? undefined : live;
      const managedFields = updateManagedFields({
        ...(before ? { before } : {}),
        after,
        manager: `m${at}`,
        schema,
        now,
      });
      live = { ...after, metadata: { ...after.metadata, managedFields } };
    }
    const managers = live.metadata.managedFields!.map(({ manager }) => manager);
    expect(managers).toHaveLength(10);
    expect(managers).toContain("ancient-changes");
  });
});
