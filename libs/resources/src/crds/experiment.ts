import { analysisArgs, dryRun, measurementRetention, runMetadata } from "./analysis-schema.js";
import { ageColumn, anyObject, crd, flag, int32, list, object, text, time } from "./argo-schema.js";

export const experimentCrd = crd({
  kind: "Experiment",
  plural: "experiments",
  singular: "experiment",
  shortNames: ["exp"],
  columns: [{ description: "Experiment status", jsonPath: ".status.phase", name: "Status", type: "string" }, ageColumn],
  properties: {
    spec: object(
      {
        templates: list(
          object(
            {
              name: text,
              replicas: int32,
              minReadySeconds: int32,
              selector: anyObject,
              template: anyObject,
              service: object({ name: text }),
            },
            ["name", "selector", "template"],
          ),
        ),
        duration: text,
        progressDeadlineSeconds: int32,
        terminate: flag,
        analyses: list(
          object(
            {
              name: text,
              templateName: text,
              clusterScope: flag,
              args: analysisArgs,
              requiredForCompletion: flag,
            },
            ["name", "templateName"],
          ),
        ),
        scaleDownDelaySeconds: int32,
        dryRun,
        measurementRetention,
        analysisRunMetadata: runMetadata,
      },
      ["templates"],
    ),
    status: object({
      phase: text,
      message: text,
      availableAt: time,
      conditions: list(anyObject),
      templateStatuses: list(anyObject),
      analysisRuns: list(anyObject),
    }),
  },
  required: ["spec"],
});
