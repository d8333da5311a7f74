import { isDns1035Label, isPathSegment } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, invalid, required } from "../field-error.js";
import { memberSchema, type Schema } from "../schema.js";
import { validateMetadata } from "../validation/metadata.js";

type Members = Record<string, unknown>;
const isObject = (value: unknown): value is Members =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Objects within objects (`x-kubernetes-embedded-resource`) have a type and metadata of their own. */
export function validateEmbedded(value: unknown, schema: Schema, path: string): FieldError[] {
  if (!hasEmbedded(schema)) return [];
  const errors: FieldError[] = [];
  walk(value, schema, path, errors);
  return errors;
}

function walk(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items !== undefined) for (const [at, item] of value.entries()) walk(item, items, `${path}[${at}]`, errors);
    return;
  }
  if (!isObject(value)) return;
  if (schema.embedded) checkResource(value, path, errors);
  for (const key of Object.keys(value)) {
    const known = schema.properties && Object.hasOwn(schema.properties, key);
    const member = memberSchema(schema, key);
    if (member === undefined) continue;
    walk(value[key], member, known ? (path === "" ? key : `${path}.${key}`) : `${path}[${key}]`, errors);
  }
}

function checkResource(value: Members, path: string, errors: FieldError[]): void {
  for (const key of ["apiVersion", "kind"]) {
    const at = `${path}.${key}`;
    const text = value[key];
    if (text === undefined) errors.push(required(at));
    else if (typeof text !== "string") errors.push(invalid(at, text, "must be a string"));
    else if (text === "") errors.push(invalid(at, text, "must not be empty"));
    else if (key === "apiVersion") {
      if (text.split("/").length > 2) errors.push(invalid(at, text, `unexpected GroupVersion string: ${text}`));
    } else {
      const problems = isDns1035Label(text.toLowerCase());
      if (problems.length > 0) {
        errors.push(invalid(at, text, `may have mixed case, but should otherwise match: ${problems.join(",")}`));
      }
    }
  }
  if (!isObject(value["metadata"])) return;
  const metadata = { ...value["metadata"] } as unknown as KubeObject["metadata"];
  metadata.name ||= "fakename";
  const namespaced = Boolean(metadata.namespace);
  for (const error of validateMetadata({ ...value, metadata } as KubeObject, {
    namespaced,
    again: "",
    nameRule: isPathSegment,
  })) {
    errors.push({ ...error, field: `${path}.${error.field}` });
  }
}

const known = new WeakMap<Schema, boolean>();
function hasEmbedded(schema: Schema): boolean {
  let answer = known.get(schema);
  if (answer === undefined) {
    answer =
      schema.embedded === true ||
      Object.values(schema.properties ?? {}).some(hasEmbedded) ||
      (schema.items !== undefined && hasEmbedded(schema.items)) ||
      (schema.additional !== undefined && hasEmbedded(schema.additional));
    known.set(schema, answer);
  }
  return answer;
}
