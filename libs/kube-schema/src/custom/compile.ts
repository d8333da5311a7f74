import { InvalidArgumentError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { RE2JS } from "re2js";
import { definition } from "../definitions.js";
import type { FieldError } from "../field-error.js";
import type { Schema, ValueRules } from "../schema.js";
import { type Findings, validateObject } from "./object.js";
import { compileRules, type RuleNode } from "./rules.js";
import { fillCustom, pruneCustom } from "./shape.js";

/** A custom resource's schema, ready for use. All functions are pure and share what they do not change. */
export interface CompiledSchema {
  readonly schema: Schema;
  /**
   * What is wrong with a value that was pruned and defaulted before, or with its change from `old`. `metadata`: what is wrong there,
   * which keeps rules from being looked at.
   */
  validate(value: unknown, old?: unknown, status?: boolean, metadata?: readonly FieldError[]): Findings;
  /** Drops what the schema does not know, and nulls where null is no value; `unknown` has the paths, such as `spec.foo`. */
  prune<T>(value: T): { value: T; unknown: string[] };
  applyDefaults<T>(value: T): T;
}

/** Ownership and patches see the whole object; validation of its metadata is the same for all kinds and lies elsewhere. */
function withMetadata(schema: Schema): Schema {
  if (schema.type !== "object") return schema;
  const { metadata: _, ...own } = schema.properties ?? {};
  const text: Schema = { type: "string" };
  const properties = { apiVersion: text, kind: text, metadata: definition(objectMeta), ...own };
  return Object.freeze({ ...schema, properties });
}
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** An OpenAPI v3 schema as plain data. */
type Source = Readonly<Record<string, unknown>>;

interface Context {
  nodes: number;
}

const mostNodes = 50_000;

/** Compiles the `openAPIV3Schema` of a CRD version; throws InvalidArgumentError when it is no structural schema. */
export function compileSchema(openAPIV3Schema: object): CompiledSchema {
  const schema = structuralNode(openAPIV3Schema);
  let rules: RuleNode | undefined | null = null;
  return {
    schema: withMetadata(schema),
    validate(value, old, status, metadata) {
      // Compiled on first use: many definitions have rules, and few of them have objects.
      if (rules === null) rules = compileRules(schema, true);
      return validateObject(value, old, schema, rules, status === true, metadata);
    },
    prune: (value) => {
      const unknown: string[] = [];
      return { value: pruneCustom(value, schema, "", true, unknown) as typeof value, unknown };
    },
    applyDefaults: (value) => fillCustom(value, schema) as typeof value,
  };
}

/** A schema in the form that everything here works with. */
export const structuralNode = (openAPIV3Schema: object): Schema => node(openAPIV3Schema as Source, "", 0, { nodes: 0 });

const schemaTypes = new Set(["object", "array", "string", "integer", "number", "boolean"]);

function node(source: Source, path: string, depth: number, context: Context, isRule = false): Schema {
  const refuse = (problem: string) => new InvalidArgumentError(`openAPIV3Schema${path}`, problem);
  if (depth > limits.documentDepth) throw refuse(`nested deeper than ${limits.documentDepth} levels`);
  if (++context.nodes > mostNodes) throw refuse(`more than ${mostNodes} nodes`);
  const type = source["type"] as string | undefined;
  if (type && !schemaTypes.has(type)) throw refuse(`type ${JSON.stringify(type)} is not supported`);
  const preserve = source["x-kubernetes-preserve-unknown-fields"] === true;
  const intOrString = source["x-kubernetes-int-or-string"] === true;

  const child = (key: string, name: string, rule = isRule) =>
    node(source[key] as Source, `${path}.${name}`, depth + 1, context, rule);
  const out: Record<string, unknown> = {};
  const set = (key: keyof Schema, value: unknown) => {
    if (value !== undefined && value !== false) out[key] = value;
  };
  set("type", type || undefined);
  set("format", source["format"]);
  if (source["properties"]) {
    const properties: Record<string, Schema> = {};
    for (const [name, property] of Object.entries(source["properties"] as Record<string, Source>)) {
      properties[name] = node(property, `${path}.${name}`, depth + 1, context, isRule);
    }
    out["properties"] = properties;
  }
  if (isObject(source["items"])) out["items"] = child("items", "items");
  if (isObject(source["additionalProperties"]))
    out["additional"] = child("additionalProperties", "additionalProperties");
  else if (source["additionalProperties"] === true) out["additional"] = {};
  set("required", nonEmpty(source["required"]));
  set("enum", nonEmpty(source["enum"]));
  // A default may be false.
  if (source["default"] !== undefined) out["default"] = source["default"];
  set("nullable", source["nullable"]);
  set("intOrString", intOrString);
  set("preserve", preserve);
  set("embedded", source["x-kubernetes-embedded-resource"]);
  set("listType", source["x-kubernetes-list-type"]);
  set("listKeys", source["x-kubernetes-list-map-keys"]);
  set("mapType", source["x-kubernetes-map-type"]);
  set("rules", rules(source, path, depth, context));
  set("validations", nonEmpty(source["x-kubernetes-validations"]));
  return Object.freeze(out) as Schema;
}

const isObject = (value: unknown): value is Source =>
  value !== null && typeof value === "object" && !Array.isArray(value);
const nonEmpty = (list: unknown): readonly unknown[] | undefined =>
  Array.isArray(list) && list.length > 0 ? list : undefined;

const plainRules = [
  "minLength",
  "maxLength",
  "minimum",
  "maximum",
  "multipleOf",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
] as const;

function rules(source: Source, path: string, depth: number, context: Context): ValueRules | undefined {
  const out: Record<string, unknown> = {};
  for (const key of plainRules) if (typeof source[key] === "number") out[key] = source[key];
  for (const key of ["exclusiveMinimum", "exclusiveMaximum", "uniqueItems"]) if (source[key] === true) out[key] = true;
  if (typeof source["pattern"] === "string") {
    out["pattern"] = source["pattern"];
    out["matches"] = matcher(source["pattern"], path);
  }
  // A junctor's branches only add rules: their types come from the node they belong to.
  for (const key of ["allOf", "anyOf", "oneOf"] as const) {
    const branches = nonEmpty(source[key]) as Source[] | undefined;
    if (branches)
      out[key] = branches.map((branch, at) => node(branch, `${path}.${key}[${at}]`, depth + 1, context, true));
  }
  if (isObject(source["not"])) out["not"] = node(source["not"], `${path}.not`, depth + 1, context, true);
  return Object.keys(out).length === 0 ? undefined : (Object.freeze(out) as ValueRules);
}

/** RE2 keeps hostile patterns linear, and is what the API server uses. */
function matcher(pattern: string, path: string): (text: string) => boolean {
  let compiled: { matcher(text: string): { find(): boolean } };
  try {
    compiled = RE2JS.compile(pattern);
  } catch (cause) {
    throw new InvalidArgumentError(
      `openAPIV3Schema${path}.pattern`,
      `${JSON.stringify(pattern)} is no RE2 expression`,
      {
        cause,
      },
    );
  }
  return (text) => compiled.matcher(text).find();
}
