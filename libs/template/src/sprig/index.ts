import type { GoFunction } from "../state.js";
import { cryptoFunctions } from "./crypto.js";
import { dateFunctions } from "./dates.js";
import { defaultFunctions } from "./defaults.js";
import { dictFunctions } from "./dicts.js";
import type { Environment } from "./environment.js";
import { listFunctions } from "./lists.js";
import { numberFunctions } from "./numbers.js";
import { pathFunctions } from "./paths.js";
import { regexFunctions } from "./regex.js";
import { semverFunctions } from "./semver.js";
import { stringFunctions } from "./strings.js";
import { urlFunctions } from "./urls.js";

/** All functions of Sprig 3.3 but `env` and `expandenv`, which nobody should have in a template. */
export function sprigFunctions(environment: Environment): Readonly<Record<string, GoFunction>> {
  return {
    ...stringFunctions,
    ...numberFunctions,
    ...listFunctions,
    ...dictFunctions,
    ...defaultFunctions,
    ...regexFunctions,
    ...semverFunctions,
    ...urlFunctions,
    ...pathFunctions,
    ...dateFunctions(environment),
    ...cryptoFunctions(environment),
  };
}
