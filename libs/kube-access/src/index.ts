export { AccessIndex, type Decision, type HeldRules, type RoleRef, type Subject, type User } from "./access-index.js";
export { aggregatedRules } from "./aggregation.js";
export { bootstrapPolicy, reconciled } from "./bootstrap.js";
export { aggregate, compact, describeRule, escalationProblem, missingRules } from "./coverage.js";
export { type Impersonation, impersonate, type WholeUser, withoutName } from "./impersonation.js";
export { refusal } from "./messages.js";
export { authorizeNode, nodeNameOf, nodeTokenProblem, nodeWriteProblem } from "./nodes.js";
export { admitPodOfAccount } from "./pod-admission.js";
export {
  type Attributes,
  isPath,
  type PathAttributes,
  type PolicyRule,
  type ResourceAttributes,
  ruleAllows,
} from "./rules.js";
export { serviceAccountGroups, serviceAccountUsername, splitUsername } from "./service-accounts.js";
export {
  CLIENT_SIGNER,
  type RequestedCertificate,
  selfApprovals,
  signerProblem,
  validity,
} from "./signers.js";
export { quoted, quotedList } from "./text.js";
export {
  areClaims,
  boundClaims,
  type Claims,
  ISSUER,
  judgeClaims,
  LAST_USED_LABEL,
  lastUsedDay,
  MOUNTED_TOKEN_SECONDS,
  secretClaims,
  type TokenSubject,
  type TokenVerdict,
} from "./tokens.js";
