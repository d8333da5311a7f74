import { templateSpec } from "./analysis-schema.js";
import { ageColumn, crd } from "./argo-schema.js";

export const clusterAnalysisTemplateCrd = crd({
  kind: "ClusterAnalysisTemplate",
  plural: "clusteranalysistemplates",
  singular: "clusteranalysistemplate",
  shortNames: ["cat"],
  scope: "Cluster",
  columns: [ageColumn],
  properties: { spec: templateSpec },
  required: ["spec"],
});
