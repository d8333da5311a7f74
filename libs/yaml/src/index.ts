export * from "./emit.js";
export * from "./parse.js";
