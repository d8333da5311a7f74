export * from "./change.js";
export * from "./pooled-random.js";
export * from "./principal.js";
export * from "./ulid.js";
