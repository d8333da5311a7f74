import type { ReplicaSet, Rollout } from "@tiphys/resources";
import { canaryOf, maxWeightOf, replicasOf, stepsOf, weightAt } from "./steps.js";

/** A Rollout in the words of lists and screens. */
export interface RolloutInfo {
  readonly namespace: string;
  readonly name: string;
  readonly status: string;
  readonly message: string;
  readonly strategy: "Canary" | "BlueGreen" | "";
  /** `2/5`; empty without steps. */
  readonly step: string;
  readonly setWeight: string;
  readonly actualWeight: string;
  readonly desired: number;
  readonly current: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
}

/** Summarizes a Rollout; messages that depend on the observed generation are computed here, as clients do. */
export function rolloutInfo(rollout: Rollout, replicaSets: readonly ReplicaSet[] = []): RolloutInfo {
  const status = rollout.status ?? {};
  const steps = stepsOf(rollout);
  const index = Math.min(status.currentStepIndex ?? 0, steps.length);
  const canary = rollout.spec.strategy?.canary;
  const most = maxWeightOf(canaryOf(rollout));
  const observed = status.observedGeneration === String(rollout.metadata.generation ?? 0);
  const promoted = status.stableRS !== undefined && status.stableRS === status.currentPodHash;
  const wanted = status.abort ? 0 : promoted ? most : weightAt(steps, index, most);
  const updated = status.updatedReplicas ?? 0;
  const available = status.availableReplicas ?? 0;
  const latest = replicaSets.find(
    (set) => set.metadata.labels?.["rollouts-pod-template-hash"] === status.currentPodHash,
  );
  const share = Math.round((100 * (latest?.status?.availableReplicas ?? updated)) / Math.max(1, available));
  const actual = promoted
    ? most
    : (status.canary?.weights?.canary.weight ?? (available === 0 ? 0 : Math.min(100, share)));
  return {
    namespace: rollout.metadata.namespace ?? "",
    name: rollout.metadata.name,
    status: observed ? (status.phase ?? "Progressing") : "Progressing",
    message: observed ? (status.message ?? "") : "waiting for rollout spec update to be observed",
    strategy: canary ? "Canary" : rollout.spec.strategy?.blueGreen ? "BlueGreen" : "",
    step: steps.length > 0 ? `${index}/${steps.length}` : "",
    setWeight: canary ? String(wanted) : "",
    actualWeight: canary ? String(actual) : "",
    desired: replicasOf(rollout),
    current: status.replicas ?? 0,
    updated,
    ready: status.readyReplicas ?? 0,
    available,
  };
}
