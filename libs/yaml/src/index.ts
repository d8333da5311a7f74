export * from "./emit.js";
export * from "./go-emit.js";
export { writtenText } from "./go-schema.js";
export * from "./parse.js";
