export * from "./logger.js";
export * from "./metrics.js";
export * from "./pino-logger.js";
export * from "./prometheus.js";
export * from "./tracing.js";
