export * from "./limits.js";
export * from "./read-limited.js";
