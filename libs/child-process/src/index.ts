export * from "./child-pool.js";
export type { Answer, Ask } from "./questions.js";
export * from "./run-command.js";
export * from "./serve-jobs.js";
export * from "./spawner.js";
