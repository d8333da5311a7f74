import { InvalidArgumentError } from "@tiphys/errors";
import type { KubeObject } from "@tiphys/resources";
import {
  builtinKind,
  builtinKinds,
  canonicalQuantity,
  compilePrinterColumns,
  compileSchema,
  formatAge,
  invalidMessage,
  openApiV2Document,
  openApiV3Document,
} from "./index.js";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

describe("quantities", () => {
  it.each([
    ["0.5", "500m"],
    ["1000m", "1"],
    ["1024Mi", "1Gi"],
    ["1.5Gi", "1536Mi"],
    ["1500Mi", "1500Mi"],
    ["0.1Gi", "107374182400m"],
    [1, "1"],
    ["1e3", "1e3"],
    ["100k", "100k"],
    ["1000k", "1M"],
    ["-5", "-5"],
    ["0", "0"],
    ["512Ki", "512Ki"],
    ["abc", undefined],
    ["", undefined],
    ["1e99", undefined],
    ["9".repeat(100), undefined],
  ])("%s is stored as %s", (given, want) => expect(canonicalQuantity(given)).toBe(want));
});

it.each([
  [-5 * second, "<invalid>"],
  [0, "0s"],
  [119 * second, "119s"],
  [5 * minute + 3 * second, "5m3s"],
  [10 * minute, "10m"],
  [179 * minute, "179m"],
  [3 * hour, "3h"],
  [7 * hour + 5 * minute, "7h5m"],
  [47 * hour, "47h"],
  [2 * day + 3 * hour, "2d3h"],
  [100 * day, "100d"],
  [3 * 365 * day, "3y"],
])("an age of %d ms is shown as %s", (age, want) => expect(formatAge(age)).toBe(want));

describe("builtin kinds", () => {
  const deployments = builtinKind("apps", "v1", "deployments")!;
  const deployment = (spec: object): KubeObject => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "nginx" }] } },
      ...spec,
    },
  });

  it("are found by kind and by resource, with what discovery says of them", () => {
    expect(builtinKind("apps", "v1", "Deployment")).toBe(deployments);
    expect(deployments).toMatchObject({
      shortNames: ["deploy"],
      categories: ["all"],
      singular: "deployment",
      hasStatus: true,
    });
    expect(deployments.subresources.map(({ name }) => name)).toEqual(["scale", "status"]);
    expect(builtinKind("", "v1", "pods")?.subresources.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["log", "status", "binding", "eviction", "exec"]),
    );
  });

  it("read objects into the form that is stored, naming unknown fields", () => {
    const { object, unknown, error } = deployments.decode(deployment({ replicaz: 1, paused: null }));
    expect(error).toBeUndefined();
    expect(unknown).toEqual(["spec.replicaz"]);
    expect(object["spec"].template.spec.containers[0]).toEqual({ name: "web", image: "nginx", resources: {} });
    expect(object["status"]).toEqual({});
  });

  it("keep a default of a definition although it is zero", () => {
    const properties = { off: { type: "boolean", default: false }, name: { type: "string", default: "" } };
    const { object } = builtinKind("apiextensions.k8s.io", "v1", "customresourcedefinitions")!.decode({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "a.b" },
      spec: { versions: [{ name: "v1", schema: { openAPIV3Schema: { type: "object", properties } } }] },
    });
    expect(object["spec"]).toMatchObject({ versions: [{ schema: { openAPIV3Schema: { properties } } }] });
  });

  it("refuse values of another type with the field and the type", () => {
    expect(deployments.decode(deployment({ replicas: "two" })).error).toBe(
      'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    );
  });

  it("fill in defaults without touching what was given", () => {
    const given = deployments.decode(deployment({})).object;
    const before = JSON.stringify(given);
    const filled = deployments.applyDefaults(given);
    expect(JSON.stringify(given)).toBe(before);
    expect(filled["spec"]).toMatchObject({
      replicas: 1,
      strategy: { type: "RollingUpdate" },
      revisionHistoryLimit: 10,
    });
    expect(filled["spec"].template.spec.containers[0]).toMatchObject({ imagePullPolicy: "Always" });
    expect(deployments.applyDefaults(filled)).toEqual(filled);
  });

  it("find mistakes and forbidden changes", () => {
    const good = deployments.applyDefaults(deployments.decode(deployment({})).object);
    expect(deployments.validate(good)).toEqual([]);
    const bad = { ...good, spec: { ...good["spec"], replicas: -1 } };
    expect(invalidMessage(deployments.validate(bad))).toBe(
      "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
    );
    const labels = { app: "web", more: "x" };
    const changed = structuredClone(good);
    changed["spec"].selector.matchLabels = labels;
    changed["spec"].template.metadata.labels = labels;
    expect(deployments.validate(changed, good)).toEqual([
      {
        field: "spec.selector",
        reason: "FieldValueInvalid",
        message: `Invalid value: {"matchLabels":{"app":"web","more":"x"}}: field is immutable`,
      },
    ]);
  });

  it("keep a pod's spec fixed but for its images", () => {
    const pods = builtinKind("", "v1", "Pod")!;
    const pod = (spec: object): KubeObject =>
      pods.applyDefaults({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "p", namespace: "default" },
        spec: { containers: [{ name: "a", image: "x:1", resources: {} }], ...spec },
      });
    expect(pods.validate(pod({ containers: [{ name: "a", image: "x:2", resources: {} }] }), pod({}))).toEqual([]);
    expect(pods.validate(pod({ hostNetwork: true }), pod({}))).toMatchObject([
      { field: "spec", reason: "FieldValueForbidden" },
    ]);
  });

  it("print a pod's state as kubectl shows it", () => {
    const pods = builtinKind("", "v1", "Pod")!;
    const now = new Date("2026-01-01T00:10:00Z");
    const base: KubeObject = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", creationTimestamp: "2026-01-01T00:00:00Z" },
      spec: { containers: [{ name: "a" }] },
      status: {
        phase: "Running",
        containerStatuses: [{ name: "a", ready: true, restartCount: 0, state: { running: {} } }],
      },
    };
    expect(pods.row(base, now).slice(0, 5)).toEqual(["p", "1/1", "Running", "0", "10m"]);
    const crashing = structuredClone(base);
    crashing["status"].containerStatuses[0] = {
      name: "a",
      ready: false,
      restartCount: 3,
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: { terminated: { exitCode: 1, finishedAt: "2026-01-01T00:09:00Z" } },
    };
    expect(pods.row(crashing, now).slice(1, 4)).toEqual(["0/1", "CrashLoopBackOff", "3 (60s ago)"]);
    const deleted = { ...base, metadata: { ...base.metadata, deletionTimestamp: "2026-01-01T00:09:00Z" } };
    expect(pods.row(deleted, now)[2]).toBe("Terminating");
  });

  it("resolve every field of every definition", () => {
    const seen = new Set<object>();
    const walk = (schema: object | undefined) => {
      if (schema === undefined || seen.has(schema) || seen.size > 200_000) return;
      seen.add(schema);
      const node = schema as {
        properties?: Record<string, object>;
        items?: object;
        additional?: object;
        definition?: string;
      };
      if (node.definition && seen.has(Object(node.definition))) return;
      for (const member of Object.values(node.properties ?? {}))
        if ((member as typeof node).definition === undefined) walk(member);
      walk(node.items);
      walk(node.additional);
    };
    for (const kind of builtinKinds) walk(kind.schema);
    expect(seen.size).toBeGreaterThan(100);
  });
});

describe("compileSchema", () => {
  it.each([
    [{ type: "thing" }, "openAPIV3Schema"],
    [{ type: "object", properties: { a: { type: "string", pattern: "(" } } }, "openAPIV3Schema.a.pattern"],
  ])("refuses %j", (schema, field) => {
    expect(() => compileSchema(schema)).toThrow(InvalidArgumentError);
    expect(() => compileSchema(schema)).toThrow(expect.objectContaining({ field }));
  });

  it("prunes, fills in and validates without touching what was given", () => {
    const size = { type: "integer", minimum: 1, default: 3 };
    const compiled = compileSchema({ type: "object", properties: { spec: { type: "object", properties: { size } } } });
    const given = { apiVersion: "x/v1", kind: "X", metadata: { name: "x" }, spec: { other: 1 } };
    const { value, unknown } = compiled.prune(given);
    expect(unknown).toEqual(["spec.other"]);
    expect(compiled.applyDefaults(value)).toEqual({ ...given, spec: { size: 3 } });
    expect(given.spec).toEqual({ other: 1 });
    expect(compiled.validate({ spec: { size: 0 } }).errors).toEqual([
      {
        field: "spec.size",
        reason: "FieldValueInvalid",
        message: "Invalid value: 0: spec.size in body should be greater than or equal to 1",
      },
    ]);
  });

  const rules = (rule: object) => {
    const list = { type: "array", maxItems: 100, items: { type: "integer" } };
    const spec = { type: "object", properties: { a: { type: "integer" }, list }, "x-kubernetes-validations": [rule] };
    return compileSchema({ type: "object", properties: { spec } });
  };

  it.each([
    { name: "a rule that holds", rule: { rule: "self.a > 1" }, a: 2, want: undefined },
    {
      name: "a message of its own",
      rule: { rule: "self.a > 1", message: "too small" },
      a: 1,
      want: "Invalid value: too small",
    },
    {
      name: "a message that is computed",
      rule: { rule: "self.a > 1", messageExpression: "'got ' + string(self.a)" },
      a: 1,
      want: "Invalid value: got 1",
    },
    {
      name: "a reason",
      rule: { rule: "self.a > 1", reason: "FieldValueForbidden" },
      a: 1,
      want: "Forbidden: failed rule: self.a > 1",
    },
    {
      name: "a failure",
      rule: { rule: "1 / self.a > 1" },
      a: 0,
      want: 'Invalid value: "object": division by zero evaluating rule: 1 / self.a > 1',
    },
    { name: "a transition rule, at creation", rule: { rule: "self.a >= oldSelf.a" }, a: 0, want: undefined },
  ])("evaluates $name", ({ rule, a, want }) => {
    expect(
      rules(rule)
        .validate({ spec: { a } })
        .errors.map(({ message }) => message),
    ).toEqual(want === undefined ? [] : [want]);
  });

  it("ends a rule that costs too much", () => {
    const list = Array.from({ length: 100 }, (_, at) => at);
    const rule = "self.list.all(a, self.list.all(b, self.list.all(c, a + b + c >= 0)))";
    const [error] = rules({ rule }).validate({ spec: { list } }).errors;
    expect(error!.message).toContain("operation cancelled: actual cost limit exceeded");
  });

  it("refuses what is new and only warns of what was there", () => {
    const { validate } = rules({ rule: "self.a > 1", fieldPath: ".a" });
    expect(validate({ spec: { a: 1 } }, { spec: { a: 2 } }).errors).toEqual([
      { field: "spec.a", reason: "FieldValueInvalid", message: "Invalid value: failed rule: self.a > 1" },
    ]);
    expect(validate({ x: 2, spec: { a: 1 } }, { x: 1, spec: { a: 1 } })).toEqual({
      errors: [],
      warnings: ["spec.a: Invalid value: failed rule: self.a > 1"],
    });
  });

  it("matches hostile patterns in linear time", () => {
    const { validate } = compileSchema({ type: "object", properties: { a: { type: "string", pattern: "^(a+)+$" } } });
    expect(validate({ a: `${"a".repeat(5000)}!` }).errors).toHaveLength(1);
  });
});

it("shows a custom resource without columns by name and age", () => {
  const { columns, row } = compilePrinterColumns(undefined);
  const object = { apiVersion: "x/v1", kind: "X", metadata: { name: "x", creationTimestamp: "2026-01-01T00:00:00Z" } };
  expect(columns.map(({ name }) => name)).toEqual(["Name", "Age"]);
  expect(row(object, new Date("2026-01-01T00:01:00Z"))).toEqual(["x", "60s"]);
});

describe("OpenAPI documents", () => {
  const crd: KubeObject = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", kind: "Widget" },
      versions: [
        { name: "v1", schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object" } } } } },
      ],
    },
  };
  const refs = (value: unknown): string[] =>
    [...JSON.stringify(value).matchAll(/"\$ref":"#\/(?:components\/schemas|definitions)\/([^"]+)"/g)].map(
      ([, name]) => name!,
    );

  it("have every definition they refer to", () => {
    const apps = openApiV3Document("apps", "v1", builtinKinds, []) as { components: { schemas: object } };
    expect(refs(apps).filter((name) => !(name in apps.components.schemas))).toEqual([]);
    expect(apps.components.schemas).not.toHaveProperty(["io.k8s.api.batch.v1.Job"]);
    const all = openApiV2Document(builtinKinds, [{ crd, version: "v1" }]) as { definitions: object };
    expect(refs(all).filter((name) => !(name in all.definitions))).toEqual([]);
  });

  it("name the kind of every path, for clients that look kinds up there", () => {
    const document = openApiV3Document("example.com", "v1", builtinKinds, [{ crd, version: "v1" }]);
    expect(document).toMatchObject({
      paths: {
        "/apis/example.com/v1/namespaces/{namespace}/widgets/{name}": {
          patch: { "x-kubernetes-group-version-kind": { group: "example.com", version: "v1", kind: "Widget" } },
        },
      },
      components: { schemas: { "com.example.v1.Widget": { type: "object" } } },
    });
  });
});
