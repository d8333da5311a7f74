import { arrayOf, bool, dateTime, mapOf, object, type SchemaNode } from "./schema-nodes.js";

// The parts that the kinds of Gateway API share: names, references, header changes, conditions.

const DNS_SUBDOMAIN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const HTTP_TOKEN = "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$";

const text = (maxLength: number, more: SchemaNode = {}): SchemaNode => ({
  type: "string",
  minLength: 1,
  maxLength,
  ...more,
});
export const oneOf = (...values: readonly (string | number)[]): SchemaNode => ({
  type: typeof values[0] === "number" ? "integer" : "string",
  enum: [...values],
});
export const withDefault = (node: SchemaNode, value: unknown): SchemaNode => ({ ...node, default: value });
export const atomic = (items: SchemaNode, maxItems: number, more: SchemaNode = {}): SchemaNode => ({
  ...arrayOf(items),
  maxItems,
  "x-kubernetes-list-type": "atomic",
  ...more,
});
export const setOf = (items: SchemaNode, maxItems: number): SchemaNode => ({
  ...arrayOf(items),
  maxItems,
  "x-kubernetes-list-type": "set",
});
export const keyed = (items: SchemaNode, maxItems: number, key: string): SchemaNode => ({
  ...arrayOf(items),
  maxItems,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": [key],
});
/** `rules` are pairs of a CEL expression and what is said when it is false. */
export const checked = (
  node: SchemaNode,
  ...rules: readonly (readonly [rule: string, message: string])[]
): SchemaNode => ({
  ...node,
  "x-kubernetes-validations": rules.map(([rule, message]) => ({ message, rule })),
});

export const group: SchemaNode = { type: "string", maxLength: 253, pattern: `^$|${DNS_SUBDOMAIN}` };
export const kind = text(63, { pattern: "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$" });
export const objectName = text(253);
export const namespace = text(63, { pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" });
export const port: SchemaNode = { type: "integer", format: "int32", minimum: 1, maximum: 65535 };
export const sectionName = text(253, { pattern: DNS_SUBDOMAIN });
export const preciseHostname = sectionName;
export const hostname = text(253, {
  pattern: "^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
});
export const controllerName = text(253, {
  pattern: `${DNS_SUBDOMAIN.slice(0, -1)}\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$`,
});
export const duration: SchemaNode = { type: "string", pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$" };
export const count = (more: SchemaNode = {}): SchemaNode => ({ type: "integer", format: "int32", ...more });
export const headerName = text(256, { pattern: HTTP_TOKEN });
export const headerValue = text(4096);
export const limited = (maxLength: number): SchemaNode => ({ type: "string", maxLength });

export const localReference = object({ group, kind, name: objectName }, ["group", "kind", "name"]);
export const namespacedReference = object({ group, kind, name: objectName, namespace }, ["group", "kind", "name"]);
export const secretReference = object(
  { group: withDefault(group, ""), kind: withDefault(kind, "Secret"), name: objectName, namespace },
  ["name"],
);

export const parentReference = object(
  {
    group: withDefault(group, "gateway.networking.k8s.io"),
    kind: withDefault(kind, "Gateway"),
    namespace,
    name: objectName,
    sectionName,
    port,
  },
  ["name"],
);

const backendFields = {
  group: withDefault(group, ""),
  kind: withDefault(kind, "Service"),
  name: objectName,
  namespace,
  port,
};
const portOfService = [
  "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
  "a reference to a Service needs a port",
] as const;
export const backendReference = checked(object(backendFields, ["name"]), portOfService);
export const weightedBackend = (filters: SchemaNode): SchemaNode =>
  checked(
    object({ ...backendFields, weight: withDefault(count({ minimum: 0, maximum: 1_000_000 }), 1), filters }, ["name"]),
    portOfService,
  );

const header = object({ name: headerName, value: headerValue }, ["name", "value"]);
export const headerModifier = object({
  set: keyed(header, 16, "name"),
  add: keyed(header, 16, "name"),
  remove: setOf({ type: "string" }, 16),
});

export const requestMirror = checked(
  object(
    {
      backendRef: backendReference,
      percent: count({ minimum: 0, maximum: 100 }),
      fraction: checked(
        object({ numerator: count({ minimum: 0 }), denominator: withDefault(count({ minimum: 1 }), 100) }, [
          "numerator",
        ]),
        ["self.numerator <= self.denominator", "the numerator may not be larger than the denominator"],
      ),
    },
    ["backendRef"],
  ),
  ["!(has(self.percent) && has(self.fraction))", "percent and fraction exclude each other"],
);

/** A filter is one of several kinds, and has the member of its kind alone. */
export const filter = (members: Readonly<Record<string, readonly [type: string, schema: SchemaNode]>>): SchemaNode =>
  checked(
    object(
      {
        type: oneOf(...Object.values(members).map(([type]) => type)),
        ...Object.fromEntries(Object.entries(members).map(([name, [, schema]]) => [name, schema])),
      },
      ["type"],
    ),
    ...Object.entries(members).map(
      ([name, [type]]) =>
        [
          `has(self.${name}) == (self.type == '${type}')`,
          `${name} belongs to filters of type ${type}, which need it`,
        ] as const,
    ),
  );
export const once = (type: string) =>
  [`self.filter(f, f.type == '${type}').size() <= 1`, `a filter of type ${type} may not be repeated`] as const;

export const condition = object(
  {
    type: {
      type: "string",
      maxLength: 316,
      pattern:
        "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
    },
    status: oneOf("True", "False", "Unknown"),
    observedGeneration: { type: "integer", format: "int64", minimum: 0 },
    lastTransitionTime: dateTime,
    reason: text(1024, { pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$" }),
    message: limited(32768),
  },
  ["lastTransitionTime", "message", "reason", "status", "type"],
);
export const conditions = keyed(condition, 8, "type");
/** What a new object says of itself before a controller has seen it. */
export const pending = (...types: string[]) =>
  types.map((type) => ({
    type,
    status: "Unknown",
    reason: "Pending",
    message: "Waiting for controller",
    lastTransitionTime: "1970-01-01T00:00:00Z",
  }));

export const routeStatus = object(
  {
    parents: atomic(
      object({ parentRef: parentReference, controllerName, conditions: { ...conditions, minItems: 1 } }, [
        "conditions",
        "controllerName",
        "parentRef",
      ]),
      32,
    ),
  },
  ["parents"],
);

export const labelSelector: SchemaNode = {
  ...object({
    matchLabels: mapOf({ type: "string" }),
    matchExpressions: {
      ...arrayOf(
        object(
          {
            key: { type: "string" },
            operator: { type: "string" },
            values: { ...arrayOf({ type: "string" }), "x-kubernetes-list-type": "atomic" },
          },
          ["key", "operator"],
        ),
      ),
      "x-kubernetes-list-type": "atomic",
    },
  }),
  "x-kubernetes-map-type": "atomic",
};

export { bool, mapOf, object };
