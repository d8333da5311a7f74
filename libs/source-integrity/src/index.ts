export * from "./check-history.js";
export * from "./errors.js";
export * from "./policies.js";
export * from "./signed-objects.js";
export { type Finding, type Verdict, verifierOf } from "./signers.js";
