import { randomBytes } from "node:crypto";
import type { Environment } from "@tiphys/template";

/** Time and randomness of this machine. */
export const systemEnvironment: Environment = {
  // Real time: a template that asks for the time means that of its rendering.
  now: () => Date.now(),
  random: (count) => randomBytes(count),
};
