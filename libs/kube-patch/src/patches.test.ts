import { builtinKind } from "@tiphys/kube-schema";
import { limits } from "@tiphys/limits";
import { jsonPatch, mergePatch, PatchError, strategicMergePatch } from "./index.js";

describe("mergePatch", () => {
  it.each([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [["a"], { a: "b", c: null }, { a: "b" }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])("%j with %j is %j", (target, patch, want) => expect(mergePatch(target, patch)).toEqual(want));

  it("keeps __proto__ as data", () => {
    const patched = mergePatch<object>({}, JSON.parse('{"__proto__": {"polluted": true}}'));
    expect(Object.keys(patched)).toEqual(["__proto__"]);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("jsonPatch", () => {
  it.each([
    [[{ op: "add", path: "/l/-", value: 3 }], { l: [1, 2, 3], o: { "a/b": 1 } }],
    [[{ op: "add", path: "/l/1", value: 9 }], { l: [1, 9, 2], o: { "a/b": 1 } }],
    [[{ op: "remove", path: "/o/a~1b" }], { l: [1, 2], o: {} }],
    [[{ op: "move", from: "/l/0", path: "/o/x" }], { l: [2], o: { "a/b": 1, x: 1 } }],
    [
      [
        { op: "test", path: "/l", value: [1, 2] },
        { op: "replace", path: "", value: 1 },
      ],
      1,
    ],
  ])("%j", (operations, want) => {
    const target = { l: [1, 2], o: { "a/b": 1 } };
    expect(jsonPatch(target, operations)).toEqual(want);
    expect(target).toEqual({ l: [1, 2], o: { "a/b": 1 } });
  });

  it.each([
    [[{ op: "remove", path: "/x" }], "inapplicable"],
    [[{ op: "add", path: "/l/9", value: 1 }], "inapplicable"],
    [[{ op: "test", path: "/l/0", value: 2 }], "inapplicable"],
    [[{ op: "move", from: "/o", path: "/o/x" }], "inapplicable"],
    [[{ op: "leap", path: "/l" }], "malformed"],
    [[{ op: "add", path: "l", value: 1 }], "malformed"],
    [Array(limits.jsonPatchOperations + 1).fill({ op: "test", path: "/l/0", value: 1 }), "malformed"],
  ])("refuses what does not fit, case %#", (operations, kind) => {
    const patching = () => jsonPatch({ l: [1, 2], o: {} }, operations);
    expect(patching).toThrow(PatchError);
    expect(patching).toThrow(expect.objectContaining({ kind }));
  });
});

describe("strategicMergePatch", () => {
  const { schema } = builtinKind("", "v1", "Pod")!;
  const pod = {
    spec: {
      containers: [
        { name: "a", image: "1", args: ["x"] },
        { name: "b", image: "1" },
      ],
    },
  };
  const containers = (patch: object) =>
    (strategicMergePatch(pod, { spec: patch }, schema) as typeof pod).spec.containers.map(
      ({ name, image }) => `${name}:${image}`,
    );

  it.each([
    [{ containers: [{ name: "b", image: "2" }] }, ["a:1", "b:2"]],
    [{ containers: [{ name: "c", image: "2" }] }, ["c:2", "a:1", "b:1"]],
    [{ containers: [{ name: "a", $patch: "delete" }] }, ["b:1"]],
    [{ containers: [{ $patch: "replace" }, { name: "z", image: "3" }] }, ["z:3"]],
    [{ "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] }, ["b:1", "a:1"]],
  ])("%j gives %j", (patch, want) => expect(containers(patch)).toEqual(want));

  it("replaces lists that have no merge strategy", () => {
    const patched = strategicMergePatch(
      pod,
      { spec: { containers: [{ name: "a", args: ["y"] }] } },
      schema,
    ) as typeof pod;
    expect(patched.spec.containers[0]).toEqual({ name: "a", image: "1", args: ["y"] });
  });

  it("refuses an item without its merge key and an unknown directive", () => {
    expect(() => containers({ containers: [{ image: "1" }] })).toThrow(/does not contain declared merge key: name/);
    expect(() => containers({ $patch: "destroy" })).toThrow(
      /unknown patch type: destroy in map: map\[\$patch:destroy\]/,
    );
  });
});
