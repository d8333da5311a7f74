export * from "./constraint.js";
export * from "./errors.js";
export * from "./tags.js";
export * from "./version.js";
