import type { Group } from "../play.js";
import { discoveryGroups } from "./discovery.js";
import { kindGroups } from "./kinds.js";

/** Everything that is played on both servers. */
export const groups: readonly Group[] = [...discoveryGroups, ...kindGroups];
