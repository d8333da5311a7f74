export * from "./modifiers.js";
export * from "./placeholders.js";
