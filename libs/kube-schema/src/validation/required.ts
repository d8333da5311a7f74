import { type FieldError, notSupported, required } from "../field-error.js";
import type { Schema } from "../schema.js";

/** For kinds without checks of their own: required texts are there, and choices are among those that exist. */
export function validateByDefinition(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  if (Array.isArray(value)) {
    if (schema.items)
      for (const [at, item] of value.entries()) validateByDefinition(item, schema.items, `${path}[${at}]`, errors);
    return;
  }
  if (typeof value === "string" && schema.enum && value !== "" && !schema.enum.includes(value)) {
    errors.push(notSupported(path, value, schema.enum as string[]));
  }
  if (value === null || typeof value !== "object") return;
  const members = value as Record<string, unknown>;
  for (const [key, known] of Object.entries(schema.properties ?? {})) {
    const at = path === "" ? key : `${path}.${key}`;
    // Metadata has its own checks, and a status is written by controllers.
    if (path === "" && (key === "metadata" || key === "status")) continue;
    if (schema.required?.includes(key) && known.type === "string" && !members[key]) errors.push(required(at));
    if (members[key] !== undefined) validateByDefinition(members[key], known, at, errors);
  }
}
