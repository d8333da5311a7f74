import { clone } from "@tiphys/canonical-json";
import { FailedPreconditionError, NotFoundError } from "@tiphys/errors";
import { CHANGE_ANNOTATION, TRACEPARENT_ANNOTATION } from "@tiphys/identity";
import { POD_TEMPLATE_HASH_LABEL, type PodTemplate, type ReplicaSet, type Rollout } from "@tiphys/resources";
import { revisionOf } from "./replica-sets.js";
import { stepsOf } from "./steps.js";

/** One patch of a Rollout. A status patch goes to the status subresource, or to the plain object where there is none. */
export interface RolloutPatch {
  readonly subresource?: "status";
  readonly type: "merge" | "json";
  readonly body: object;
}

const spec = (fields: object): RolloutPatch => ({ type: "merge", body: { spec: fields } });
const status = (fields: object): RolloutPatch => ({ subresource: "status", type: "merge", body: { status: fields } });

export const pausePatch = (): readonly RolloutPatch[] => [spec({ paused: true })];

/** Ends a pause, or the running step; with `full` skips steps, pauses and analysis. No patch when there is nothing to do. */
export function promotePatch(rollout: Rollout, options: { full?: boolean } = {}): readonly RolloutPatch[] {
  const now = rollout.status ?? {};
  const patches: RolloutPatch[] = rollout.spec.paused ? [spec({ paused: false })] : [];
  if (options.full) {
    if (now.currentPodHash !== now.stableRS) patches.push(status({ promoteFull: true }));
    return patches;
  }
  const pauses = now.pauseConditions ?? [];
  const steps = stepsOf(rollout);
  const next = Math.min((now.currentStepIndex ?? 0) + 1, steps.length);
  if (pauses.length > 0) {
    const inconclusive = pauses.some(({ reason }) => reason === "InconclusiveAnalysisRun");
    patches.push(
      status(
        inconclusive && now.controllerPause && steps.length > 0
          ? { pauseConditions: null, controllerPause: false, currentStepIndex: next }
          : { pauseConditions: null },
      ),
    );
  } else if (steps.length > 0 && now.currentPodHash !== now.stableRS && (now.currentStepIndex ?? 0) < steps.length) {
    if (!rollout.spec.paused) patches.push(status({ pauseConditions: null, currentStepIndex: next }));
  }
  return patches;
}

/** The same as promoting without `full`. */
export const resumePatch = (rollout: Rollout): readonly RolloutPatch[] => promotePatch(rollout);

export const abortPatch = (): readonly RolloutPatch[] => [status({ abort: true })];
export const retryPatch = (): readonly RolloutPatch[] => [status({ abort: false })];

export const restartPatch = (at: Date): readonly RolloutPatch[] => [
  spec({ restartAt: `${at.toISOString().slice(0, 19)}Z` }),
];

/** Puts the template of an earlier revision back; the last one but the current when none is named. */
export function undoPatch(
  rollout: Rollout,
  replicaSets: readonly ReplicaSet[],
  toRevision = 0,
): readonly RolloutPatch[] {
  const name = rollout.metadata.name;
  if (rollout.spec.workloadRef)
    throw new FailedPreconditionError(`Rollout "${name}" takes its template from spec.workloadRef: undo it there`);
  const newest = [...replicaSets].sort((a, b) => revisionOf(b) - revisionOf(a));
  const target = toRevision > 0 ? newest.find((set) => revisionOf(set) === toRevision) : newest[1];
  if (!target) {
    const known = newest.map(revisionOf).filter(Boolean).join(", ") || "none";
    throw new NotFoundError(
      toRevision > 0
        ? `revision ${toRevision} of Rollout "${name}" is not kept; kept revisions: ${known}`
        : `Rollout "${name}" has no earlier revision to go back to`,
    );
  }
  return [
    { type: "json", body: [{ op: "replace", path: "/spec/template", value: plainTemplate(target.spec.template) }] },
  ];
}

/** A ReplicaSet's template as it was in the Rollout. */
function plainTemplate(template: PodTemplate): PodTemplate {
  const copy = clone(template);
  const labels = copy.metadata?.labels;
  if (labels) delete labels[POD_TEMPLATE_HASH_LABEL];
  const annotations = copy.metadata?.annotations;
  if (annotations && copy.metadata) {
    delete annotations[CHANGE_ANNOTATION];
    delete annotations[TRACEPARENT_ANNOTATION];
    if (Object.keys(annotations).length === 0) delete copy.metadata.annotations;
  }
  return copy;
}
