export * from "./archive-store.js";
export * from "./chart-source.js";
export * from "./create-chart-source.js";
export * from "./credentials.js";
export * from "./errors.js";
export * from "./repository-url.js";
export * from "./unpack.js";
export * from "./version.js";
