export * from "./hooks.js";
export * from "./options.js";
export * from "./plan.js";
export * from "./retry.js";
export { type HookItem, resourceId, resultId, type SyncItem, type SyncPhase, type SyncTask } from "./tasks.js";
