import { parseDuration } from "@tiphys/expressions";
import type { CanaryStep, CanaryStrategy, Rollout, RolloutPause } from "@tiphys/resources";

export const DEFAULT_MAX_WEIGHT = 100;

/** The weight that means "all traffic". */
export const maxWeightOf = (canary: CanaryStrategy): number =>
  canary.trafficRouting?.maxTrafficWeight ?? DEFAULT_MAX_WEIGHT;

export const canaryOf = (rollout: Rollout): CanaryStrategy => rollout.spec.strategy?.canary ?? {};
export const stepsOf = (rollout: Rollout): readonly CanaryStep[] => canaryOf(rollout).steps ?? [];
export const replicasOf = (rollout: Rollout): number => rollout.spec.replicas ?? 1;

const kinds = [
  "setWeight",
  "pause",
  "setCanaryScale",
  "analysis",
  "experiment",
  "setHeaderRoute",
  "setMirrorRoute",
  "plugin",
] as const;
export type StepKind = (typeof kinds)[number];

/** The kinds that are set in a step; a good step has one. */
export const stepKinds = (step: CanaryStep): readonly StepKind[] => kinds.filter((kind) => step[kind] !== undefined);

/** Milliseconds of a pause; undefined lasts until somebody promotes; NaN is no duration. */
export function pauseMilliseconds(pause: RolloutPause): number | undefined {
  const { duration } = pause;
  if (duration === undefined) return undefined;
  if (typeof duration === "number") return duration * 1000;
  if (/^\d+$/.test(duration)) return Number(duration) * 1000;
  return parseDuration(duration)?.milliseconds ?? Number.NaN;
}

/** A step as events, CLI and UI show it. */
export function describeStep(step: CanaryStep): string {
  if (step.setWeight !== undefined) return `setWeight: ${step.setWeight}`;
  if (step.pause) {
    const { duration } = step.pause;
    if (duration === undefined) return "pause";
    return `pause: ${/^\d+$/.test(String(duration)) ? `${duration}s` : duration}`;
  }
  if (step.setCanaryScale) {
    const { weight, replicas, matchTrafficWeight } = step.setCanaryScale;
    if (weight !== undefined) return `setCanaryScale{weight: ${weight}}`;
    if (replicas !== undefined) return `setCanaryScale{replicas: ${replicas}}`;
    return matchTrafficWeight ? "setCanaryScale{matchTrafficWeight: true}" : "setCanaryScale";
  }
  if (step.analysis) return "analysis";
  if (step.experiment) return "experiment";
  if (step.setHeaderRoute) return `setHeaderRoute: ${String(step.setHeaderRoute["name"] ?? "")}`;
  if (step.setMirrorRoute) return `setMirrorRoute: ${String(step.setMirrorRoute["name"] ?? "")}`;
  if (step.plugin) return `plugin: ${String(step.plugin["name"] ?? "")}`;
  return "";
}

/** The weight wanted at step `index`: the last setWeight up to it, everything after the last step, nothing before the first. */
export function weightAt(steps: readonly CanaryStep[], index: number, maxWeight: number): number {
  if (index >= steps.length) return maxWeight;
  for (let i = index; i >= 0; i--) {
    const weight = steps[i]?.setWeight;
    if (weight !== undefined) return Math.min(weight, maxWeight);
  }
  return 0;
}

/** The weight that was wanted before step `index`. */
export const weightBefore = (steps: readonly CanaryStep[], index: number, maxWeight: number): number =>
  index <= 0 ? 0 : weightAt(steps, Math.min(index, steps.length) - 1, maxWeight);

/** The setCanaryScale in force at step `index`: it holds until a later matchTrafficWeight. */
export function canaryScaleAt(
  steps: readonly CanaryStep[],
  index: number,
): { weight: number } | { replicas: number } | undefined {
  if (index >= steps.length) return undefined;
  for (let i = index; i >= 0; i--) {
    const scale = steps[i]?.setCanaryScale;
    if (!scale) continue;
    if (scale.matchTrafficWeight) return undefined;
    if (scale.replicas !== undefined) return { replicas: scale.replicas };
    if (scale.weight !== undefined) return { weight: scale.weight };
  }
  return undefined;
}
