export * from "./ip.js";
export * from "./names.js";
export * from "./quantity.js";
