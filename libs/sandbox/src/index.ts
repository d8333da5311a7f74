export { ETC, findProgram, ROOTS, shellWord } from "./programs.js";
export * from "./sandbox.js";
