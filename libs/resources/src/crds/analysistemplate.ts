import { templateSpec } from "./analysis-schema.js";
import { ageColumn, crd } from "./argo-schema.js";

export const analysisTemplateCrd = crd({
  kind: "AnalysisTemplate",
  plural: "analysistemplates",
  singular: "analysistemplate",
  shortNames: ["at"],
  columns: [ageColumn],
  properties: { spec: templateSpec },
  required: ["spec"],
});
