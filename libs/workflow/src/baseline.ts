import type { Workflow } from "@tiphys/resources";

/** How long the last successful run of the same template took, in whole seconds. */
export interface Baseline {
  readonly seconds: number;
  /** By node name without the workflow's own, so `[0].build` and the like; the whole run has the empty name. */
  readonly nodes: ReadonlyMap<string, number>;
}

const secondsOf = ({ startedAt, finishedAt }: { startedAt?: string | null; finishedAt?: string | null }): number =>
  Math.round((Date.parse(finishedAt ?? "") - Date.parse(startedAt ?? "")) / 1000);

/** What a finished run, with its nodes unpacked, says about the next one. */
export function baselineOf({ metadata, status }: Workflow): Baseline {
  const nodes = new Map<string, number>();
  for (const node of Object.values(status?.nodes ?? {})) {
    const seconds = secondsOf(node);
    if (seconds > 0 && node.name.startsWith(metadata.name)) nodes.set(node.name.slice(metadata.name.length), seconds);
  }
  return { seconds: secondsOf(status ?? {}) || 0, nodes };
}

const LABELS = [
  "workflows.argoproj.io/workflow-template",
  "workflows.argoproj.io/cluster-workflow-template",
  "workflows.argoproj.io/cron-workflow",
] as const;

/** What a workflow is a run of: workflows that answer the same are runs of the same thing. */
export function origin({ metadata, spec }: Workflow): string | undefined {
  const reference = spec?.workflowTemplateRef;
  const of = (label: string, name: string) => `${metadata.namespace ?? ""}/${label}/${name}`;
  if (reference?.name) return of(reference.clusterScope ? LABELS[1] : LABELS[0], reference.name);
  const label = LABELS.find((each) => metadata.labels?.[each]);
  return label && of(label, metadata.labels?.[label] ?? "");
}
