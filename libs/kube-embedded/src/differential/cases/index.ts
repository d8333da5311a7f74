import type { Group } from "../play.js";
import { discoveryGroups } from "./discovery.js";
import { errorGroups } from "./errors.js";
import { kindGroups } from "./kinds.js";
import { podGroups } from "./pods.js";
import { readGroups } from "./reads.js";
import { accessFields } from "./validation/access.js";
import { networkFields } from "./validation/network.js";
import { policyFields } from "./validation/policy.js";
import { storageFields } from "./validation/storage.js";

/** Everything that is played on both servers. */
export const groups: readonly Group[] = [
  ...discoveryGroups,
  ...readGroups,
  ...errorGroups,
  ...kindGroups,
  ...podGroups,
  ...networkFields,
  ...policyFields,
  ...storageFields,
  ...accessFields,
];
