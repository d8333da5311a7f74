import { type FieldError, invalid } from "../field-error.js";
import type { Schema } from "../schema.js";
import { Correlation } from "./correlation.js";
import { validateEmbedded } from "./embedded.js";
import { validateListTypes } from "./list-types.js";
import { type RuleNode, runRules } from "./rules.js";
import { validateCustom } from "./validate.js";

export interface Findings {
  readonly errors: FieldError[];
  /** What would be wrong if it were new: told to the writer, not refused. */
  readonly warnings: readonly string[];
}

/** Errors that leave values which rules cannot work with. */
const blocking = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

/** Everything that is wrong with an object of a custom kind, its metadata aside. */
export function validateObject(
  value: unknown,
  old: unknown,
  schema: Schema,
  rules: RuleNode | undefined,
  status: boolean,
  metadata: readonly FieldError[] = [],
): Findings {
  const correlation = old === undefined ? undefined : new Correlation(value, old, schema);
  const errors: FieldError[] = [];
  if (!status) errors.push(...validateCustom(value, schema, "", correlation));
  else {
    // A status is checked alone: what controllers write is not refused for what users wrote before.
    const part = schema.properties?.["status"];
    const member = (value as Record<string, unknown>)["status"];
    if (part !== undefined && member !== undefined) {
      errors.push(...validateCustom(member, part, "status", correlation?.key("status")));
    }
  }
  if (!status) errors.push(...validateEmbedded(value, schema, ""));
  if (old === undefined || validateListTypes(old, schema, "").length === 0) {
    errors.push(...validateListTypes(value, schema, ""));
  }
  if (rules === undefined) return { errors, warnings: [] };
  if ([...metadata, ...errors].some(({ reason }) => blocking.has(reason))) {
    const problem =
      "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
    return { errors: [...errors, invalid("<nil>", null, problem)], warnings: [] };
  }
  const found = runRules(rules, value, old, correlation);
  return { errors: [...errors, ...found.errors], warnings: found.warnings };
}
