import { isCompleted, mergeArgs, mergeTemplates, resolveRolloutArgs, type TemplateLookup } from "@tiphys/analysis";
import { deepEqual } from "@tiphys/canonical-json";
import { changeAnnotations, changeOf } from "@tiphys/identity";
import {
  type AnalysisRun,
  type AnalysisRunSpec,
  controllerRef,
  POD_TEMPLATE_HASH_LABEL,
  ROLLOUT_REVISION_ANNOTATION,
  ROLLOUT_TYPE_LABEL,
  type Rollout,
  type RolloutAnalysis,
  STEP_INDEX_LABEL,
} from "@tiphys/resources";
import { canaryOf, stepsOf } from "./steps.js";

/** Which of a Rollout's runs is meant. */
export type RunPurpose = { readonly kind: "Step"; readonly index: number } | { readonly kind: "Background" };

/** What a run is made from. */
export interface RunRecipe {
  readonly rollout: Rollout;
  readonly purpose: RunPurpose;
  readonly analysis: RolloutAnalysis;
  readonly find: TemplateLookup;
  readonly hash: string;
  readonly stableHash: string;
  readonly revision: number;
}

const path = (purpose: RunPurpose): string =>
  purpose.kind === "Step" ? `spec.strategy.canary.steps[${purpose.index}].analysis` : "spec.strategy.canary.analysis";

/** The spec of a run; throws InvalidArgument naming the field when templates or args do not fit. */
export function runSpec(recipe: Omit<RunRecipe, "revision">): AnalysisRunSpec {
  const { analysis, rollout, purpose } = recipe;
  const merged = mergeTemplates(analysis.templates ?? [], recipe.find, path(purpose));
  const hashes = { latest: recipe.hash, stable: recipe.stableHash };
  const given = resolveRolloutArgs(analysis.args ?? [], rollout, hashes, `${path(purpose)}.args`);
  const args = mergeArgs(merged.args, given);
  const dryRun = [...merged.dryRun, ...(analysis.dryRun ?? [])];
  const measurementRetention = [...merged.measurementRetention, ...(analysis.measurementRetention ?? [])];
  return {
    metrics: merged.metrics,
    ...(args.length > 0 ? { args } : {}),
    ...(dryRun.length > 0 ? { dryRun } : {}),
    ...(measurementRetention.length > 0 ? { measurementRetention } : {}),
  };
}

const baseName = (recipe: RunRecipe): string => {
  const base = `${recipe.rollout.metadata.name}-${recipe.hash}-${recipe.revision}`;
  return recipe.purpose.kind === "Step" ? `${base}-${recipe.purpose.index}` : base;
};

/** A name that no run has: the plain one, then `.1`, `.2` and so on. */
export function freeRunName(recipe: RunRecipe, runs: readonly AnalysisRun[]): string {
  const base = baseName(recipe);
  const taken = new Set(runs.map((run) => run.metadata.name));
  let name = base;
  for (let n = 1; taken.has(name); n++) name = `${base}.${n}`;
  return name;
}

/** The AnalysisRun `name` made by a recipe. */
export function newRun(recipe: RunRecipe, name: string): AnalysisRun {
  const { rollout, purpose, analysis } = recipe;
  return {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "AnalysisRun",
    metadata: {
      name,
      ...(rollout.metadata.namespace ? { namespace: rollout.metadata.namespace } : {}),
      labels: {
        ...analysis.analysisRunMetadata?.labels,
        [POD_TEMPLATE_HASH_LABEL]: recipe.hash,
        [ROLLOUT_TYPE_LABEL]: purpose.kind,
        ...(purpose.kind === "Step" ? { [STEP_INDEX_LABEL]: String(purpose.index) } : {}),
      },
      annotations: {
        ...analysis.analysisRunMetadata?.annotations,
        [ROLLOUT_REVISION_ANNOTATION]: String(recipe.revision),
        ...changeAnnotations(changeOf(rollout)),
      },
      ownerReferences: [controllerRef(rollout)],
    },
    spec: runSpec(recipe),
  };
}

/** True when `run` is what the recipe would make: a run that a crash left unrecorded is taken up, not made again. */
export const madeBy = (run: AnalysisRun, recipe: RunRecipe): boolean =>
  !isCompleted(run.status?.phase) &&
  run.spec.terminate !== true &&
  run.metadata.labels?.[POD_TEMPLATE_HASH_LABEL] === recipe.hash &&
  run.metadata.labels?.[ROLLOUT_TYPE_LABEL] === recipe.purpose.kind &&
  deepEqual(run.spec.metrics, runSpec(recipe).metrics);

/** The analyses that a Rollout's spec names, for reading and checking their templates. */
export function analysesOf(rollout: Rollout): readonly { purpose: RunPurpose; analysis: RolloutAnalysis }[] {
  const background = canaryOf(rollout).analysis;
  return [
    ...stepsOf(rollout).flatMap((step, index) =>
      step.analysis ? [{ purpose: { kind: "Step" as const, index }, analysis: step.analysis }] : [],
    ),
    ...(background ? [{ purpose: { kind: "Background" as const }, analysis: background }] : []),
  ];
}

/** Finished runs beyond the history limits, and runs whose ReplicaSet is gone. */
export function runsToDelete(
  rollout: Rollout,
  runs: readonly AnalysisRun[],
  hashes: ReadonlySet<string>,
  inUse: ReadonlySet<string>,
): readonly AnalysisRun[] {
  const { successfulRunHistoryLimit: good = 5, unsuccessfulRunHistoryLimit: bad = 5 } = rollout.spec.analysis ?? {};
  const orphaned: AnalysisRun[] = [];
  const finished: { good: AnalysisRun[]; bad: AnalysisRun[] } = { good: [], bad: [] };
  for (const run of runs) {
    if (run.metadata.deletionTimestamp || inUse.has(run.metadata.name)) continue;
    if (!hashes.has(run.metadata.labels?.[POD_TEMPLATE_HASH_LABEL] ?? "")) orphaned.push(run);
    else if (isCompleted(run.status?.phase)) finished[run.status?.phase === "Successful" ? "good" : "bad"].push(run);
  }
  const excess = (list: AnalysisRun[], keep: number) =>
    list
      .sort((a, b) => ((a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? -1 : 1))
      .slice(0, Math.max(0, list.length - keep));
  return [...orphaned, ...excess(finished.good, good), ...excess(finished.bad, bad)];
}
