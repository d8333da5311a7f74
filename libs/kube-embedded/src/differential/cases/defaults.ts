import { APPLY, type Group, MERGE, type Step } from "../play.js";

const GROUP = "$RUN-defaults.example.com";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

const properties = {
  off: { type: "boolean", default: false },
  none: { type: "integer", default: 0 },
  empty: { type: "string", default: "" },
  nested: { type: "object", default: {}, properties: { off: { type: "boolean", default: false } } },
  number: { type: "integer", format: "int32", minimum: 0, maximum: 4294967295 },
  small: { type: "integer", format: "int32", minimum: 0, maximum: 100 },
  few: { type: "array", maxItems: 1, items: { type: "string" } },
  pairs: {
    type: "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name", "value"],
    items: {
      type: "object",
      required: ["name", "value"],
      properties: { name: { type: "string" }, value: { type: "string" } },
    },
  },
  set: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
};
const status = (more: object) => ({ type: "object", properties: { seen: { type: "integer" } }, ...more });
const version = (name: string, extra: object, more: object = {}) => ({
  name,
  served: true,
  storage: false,
  subresources: { status: {} },
  schema: {
    openAPIV3Schema: {
      type: "object",
      required: ["spec"],
      properties: {
        spec: {
          type: "object",
          required: ["off"],
          properties: { ...properties, ...extra },
          "x-kubernetes-validations": [{ rule: "!self.off || self.none == 0", message: "off and none" }],
        },
        status: status(name === "v2" ? { default: { seen: -1 } } : {}),
      },
    },
  },
  ...more,
});
const crd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `leaves.${GROUP}` },
  spec: {
    group: GROUP,
    names: { plural: "leaves", kind: "Leaf" },
    scope: "Namespaced",
    versions: [
      version("v1beta1", {}, { deprecated: true }),
      version("v1beta2", {}, { deprecated: true, deprecationWarning: "do not" }),
      version("v1", {}),
      version("v2", { late: { type: "string", default: "x" } }, { storage: true }),
    ],
  },
};
const leaves = (at: string) => `${GROUP}/${at}/leaves`;
const leaf = (spec: object | undefined, metadata: object = {}, at = "v2") => ({
  apiVersion: `${GROUP}/${at}`,
  kind: "Leaf",
  metadata: { name: "l", ...metadata },
  ...(spec === undefined ? {} : { spec }),
});
const post = (name: string, body: unknown, at = "v2", query = "?dryRun=All"): Step => ({
  name,
  method: "POST",
  path: `${leaves(at)}${query}`,
  body,
});
const patch = (name: string, type: string, body: unknown, query = ""): Step => ({
  name,
  method: "PATCH",
  path: `${leaves("v2")}/l${query}`,
  headers: { "content-type": type },
  body,
});
const get = (name: string, path: string): Step => ({ name, method: "GET", path });

/** Defaults that are false, zero or of the version in store; and what else public definitions have. */
export const defaultGroups: readonly Group[] = [
  {
    name: "defaults of custom resources",
    steps: [
      {
        name: "define",
        method: "POST",
        path: CRDS,
        body: crd,
        without: ["status", "finalizers"],
        uncompared: "its status comes about on one side later",
      },
      { ...get("wait", `/apis/${GROUP}/v2/namespaces/$NS/leaves`), until: 200 },
      post("all defaults", leaf({})),
      post("defaults of another version", leaf({}, {}, "v1"), "v1"),
      post("an old version", leaf({}, {}, "v1beta1"), "v1beta1"),
      post("an old version with words of its own", leaf({}, {}, "v1beta2"), "v1beta2"),
      post("an old version of a bad name", leaf({}, { name: "A_" }, "v1beta1"), "v1beta1"),
      get("a list of an old version", leaves("v1beta1")),
      post("no name", leaf({}, { name: undefined })),
      post("no name and no spec", leaf(undefined, { name: undefined })),
      post("no spec", leaf(undefined)),
      post("a name that is an object", leaf({}, { name: { a: null } })),
      post("a label that is a number", leaf({}, { labels: { a: 5 } })),
      post("a number under a bound it cannot have", leaf({ number: 5 })),
      post("a small number", leaf({ small: 5 })),
      post("a number that is too large", leaf({ small: 101 })),
      post("too many of one", leaf({ few: ["a", "b"] })),
      post("signs in keys", leaf({ pairs: [{ name: "a", value: "<0%&>" }], set: ["<", "é\u2028"] })),
      post("create", leaf({ nested: { off: true } }), "v2", ""),
      get("get it", `${leaves("v2")}/l`),
      get("get it in another version", `${leaves("v1")}/l`),
      patch("change it", MERGE, { spec: { off: true } }),
      patch("remove what has a default", MERGE, { spec: { off: null, nested: null } }),
      patch("apply to it", APPLY, leaf({ pairs: [{ name: "a", value: "<" }] }), "?fieldManager=m"),
      {
        name: "write its status",
        method: "PATCH",
        path: `${leaves("v2")}/l/status`,
        headers: { "content-type": MERGE },
        body: { status: { seen: 5 } },
      },
      {
        name: "remove its status",
        method: "PATCH",
        path: `${leaves("v2")}/l/status`,
        headers: { "content-type": MERGE },
        body: { status: null },
      },
      {
        name: "remove the definition",
        method: "DELETE",
        path: `${CRDS}/leaves.${GROUP}`,
        uncompared: "only cleans up",
      },
    ],
  },
];
