import { deepEqual } from "@tiphys/canonical-json";
import { type FieldError, invalid } from "../field-error.js";
import type { Schema } from "../schema.js";
import { validateEmbedded } from "./embedded.js";
import { compileRules, runRules } from "./rules.js";
import { pruneCustom } from "./shape.js";
import { validateCustom } from "./validate.js";

/** Defaults have to be what their own schemas allow. */
export function validateDefaults(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  walk(schema, path, false, true, errors);
  return errors;
}

function walk(schema: Schema, path: string, inMetadata: boolean, isResource: boolean, errors: FieldError[]): void {
  const value = schema.default;
  if (value !== undefined && value !== null && !inMetadata) check(value, schema, `${path}.default`, errors);
  if (schema.items !== undefined)
    walk(schema.items, `${path}.items`, inMetadata, schema.items.embedded === true, errors);
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    const isType = isResource && (key === "metadata" || key === "apiVersion" || key === "kind");
    walk(
      property,
      `${path}.properties[${key}]`,
      !property.embedded && (inMetadata || isType),
      property.embedded === true,
      errors,
    );
  }
}

function check(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  const pruned = pruneCustom(value, schema, "", schema.embedded === true, []);
  if (!deepEqual(pruned, value)) errors.push(invalid(path, value, "must not have unknown fields"));
  const below = ({ field, ...rest }: FieldError): FieldError => ({
    ...rest,
    field: field === "" || field === "<nil>" ? path : `${path}.${field.replace(/^\./, "")}`,
  });
  const embedded = validateEmbedded(value, schema, "");
  const found = embedded.length > 0 ? embedded : validateCustom(value, schema, "");
  if (found.length > 0) {
    errors.push(...found.map(below));
    return;
  }
  const rules = compileRules(schema, schema.embedded === true);
  if (rules !== undefined) errors.push(...runRules(rules, value, undefined, undefined, path).errors);
}
