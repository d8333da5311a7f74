export * from "./args.js";
export * from "./assess.js";
export * from "./duration.js";
export * from "./metric-numbers.js";
export * from "./plan.js";
export * from "./provider.js";
export * from "./templates.js";
export * from "./validate.js";
