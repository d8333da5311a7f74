export { shellWord } from "./programs.js";
export * from "./sandbox.js";
