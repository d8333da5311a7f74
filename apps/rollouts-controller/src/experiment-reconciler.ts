import type { Reconciler } from "@tiphys/controller";
import type { KubeObject } from "@tiphys/resources";

const MESSAGE = "Unimplemented: Experiments are not run yet: see docs/compatibility.md";

/** Says on every Experiment that nobody runs it, so that none is silently ignored. */
export const experimentReconciler: Reconciler<KubeObject, never> = {
  observe: async (experiment) => (experiment.metadata.deletionTimestamp ? undefined : experiment),
  plan: (experiment) => ({
    status: { ...(experiment["status"] as object | undefined), phase: "Error", message: MESSAGE },
    actions: [],
    reasons: [{ code: "Unimplemented", message: MESSAGE }],
  }),
  act: async () => undefined,
  describe: () => "",
};
