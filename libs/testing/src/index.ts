export * from "./programs.js";
export * from "./wait.js";
export * from "./git-server.js";
