export * from "./api.js";
export * from "./create.js";
export * from "./deps.js";
export * from "./facts.js";
export * from "./rpc.js";
export type { RunRecord } from "./runs.js";
