import type { Group } from "../play.js";
import { applyGroups } from "./apply.js";
import { customGroups } from "./custom.js";
import { defaultGroups } from "./defaults.js";
import { discoveryGroups } from "./discovery.js";
import { errorGroups } from "./errors.js";
import { kindGroups } from "./kinds.js";
import { lifeGroups } from "./life.js";
import { podGroups } from "./pods.js";
import { readGroups } from "./reads.js";
import { reviewGroups } from "./reviews.js";
import { accessFields } from "./validation/access.js";
import { networkFields } from "./validation/network.js";
import { policyFields } from "./validation/policy.js";
import { storageFields } from "./validation/storage.js";
import { webhookFields } from "./validation/webhooks.js";
import { valueGroups } from "./values.js";

/** Everything that is played on both servers. */
export const groups: readonly Group[] = [
  ...discoveryGroups,
  ...readGroups,
  ...errorGroups,
  ...kindGroups,
  ...podGroups,
  ...applyGroups,
  ...customGroups,
  ...defaultGroups,
  ...lifeGroups,
  ...reviewGroups,
  ...networkFields,
  ...policyFields,
  ...storageFields,
  ...accessFields,
  ...webhookFields,
  ...valueGroups,
];
