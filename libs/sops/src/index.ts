export * from "./age-keys.js";
export * from "./data-key.js";
export * from "./decrypt.js";
export type { KeyEntry } from "./metadata.js";
export * from "./pgp-keys.js";
