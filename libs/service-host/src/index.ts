export * from "./explain.js";
export * from "./host.js";
export * from "./main.js";
export * from "./parts.js";
export * from "./run.js";
export * from "./service.js";
export * from "./settings.js";
