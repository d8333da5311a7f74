// biome-ignore-all lint/suspicious/noAssignInExpressions: each case is one change of a fresh copy
import { APPLY, type Group, JSON_PATCH, MERGE, STRATEGIC, type Step } from "../play.js";

const GROUP = "$RUN.example.com";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const schema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: {
        size: { type: "integer", minimum: 1, maximum: 10, default: 3 },
        color: { type: "string", enum: ["red", "green"] },
        fixed: { type: "string", "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "fixed is fixed" }] },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        items: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
          items: {
            type: "object",
            required: ["name"],
            properties: { name: { type: "string" }, value: { type: "string", default: "v" } },
          },
        },
        tags: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
        whole: { type: "object", "x-kubernetes-map-type": "atomic", additionalProperties: { type: "string" } },
        port: { "x-kubernetes-int-or-string": true },
        when: { type: "string", format: "date-time" },
        replicas: { type: "integer" },
        selector: { type: "string" },
        nullable: { type: "string", nullable: true },
      },
      "x-kubernetes-validations": [
        { rule: "!has(self.replicas) || self.replicas <= self.size", message: "too many", fieldPath: ".replicas" },
      ],
    },
    status: { type: "object", properties: { replicas: { type: "integer" }, phase: { type: "string" } } },
  },
};
const version = (name: string, more: object = {}) => ({
  name,
  served: true,
  storage: false,
  schema: { openAPIV3Schema: schema },
  subresources: {
    status: {},
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.replicas",
      labelSelectorPath: ".spec.selector",
    },
  },
  additionalPrinterColumns: [
    { name: "Size", type: "integer", jsonPath: ".spec.size" },
    { name: "Color", type: "string", jsonPath: ".spec.color", priority: 1 },
    { name: "Since", type: "date", jsonPath: ".metadata.creationTimestamp" },
  ],
  selectableFields: [{ jsonPath: ".spec.color" }],
  ...more,
});
const names = { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList", shortNames: ["th$RUN"] };
const crd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `things.${GROUP}` },
  spec: { group: GROUP, names, scope: "Namespaced", versions: [version("v1", { storage: true }), version("v2")] },
};
const thing = (name: string, spec: object = {}, more: object = {}, at = "v1") => ({
  apiVersion: `${GROUP}/${at}`,
  kind: "Thing",
  metadata: { name },
  spec,
  ...more,
});
const things = `${GROUP}/v1/things`;
const post = (name: string, body: unknown, query = "", path = things): Step => ({
  name,
  method: "POST",
  path: `${path}${query}`,
  body,
});
const patch = (name: string, type: string, body: unknown, at = "a", query = ""): Step => ({
  name,
  method: "PATCH",
  path: `${things}/${at}${query}`,
  headers: { "content-type": type },
  body,
});
const get = (name: string, path: string, accept?: string): Step => ({
  name,
  method: "GET",
  path,
  ...(accept ? { headers: { accept } } : {}),
});
const table = "application/json;as=Table;g=meta.k8s.io;v=v1";
const dry = "?dryRun=All";
const applied = (name: string, spec: object, query: string, at = "a"): Step =>
  patch(name, APPLY, thing(at, spec), at, query);

/** Owners stand in the order of their times, which are whole seconds: lets one pass. */
const pause = (before: string): Step => ({
  name: `wait before ${before}`,
  method: "GET",
  path: "secrets?watch=true&timeoutSeconds=1",
  uncompared: "only lets a second pass",
});

const wide = { without: ["status", "finalizers"] };

const custom: Group = {
  name: "custom resources",
  steps: [
    { ...post("define", crd, "", CRDS), ...wide, uncompared: "its status comes about on one side later" },
    { ...get("wait", `/apis/${GROUP}/v1/namespaces/$NS/things`), until: 200 },
    post("create", thing("a", { color: "red", fixed: "x", items: [{ name: "i" }], tags: ["t"], free: { any: [1] } })),
    post("create again", thing("a")),
    post("create in the other version", thing("b", { size: 5 }, {}, "v2"), "", `${GROUP}/v2/things`),
    post("create with a version that is not served", thing("c", {}, {}, "v3"), "", `${GROUP}/v3/things`),
    post("create of another version", thing("c", {}, {}, "v2")),
    post("create of another kind", { ...thing("c"), kind: "Thong" }),
    post("no spec", { ...thing("c"), spec: undefined }, dry),
    post("a bad name", thing("A_"), dry),
    post("a generated name", { ...thing(""), metadata: { generateName: "generated-" } }, dry),
    post("too large a size", thing("c", { size: 11 }), dry),
    post("a size that is a text", thing("c", { size: "x" }), dry),
    post("a size that is null", thing("c", { size: null }), dry),
    post("null where it may be", thing("c", { nullable: null }), dry),
    post("an unknown color", thing("c", { color: "blue" }), dry),
    post("an unknown field", thing("c", { nothing: 1 }), dry),
    post(
      "an unknown field, strictly",
      thing("c", { nothing: 1, items: [{ name: "i", odd: 1 }] }),
      `${dry}&fieldValidation=Strict`,
    ),
    post("an unknown field, ignored", thing("c", { nothing: 1 }), `${dry}&fieldValidation=Ignore`),
    post(
      "an unknown field in metadata",
      { ...thing("c"), metadata: { name: "c", odd: 1 } },
      `${dry}&fieldValidation=Strict`,
    ),
    post("an unknown field on top", { ...thing("c"), odd: 1 }, `${dry}&fieldValidation=Strict`),
    post(
      "a field twice",
      `{"apiVersion":"${GROUP}/v1","kind":"Thing","metadata":{"name":"c"},"spec":{"size":1,"size":2}}`,
      dry,
    ),
    post(
      "a field twice, strictly",
      `{"apiVersion":"${GROUP}/v1","kind":"Thing","metadata":{"name":"c"},"spec":{"size":1,"size":2}}`,
      `${dry}&fieldValidation=Strict`,
    ),
    post("an item without its key", thing("c", { items: [{ value: "x" }] }), dry),
    post("items twice", thing("c", { items: [{ name: "i" }, { name: "i" }] }), dry),
    post("tags twice", thing("c", { tags: ["a", "a"] }), dry),
    post("a port of either type", thing("c", { port: "x" }), dry),
    post("a port of neither type", thing("c", { port: true }), dry),
    post("a time", thing("c", { when: "2026-01-01T00:00:00Z" }), dry),
    post("no time", thing("c", { when: "yesterday" }), dry),
    post("too many replicas", thing("c", { replicas: 5, size: 2 }), dry),
    post("a status at creation", thing("c", {}, { status: { phase: "x" } }), dry),
    post("labels that are bad", { ...thing("c"), metadata: { name: "c", labels: { "-a": "b" } } }, dry),
    post("finalizers that are free", { ...thing("c"), metadata: { name: "c", finalizers: ["abc"] } }, dry),
    get("get", `${things}/a`),
    get("get in the other version", `${GROUP}/v2/things/a`),
    get("get as a table", `${things}/a`, table),
    get("list as a table", things, table),
    get("list", things),
    get("by a selectable field", `${things}?fieldSelector=spec.color%3Dred`),
    get("by not a selectable field", `${things}?fieldSelector=spec.color!%3Dred`),
    get("by a field that is not selectable", `${things}?fieldSelector=spec.size%3D3`),
    get("as metadata", `${things}/a`, "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"),
    patch("merge", MERGE, { spec: { size: 4 } }),
    patch("merge without a change", MERGE, { spec: { size: 4 } }),
    patch("merge takes away a default", MERGE, { spec: { size: null } }),
    patch("merge: a bad value", MERGE, { spec: { size: 0 } }),
    patch("merge: what is fixed", MERGE, { spec: { fixed: "y" } }),
    patch("merge: an unknown field, strictly", MERGE, { spec: { odd: 1 } }, "a", "?fieldValidation=Strict"),
    patch("merge: a bad label", MERGE, { metadata: { labels: { "-a": "b" } } }),
    patch("merge: another kind", MERGE, { kind: "Other" }),
    patch("by steps", JSON_PATCH, [{ op: "add", path: "/spec/tags/-", value: "u" }]),
    patch("by steps, what is there", JSON_PATCH, [{ op: "add", path: "/spec/tags/-", value: "u" }]),
    patch("strategically", STRATEGIC, { spec: { size: 1 } }),
    { name: "put without a revision", method: "PUT", path: `${things}/a`, body: thing("a", { fixed: "x" }) },
    { name: "put what is not there", method: "PUT", path: `${things}/none`, body: thing("none") },
    pause("patch the status"),
    patch(
      "the status",
      MERGE,
      { status: { replicas: 2, phase: "p" }, spec: { size: 9 }, metadata: { labels: { a: "b" } } },
      "a/status",
    ),
    patch("an unknown status, strictly", MERGE, { status: { odd: 1 } }, "a/status", "?fieldValidation=Strict"),
    pause("patch the status through"),
    patch("the status through the object", MERGE, { status: { phase: "q" } }),
    get("get the status", `${things}/a/status`),
    get("a scale without replicas", `${things}/a/scale`),
    pause("patch replicas"),
    patch("replicas", MERGE, { spec: { replicas: 1, selector: "a=b" } }),
    get("the scale", `${things}/a/scale`),
    get("the scale as a table", `${things}/a/scale`, table),
    pause("patch scale"),
    patch("scale", MERGE, { spec: { replicas: 2 } }, "a/scale"),
    patch("scale too far", MERGE, { spec: { replicas: 7 } }, "a/scale"),
    get("after the scale", `${things}/a`),
    pause("applied apply"),
    applied("apply", { items: [{ name: "mine", value: "1" }], tags: ["mine"] }, "?fieldManager=m1"),
    applied("apply to another's", { color: "green" }, "?fieldManager=m1"),
    applied("apply by force", { color: "green", items: [{ name: "mine", value: "1" }] }, "?fieldManager=m1&force=true"),
    applied("apply less", { color: "green" }, "?fieldManager=m1"),
    applied("apply a bad value", { size: 99 }, "?fieldManager=m1&force=true"),
    applied("apply an unknown field", { odd: 1 }, "?fieldManager=m1&force=true"),
    applied("apply an unknown field, strictly", { odd: 1 }, "?fieldManager=m1&force=true&fieldValidation=Strict"),
    applied("apply a wrong type", { tags: "x" }, "?fieldManager=m1&force=true"),
    applied("apply items twice", { items: [{ name: "d" }, { name: "d" }] }, "?fieldManager=m1&force=true"),
    applied("apply a whole map", { whole: { a: "1" } }, "?fieldManager=m1"),
    applied("apply a whole map by another", { whole: { b: "2" } }, "?fieldManager=m2"),
    applied("apply what is free", { free: { deep: { er: 1 } } }, "?fieldManager=m3"),
    applied("apply what is not there", { size: 2 }, "?fieldManager=m1", "new"),
    { name: "delete", method: "DELETE", path: `${things}/new` },
    pause("patch a finalizer"),
    patch("a finalizer", MERGE, { metadata: { finalizers: ["example.com/hold"] } }),
    { name: "delete what is held", method: "DELETE", path: `${things}/a` },
    patch("a new finalizer while going", MERGE, { metadata: { finalizers: ["example.com/hold", "example.com/more"] } }),
    patch("let go", MERGE, { metadata: { finalizers: [] } }),
    get("gone", `${things}/a`),
    { name: "delete the collection", method: "DELETE", path: `${things}` },
    {
      name: "delete the definition",
      method: "DELETE",
      path: `${CRDS}/things.${GROUP}`,
      uncompared: "its end comes about later",
    },
  ],
};

type Json = Record<string, unknown>;
/** The definition with one thing changed, under a name of its own. */
const OTHER = "d.$RUN.example.com";
const changed = (
  name: string,
  change: (crd: { spec: Json & { names: Json; versions: Json[] }; metadata: Json }) => void,
): Step => {
  const copy = JSON.parse(JSON.stringify(crd).replaceAll(GROUP, OTHER)) as {
    spec: Json & { names: Json; versions: Json[] };
    metadata: Json;
  };
  change(copy);
  return { name, method: "POST", path: `${CRDS}${dry}`, body: copy, ...wide };
};
const withSchema = (name: string, openAPIV3Schema: unknown): Step =>
  changed(name, ({ spec }) => {
    spec.versions = [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }];
  });
const inSpec = (name: string, spec: unknown): Step => withSchema(name, { type: "object", properties: { spec } });

const definitions: Group = {
  name: "definitions of custom resources",
  steps: [
    changed("good", () => undefined),
    changed("a wrong name", ({ metadata }) => void (metadata["name"] = "other.d.$RUN.example.com")),
    changed("no versions", ({ spec }) => void (spec.versions = [])),
    changed("no stored version", ({ spec }) => void (spec.versions[0]!["storage"] = false)),
    changed("two stored versions", ({ spec }) => void (spec.versions[1]!["storage"] = true)),
    changed("versions twice", ({ spec }) => void (spec.versions[1]!["name"] = "v1")),
    changed("a bad version", ({ spec }) => void (spec.versions[1]!["name"] = "V_1")),
    changed("an unknown scope", ({ spec }) => void (spec["scope"] = "Planet")),
    changed("no scope", ({ spec }) => void delete spec["scope"]),
    changed("no group", ({ spec }) => void delete spec["group"]),
    changed("no names", ({ spec }) => void ((spec as Json)["names"] = {})),
    changed(
      "bad names",
      ({ spec }) =>
        void Object.assign(spec.names, { kind: "A_b", listKind: "a b", shortNames: ["A_"], categories: ["A_"] }),
    ),
    changed("kind and list of one name", ({ spec }) => void (spec.names["listKind"] = "Thing")),
    changed("a group of the system", ({ spec, metadata }) => {
      spec["group"] = "apps.k8s.io";
      metadata["name"] = "things.apps.k8s.io";
    }),
    changed("conversion without a webhook", ({ spec }) => void (spec["conversion"] = { strategy: "Webhook" })),
    changed("an unknown conversion", ({ spec }) => void (spec["conversion"] = { strategy: "Magic" })),
    changed(
      "a webhook without strategy",
      ({ spec }) => void (spec["conversion"] = { strategy: "None", webhook: { conversionReviewVersions: ["v1"] } }),
    ),
    changed(
      "a bad column",
      ({ spec }) => void (spec.versions[0]!["additionalPrinterColumns"] = [{ name: "", type: "x", jsonPath: "a" }]),
    ),
    changed(
      "a column of no path",
      ({ spec }) =>
        void (spec.versions[0]!["additionalPrinterColumns"] = [
          { name: "A", type: "string", format: "x", jsonPath: ".spec[" },
        ]),
    ),
    changed(
      "a bad scale",
      ({ spec }) =>
        void (spec.versions[0]!["subresources"] = {
          scale: { specReplicasPath: "spec.x", statusReplicasPath: ".spec.y", labelSelectorPath: "z" },
        }),
    ),
    changed("an empty scale", ({ spec }) => void (spec.versions[0]!["subresources"] = { scale: {} })),
    changed("a deprecation without need", ({ spec }) => void (spec.versions[1]!["deprecationWarning"] = "old")),
    changed(
      "a deprecation",
      ({ spec }) => void Object.assign(spec.versions[1]!, { deprecated: true, deprecationWarning: "old" }),
    ),
    withSchema("a schema without a type", {}),
    withSchema("a schema of a text", { type: "string" }),
    withSchema("a schema that keeps all", { type: "object", "x-kubernetes-preserve-unknown-fields": true }),
    withSchema("metadata in a schema", {
      type: "object",
      properties: { metadata: { type: "object", properties: { labels: { type: "object" } } } },
    }),
    inSpec("a field without a type", {}),
    inSpec("a list without items", { type: "array" }),
    inSpec("items as a list", { type: "array", items: [{ type: "string" }] }),
    inSpec("properties and more", {
      type: "object",
      properties: { a: { type: "string" } },
      additionalProperties: { type: "string" },
    }),
    inSpec("no more properties", { type: "object", additionalProperties: false }),
    inSpec("a default of a wrong type", { type: "integer", default: "x" }),
    inSpec("a default that is too large", { type: "integer", default: 7, maximum: 5 }),
    inSpec("a default that is pruned", { type: "object", default: { a: 1 } }),
    inSpec("a default of null", { type: "string", default: null }),
    inSpec("a map list without keys", {
      type: "array",
      "x-kubernetes-list-type": "map",
      items: { type: "object", properties: { a: { type: "string" } } },
    }),
    inSpec("a map list of unknown keys", {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["b"],
      items: { type: "object", properties: { a: { type: "string" } } },
    }),
    inSpec("a map list of free keys", {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["a"],
      items: { type: "object", properties: { a: { type: "string" } } },
    }),
    inSpec("an unknown list type", { type: "array", "x-kubernetes-list-type": "heap", items: { type: "string" } }),
    inSpec("a set of objects", { type: "array", "x-kubernetes-list-type": "set", items: { type: "object" } }),
    inSpec("unique items", { type: "array", uniqueItems: true, items: { type: "string" } }),
    inSpec("a bad pattern", { type: "string", pattern: "(" }),
    inSpec("an unknown format", { type: "string", format: "odd" }),
    inSpec("limits the wrong way round", { type: "string", minLength: 5, maxLength: 1 }),
    inSpec("a type in a branch", { type: "object", anyOf: [{ type: "object" }] }),
    inSpec("a default in a branch", {
      type: "object",
      properties: { a: { type: "string" } },
      allOf: [{ properties: { a: { default: "x" } } }],
    }),
    inSpec("a field in a branch alone", { type: "object", oneOf: [{ properties: { b: { minLength: 1 } } }] }),
    inSpec("not", { type: "object", not: { properties: { b: { minLength: 1 } } } }),
    inSpec("a rule of nothing", { type: "object", "x-kubernetes-validations": [{ rule: "" }] }),
    inSpec("a rule of a number", { type: "object", "x-kubernetes-validations": [{ rule: "1" }] }),
    inSpec("a rule about what is not there", { type: "object", "x-kubernetes-validations": [{ rule: "self.x > 1" }] }),
    inSpec("a rule with a long message", {
      type: "object",
      "x-kubernetes-validations": [{ rule: "true", message: "x".repeat(2049) }],
    }),
    inSpec("a rule with an unknown reason", {
      type: "object",
      "x-kubernetes-validations": [{ rule: "true", reason: "Odd" }],
    }),
    inSpec("a rule with a bad field path", {
      type: "object",
      "x-kubernetes-validations": [{ rule: "true", fieldPath: ".x" }],
    }),
    inSpec("a rule that costs too much", {
      type: "object",
      properties: { l: { type: "array", items: { type: "string" } } },
      "x-kubernetes-validations": [{ rule: "self.l.all(a, self.l.all(b, self.l.all(c, a + b == c)))" }],
    }),
    inSpec("an embedded object", {
      type: "object",
      "x-kubernetes-embedded-resource": true,
      "x-kubernetes-preserve-unknown-fields": true,
    }),
    inSpec("an embedded object that keeps nothing", { type: "object", "x-kubernetes-embedded-resource": true }),
    inSpec("a number or a text of a type", { type: "string", "x-kubernetes-int-or-string": true }),
  ],
};

export const customGroups: readonly Group[] = [custom, definitions];
