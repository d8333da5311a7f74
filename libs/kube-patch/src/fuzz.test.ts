import { definition } from "@tiphys/kube-schema";
import type { KubeObject } from "@tiphys/resources";
import { oneOf, randomJson, seeded, survives } from "@tiphys/testing";
import { difference, elementText, fieldPaths, intersection, recursiveDifference, union } from "./field-set.js";
import { applyServerSide, jsonPatch, mergePatch, strategicMergePatch } from "./index.js";

const schema = definition("io.k8s.api.apps.v1.Deployment");
const deployment = (): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop", labels: { app: "web" } },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        containers: [{ name: "web", image: "web:1", ports: [{ containerPort: 80 }], env: [{ name: "A", value: "1" }] }],
      },
    },
  },
});
const paths = [
  "",
  "/",
  "/a",
  "/spec",
  "/spec/replicas",
  "/spec/template/spec/containers/0",
  "/spec/template/spec/containers/-",
  "/__proto__/polluted",
  "/constructor/prototype/polluted",
  "/metadata/labels/a~1b",
  "/spec/template/spec/containers/99999999999",
  "a",
];

/** `value` with a few members put in, taken out or replaced at random places. */
function disturb(value: unknown, random: () => number): unknown {
  if (random() < 0.08) return randomJson(random, 3);
  if (Array.isArray(value))
    return value.flatMap((item) => (random() < 0.1 ? [] : random() < 0.1 ? [item, item] : [disturb(item, random)]));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).map(([key, member]) => [
    random() < 0.05 ? "__proto__" : key,
    disturb(member, random),
  ]);
  if (random() < 0.1)
    entries.push([
      oneOf(random, [
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$deleteFromPrimitiveList/x",
        "constructor",
      ]),
      randomJson(random, 2),
    ]);
  return Object.fromEntries(entries);
}

function* disturbed(count: number, seed: number): Iterable<unknown> {
  const random = seeded(seed);
  for (let i = 0; i < count; i++) yield disturb(disturb(deployment(), random), random);
}

it("applies any JSON patch whole or refuses it", () => {
  const random = seeded(1);
  const step = () => ({
    op: oneOf(random, ["add", "remove", "replace", "move", "copy", "test", "nonsense"]),
    path: oneOf(random, paths),
    from: oneOf(random, [...paths, undefined]),
    value: randomJson(random, 2),
  });
  for (let i = 0; i < 2000; i++) {
    const target = deployment();
    const steps = [step(), step(), step()];
    survives([steps], () => jsonPatch(target, steps as never));
    expect(target).toEqual(deployment());
  }
  survives([randomJson(random), null, [null], [1], {}, "x"], (patch) => jsonPatch({}, patch as never));
});

it("refuses a JSON patch that nests its own copies until nothing can walk them", () => {
  const copies = Array.from({ length: 10_000 }, () => ({ op: "copy", from: "", path: "/a" }));
  survives([copies.slice(0, 14), copies], (steps) => jsonPatch({ a: {} }, steps));
  const moves = Array.from({ length: 9_000 }, (_, n) => [
    { op: "add", path: `/${n}`, value: {} },
    { op: "move", from: n === 0 ? "/0" : `/${n - 1}`, path: n === 0 ? "/0" : `/${n}/x` },
  ]).flat();
  survives([moves.slice(0, 9_000)], (steps) => JSON.stringify(jsonPatch({}, steps)));
});

it("merges any patch or refuses it", () => {
  survives(disturbed(800, 2), (patch) => mergePatch(deployment(), patch));
  survives(disturbed(800, 4), (patch) => strategicMergePatch(deployment(), patch, schema));
});

it("applies any configuration or refuses it", () => {
  const now = "2026-01-01T00:00:00Z";
  survives(disturbed(600, 5), (applied) => {
    if (applied === null || typeof applied !== "object" || Array.isArray(applied)) return;
    const live = applyServerSide({ applied: deployment(), manager: "first", schema, now }).object as KubeObject;
    applyServerSide({ live, applied: applied as KubeObject, manager: "second", schema, now });
    applyServerSide({ live, applied: applied as KubeObject, manager: "first", force: true, schema, now });
  });
});

it("computes with any field sets that an API server keeps", () => {
  const random = seeded(6);
  const set = (depth: number): never => {
    const count = depth > 0 ? Math.floor(random() * 4) : 0;
    const elements = ["f:a", "f:b", "f:__proto__", 'k:{"name":"x"}', 'v:"y"', ".", "i:0"];
    return Object.fromEntries(Array.from({ length: count }, () => [oneOf(random, elements), set(depth - 1)])) as never;
  };
  for (let i = 0; i < 1000; i++) {
    const [a, b] = [set(4), set(4)];
    survives([[a, b]], () => {
      fieldPaths(union(a, b));
      fieldPaths(difference(a, b));
      fieldPaths(intersection(a, b));
      fieldPaths(recursiveDifference(a, b));
    });
  }
  survives(["k:{broken", "k:null", "k:[1]", "x", "v:", "__proto__"], elementText);
});

it("tells members that are called like those every object has from those that are not there", () => {
  for (const key of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    const one = JSON.parse(`{"${key}": "x"}`) as object;
    expect(Object.keys(mergePatch<object>({}, one))).toEqual([key]);
  }
});
