import { substitute } from "@tiphys/expressions";
import type { Workflow, WorkflowSpec, WorkflowStatus } from "@tiphys/resources";
import { parameterText } from "./parameters.js";
import { creationVariables, type Globals } from "./scope.js";

/** `workflow.…` variables of a run. */
export function globalsOf(
  workflow: Workflow,
  spec: WorkflowSpec,
  status: WorkflowStatus,
  now: Date,
): Globals & { set(name: string, value: string): void } {
  const values = new Map<string, string>();
  const { metadata } = workflow;
  values.set("workflow.name", metadata.name);
  values.set("workflow.namespace", metadata.namespace ?? "");
  values.set("workflow.uid", metadata.uid ?? "");
  values.set("workflow.mainEntrypoint", spec.entrypoint ?? "");
  values.set("workflow.serviceAccountName", spec.serviceAccountName ?? "");
  if (spec.priority !== undefined) values.set("workflow.priority", String(spec.priority));
  for (const kind of ["labels", "annotations"] as const) {
    const map = { ...metadata[kind] };
    values.set(`workflow.${kind}`, JSON.stringify(map));
    values.set(`workflow.${kind}.json`, JSON.stringify(map));
    for (const [key, value] of Object.entries(map)) values.set(`workflow.${kind}.${key}`, value);
  }
  for (const [name, value] of creationVariables(new Date(metadata.creationTimestamp ?? now))) values.set(name, value);
  const scheduled = metadata.annotations?.["workflows.argoproj.io/scheduled-time"];
  if (scheduled) values.set("workflow.scheduledTime", scheduled);
  const started = Date.parse(status.startedAt ?? "");
  if (!Number.isNaN(started)) values.set("workflow.duration", ((now.getTime() - started) / 1000).toFixed(6));
  const globals = {
    get: (name: string) => values.get(name),
    names: () => values.keys(),
    set: (name: string, value: string) => void values.set(name, value),
  };
  const parameters = (spec.arguments?.parameters ?? []).flatMap((parameter) => {
    const raw =
      parameterText(parameter.value) ?? parameterText(parameter.default) ?? parameterText(parameter.valueFrom?.default);
    if (raw === undefined) return [];
    // A value may come from an event: plain names of the workflow are filled in, an expression in it stays text.
    const value = substitute(raw, (tag) => (tag.startsWith("workflow.") ? globals.get(tag) : undefined));
    values.set(`workflow.parameters.${parameter.name}`, value);
    return [{ name: parameter.name, value }];
  });
  values.set("workflow.parameters", JSON.stringify(parameters));
  values.set("workflow.parameters.json", JSON.stringify(parameters));
  for (const parameter of status.outputs?.parameters ?? []) {
    const value = parameterText(parameter.value);
    if (value !== undefined) values.set(`workflow.outputs.parameters.${parameter.name}`, value);
  }
  return globals;
}
