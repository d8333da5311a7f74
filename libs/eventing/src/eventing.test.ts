import type { EventDependency, EventSource, Sensor } from "@tiphys/resources";
import {
  applyParameters,
  buildPayload,
  type CloudEvent,
  compileConditions,
  compileFilters,
  compileTemplate,
  decodeEvent,
  emptyJoin,
  encodeEvent,
  eventFilter,
  eventSubject,
  getPath,
  type HeldEvent,
  join,
  parseEventSubject,
  planEventSource,
  planSensor,
  retryDelay,
  retryPolicy,
  setPath,
  toWire,
} from "./index.js";

const event = (data: unknown, more: Partial<CloudEvent> = {}): CloudEvent => ({
  id: "0123456789abcdef0123456789abcdef",
  source: "github",
  type: "github",
  subject: "push",
  time: new Date("2026-01-01T12:00:00Z"),
  datacontenttype: "application/json",
  data,
  ...more,
});

it("keeps an event over the wire, with data_base64 as Argo Events writes it", () => {
  const wire = JSON.parse(Buffer.from(encodeEvent(event({ body: { n: 1 } }))).toString());
  expect(wire).toMatchObject({ specversion: "1.0", data_base64: Buffer.from('{"body":{"n":1}}').toString("base64") });
  expect(wire.data).toBeUndefined();
  expect(decodeEvent(encodeEvent(event({ body: { n: 1 } })))).toEqual(event({ body: { n: 1 } }));
});

it("keeps names with dots apart in subjects", () => {
  const subject = eventSubject("shop", "default", "git.hub", "a*b.c");
  expect(subject).toBe("events.shop.default.git%2Ehub.a%2Ab%2Ec");
  expect(parseEventSubject(subject)).toEqual({ namespace: "shop", bus: "default", source: "git.hub", event: "a*b.c" });
  expect(eventFilter("shop")).toBe("events.shop.*.>");
});

const document = {
  name: { first: "Tom", "fav.movie": "Deer Hunter" },
  age: 37,
  children: ["Sara", "Alex"],
  friends: [
    { first: "Dale", age: 44, nets: ["ig"] },
    { first: "Roger", age: 68, nets: ["fb", "tw"] },
  ],
};

it.each([
  { path: "name.first", want: "Tom" },
  { path: "name.fav\\.movie", want: "Deer Hunter" },
  { path: "children.#", want: 2 },
  { path: "children.1", want: "Alex" },
  { path: "child*.0", want: "Sara" },
  { path: "friends.#.first", want: ["Dale", "Roger"] },
  { path: 'friends.#(first=="Roger").age', want: 68 },
  { path: "friends.#(age>40)#.first", want: ["Dale", "Roger"] },
  { path: 'friends.#(nets.#(=="fb")).first', want: "Roger" },
  { path: 'children.#(%"S*")', want: "Sara" },
  { path: "age.nothing", want: undefined },
  { path: "constructor", want: undefined },
])("reads gjson path $path", ({ path, want }) => expect(getPath(document, path)).toEqual(want));

it("refuses gjson modifiers by name", () => {
  expect(() => getPath(document, "children.@reverse")).toThrow("@reverse");
});

it.each([
  { data: {}, path: "a.b", value: "x", want: { a: { b: "x" } } },
  { data: { a: [1, 2] }, path: "a.-1", value: 3, want: { a: [1, 2, 3] } },
  { data: {}, path: "a.1.b", value: 3, want: { a: [null, { b: 3 }] } },
  { data: { a: { 0: "x" } }, path: "a.0", value: "y", want: { a: { 0: "y" } } },
  { data: {}, path: "a.:0", value: "y", want: { a: { 0: "y" } } },
  { data: {}, path: "metadata.labels.a\\.b/c", value: "y", want: { metadata: { labels: { "a.b/c": "y" } } } },
])("writes sjson path $path", ({ data, path, value, want }) => {
  const before = JSON.stringify(data);
  expect(setPath(data, path, value)).toEqual(want);
  expect(JSON.stringify(data)).toBe(before);
});

it("writes __proto__ as data and refuses huge indexes", () => {
  const result = setPath({}, "__proto__.polluted", true) as object;
  expect(Object.keys(result)).toEqual(["__proto__"]);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  expect(() => setPath([], "999999999", 1)).toThrow("10000");
});

const dependency = (filters: EventDependency["filters"], more: Partial<EventDependency> = {}): EventDependency => ({
  name: "push",
  eventSourceName: "github",
  eventName: "push",
  filters,
  ...more,
});
const pushed = event({ body: { ref: "refs/heads/main", count: 3, ok: true, absentNot: null } });

it.each([
  { why: "no filter lets all pass", filters: undefined, pass: true },
  {
    why: "a string is a regular expression",
    filters: { data: [{ path: "body.ref", type: "string", value: ["heads/m..n$"] }] },
    pass: true,
  },
  {
    why: "any value is enough",
    filters: { data: [{ path: "body.ref", type: "string", value: ["nope", "main"] }] },
    pass: true,
  },
  {
    why: "!= means none of the values",
    filters: { data: [{ path: "body.ref", type: "string", comparator: "!=", value: ["nope", "main"] }] },
    pass: false,
  },
  {
    why: "a number compares",
    filters: { data: [{ path: "body.count", type: "number", comparator: ">=", value: ["3"] }] },
    pass: true,
  },
  { why: "a bool compares", filters: { data: [{ path: "body.ok", type: "bool", value: ["false"] }] }, pass: false },
  {
    why: "a missing path fails",
    filters: { data: [{ path: "body.nothing", type: "string", value: [".*"] }] },
    pass: false,
  },
  {
    why: "a template prepares the value",
    filters: {
      data: [
        { path: "body.ref", type: "string", value: ["^main$"], template: '{{ .Input | trimPrefix "refs/heads/" }}' },
      ],
    },
    pass: true,
  },
  {
    why: "data filters are and by default",
    filters: {
      data: [
        { path: "body.count", type: "number", value: ["3"] },
        { path: "body.count", type: "number", value: ["4"] },
      ],
    },
    pass: false,
  },
  {
    why: "an expression decides",
    filters: {
      exprs: [
        {
          expr: 'n > 2 && ref =~ "main"',
          fields: [
            { path: "body.count", name: "n" },
            { path: "body.ref", name: "ref" },
          ],
        },
      ],
    },
    pass: true,
  },
  { why: "the context is compared", filters: { context: { source: "gitlab" } }, pass: false },
  { why: "time includes its start", filters: { time: { start: "12:00:00", stop: "13:00:00" } }, pass: true },
  { why: "time excludes its stop", filters: { time: { start: "11:00:00", stop: "12:00:00" } }, pass: false },
  { why: "time wraps midnight", filters: { time: { start: "22:00:00", stop: "12:30:00" } }, pass: true },
  {
    why: "time has a zone",
    filters: { time: { start: "21:00:00", stop: "22:00:00", timezone: "Asia/Tokyo" } },
    pass: true,
  },
])("filters: $why", ({ filters, pass }) => {
  expect(compileFilters(dependency(filters as EventDependency["filters"]))(pushed) === undefined).toBe(pass);
});

it("lets one family decide under or, though another cannot be evaluated", () => {
  const filters = {
    data: [{ path: "body.nothing", type: "string", value: ["x"] } as const].map((filter) => ({
      ...filter,
      value: [...filter.value],
    })),
    context: { source: "github" },
  };
  expect(compileFilters(dependency(filters, { filtersLogicalOperator: "or" }))(pushed)).toBeUndefined();
  expect(compileFilters(dependency(filters))(pushed)).toContain("body.nothing");
});

it.each([
  { template: "{{ .Input.body.ref }}", want: "refs/heads/main" },
  { template: "v-{{- .Input.body.count -}} !", want: "v-3!" },
  { template: '{{ .Input.body.nothing | default "none" }}', want: "none" },
  { template: '{{ index .Input "body" "count" }}', want: "3" },
  { template: "{{ .Input.body.ref | upper | trunc 4 }}", want: "REFS" },
])("template $template", ({ template, want }) => expect(compileTemplate(template)(pushed.data)).toBe(want));

it("refuses templates beyond its part of the language by name, and missing values", () => {
  expect(() => compileTemplate("{{ if .Input }}x{{ end }}")).toThrow('template action "if"');
  expect(() => compileTemplate('{{ env "HOME" }}')).toThrow('template function "env"');
  expect(() => compileTemplate("{{ .Input.nothing }}")({})).toThrow("does not have");
});

it.each([
  { text: undefined, arrived: ["a", "b"], want: false },
  { text: undefined, arrived: ["a", "b", "c"], want: true },
  { text: "a && (b || c)", arrived: ["a", "c"], want: true },
  { text: "a && (b || c)", arrived: ["b", "c"], want: false },
  { text: "a || b && c", arrived: ["a"], want: true },
])("conditions $text with $arrived", ({ text, arrived, want }) => {
  expect(compileConditions(text, ["a", "b", "c"])(new Set(arrived))).toBe(want);
});

it.each(["a && d", "a &&", "(a", "a b", "a & b"])("refuses conditions %s", (text) => {
  expect(() => compileConditions(text, ["a", "b", "c"])).toThrow("conditions");
});

it("joins the newest events, fires once and never uses an event twice", () => {
  const both = compileConditions("", ["a", "b"]);
  const held = (position: number): HeldEvent => ({ event: toWire(event({ position })), position });
  let step = join(emptyJoin, ["a"], held(1), both);
  expect(step.fire).toBeUndefined();
  step = join(step.state, ["a"], held(3), both);
  step = join(step.state, ["a"], held(2), both);
  step = join(step.state, ["b"], held(4), both);
  expect(step.fire).toMatchObject({ a: { position: 3 }, b: { position: 4 } });
  step = join(step.state, ["a"], held(3), both);
  step = join(step.state, ["b"], held(5), both);
  expect(step.fire).toBeUndefined();
});

describe("parameters", () => {
  const events = { push: pushed };
  const src = (more: object) => ({ dependencyName: "push", ...more });

  it.each([
    { why: "text by key", src: { dataKey: "body.ref" }, want: "refs/heads/main" },
    { why: "numbers become text", src: { dataKey: "body.count" }, want: "3" },
    { why: "raw data keeps its type", src: { dataKey: "body.count", useRawData: true }, want: 3 },
    {
      why: "a template beats a key",
      src: { dataTemplate: "{{ .Input.body.count }}!", dataKey: "body.ref" },
      want: "3!",
    },
    { why: "data beats context", src: { dataKey: "body.ref", contextKey: "source" }, want: "refs/heads/main" },
    { why: "context by key", src: { contextKey: "subject" }, want: "push" },
    { why: "a default for what is missing", src: { dataKey: "body.nothing", value: "fallback" }, want: "fallback" },
    { why: "a plain value", src: { value: "v" }, want: "v" },
  ])("$why", ({ src: more, want }) => {
    expect(applyParameters({}, [{ src: src(more), dest: "x" }], events)).toEqual({ x: want });
  });

  it("appends and prepends to what is there", () => {
    const start = { name: "build-" };
    const append = { src: src({ dataKey: "body.count" }), dest: "name", operation: "append" as const };
    expect(applyParameters(start, [append], events)).toEqual({ name: "build-3" });
    expect(applyParameters(start, [{ ...append, operation: "prepend" as const }], events)).toEqual({ name: "3build-" });
  });

  it("says what is missing, and leaves out what belongs to an event that has not come", () => {
    expect(() => applyParameters({}, [{ src: src({ dataKey: "body.nothing" }), dest: "x" }], events)).toThrow(
      "body.nothing",
    );
    expect(applyParameters({}, [{ src: { dependencyName: "other", dataKey: "a" }, dest: "x" }], events)).toEqual({});
  });

  it("builds payloads, whole or by path", () => {
    expect(buildPayload([{ src: src({ dataKey: "body.ref" }), dest: "a.b" }], events)).toBe(
      '{"a":{"b":"refs/heads/main"}}',
    );
    expect(buildPayload([{ src: src({ dataKey: "body" }), dest: "" }], events)).toBe(
      JSON.stringify((pushed.data as { body: unknown }).body),
    );
  });
});

it("doubles delays as the strategy says", () => {
  const policy = retryPolicy({ steps: 3, duration: "2s", factor: "2" });
  expect([1, 2, 3].map((failed) => retryDelay(policy, failed, 0.5))).toEqual([2000, 4000, 8000]);
  expect(retryPolicy({ duration: 1_500_000_000 }).delay).toBe(1500);
  expect(() => retryPolicy({ duration: "soon" })).toThrow("soon");
});

describe("specs", () => {
  const source = (spec: object, annotations = {}): EventSource => ({
    apiVersion: "argoproj.io/v1alpha1",
    kind: "EventSource",
    metadata: { name: "es", annotations },
    spec: spec as EventSource["spec"],
  });
  const hook = { endpoint: "/push", method: "POST", port: "12000" };

  it("plans what it can run", () => {
    const plan = planEventSource(
      source({ webhook: { push: hook }, github: { gh: { webhook: hook, webhookSecret: { name: "s", key: "k" } } } }),
    );
    expect(plan.problems).toEqual([]);
    expect(plan.events.map(({ type, name }) => `${type}/${name}`)).toEqual(["webhook/push", "github/gh"]);
  });

  it.each([
    {
      why: "an unknown type is refused by name",
      spec: { kafka: { a: {} } },
      message: "event source type kafka is not implemented",
    },
    {
      why: "a provider hook without a secret is refused",
      spec: { github: { a: { webhook: hook } } },
      message: "anybody could send",
    },
    { why: "a bad port", spec: { webhook: { a: { ...hook, port: "http" } } }, message: "is not a port" },
    {
      why: "a bad endpoint",
      spec: { webhook: { a: { ...hook, endpoint: "push" } } },
      message: "does not start with /",
    },
    { why: "a broken filter", spec: { webhook: { a: { ...hook, filter: { expression: "body." } } } }, message: "" },
    { why: "a cron schedule", spec: { calendar: { a: { schedule: "* * * * *" } } }, message: "schedule" },
    {
      why: "TLS on the webhook",
      spec: { webhook: { a: { ...hook, serverCertSecret: { name: "s", key: "k" } } } },
      message: "TLS",
    },
    { why: "nothing at all", spec: {}, message: "names no event source" },
  ])("$why", ({ spec, message }) => {
    const plan = planEventSource(source(spec));
    expect(plan.events).toEqual([]);
    expect(plan.problems.map((problem) => problem.message).join()).toContain(message);
  });

  const sensor = (
    triggers: object[],
    dependencies: object[] = [{ name: "push", eventSourceName: "es", eventName: "push" }],
  ) =>
    ({
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Sensor",
      metadata: { name: "s" },
      spec: { dependencies, triggers },
    }) as Sensor;
  const http = { template: { name: "t", http: { url: "http://x" } } };

  it("plans a sensor", () => {
    const plan = planSensor(sensor([http]));
    expect([...plan.dependencyProblems, ...plan.triggerProblems]).toEqual([]);
    expect(plan.triggers[0]).toMatchObject({ name: "t", type: "http", atLeastOnce: true });
  });

  it.each([
    { why: "trigger type", triggers: [{ template: { name: "t", slack: {} } }], message: "trigger type slack" },
    {
      why: "operation",
      triggers: [{ template: { name: "t", argoWorkflow: { operation: "retry", source: { resource: {} } } } }],
      message: "argoWorkflow operation retry",
    },
    {
      why: "source",
      triggers: [{ template: { name: "t", k8s: { source: { git: {} } } } }],
      message: "trigger source git",
    },
    {
      why: "unknown dependency in a parameter",
      triggers: [{ ...http, parameters: [{ src: { dependencyName: "x", value: "1" }, dest: "a" }] }],
      message: "x is not a dependency",
    },
    {
      why: "unknown dependency in conditions",
      triggers: [{ template: { ...http.template, conditions: "push && x" } }],
      message: "x is not a dependency",
    },
    { why: "the same name twice", triggers: [http, http], message: "exists twice" },
    {
      why: "rate limits",
      triggers: [{ ...http, rateLimit: { unit: "Second", requestsPerUnit: 1 } }],
      message: "rateLimit",
    },
  ])("refuses by name: $why", ({ triggers, message }) => {
    expect(
      planSensor(sensor(triggers))
        .triggerProblems.map((problem) => problem.message)
        .join(),
    ).toContain(message);
  });

  it("leaves out triggers whose dependency does not compile, and says why once", () => {
    const plan = planSensor(
      sensor([http], [{ name: "push", eventSourceName: "es", eventName: "push", filters: { script: "return true" } }]),
    );
    expect(plan.triggers).toEqual([]);
    expect(plan.dependencyProblems).toMatchObject([{ code: "Unimplemented", field: "spec.dependencies[0].filters" }]);
  });
});
