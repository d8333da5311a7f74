export * from "./child-pool.js";
export * from "./run-command.js";
export * from "./serve-jobs.js";
export * from "./spawner.js";
