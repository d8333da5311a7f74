export * from "./cluster-proxy.js";
export type { NodeRuntimeDeps } from "./deps.js";
export * from "./forwarders.js";
export * from "./images.js";
export * from "./not-honoured.js";
export * from "./resolver.js";
export * from "./runtime.js";
export type { BackendStats } from "./traffic-stats.js";
