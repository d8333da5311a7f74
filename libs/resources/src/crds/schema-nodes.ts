/** Short words for the structural schemas of our CRDs. */
export type SchemaNode = Record<string, unknown>;

export const string: SchemaNode = { type: "string" };
export const bool: SchemaNode = { type: "boolean" };
export const int: SchemaNode = { type: "integer", format: "int64" };
export const dateTime: SchemaNode = { type: "string", format: "date-time" };
/** An object whose members are kept without a check. */
export const any: SchemaNode = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
export const arrayOf = (items: SchemaNode): SchemaNode => ({ type: "array", items });
export const strings: SchemaNode = arrayOf(string);
export const mapOf = (additionalProperties: SchemaNode): SchemaNode => ({ type: "object", additionalProperties });
export const object = (properties: Record<string, SchemaNode>, required: readonly string[] = []): SchemaNode => ({
  type: "object",
  properties,
  ...(required.length > 0 ? { required: [...required] } : {}),
});
