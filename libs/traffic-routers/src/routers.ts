import type { TrafficRouter } from "@tiphys/rollout";
import { nginxRouter } from "./nginx.js";

/** Every traffic router there is; a Rollout that asks for another is refused by name. */
export const trafficRouters: readonly TrafficRouter[] = [nginxRouter];
