import { runSpec, runStatus } from "./analysis-schema.js";
import { ageColumn, crd } from "./argo-schema.js";

/** No status subresource: spec and status go through one plain update. */
export const analysisRunCrd = crd({
  kind: "AnalysisRun",
  plural: "analysisruns",
  singular: "analysisrun",
  shortNames: ["ar"],
  columns: [
    { description: "AnalysisRun status", jsonPath: ".status.phase", name: "Status", type: "string" },
    ageColumn,
  ],
  properties: { spec: runSpec, status: runStatus },
  required: ["spec"],
});
