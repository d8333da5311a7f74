export * from "./programs.js";
export * from "./wait.js";
