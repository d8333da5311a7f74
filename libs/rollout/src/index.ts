export * from "./actions.js";
export * from "./arithmetic.js";
export * from "./conditions.js";
export * from "./info.js";
export * from "./int-or-percent.js";
export type {
  RolloutAction,
  RolloutPlan,
  RolloutReason,
  RolloutState,
} from "./pass.js";
export * from "./plan.js";
export { availableOf, hashOf, type ReplicaSetPatch, revisionOf, specReplicas } from "./replica-sets.js";
export { restartPending } from "./restart.js";
export * from "./router.js";
export * from "./runs.js";
export { selectorText } from "./status.js";
export * from "./steps.js";
export * from "./template.js";
export * from "./validate.js";
