import type { Clock } from "@tiphys/clock";
import type { Informers } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import { createSimulatedNodes, type SimulatedFate } from "@tiphys/simulated-node";
import type { Logger } from "@tiphys/telemetry";

export { SIMULATED_LABEL, type SimulatedFate } from "@tiphys/simulated-node";

export interface SimulatedKubeletDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Nodes it makes at its start. */
  readonly nodes?: readonly string[];
  /** Absent: every pod is ready at once and runs until it is deleted. */
  readonly fate?: (pod: KubeObject) => SimulatedFate;
}

/** Virtual days are to cost nothing; a real cluster needs a sign of life within 40 s and gets it from its own options. */
const RENEW_SECONDS = 6 * 3600;

/** Simulated nodes that any pod may come to, for tests of controllers on any clock. */
export const createSimulatedKubelet = ({ nodes = ["simulated-1"], ...deps }: SimulatedKubeletDeps): Service =>
  createSimulatedNodes({ ...deps, names: nodes, open: true, renewSeconds: RENEW_SECONDS });
