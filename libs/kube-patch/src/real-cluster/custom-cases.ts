// A definition that uses every part of structural schemas that we evaluate.
export const widgetSchema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["name"],
      properties: {
        name: { type: "string", minLength: 2, maxLength: 5, pattern: "^[a-z]+$" },
        size: { type: "integer", minimum: 1, maximum: 10, default: 3 },
        on: { type: "boolean" },
        when: { type: "string", format: "date-time" },
        ratio: { type: "number", exclusiveMinimum: true, minimum: 0, multipleOf: 0.5 },
        mode: { type: "string", enum: ["a", "b"] },
        port: { "x-kubernetes-int-or-string": true },
        labels: { type: "object", additionalProperties: { type: "string" }, maxProperties: 2 },
        tags: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set", minItems: 1, maxItems: 3 },
        items: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
          items: {
            type: "object",
            required: ["name"],
            properties: { name: { type: "string" }, v: { type: "integer", default: 7 } },
          },
        },
        free: {
          type: "object",
          "x-kubernetes-preserve-unknown-fields": true,
          properties: { known: { type: "object", properties: { x: { type: "string" } } } },
        },
        tpl: { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
        nul: { type: "string", nullable: true },
        one: {
          type: "object",
          properties: { a: { type: "string" }, b: { type: "string" } },
          oneOf: [{ required: ["a"] }, { required: ["b"] }],
        },
        any: {
          type: "object",
          properties: { a: { type: "string" }, b: { type: "string" } },
          anyOf: [{ required: ["a"] }, { required: ["b"] }],
        },
        dflt: { type: "object", default: {}, properties: { y: { type: "string", default: "z" } } },
      },
    },
    status: {
      type: "object",
      properties: {
        conditions: {
          type: "array",
          items: { type: "object", properties: { type: { type: "string" }, status: { type: "string" } } },
        },
      },
    },
  },
};

export const widgetColumns = [
  { name: "Size", type: "integer", jsonPath: ".spec.size" },
  { name: "First", type: "string", jsonPath: ".spec.items[0].name" },
  { name: "Names", type: "string", jsonPath: ".spec.items[*].name", priority: 1 },
  { name: "Ready", type: "string", jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
  { name: "On", type: "boolean", jsonPath: ".spec.on" },
  { name: "When", type: "date", jsonPath: ".spec.when" },
  { name: "Obj", type: "string", jsonPath: ".spec.labels" },
  { name: "Lab", type: "string", jsonPath: ".metadata.labels.app\\.io/x" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
];

/** Specs of widgets that are taken. */
export const goodSpecs: readonly object[] = [
  { name: "abc" },
  { name: "abc", size: null, nul: null, items: [{ name: "a" }, { name: "b", v: 1 }], port: "x" },
  { name: "abc", unknown: 1, free: { anything: { goes: [1] }, known: { x: "1", y: 2 } }, items: [{ name: "a", z: 1 }] },
  {
    name: "abc",
    port: 80,
    on: true,
    when: "2026-01-01T00:00:00Z",
    labels: { a: "b" },
    dflt: { y: "q", z: 1 },
    ratio: 1.5,
    tags: ["a"],
  },
  {
    name: "abc",
    tpl: { apiVersion: "v1", kind: "Pod", metadata: { name: "x" }, spec: { a: 1 } },
    mode: "a",
    one: { a: "" },
    any: { b: "x" },
  },
];

/** Specs that are refused, each for the same reasons. */
export const badSpecs: readonly object[] = [
  {},
  { name: 5 },
  { name: "a" },
  { name: "abcdef" },
  { name: "ABC" },
  { name: "abc", size: 0 },
  { name: "abc", size: 11 },
  { name: "abc", size: "3" },
  { name: "abc", on: "true" },
  { name: "abc", when: "yesterday" },
  { name: "abc", ratio: -0.5 },
  { name: "abc", ratio: 0.7 },
  { name: "abc", mode: "c" },
  { name: "abc", mode: 1 },
  { name: "abc", port: true },
  { name: "abc", port: 1.5 },
  { name: "abc", labels: { a: 1 } },
  { name: "abc", labels: { a: "1", b: "2", c: "3" } },
  { name: "abc", labels: [] },
  { name: "abc", tags: [] },
  { name: "abc", tags: ["a", "b", "c", "d"] },
  { name: "abc", tags: ["a", "b", "a"] },
  { name: "abc", tags: [1] },
  { name: "abc", items: [{ name: "a" }, { name: "a" }] },
  { name: "abc", items: [{ v: 1 }] },
  { name: "abc", items: [{ name: "a", v: "1" }] },
  { name: "abc", items: {} },
  { name: "abc", one: {} },
  { name: "abc", one: { a: "1", b: "2" } },
  { name: "abc", any: {} },
  { name: "abc", free: { known: { x: 1 } } },
];
