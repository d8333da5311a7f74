export * from "./change.js";
export * from "./principal.js";
export * from "./ulid.js";
