export * from "./emit.js";
export * from "./go-emit.js";
export * from "./parse.js";
