export type { SimulatedFate } from "./pod-status.js";
export {
  createSimulatedNodes,
  FATE_ANNOTATION,
  SIMULATED_LABEL,
  type SimulatedNodesDeps,
  toleratesSimulation,
} from "./simulated-nodes.js";
