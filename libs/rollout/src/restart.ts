import { later } from "@tiphys/analysis";
import { controllerOf, type KubeObject, type Rollout } from "@tiphys/resources";
import { headroom } from "./arithmetic.js";
import { lookAt, type Pass } from "./pass.js";

/** How often pods are looked at again that could not be evicted, for example because of a disruption budget. */
const LOOK_AGAIN_MS = 30_000;

/** True when spec.restartAt asks for a restart that is not done; the pass then needs the pods. */
export const restartPending = (rollout: Rollout): boolean =>
  rollout.spec?.restartAt !== undefined && rollout.spec.restartAt !== rollout.status?.restartedAt;

/** Evicts pods that are older than spec.restartAt: a few at a time, those of the stable set first. */
export function restartPods(pass: Pass): void {
  const { rollout, sets, state, replicas } = pass;
  const { restartAt } = rollout.spec;
  if (!restartAt || !restartPending(rollout) || !state.pods) return;
  const at = new Date(restartAt);
  if (at.getTime() > pass.now.getTime()) {
    lookAt(pass, at);
    return;
  }
  const live = [sets.stable, sets.latest].filter((set, index, all) => set && all.indexOf(set) === index);
  const ranks = new Map(live.map((set, index) => [set?.metadata.uid, index]));
  const owned = state.pods.filter((pod) => ranks.has(controllerOf(pod)?.uid ?? ""));
  const old = owned
    .filter((pod) => Date.parse(pod.metadata.creationTimestamp ?? "") < at.getTime())
    .sort((a, b) => rank(ranks, a) - rank(ranks, b));
  if (old.length === 0) {
    pass.status.restartedAt = restartAt;
    return;
  }
  const wanted = live.reduce((sum, set) => sum + (set?.spec.replicas ?? 0), 0);
  const serving = owned.filter((pod) => !pod.metadata.deletionTimestamp && isReady(pod)).length;
  const most = Math.max(1, headroom(pass.canary, replicas).unavailable);
  const may = Math.max(0, most - Math.max(0, wanted - serving));
  for (const pod of old.filter((pod) => !pod.metadata.deletionTimestamp).slice(0, may)) {
    pass.actions.push({ kind: "evictPod", name: pod.metadata.name });
  }
  pass.reasons.push({ code: "Restarting", message: `${old.length} pods are older than spec.restartAt` });
  lookAt(pass, later(pass.now, LOOK_AGAIN_MS));
}

const rank = (ranks: ReadonlyMap<string | undefined, number>, pod: KubeObject): number =>
  ranks.get(controllerOf(pod)?.uid) ?? 0;

const isReady = (pod: KubeObject): boolean =>
  (pod["status"]?.conditions ?? []).some(
    (condition: { type: string; status: string }) => condition.type === "Ready" && condition.status === "True",
  );
