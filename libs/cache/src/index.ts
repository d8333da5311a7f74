export * from "./cache.js";
export * from "./encrypted-cache.js";
export * from "./local-cache.js";
export * from "./redis-cache.js";
