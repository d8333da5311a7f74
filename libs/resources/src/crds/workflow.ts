import { ageColumn, anyObject, anyValue, crd, list, object, text } from "./argo-schema.js";

// Spec and status are open objects, as in the originals' minimal set: the full schema refuses workflows that ran for years.
// Unknown fields are refused by the validation of libs/workflow, which names them.
const open = { ...anyObject };

/** Workflow: one run. Its status is written with the object, there is no subresource. */
export const workflowCrd = crd({
  kind: "Workflow",
  plural: "workflows",
  singular: "workflow",
  shortNames: ["wf"],
  columns: [
    { description: "Status of the workflow", jsonPath: ".status.phase", name: "Status", type: "string" },
    {
      description: "When the workflow was started",
      format: "date-time",
      jsonPath: ".status.startedAt",
      name: "Age",
      type: "date",
    },
    { description: "Human readable message", jsonPath: ".status.message", name: "Message", type: "string" },
  ],
  properties: { spec: open, status: open },
  required: ["metadata", "spec"],
});

/** WorkflowTemplate: a library of templates in a namespace. */
export const workflowTemplateCrd = crd({
  kind: "WorkflowTemplate",
  plural: "workflowtemplates",
  singular: "workflowtemplate",
  shortNames: ["wftmpl"],
  properties: { spec: open },
  required: ["metadata", "spec"],
});

/** ClusterWorkflowTemplate: a library for all namespaces. */
export const clusterWorkflowTemplateCrd = crd({
  kind: "ClusterWorkflowTemplate",
  plural: "clusterworkflowtemplates",
  singular: "clusterworkflowtemplate",
  shortNames: ["clusterwftmpl", "cwft"],
  scope: "Cluster",
  properties: { spec: open },
  required: ["metadata", "spec"],
});

/** CronWorkflow: a schedule that makes Workflows. */
export const cronWorkflowCrd = crd({
  kind: "CronWorkflow",
  notActedOn: true,
  plural: "cronworkflows",
  singular: "cronworkflow",
  shortNames: ["cwf", "cronwf"],
  columns: [
    {
      description: "Last schedule time",
      format: "date-time",
      jsonPath: ".status.lastScheduledTime",
      name: "LastRun",
      type: "date",
    },
    { description: "Whether it is suspended", jsonPath: ".spec.suspend", name: "Suspend", type: "boolean" },
    ageColumn,
  ],
  properties: { spec: open, status: open },
  required: ["metadata", "spec"],
});

/** WorkflowEventBinding: an event sent to the API server that submits a Workflow. */
export const workflowEventBindingCrd = crd({
  kind: "WorkflowEventBinding",
  notActedOn: true,
  plural: "workfloweventbindings",
  singular: "workfloweventbinding",
  shortNames: ["wfeb"],
  properties: { spec: open },
  required: ["metadata", "spec"],
});

/** WorkflowTaskSet: work of a workflow's agent (http and plugin templates). */
export const workflowTaskSetCrd = crd({
  kind: "WorkflowTaskSet",
  notActedOn: true,
  plural: "workflowtasksets",
  singular: "workflowtaskset",
  shortNames: ["wfts"],
  subresources: { status: {} },
  properties: { spec: open, status: open },
  required: ["metadata", "spec"],
});

/** WorkflowTaskResult: what an executor reports of one pod; the result's fields are at top level. */
export const workflowTaskResultCrd = crd({
  kind: "WorkflowTaskResult",
  plural: "workflowtaskresults",
  singular: "workflowtaskresult",
  shortNames: [],
  properties: {
    message: text,
    outputs: object({
      artifacts: list(open),
      exitCode: text,
      parameters: list(
        object(
          {
            default: text,
            description: text,
            enum: list(text),
            globalName: text,
            name: text,
            value: text,
            valueFrom: { ...anyValue },
          },
          ["name"],
        ),
      ),
      result: text,
    }),
    phase: text,
    progress: text,
  },
  required: ["metadata"],
});

/** WorkflowArtifactGCTask: artifacts that a garbage collection pod deletes. */
export const workflowArtifactGcTaskCrd = crd({
  kind: "WorkflowArtifactGCTask",
  notActedOn: true,
  plural: "workflowartifactgctasks",
  singular: "workflowartifactgctask",
  shortNames: ["wfat"],
  subresources: { status: {} },
  properties: { spec: open, status: open },
  required: ["metadata", "spec"],
});
