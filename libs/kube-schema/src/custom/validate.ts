import { canonicalJson } from "@tiphys/canonical-json";
import { type FieldError, invalid, notSupported, required, tooLong, tooMany, typeInvalid } from "../field-error.js";
import type { Schema, ValueRules } from "../schema.js";
import type { Correlation } from "./correlation.js";
import { hasFormat } from "./formats.js";

type Members = Record<string, unknown>;
const isObject = (value: unknown): value is Members =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Everything in `value` that the schema does not allow, and that was not there before. */
export function validateCustom(value: unknown, schema: Schema, path: string, correlation?: Correlation): FieldError[] {
  const errors: FieldError[] = [];
  check(value, schema, path, errors, correlation);
  return errors;
}

const typeOf = (value: unknown): string => {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "bigint" || Number.isInteger(value)) return "integer";
  return typeof value;
};

const fits = (actual: string, wanted: string): boolean =>
  actual === wanted || (wanted === "number" && actual === "integer");

function check(
  value: unknown,
  schema: Schema,
  path: string,
  errors: FieldError[],
  correlation: Correlation | undefined,
): void {
  const before = errors.length;
  checkValue(value, schema, path, errors, correlation);
  // What is wrong here was wrong before: the writer has not touched it.
  if (errors.length > before && correlation?.unchanged) errors.length = before;
}

function checkValue(
  value: unknown,
  schema: Schema,
  path: string,
  errors: FieldError[],
  correlation: Correlation | undefined,
): void {
  if (value === null && schema.nullable) {
    checkEnum(value, schema, path, errors);
    return;
  }
  const actual = typeOf(value);
  const wrong = schema.intOrString
    ? actual !== "integer" && actual !== "string" && "integer,string"
    : schema.type !== undefined && !fits(actual, schema.type) && schema.type;
  const { rules } = schema;
  if (wrong)
    errors.push(typeInvalid(path, actual, `${path} in body must be of type ${wrong}: ${JSON.stringify(actual)}`));
  else {
    if (rules !== undefined) checkJunctors(value, rules, path, errors);
    if (typeof value === "string") checkText(value, schema, path, errors);
    else if (typeof value === "number" && rules !== undefined) checkNumber(value, schema, rules, path, errors);
    else if (Array.isArray(value)) checkList(value, schema, path, errors, correlation);
  }
  checkEnum(value, schema, path, errors);
  if (!wrong && isObject(value)) checkMembers(value, schema, path, errors, correlation);
}

function checkEnum(value: unknown, schema: Schema, path: string, errors: FieldError[]): void {
  if (schema.enum === undefined || schema.enum.some((one) => canonicalJson(one) === canonicalJson(value))) return;
  const supported = schema.enum.map((one) => (typeof one === "string" ? one : canonicalJson(one)));
  errors.push(notSupported(path, value, supported));
}

function checkText(text: string, { format, rules }: Schema, path: string, errors: FieldError[]): void {
  if (rules !== undefined) {
    const length = rules.maxLength !== undefined || rules.minLength !== undefined ? [...text].length : 0;
    // The first that fails is the only one told.
    if (rules.maxLength !== undefined && length > rules.maxLength) errors.push(tooLong(path, rules.maxLength));
    else if (rules.minLength !== undefined && length < rules.minLength) {
      errors.push(invalid(path, text, `${path} in body should be at least ${rules.minLength} chars long`));
    } else if (rules.matches !== undefined && !rules.matches(text)) {
      errors.push(invalid(path, text, `${path} in body should match '${rules.pattern}'`));
    }
  }
  if (format !== undefined && !hasFormat(text, format)) {
    errors.push(typeInvalid(path, text, `${path} in body must be of type ${format}: ${JSON.stringify(text)}`));
  }
}

/** Formats whose values have bounds of their own, within which a rule's bound has to be. */
const ranges: Readonly<Record<string, readonly [least: number, most: number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  uint64: [0, 2 ** 64],
};

/** Whether a bound is one that values of this type can have at all; the refusal is the API server's own. */
function isInRange(bound: number, what: string, { type, format }: Schema, path: string, errors: FieldError[]): boolean {
  const range = type === "integer" && format !== undefined ? ranges[format] : undefined;
  if (range === undefined || (bound >= range[0] && bound <= range[1])) return true;
  errors.push(invalid("<nil>", "", `${what} boundary value must be of type integer with format ${format} in ${path}`));
  return false;
}

function checkNumber(value: number, schema: Schema, rules: ValueRules, path: string, errors: FieldError[]): void {
  const { multipleOf } = rules;
  const within = (bound: number | undefined, what: string) =>
    bound !== undefined && isInRange(bound, what, schema, path, errors) ? bound : undefined;
  const maximum = within(rules.maximum, "Maximum");
  const minimum = within(rules.minimum, "Minimum");
  if (minimum !== undefined && (rules.exclusiveMinimum ? value <= minimum : value < minimum)) {
    const relation = rules.exclusiveMinimum ? "greater than" : "greater than or equal to";
    errors.push(invalid(path, value, `${path} in body should be ${relation} ${minimum}`));
  }
  if (maximum !== undefined && (rules.exclusiveMaximum ? value >= maximum : value > maximum)) {
    const relation = rules.exclusiveMaximum ? "less than" : "less than or equal to";
    errors.push(invalid(path, value, `${path} in body should be ${relation} ${maximum}`));
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) {
    errors.push(invalid(path, value, `${path} in body should be a multiple of ${multipleOf}`));
  }
}

function checkList(
  list: readonly unknown[],
  schema: Schema,
  path: string,
  errors: FieldError[],
  correlation: Correlation | undefined,
): void {
  const { rules, items } = schema;
  if (rules?.maxItems !== undefined && list.length > rules.maxItems)
    errors.push(tooMany(path, list.length, rules.maxItems));
  if (rules?.minItems !== undefined && list.length < rules.minItems) {
    errors.push(invalid(path, list.length, `${path} in body should have at least ${rules.minItems} items`));
  }
  if (items === undefined) return;
  for (const [at, item] of list.entries()) check(item, items, `${path}[${at}]`, errors, correlation?.index(at));
}

function checkMembers(
  value: Members,
  schema: Schema,
  path: string,
  errors: FieldError[],
  correlation: Correlation | undefined,
): void {
  const { rules, properties, additional } = schema;
  const at = (key: string) => (path === "" ? key : `${path}.${key}`);
  if (rules?.maxProperties !== undefined || rules?.minProperties !== undefined) {
    const count = Object.keys(value).length;
    if (rules.maxProperties !== undefined && count > rules.maxProperties) {
      errors.push(tooMany(path, count, rules.maxProperties));
    }
    if (rules.minProperties !== undefined && count < rules.minProperties) {
      errors.push(invalid(path, count, `${path} in body should have at least ${rules.minProperties} properties`));
    }
  }
  for (const key of schema.required ?? []) if (value[key] === undefined) errors.push(required(at(key)));
  for (const key of Object.keys(value)) {
    const known = properties && Object.hasOwn(properties, key) ? properties[key] : additional;
    if (known === undefined || value[key] === undefined) continue;
    const isType = path === "" && (key === "kind" || key === "apiVersion");
    check(value[key], known, at(key), errors, isType ? undefined : correlation?.key(key));
  }
}

/** The field that the API server names when a combination of schemas fails; the message has the path. */
const nowhere = "<nil>";

function checkJunctors(value: unknown, rules: ValueRules, path: string, errors: FieldError[]): void {
  const passes = (schema: Schema): boolean => validateCustom(value, schema, path).length === 0;
  for (const schema of rules.allOf ?? []) check(value, schema, path, errors, undefined);
  if (rules.anyOf !== undefined && !rules.anyOf.some(passes)) {
    errors.push(invalid(nowhere, "", `${JSON.stringify(path)} must validate at least one schema (anyOf)`));
    errors.push(...closest(value, rules.anyOf, path));
  }
  if (rules.oneOf !== undefined) {
    const count = rules.oneOf.filter(passes).length;
    const found = count === 0 ? "Found none valid" : `Found ${count} valid alternatives`;
    if (count !== 1) {
      const detail = `${JSON.stringify(path)} must validate one and only one schema (oneOf). ${found}`;
      errors.push(invalid(nowhere, "", detail));
    }
    if (count === 0) errors.push(...closest(value, rules.oneOf, path));
  }
  if (rules.not !== undefined && passes(rules.not)) {
    errors.push(invalid(nowhere, "", `${JSON.stringify(path)} must not validate the schema (not)`));
  }
}

/** What the branch with the fewest problems lacks: the likeliest to be meant. */
function closest(value: unknown, branches: readonly Schema[], path: string): FieldError[] {
  return branches.map((schema) => validateCustom(value, schema, path)).sort((a, b) => a.length - b.length)[0] ?? [];
}
