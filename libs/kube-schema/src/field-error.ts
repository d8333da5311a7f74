export type FieldErrorReason =
  | "FieldValueRequired"
  | "FieldValueInvalid"
  | "FieldValueNotSupported"
  | "FieldValueDuplicate"
  | "FieldValueForbidden"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "FieldValueTypeInvalid"
  | "FieldValueNotFound";

/** One thing wrong with an object, in the words of a StatusCause. */
export interface FieldError {
  /** Such as `spec.containers[0].image`. */
  readonly field: string;
  readonly reason: FieldErrorReason;
  /** Without the field: `Required value`, `Invalid value: 70000: must be between 1 and 65535, inclusive`. */
  readonly message: string;
}

const joined = (head: string, detail?: string): string => (detail ? `${head}: ${detail}` : head);

const escapes: Readonly<Record<string, string>> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026" };

/** A map as messages show it: in the order of its keys. */
export const sortedMap = (map: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));

/** A value as messages show it: texts quoted, everything else as the JSON that Go writes. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "bigint") return String(value);
  const text = JSON.stringify(value);
  return typeof value === "string" ? text : text.replace(/[<>&]/g, (sign) => escapes[sign]!);
}

export const required = (field: string, detail?: string): FieldError => ({
  field,
  reason: "FieldValueRequired",
  message: joined("Required value", detail),
});
export const invalid = (field: string, value: unknown, detail?: string): FieldError => ({
  field,
  reason: "FieldValueInvalid",
  message: joined(`Invalid value: ${shown(value)}`, detail),
});
export const forbidden = (field: string, detail: string): FieldError => ({
  field,
  reason: "FieldValueForbidden",
  message: joined("Forbidden", detail),
});
export const duplicate = (field: string, value: unknown): FieldError => ({
  field,
  reason: "FieldValueDuplicate",
  message: `Duplicate value: ${shown(value)}`,
});
export const notFound = (field: string, value: unknown): FieldError => ({
  field,
  reason: "FieldValueNotFound",
  message: `Not found: ${shown(value)}`,
});
export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldError => ({
  field,
  reason: "FieldValueNotSupported",
  message: joined(
    `Unsupported value: ${shown(value)}`,
    supported.length > 0 ? `supported values: ${supported.map((text) => JSON.stringify(text)).join(", ")}` : "",
  ),
});
export const tooLong = (field: string, limit: number): FieldError => ({
  field,
  reason: "FieldValueTooLong",
  message: `Too long: may not be more than ${limit} bytes`,
});
export const tooMany = (field: string, count: number, limit: number): FieldError => ({
  field,
  reason: "FieldValueTooMany",
  message: `Too many: ${count}: must have at most ${limit} ${limit === 1 ? "item" : "items"}`,
});
export const typeInvalid = (field: string, value: unknown, detail: string): FieldError => ({
  field,
  reason: "FieldValueTypeInvalid",
  message: joined(`Invalid value: ${shown(value)}`, detail),
});

/** What follows `<Kind> "<name>" is invalid: ` in the answer. */
export function invalidMessage(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(({ field, message }) => (field ? `${field}: ${message}` : message)))];
  return texts.length === 1 ? texts[0]! : `[${texts.join(", ")}]`;
}
