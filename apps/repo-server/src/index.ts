export * from "./create.js";
