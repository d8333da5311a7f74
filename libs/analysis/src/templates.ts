import { InvalidArgumentError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type {
  AnalysisArg,
  AnalysisTemplate,
  AnalysisTemplateRef,
  AnalysisTemplateSpec,
  DryRun,
  MeasurementRetention,
  Metric,
} from "@tiphys/resources";

/** Finds a template by name; undefined when it does not exist. */
export type TemplateLookup = (ref: AnalysisTemplateRef) => AnalysisTemplate | undefined;

/** Key of a template in maps: `name`, or `cluster/name`. */
export const templateKey = (ref: AnalysisTemplateRef): string =>
  ref.clusterScope ? `cluster/${ref.templateName}` : ref.templateName;

export interface MergedTemplates {
  metrics: Metric[];
  args: AnalysisArg[];
  dryRun: DryRun[];
  measurementRetention: MeasurementRetention[];
}

const kindOf = (ref: AnalysisTemplateRef): string =>
  ref.clusterScope ? "ClusterAnalysisTemplate" : "AnalysisTemplate";

/** One flat list of everything that `refs` and the templates they name ask for. Field paths start with `path`. */
export function mergeTemplates(
  refs: readonly AnalysisTemplateRef[],
  find: TemplateLookup,
  path: string,
): MergedTemplates {
  const merged: MergedTemplates = { metrics: [], args: [], dryRun: [], measurementRetention: [] };
  const seen = new Set<string>();
  const add = (ref: AnalysisTemplateRef, at: string, depth: number): void => {
    const key = templateKey(ref);
    if (seen.has(key)) return;
    seen.add(key);
    if (depth > limits.templateDepth) throw new InvalidArgumentError(at, "nests templates too deep");
    const template = find(ref);
    if (!template)
      throw new InvalidArgumentError(`${at}.templateName`, `${kindOf(ref)} "${ref.templateName}" not found`);
    addSpec(merged, template.spec, `${kindOf(ref)} "${ref.templateName}"`);
    template.spec.templates?.forEach((nested, index) => {
      add(nested, `${at}: ${kindOf(ref)} "${ref.templateName}": spec.templates[${index}]`, depth + 1);
    });
  };
  refs.forEach((ref, index) => {
    add(ref, `${path}.templates[${index}]`, 1);
  });
  if (refs.length > 0 && merged.metrics.length === 0) {
    throw new InvalidArgumentError(`${path}.templates`, "have no metrics");
  }
  return merged;
}

function addSpec(merged: MergedTemplates, spec: AnalysisTemplateSpec, owner: string): void {
  for (const metric of spec.metrics ?? []) {
    if (merged.metrics.some((other) => other.name === metric.name)) {
      throw new InvalidArgumentError("", `${owner}: two metrics have the name "${metric.name}"`);
    }
    merged.metrics.push(metric);
  }
  for (const arg of spec.args ?? []) {
    const other = merged.args.find((known) => known.name === arg.name);
    if (!other) merged.args.push({ ...arg });
    else if (other.value === undefined && !other.valueFrom) Object.assign(other, arg);
    else if ((arg.value !== undefined || arg.valueFrom) && JSON.stringify(other) !== JSON.stringify(arg)) {
      throw new InvalidArgumentError("", `${owner}: args.${arg.name} has different values in two templates`);
    }
  }
  for (const rule of spec.dryRun ?? []) merged.dryRun.push(rule);
  for (const rule of spec.measurementRetention ?? []) merged.measurementRetention.push(rule);
}
