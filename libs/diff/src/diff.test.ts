import type { IgnoreDifference, KubeObject } from "@tiphys/resources";
import { compareObject, type ListSchema, maskSecrets, matchGlob, normalizeDesired, sameQuantity } from "./index.js";

const podSpec: ListSchema = {
  properties: {
    containers: {
      listType: "map",
      listKeys: ["name"],
      items: {
        properties: {
          ports: { listType: "map", listKeys: ["containerPort", "protocol"] },
          args: { listType: "atomic" },
        },
      },
    },
  },
};
const schema: ListSchema = {
  properties: {
    spec: { properties: { template: { properties: { spec: podSpec } } } },
    metadata: { properties: { finalizers: { listType: "set" } } },
  },
};
const deployment = (spec: unknown, metadata: object = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop", ...metadata },
  spec,
});
const withContainers = (...containers: object[]) => ({ template: { spec: { containers } } });
const owned = (fieldsV1: Record<string, unknown>) => ({
  managedFields: [{ manager: "argocd-controller", operation: "Apply" as const, apiVersion: "apps/v1", fieldsV1 }],
});
const paths = (desired: KubeObject, live: KubeObject, ignore: IgnoreDifference[] = []) =>
  compareObject({ desired, live, manager: "argocd-controller", schema, dropsZeroValues: true, ignore }).map(
    ({ path, type }) => `${type} ${path}`,
  );

it.each([
  {
    name: "defaults",
    why: "what the server added is no difference",
    desired: deployment(withContainers({ name: "web", image: "a", ports: [{ containerPort: 80 }] })),
    live: deployment({
      ...withContainers({
        name: "web",
        image: "a",
        imagePullPolicy: "Always",
        ports: [{ containerPort: 80, protocol: "TCP" }],
      }),
      replicas: 1,
    }),
    want: [],
  },
  {
    name: "an injected container",
    why: "keyed lists are compared by key, whatever the order",
    desired: deployment(withContainers({ name: "web", image: "a" })),
    live: deployment(withContainers({ name: "proxy", image: "p" }, { name: "web", image: "a" })),
    want: [],
  },
  {
    name: "another image",
    why: "a changed field is named by key",
    desired: deployment(withContainers({ name: "web", image: "b" })),
    live: deployment(withContainers({ name: "web", image: "a" })),
    want: ["changed .spec.template.spec.containers[name=web].image"],
  },
  {
    name: "quantities and zero values",
    why: "0.5 CPU is 500m, and the server leaves out empty values",
    desired: deployment(
      withContainers({ name: "web", resources: { limits: { cpu: 0.5, memory: "1024Mi" } }, stdin: false, env: [] }),
    ),
    live: deployment(withContainers({ name: "web", resources: { limits: { cpu: "500m", memory: "1Gi" } } })),
    want: [],
  },
  {
    name: "an atomic list",
    why: "order counts where the list is one value",
    desired: deployment(withContainers({ name: "web", args: ["a", "b"] })),
    live: deployment(withContainers({ name: "web", args: ["b", "a"] })),
    want: [
      "changed .spec.template.spec.containers[name=web].args[0]",
      "changed .spec.template.spec.containers[name=web].args[1]",
    ],
  },
  {
    name: "a removed field",
    why: "what we applied and no longer want is a difference",
    desired: deployment({ paused: true }),
    live: deployment(
      { paused: true, replicas: 3, strategy: { type: "Recreate" } },
      owned({
        "f:spec": { "f:paused": {}, "f:replicas": {} },
        "f:metadata": { "f:annotations": { "f:tiphys.dev/change": {} } },
      }),
    ),
    want: ["extra .spec.replicas"],
  },
  {
    name: "bookkeeping",
    why: "the change annotation never makes an object differ",
    desired: deployment({ paused: true }),
    live: deployment(
      { paused: true },
      {
        annotations: { "tiphys.dev/change": "x" },
        ...owned({ "f:metadata": { "f:annotations": { ".": {}, "f:tiphys.dev/change": {} } } }),
      },
    ),
    want: [],
  },
  {
    name: "a removed container",
    why: "an element we own and no longer want is a difference",
    desired: deployment(withContainers({ name: "web", image: "a" })),
    live: deployment(
      withContainers({ name: "web", image: "a" }, { name: "old", image: "o" }),
      owned({
        "f:spec": {
          "f:template": {
            "f:spec": {
              "f:containers": { 'k:{"name":"old"}': { ".": {} }, 'k:{"name":"web"}': { ".": {}, "f:image": {} } },
            },
          },
        },
      }),
    ),
    want: ["extra .spec.template.spec.containers[name=old]"],
  },
  {
    name: "a missing annotation",
    why: "an object that is not ours yet differs by its tracking id",
    desired: deployment({}, { annotations: { "argocd.argoproj.io/tracking-id": "x" } }),
    live: deployment({}),
    want: ["missing .metadata.annotations"],
  },
])("$name: $why", ({ desired, live, want }) => expect(paths(desired, live)).toEqual(want));

it("ignores what a JSON pointer names, wanted or owned", () => {
  const live = deployment({ replicas: 5 }, owned({ "f:spec": { "f:replicas": {} } }));
  const ignore = [{ group: "apps", kind: "Deployment", jsonPointers: ["/spec/replicas"] }];
  expect(paths(deployment({ replicas: 1 }), live, ignore)).toEqual([]);
  expect(paths(deployment({}), live, ignore)).toEqual([]);
  expect(paths(deployment({ replicas: 1 }), live, [{ ...ignore[0]!, name: "other" }])).toEqual([
    "changed .spec.replicas",
  ]);
});

it("ignores what another manager owns when asked to", () => {
  const live = deployment(
    { replicas: 5, ...withContainers({ name: "web", image: "b" }) },
    {
      managedFields: [
        { manager: "hpa", operation: "Update", apiVersion: "apps/v1", fieldsV1: { "f:spec": { "f:replicas": {} } } },
      ],
    },
  );
  const desired = deployment({ replicas: 1, ...withContainers({ name: "web", image: "a" }) });
  expect(paths(desired, live, [{ group: "*", kind: "Deployment", managedFieldsManagers: ["hpa"] }])).toEqual([
    "changed .spec.template.spec.containers[name=web].image",
  ]);
});

it("folds stringData, drops status and server fields", () => {
  const secret = normalizeDesired({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "x", uid: "1", creationTimestamp: "2030-01-01T00:00:00Z" },
    stringData: { a: "hello" },
    status: {},
  });
  expect(secret).toEqual({ apiVersion: "v1", kind: "Secret", metadata: { name: "x" }, data: { a: "aGVsbG8=" } });
});

it("a member that says null says nothing, in Kubernetes' own kinds", () => {
  const object = (apiVersion: string): KubeObject => ({
    apiVersion,
    kind: "ConfigMap",
    metadata: { name: "x", labels: { a: null as unknown as string } },
    data: { a: null, b: "c" },
    list: [{ c: null, d: 1 }],
  });
  expect(normalizeDesired(object("v1"))).toEqual({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x", labels: {} },
    data: { b: "c" },
    list: [{ d: 1 }],
  });
  expect(normalizeDesired(object("example.com/v1"))).toEqual(object("example.com/v1"));
  // What an earlier apply made of the null is taken away by the next one.
  const live: KubeObject = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "x",
      managedFields: [
        { manager: "us", operation: "Apply", apiVersion: "v1", fieldsV1: { "f:data": { "f:a": {}, "f:b": {} } } },
      ],
    },
    data: { a: "", b: "c" },
  };
  const desired = normalizeDesired({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x" },
    data: { a: null, b: "c" },
  });
  expect(compareObject({ desired, live, manager: "us" })).toEqual([{ path: ".data.a", type: "extra" }]);
  const { managedFields, ...metadata } = live.metadata;
  expect(managedFields).toHaveLength(1);
  expect(compareObject({ desired, live: { ...live, metadata, data: { b: "c" } }, manager: "us" })).toEqual([]);
});

it("masks secrets so that equal values look equal and no value shows", () => {
  const secret = (data: object): KubeObject => ({ apiVersion: "v1", kind: "Secret", metadata: { name: "x" }, data });
  const { desired, live } = maskSecrets(secret({ a: "b25l", b: "b25l" }), secret({ a: "b25l", b: "dHdv" }));
  expect(desired?.["data"].a).toBe(live?.["data"].a);
  expect(desired?.["data"].b).not.toBe(live?.["data"].b);
  expect(JSON.stringify([desired, live])).not.toMatch(/b25l|dHdv/);
});

it.each([
  ["*.yaml", "a/b.yaml", "", true],
  ["*.yaml", "a/b.yaml", "/", false],
  ["**.yaml", "a/b.yaml", "/", true],
  ["{config.json,env-usw2/*}", "env-usw2/x.yaml", "", true],
  ["{a,b{c,d}}x", "bdx", "", true],
  ["file-[0-9].y?ml", "file-3.yaml", "", true],
  ["[!a]*", "abc", "", false],
  ["https://github.com/org/*", "https://github.com/org/repo", "/", true],
  ["a*a*a*a*a*a*a*a*a*a*b", "a".repeat(500), "", false],
])("glob %s on %s", (pattern, text, separators, want) => expect(matchGlob(pattern, text, separators)).toBe(want));

it("compares quantities by amount", () => {
  expect(sameQuantity("1Gi", "1024Mi")).toBe(true);
  expect(sameQuantity("1e3", "1k")).toBe(true);
  expect(sameQuantity("1G", "1Gi")).toBe(false);
  expect(sameQuantity("x", "x")).toBe(false);
});
