// biome-ignore-all lint/suspicious/noExplicitAny: an OpenAPI schema as it was written
import { deepEqual } from "@tiphys/canonical-json";
import { declare } from "@tiphys/cel";
import { InvalidArgumentError } from "@tiphys/errors";
import { RE2JS } from "re2js";
import { structuralNode } from "../custom/compile.js";
import { validateDefaults } from "../custom/defaults.js";
import { fieldPathOf } from "../custom/field-path.js";
import { compileRule } from "../custom/rules.js";
import { type FieldError, forbidden, invalid, notSupported, required } from "../field-error.js";
import type { Schema } from "../schema.js";

/** Most that one rule, and all rules of a schema, may cost by estimate: the API server's. */
const ruleCost = 10_000_000;
const schemaCost = 100_000_000;
const largestRequest = 3 * 1024 * 1024;

interface Options {
  /** The status subresource is served. */
  readonly status: boolean;
  /** The schema is as it was: costs of its rules were accepted before. */
  readonly unchanged: boolean;
}

/** An `openAPIV3Schema`: structural, with pruned defaults, and with rules that compile and are affordable. */
export function validateCrdSchema(source: any, path: string, options: Options): FieldError[] {
  if (source === undefined || source === null) return [];
  const here = `${path}.openAPIV3Schema`;
  const errors: FieldError[] = [];
  if (options.status) errors.push(...validateRoot(source, here));
  if (source.nullable) errors.push(forbidden(`${here}.nullable`, "nullable cannot be true at the root"));
  let schema: Schema | undefined;
  const structural = structuralErrors(source, here);
  if (structural.length > 0) errors.push(...structural);
  else {
    try {
      schema = structuralNode(source);
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      return [...errors, invalid(here, "", error.message)];
    }
    const defaults = validateDefaults(schema, here);
    errors.push(...defaults);
    if (defaults.length > 0) schema = undefined;
  }
  const total: Total = { cost: 0, dearest: [] };
  const walk: Walk = { schemaErrors: [], ruleErrors: [], total, options };
  visit(source, schema, here, { isRoot: true, insideMetadata: false, cardinality: 1 }, walk);
  errors.push(...walk.schemaErrors, ...walk.ruleErrors);
  if (total.cost > schemaCost) {
    for (const field of total.dearest.map((one) => one.path)) {
      errors.push(
        forbidden(field, "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"),
      );
    }
    const name = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    errors.push(forbidden(here, costMessage(name, total.cost, schemaCost)));
  }
  return errors;
}

/** Members that the root may have when its status is written on its own. */
const rootMembers =
  "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations";
const allowedAtRoot = new Set(
  rootMembers
    .split(" ")
    .map((name) =>
      name === "XPreserveUnknownFields"
        ? "x-kubernetes-preserve-unknown-fields"
        : name === "XValidations"
          ? "x-kubernetes-validations"
          : name[0]!.toLowerCase() + name.slice(1),
    ),
);

function validateRoot(source: any, path: string): FieldError[] {
  for (const key of Object.keys(source)) {
    if (key === "type") {
      if (source.type === "object") continue;
      return [
        invalid(
          `${path}.type`,
          source.type,
          'only "object" is allowed as the type at the root of the schema if the status subresource is enabled',
        ),
      ];
    }
    if (allowedAtRoot.has(key) || key === "nullable") continue;
    return [
      invalid(
        path,
        source,
        `only [${rootMembers}] fields are allowed at the root of the schema if the status subresource is enabled`,
      ),
    ];
  }
  return [];
}

// --- structural

type Level = "root" | "item" | "field";
const emptyType: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
};

/** Why a schema is not structural, in the order of the messages. */
export function structuralErrors(source: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  invariants(source, "root", path, errors, 0);
  completeness(source, source, path, path, errors);
  const text = ({ field, message }: FieldError) => `${field}: ${message}`;
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

const child = (path: string, key: string): string => `${path}.properties[${key}]`;
const isSchema = (value: unknown): value is Record<string, any> =>
  value !== null && typeof value === "object" && !Array.isArray(value);
const deepest = 100;

function invariants(source: any, level: Level, path: string, errors: FieldError[], depth: number): void {
  if (depth > deepest) {
    errors.push(invalid(path, "", `nested deeper than ${deepest} levels`));
    return;
  }
  const type = source.type ?? "";
  const embedded = source["x-kubernetes-embedded-resource"] === true;
  const intOrString = source["x-kubernetes-int-or-string"] === true;
  const preserve = source["x-kubernetes-preserve-unknown-fields"] === true;
  if (type === "array" && !isSchema(source.items) && !Array.isArray(source.items))
    errors.push(required(`${path}.items`, "must be specified"));
  if (isSchema(source.items)) invariants(source.items, "item", `${path}.items`, errors, depth + 1);
  for (const [key, property] of Object.entries(source.properties ?? {})) {
    invariants(property, "field", child(path, key), errors, depth + 1);
  }
  if (source.additionalProperties !== undefined) {
    if (level === "root") errors.push(forbidden(`${path}.additionalProperties`, "must not be used at the root"));
    if (isSchema(source.additionalProperties)) {
      invariants(source.additionalProperties, "field", `${path}.additionalProperties`, errors, depth + 1);
    }
  }
  if (intOrString && preserve) {
    const problem = "must be false if x-kubernetes-int-or-string is true";
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, problem));
  }
  if (intOrString && embedded) {
    const problem = "must be false if x-kubernetes-int-or-string is true";
    errors.push(invalid(`${path}.x-kubernetes-embedded-resource`, true, problem));
  }
  values(source, isIntOrString(source.anyOf), isIntOrString(source.allOf?.[0]?.anyOf), path, errors);
  const inResource = level === "root" || embedded;
  if (embedded && type !== "object") {
    const problem = "must be object if x-kubernetes-embedded-resource is true";
    errors.push(type === "" ? required(`${path}.type`, problem) : invalid(`${path}.type`, type, problem));
  } else if (type === "" && !intOrString && !preserve) errors.push(required(`${path}.type`, emptyType[level]));
  if (embedded && source.additionalProperties !== undefined) {
    errors.push(forbidden(`${path}.additionalProperties`, "must not be used if x-kubernetes-embedded-resource is set"));
  }
  if (level === "root" && type !== "" && type !== "object") {
    errors.push(invalid(`${path}.type`, type, "must be object at the root"));
  }
  const { kind, apiVersion, metadata } = source.properties ?? {};
  for (const [name, property] of Object.entries({ kind, apiVersion })) {
    if (property !== undefined && inResource && property.type !== "string") {
      errors.push(invalid(`${child(path, name)}.type`, property.type ?? "", "must be string"));
    }
  }
  if (metadata !== undefined) metadataInvariants(metadata, inResource, level, child(path, "metadata"), errors);
  if (embedded && !preserve && Object.keys(source.properties ?? {}).length === 0) {
    errors.push(
      required(
        `${path}.properties`,
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ),
    );
  }
}

function metadataInvariants(source: any, inResource: boolean, level: Level, path: string, errors: FieldError[]): void {
  if (inResource && source.type !== "object") errors.push(invalid(`${path}.type`, source.type ?? "", "must be object"));
  if (level !== "root") return;
  const { type: _, default: __, description, ...rest } = source;
  const names = Object.keys(rest.properties ?? {});
  if (names.length > 0 && names.every((name) => name === "name" || name === "generateName")) delete rest.properties;
  if (Object.keys(rest).length > 0 || description) {
    errors.push(
      forbidden(
        path,
        "must not specify anything other than name and generateName, but metadata is implicitly specified",
      ),
    );
  }
}

const isIntOrString = (anyOf: unknown): boolean => deepEqual(anyOf, [{ type: "integer" }, { type: "string" }]);

function values(source: any, skipAnyOf: boolean, skipFirst: boolean, path: string, errors: FieldError[]): void {
  if (!skipAnyOf) {
    for (const [at, branch] of (source.anyOf ?? []).entries()) nested(branch, false, `${path}.anyOf[${at}]`, errors);
  }
  for (const [at, branch] of (source.allOf ?? []).entries()) {
    nested(branch, skipFirst && at === 0, `${path}.allOf[${at}]`, errors);
  }
  for (const [at, branch] of (source.oneOf ?? []).entries()) nested(branch, false, `${path}.oneOf[${at}]`, errors);
  if (isSchema(source.not)) nested(source.not, false, `${path}.not`, errors);
  if (!source.pattern) return;
  try {
    RE2JS.compile(source.pattern);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    errors.push(
      invalid(
        `${path}.pattern`,
        source.pattern,
        `must be a valid regular expression, but isn't: ${problem.startsWith("error parsing") ? problem : `error parsing regexp: ${problem}`}`,
      ),
    );
  }
}

const emptyInBranch: readonly (readonly [string, string])[] = [
  ["type", "must be empty to be structural"],
  ["additionalProperties", "must be undefined to be structural"],
  ["default", "must be undefined to be structural"],
  ["title", "must be empty to be structural"],
  ["description", "must be empty to be structural"],
  ["nullable", "must be false to be structural"],
  ["x-kubernetes-preserve-unknown-fields", "must be false to be structural"],
  ["x-kubernetes-embedded-resource", "must be false to be structural"],
  ["x-kubernetes-int-or-string", "must be false to be structural"],
  ["x-kubernetes-list-map-keys", "must be empty to be structural"],
  ["x-kubernetes-list-type", "must be undefined to be structural"],
  ["x-kubernetes-map-type", "must be undefined to be structural"],
  ["x-kubernetes-validations", "must be empty to be structural"],
];

/** Branches of allOf, anyOf, oneOf and not only narrow values: they declare nothing. */
function nested(source: any, skipAnyOf: boolean, path: string, errors: FieldError[]): void {
  values(source, skipAnyOf, false, path, errors);
  if (isSchema(source.items)) nested(source.items, false, `${path}.items`, errors);
  for (const [key, property] of Object.entries(source.properties ?? {}))
    nested(property, false, child(path, key), errors);
  for (const [field, problem] of emptyInBranch) {
    const value = source[field];
    if (value === undefined || value === false || value === "" || (Array.isArray(value) && value.length === 0))
      continue;
    errors.push(forbidden(`${path}.${field}`, problem));
  }
  if (source.properties?.metadata !== undefined) {
    errors.push(forbidden(child(path, "metadata"), "must not be specified in a nested context"));
  }
}

/** What a branch narrows has to be declared outside of it. */
function completeness(branch: any, source: any, path: string, branchPath: string, errors: FieldError[]): void {
  const each = (list: any, key: string) => {
    for (const [at, one] of (list ?? []).entries()) narrowed(one, source, path, `${branchPath}.${key}[${at}]`, errors);
  };
  if (isSchema(branch.not)) narrowed(branch.not, source, path, `${branchPath}.not`, errors);
  each(branch.allOf, "allOf");
  each(branch.anyOf, "anyOf");
  each(branch.oneOf, "oneOf");
}

function narrowed(branch: any, source: any, path: string, branchPath: string, errors: FieldError[]): void {
  if (source === undefined) {
    errors.push(required(path, `because it is defined in ${branchPath}`));
    return;
  }
  if (branch !== source) completeness(branch, source, path, branchPath, errors);
  if (isSchema(branch.items)) {
    const items = isSchema(source.items) ? source.items : undefined;
    narrowed(branch.items, items, `${path}.items`, `${branchPath}.items`, errors);
  }
  for (const [key, property] of Object.entries(branch.properties ?? {})) {
    narrowed(property, source.properties?.[key], child(path, key), child(branchPath, key), errors);
  }
}

// --- members of schemas, and rules

interface Place {
  readonly isRoot: boolean;
  readonly insideMetadata: boolean;
  readonly defaultsForbidden?: string;
  /** Where old and new values can no longer be told to belong together. */
  readonly uncorrelated?: string;
  /** How many values of this schema one object can have; undefined: nobody knows. */
  readonly cardinality: number | undefined;
}
interface Total {
  cost: number;
  dearest: { path: string; cost: number }[];
}
interface Walk {
  readonly schemaErrors: FieldError[];
  readonly ruleErrors: FieldError[];
  readonly total: Total;
  readonly options: Options;
}

const types = ["array", "boolean", "integer", "number", "object", "string"];
const unsupported = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];
const typeMembers = new Set(["metadata", "kind", "apiVersion"]);

function visit(source: any, schema: Schema | undefined, path: string, place: Place, walk: Walk): void {
  if (!isSchema(source)) return;
  const { schemaErrors: errors } = walk;
  const { insideMetadata, isRoot, cardinality, ...rest } = place;
  if (source["type"] && !types.includes(source["type"]))
    errors.push(notSupported(`${path}.type`, source["type"], types));
  if (source["default"] !== undefined && source["default"] !== null && place.defaultsForbidden !== undefined) {
    errors.push(forbidden(`${path}.default`, `must not be set ${place.defaultsForbidden}`));
  }
  for (const field of unsupported) {
    const value = source[field];
    if (value === undefined || value === "") continue;
    errors.push(forbidden(`${path}.${field}`, `${field} is not supported`));
  }
  if (source["type"] === "null") {
    errors.push(forbidden(`${path}.type`, "type cannot be set to null, use nullable as an alternative"));
  }
  if (Array.isArray(source["items"])) {
    errors.push(forbidden(`${path}.items`, "items must be a schema object and not an array"));
  }
  if (insideMetadata && source["x-kubernetes-embedded-resource"]) {
    errors.push(forbidden(`${path}.x-kubernetes-embedded-resource`, "must not be used inside of resource meta"));
  }
  if (source["uniqueItems"]) {
    errors.push(
      forbidden(
        `${path}.uniqueItems`,
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      ),
    );
  }
  const inner: number | undefined = inside(source, cardinality);
  const { additionalProperties, properties = {}, items } = source;
  if (additionalProperties !== undefined) {
    if (Object.keys(properties).length > 0 && (additionalProperties === false || isSchema(additionalProperties))) {
      errors.push(
        forbidden(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive"),
      );
    }
    visit(
      additionalProperties,
      schema?.additional,
      `${path}.additionalProperties`,
      {
        ...rest,
        ...(insideMetadata ? { defaultsForbidden: "inside additionalProperties applying to object metadata" } : {}),
        insideMetadata,
        isRoot: false,
        cardinality: inner,
      },
      walk,
    );
  }
  for (const [key, property] of Object.entries(properties)) {
    const isType = (isRoot || source["x-kubernetes-embedded-resource"]) && typeMembers.has(key);
    visit(
      property,
      schema?.properties?.[key],
      child(path, key),
      {
        ...rest,
        ...(isType && isRoot ? { defaultsForbidden: `in top-level ${key}` } : {}),
        insideMetadata: insideMetadata || isType,
        isRoot: false,
        cardinality: inner,
      },
      walk,
    );
  }
  const branch: Place = { ...rest, insideMetadata, isRoot: false, cardinality: undefined };
  if (source["not"]) visit(source["not"], undefined, `${path}.not`, branch, walk);
  for (const key of ["allOf", "oneOf", "anyOf"]) {
    for (const [at, one] of (source[key] ?? []).entries()) visit(one, undefined, `${path}.${key}[${at}]`, branch, walk);
  }
  if (isSchema(items)) {
    const isMap = source["x-kubernetes-list-type"] === "map";
    const uncorrelated = place.uncorrelated ?? (isMap ? undefined : path);
    visit(
      items,
      schema?.items,
      `${path}.items`,
      {
        ...rest,
        ...(uncorrelated === undefined ? {} : { uncorrelated }),
        insideMetadata,
        isRoot: false,
        cardinality: inner,
      },
      walk,
    );
  }
  extensions(source, path, errors);
  rules(source, schema, path, place, walk);
}

/** How many values a schema's members can have. */
function inside(source: any, cardinality: number | undefined): number | undefined {
  if (cardinality === undefined) return undefined;
  let most: number | undefined = 1;
  if (source.type === "array") most = source.maxItems;
  else if (source.type === "object" && source.additionalProperties !== undefined) most = source.maxProperties;
  return most === undefined ? undefined : cardinality * Math.max(0, most);
}

function extensions(source: any, path: string, errors: FieldError[]): void {
  if (source["x-kubernetes-preserve-unknown-fields"] === false) {
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"));
  }
  const typed = (extension: string, type: string) => {
    if (source[extension] === undefined || source.type === type) return true;
    const problem = `must be ${type} if ${extension} is specified`;
    errors.push(source.type ? invalid(`${path}.type`, source.type, problem) : required(`${path}.type`, problem));
    return false;
  };
  const mapType = source["x-kubernetes-map-type"];
  typed("x-kubernetes-map-type", "object");
  if (mapType !== undefined && mapType !== "atomic" && mapType !== "granular") {
    errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]));
  }
  const listType = source["x-kubernetes-list-type"];
  const { items } = source;
  if (typed("x-kubernetes-list-type", "array") && listType === "set" && isSchema(items)) {
    const problem = "must be atomic as item of a list with x-kubernetes-list-type=set";
    const shown = items["x-kubernetes-list-type"] ?? null;
    if (items["type"] === "array" && shown !== null && shown !== "atomic") {
      errors.push(invalid(`${path}.items.x-kubernetes-list-type`, shown, problem));
    } else if (items["type"] === "object" && items["x-kubernetes-map-type"] !== "atomic") {
      errors.push(invalid(`${path}.items.x-kubernetes-map-type`, shown, problem));
    }
  }
  if (listType !== undefined && !["atomic", "set", "map"].includes(listType)) {
    errors.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ["atomic", "set", "map"]));
  }
  const keys: string[] = source["x-kubernetes-list-map-keys"] ?? [];
  if (keys.length > 0 && listType !== "map") {
    const problem = "must be map if x-kubernetes-list-map-keys is non-empty";
    const at = `${path}.x-kubernetes-list-type`;
    errors.push(listType === undefined ? required(at, problem) : invalid(at, listType, problem));
  }
  if (listType === "map") keyedList(items, keys, path, errors);
  if ((listType === "map" || listType === "set") && isSchema(items)) keyRules(items, listType, keys, path, errors);
}

function keyedList(items: any, keys: readonly string[], path: string, errors: FieldError[]): void {
  const at = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) errors.push(required(at, "must not be empty if x-kubernetes-list-type is map"));
  if (items === undefined) {
    errors.push(required(`${path}.items`, "must have a schema if x-kubernetes-list-type is map"));
    return;
  }
  if (items.type !== "object") {
    const problem = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(invalid(`${path}.items.type`, items.type ?? "", problem));
    return;
  }
  const seen = new Set<string>();
  for (const key of keys) {
    const property = items.properties?.[key];
    if (property === undefined) errors.push(invalid(at, keys, "entries must all be names of item properties"));
    else if (property.type === "array" || property.type === "object") {
      const problem = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(invalid(`${child(`${path}.items`, key)}.type`, items.type, problem));
    }
    if (seen.has(key)) errors.push(invalid(at, keys, "must not contain duplicate entries"));
    seen.add(key);
  }
}

function keyRules(items: any, listType: string, keys: readonly string[], path: string, errors: FieldError[]): void {
  if (items.nullable) {
    errors.push(forbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`));
  }
  if (listType !== "map") return;
  for (const key of keys) {
    const property = items.properties?.[key];
    if (property === undefined) continue;
    const at = child(`${path}.items`, key);
    if (!items.required?.includes(key) && (property.default ?? undefined) === undefined) {
      errors.push(
        required(
          `${at}.default`,
          "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
      );
    }
    if (property.nullable) {
      errors.push(
        forbidden(`${at}.nullable`, "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"),
      );
    }
  }
}

const reasons = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"];
const hasNewline = (text: string): boolean => /[\n\r]/.test(text);

function rules(source: any, schema: Schema | undefined, path: string, place: Place, walk: Walk): void {
  const list: any[] = source["x-kubernetes-validations"] ?? [];
  if (list.length === 0) return;
  const { schemaErrors, ruleErrors, total, options } = walk;
  const before = schemaErrors.length;
  for (const [at, rule] of list.entries())
    ruleForm(rule, source, `${path}.x-kubernetes-validations[${at}]`, schemaErrors);
  // Rules are compiled where everything else is in order.
  if (schemaErrors.length > before || schema === undefined || schemaErrors.some(({ field }) => field.startsWith(path)))
    return;
  const declared = declare(schema, place.isRoot || schema.embedded === true, "selfType");
  if (declared === undefined) return;
  const cardinality = place.cardinality ?? Math.floor(largestRequest / (declared.minSize + 1));
  for (const [at, rule] of list.entries()) {
    const here = `${path}.x-kubernetes-validations[${at}]`;
    const compiled = compileRule(rule, schema, declared);
    const cost = compiled.program === undefined ? 0 : product(compiled.program.estimate().max, cardinality);
    if (!options.unchanged && cost > ruleCost) {
      ruleErrors.push(forbidden(`${here}.rule`, costMessage("estimated rule cost", cost, ruleCost)));
    }
    observe(total, `${here}.rule`, cost);
    if (compiled.problem !== undefined) ruleErrors.push(invalid(`${here}.rule`, shownRule(rule), compiled.problem));
    if (compiled.messageProblem !== undefined) {
      ruleErrors.push(invalid(`${here}.messageExpression`, shownRule(rule), compiled.messageProblem));
    } else if (compiled.message !== undefined) {
      const messageCost = compiled.message.estimate().max;
      if (!options.unchanged && messageCost > ruleCost) {
        const problem = costMessage("estimated messageExpression cost", messageCost, ruleCost);
        ruleErrors.push(forbidden(`${here}.messageExpression`, problem));
      }
      observe(total, `${here}.messageExpression`, messageCost);
    }
    if (compiled.usesOldSelf) {
      if (place.uncorrelated !== undefined) {
        const problem = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelated}`;
        ruleErrors.push(invalid(`${here}.rule`, rule.rule, problem));
      }
    } else if (rule.optionalOldSelf !== undefined) {
      const problem = "may not be set if oldSelf is not used in rule";
      ruleErrors.push(invalid(`${here}.optionalOldSelf`, rule.optionalOldSelf, problem));
    }
  }
}

const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

/** A rule as the API server's own form shows it. */
const shownRule = (rule: any): unknown => ({
  Rule: rule.rule ?? "",
  Message: rule.message ?? "",
  MessageExpression: rule.messageExpression ?? "",
  Reason: rule.reason ?? null,
  FieldPath: rule.fieldPath ?? "",
  OptionalOldSelf: rule.optionalOldSelf ?? null,
});

function ruleForm(rule: any, source: any, path: string, errors: FieldError[]): void {
  const text = (rule.rule ?? "").trim();
  const message = (rule.message ?? "").trim();
  if (text === "") errors.push(required(`${path}.rule`, "rule is not specified"));
  else if (rule.message && message === "") {
    errors.push(invalid(`${path}.message`, rule.message, "must be non-empty if specified"));
  } else if (hasNewline(message)) errors.push(invalid(`${path}.message`, rule.message, "must not contain line breaks"));
  else if (hasNewline(text) && message === "") {
    errors.push(required(`${path}.message`, "message must be specified if rule contains line breaks"));
  }
  if (rule.messageExpression && rule.messageExpression.trim() === "") {
    errors.push(required(`${path}.messageExpression`, "messageExpression must be non-empty if specified"));
  }
  if (rule.reason !== undefined && !reasons.includes(rule.reason)) {
    errors.push(notSupported(`${path}.reason`, rule.reason, reasons));
  }
  const { fieldPath } = rule;
  if (!fieldPath) return;
  if (fieldPath.trim() === "") errors.push(invalid(`${path}.fieldPath`, fieldPath, "must be non-empty if specified"));
  if (hasNewline(fieldPath)) errors.push(invalid(`${path}.fieldPath`, fieldPath, "must not contain line breaks"));
  if (fieldPathOf(fieldPath, structuralNode(source)).problem !== undefined) {
    errors.push(invalid(`${path}.fieldPath`, fieldPath, "must be a valid path"));
  }
}

function observe(total: Total, path: string, cost: number): void {
  total.cost += cost;
  if (cost < schemaCost / 100) return;
  total.dearest = [...total.dearest, { path, cost }].sort((a, b) => b.cost - a.cost).slice(0, 4);
}

function costMessage(name: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? "more than 100x" : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${name} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

/** Formats that nothing checks: their writer has to know. */
export function unrecognizedFormats(source: any, known: (format: string, type: string) => boolean): string[] {
  if (!isSchema(source)) return [];
  const out: string[] = [];
  const format = source["format"];
  if (format && !known(format, source["type"] ?? "")) out.push(format);
  const inner = [
    source["items"],
    source["not"],
    source["additionalProperties"],
    ...["allOf", "anyOf", "oneOf"].flatMap((key) => source[key] ?? []),
    ...Object.values(source["properties"] ?? {}),
  ];
  return [...out, ...inner.flatMap((one) => unrecognizedFormats(one, known))];
}
