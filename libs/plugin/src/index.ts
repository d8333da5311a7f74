export * from "./archive.js";
export * from "./command-plugin.js";
export * from "./config.js";
export * from "./config-plugin.js";
export * from "./environment.js";
export * from "./plugins.js";
export * from "./sidecar.js";
