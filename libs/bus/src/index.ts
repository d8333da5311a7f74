export * from "./bus.js";
export * from "./durable-map.js";
export * from "./facts.js";
export * from "./local-bus.js";
export type { Retention } from "./local-store.js";
export * from "./nats-bus.js";
export * from "./record-log.js";
