export * from "./json-path.js";
