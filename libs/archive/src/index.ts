export * from "./archive.js";
export * from "./postgres-archive.js";
export * from "./sqlite-archive.js";
