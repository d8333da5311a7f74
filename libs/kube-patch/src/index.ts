export * from "./conflicts.js";
export * from "./errors.js";
export { type FieldSet, fieldPaths } from "./field-set.js";
export { goText } from "./go-text.js";
export * from "./json-patch.js";
export * from "./managed-fields.js";
export * from "./merge-patch.js";
export * from "./server-side-apply.js";
export * from "./strategic-merge-patch.js";
