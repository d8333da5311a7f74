export * from "./compare.js";
export * from "./glob.js";
export * from "./normalize.js";
export * from "./quantity.js";
