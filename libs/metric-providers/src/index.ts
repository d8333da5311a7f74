export * from "./job.js";
export * from "./prometheus.js";
export * from "./providers.js";
export * from "./web.js";
