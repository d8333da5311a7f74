export * from "./git-server.js";
export * from "./oracle.js";
export * from "./postgres.js";
export * from "./programs.js";
export * from "./servers.js";
export * from "./simulated-kubelet.js";
export * from "./wait.js";
