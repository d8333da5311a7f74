import type { WorkflowParameter, WorkflowSpec, WorkflowTemplateRef, WorkflowTemplateSpec } from "@tiphys/resources";
import type { TemplateSource } from "./facts.js";

/** Whose templates a bare template name means. */
export interface Library {
  /** `local`, `namespaced` or `cluster`. */
  readonly scope: string;
  readonly resource: string;
  readonly spec: WorkflowSpec;
}

/** How a step, task or hook says what it runs. */
export interface TemplateHolder {
  readonly name?: string;
  readonly template?: string;
  readonly templateRef?: WorkflowTemplateRef;
  readonly inline?: WorkflowTemplateSpec;
}

export type Resolved =
  | { readonly template: WorkflowTemplateSpec; readonly library: Library }
  | { readonly problem: string };

export const scopeText = (library: Library): string => `${library.scope}/${library.resource}`;

/** Finds the template a holder means: its own inline one, one of another library, or one of the library it is written in. */
export function resolveTemplate(holder: TemplateHolder, library: Library, source: TemplateSource): Resolved {
  if (holder.inline) return { template: { ...holder.inline, name: holder.inline.name ?? "" }, library };
  const reference = holder.templateRef;
  if (reference) {
    const cluster = reference.clusterScope === true;
    const name = reference.name ?? "";
    const spec = cluster ? source.clusterWorkflowTemplate(name) : source.workflowTemplate(name);
    if (!spec) return { problem: `${cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate"} "${name}" not found` };
    const other: Library = { scope: cluster ? "cluster" : "namespaced", resource: name, spec };
    const template = find(spec, reference.template);
    if (!template) return { problem: `template ${reference.template ?? ""} not found in ${scopeText(other)}` };
    return { template: withDefaults(template, spec), library: other };
  }
  const template = find(library.spec, holder.template);
  if (!template) return { problem: `template name '${holder.template ?? ""}' undefined` };
  return { template: withDefaults(template, library.spec), library };
}

const indexes = new WeakMap<WorkflowSpec, Map<string, WorkflowTemplateSpec>>();

function find(spec: WorkflowSpec, name: string | undefined): WorkflowTemplateSpec | undefined {
  let index = indexes.get(spec);
  if (!index) {
    index = new Map((spec.templates ?? []).map((template) => [template.name ?? "", template]));
    indexes.set(spec, index);
  }
  return index.get(name ?? "");
}

function withDefaults(template: WorkflowTemplateSpec, spec: WorkflowSpec): WorkflowTemplateSpec {
  return spec.templateDefaults ? (merge(spec.templateDefaults, template) as WorkflowTemplateSpec) : template;
}

function merge(below: unknown, above: unknown): unknown {
  if (!isObject(below) || !isObject(above)) return above === undefined ? below : above;
  const merged: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) merged[key] = merge(below[key], value);
  return merged;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The spec a workflow runs: its own over that of its workflowTemplateRef; arguments merge by name. */
export function effectiveSpec(own: WorkflowSpec, stored: WorkflowSpec | undefined): WorkflowSpec {
  if (!stored) return own;
  const merged = merge(stored, own) as WorkflowSpec;
  const parameters = mergeParameters(stored.arguments?.parameters ?? [], own.arguments?.parameters ?? []);
  const artifacts = own.arguments?.artifacts ?? stored.arguments?.artifacts;
  if (parameters.length > 0 || artifacts) {
    merged.arguments = { ...(parameters.length > 0 ? { parameters } : {}), ...(artifacts ? { artifacts } : {}) };
  }
  if (own.templates === undefined || own.templates.length === 0) merged.templates = stored.templates ?? [];
  return merged;
}

function mergeParameters(
  below: readonly WorkflowParameter[],
  above: readonly WorkflowParameter[],
): WorkflowParameter[] {
  const given = new Map(above.map((parameter) => [parameter.name, parameter]));
  const merged = below.map((parameter) => {
    const over = given.get(parameter.name);
    given.delete(parameter.name);
    return over ? { ...parameter, ...over } : parameter;
  });
  return [...merged, ...given.values()];
}
