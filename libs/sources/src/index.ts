export * from "./runner.js";
export * from "./signature.js";
export * from "./source.js";
export * from "./webhook-host.js";
