import { messageOf } from "@tiphys/errors";
import { parseYaml } from "@tiphys/yaml";
import { type Data, get, isMap, textOf } from "./data.js";
import { fail, KustomizeError } from "./errors.js";
import type { FieldConfig, FieldSpec, NameReference } from "./field-specs.js";
import type { Loader } from "./files.js";
import type { MergeField, MergeSchema } from "./merge.js";

const SPEC_LISTS = [
  ...["namePrefix", "nameSuffix", "namespace", "commonLabels", "labels", "templateLabels"],
  ...["commonAnnotations", "varReference", "images", "replicas"],
] as const;

function read(loader: Loader, path: string): unknown {
  try {
    return parseYaml(loader.text(path), { file: path });
  } catch (error) {
    throw error instanceof KustomizeError ? error : new KustomizeError(messageOf(error), { cause: error });
  }
}

/** Fails at a member that is none of a field spec's, or of `more`; case does not count. */
function refuseOthers(spec: Data, place: string, ...more: readonly string[]): void {
  const known = ["group", "version", "kind", ...more];
  const unknown = Object.keys(spec).find((key) => !known.includes(key.toLowerCase()));
  if (unknown) fail(`${place}: unknown field ${JSON.stringify(unknown)}`);
}

function specs(value: unknown, place: string): FieldSpec[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) return fail(`${place} must be a list of field specs`);
  return value.map((spec) => {
    if (!isMap(spec) || typeof spec["path"] !== "string") return fail(`${place}: every field spec needs a path`);
    refuseOthers(spec, place, "path", "create");
    const { path, group, version, kind, create } = spec;
    return {
      path,
      ...(group ? { group: textOf(group) } : {}),
      ...(version ? { version: textOf(version) } : {}),
      ...(kind ? { kind: textOf(kind) } : {}),
      ...(create === true ? { create } : {}),
    };
  });
}

/** A file of `configurations`. */
export function loadConfiguration(loader: Loader, path: string): Partial<FieldConfig> {
  const document = read(loader, path);
  if (document === null) return {};
  if (!isMap(document)) return fail(`${path}: a transformer configuration is an object`);
  const unknown = Object.keys(document).find(
    (key) => key !== "nameReference" && !SPEC_LISTS.some((name) => name === key),
  );
  if (unknown) fail(`${path}: unknown field ${JSON.stringify(unknown)}`);
  const result: Record<string, unknown> = {};
  for (const name of SPEC_LISTS) if (document[name]) result[name] = specs(document[name], `${path}: ${name}`);
  const references = document["nameReference"];
  if (Array.isArray(references)) {
    result["nameReference"] = references.map((reference): NameReference => {
      if (!isMap(reference)) return fail(`${path}: nameReference must be a list of objects`);
      refuseOthers(reference, `${path}: nameReference`, "fieldspecs");
      const { group, version, kind, fieldSpecs } = reference;
      return {
        ...(group ? { group: textOf(group) } : {}),
        ...(version ? { version: textOf(version) } : {}),
        ...(kind ? { kind: textOf(kind) } : {}),
        fieldSpecs: specs(fieldSpecs, `${path}: nameReference.fieldSpecs`),
      };
    });
  }
  return result;
}

/** Most steps from definition to definition: a definition may speak of itself. */
const DEEPEST = 40;

/** A file of `crds`: OpenAPI definitions whose extensions say which fields are names, labels or annotations. */
export function loadCrds(loader: Loader, path: string): Partial<FieldConfig>[] {
  const document = read(loader, path);
  if (!isMap(document)) return fail(`${path}: a file of crds is an object of OpenAPI definitions`);
  const found: Partial<FieldConfig>[] = [];
  const visit = (name: string, kind: string, trail: readonly string[]): void => {
    const properties = get(get(get(document, name), "Schema") ?? get(document, name), "properties");
    if (!isMap(properties) || trail.length > DEEPEST) return;
    for (const [field, property] of Object.entries(properties)) {
      const at = [...trail, field];
      const spec = (steps: readonly string[]): FieldSpec[] => [{ path: steps.join("/"), kind }];
      if (has(property, "x-kubernetes-annotation")) found.push({ commonAnnotations: spec(at) });
      if (has(property, "x-kubernetes-label-selector")) found.push({ commonLabels: spec(at) });
      if (has(property, "x-kubernetes-identity")) found.push({ namePrefix: spec(at) });
      const version = get(property, "x-kubernetes-object-ref-api-version");
      const target = get(property, "x-kubernetes-object-ref-kind");
      if (version !== undefined && target !== undefined) {
        const key = textOf(get(property, "x-kubernetes-object-ref-name-key")) || "name";
        found.push({
          nameReference: [{ kind: textOf(target), version: textOf(version), fieldSpecs: spec([...at, key]) }],
        });
      }
      const reference = get(property, "$ref");
      if (typeof reference === "string") visit(reference, kind, at);
    }
  };
  for (const name of Object.keys(document)) {
    const properties = get(get(get(document, name), "Schema") ?? get(document, name), "properties");
    const isKind = ["kind", "apiVersion", "metadata"].every((field) => get(properties, field) !== undefined);
    if (isKind) visit(name, name.slice(name.lastIndexOf(".") + 1), []);
  }
  return found;
}

const has = (value: unknown, key: string): boolean => get(value, key) !== undefined;

/** The schema of `openapi.path`, which takes the place of the one that is built in. */
export function loadSchema(loader: Loader, path: string): MergeSchema {
  const document = read(loader, path);
  const definitions = get(document, "definitions");
  if (!isMap(definitions)) return fail(`${path}: an OpenAPI document with definitions is needed`);
  const kinds: Record<string, string> = {};
  const types: Record<string, Record<string, MergeField>> = {};
  const nameOf = (schema: unknown): string | undefined => {
    const reference = get(schema, "$ref") ?? get(get(schema, "items"), "$ref");
    return typeof reference === "string" ? reference.slice(reference.lastIndexOf("/") + 1) : undefined;
  };
  const typeOf = (name: string, schema: unknown): void => {
    const fields: Record<string, MergeField> = {};
    types[name] = fields;
    const properties = get(schema, "properties");
    if (!isMap(properties)) return;
    for (const [field, property] of Object.entries(properties)) {
      const keys = keysOf(property);
      let type = nameOf(property);
      const inline = get(property, "properties") ? property : get(property, "items");
      if (!type && isMap(get(inline, "properties"))) {
        type = `${name}/${field}`;
        typeOf(type, inline);
      }
      fields[field] = { ...(keys ? { keys } : {}), ...(type ? { type } : {}) };
    }
  };
  for (const [name, schema] of Object.entries(definitions)) {
    typeOf(name, schema);
    const gvks = get(schema, "x-kubernetes-group-version-kind");
    for (const gvk of Array.isArray(gvks) ? gvks : []) {
      const group = textOf(get(gvk, "group"));
      kinds[`${group ? `${group}/` : ""}${textOf(get(gvk, "version"))}/${textOf(get(gvk, "kind"))}`] = name;
    }
  }
  return { kinds, types };
}

function keysOf(property: Data | unknown): string[] | undefined {
  if (!textOf(get(property, "x-kubernetes-patch-strategy")).split(",").includes("merge")) return undefined;
  const listed = get(property, "x-kubernetes-list-map-keys");
  if (Array.isArray(listed)) return listed.map(textOf);
  const key = textOf(get(property, "x-kubernetes-patch-merge-key"));
  return key ? key.split(",") : [];
}
