export * from "./filters.js";
export * from "./hostnames.js";
export * from "./listeners.js";
export * from "./match.js";
export * from "./model.js";
export * from "./routes.js";
export * from "./view.js";
