import { later, timeText } from "@tiphys/analysis";
import {
  MANAGED_BY_ROLLOUTS_ANNOTATION,
  POD_TEMPLATE_HASH_LABEL,
  type ReplicaSet,
  ROLLOUT_DESIRED_REPLICAS_ANNOTATION,
  SCALE_DOWN_DEADLINE_ANNOTATION,
} from "@tiphys/resources";
import {
  basicCanarySplit,
  boundedMove,
  headroom,
  type Split,
  sufficientPods,
  trafficRoutedSplit,
} from "./arithmetic.js";
import { allStepsDone, event, hasStable, indexOf, lookAt, type Pass, promoted, turnedBack } from "./pass.js";
import {
  availableOf,
  hashOf,
  latestSetPatch,
  newReplicaSet,
  type ReplicaSetPatch,
  revisionOf,
  setsToDelete,
  specReplicas,
} from "./replica-sets.js";
import { canaryScaleAt, maxWeightOf, weightAt, weightBefore } from "./steps.js";

const DEFAULT_SCALE_DOWN_DELAY = 30;

/** The canary's share that the Rollout is to have now. */
export function wantedWeight(pass: Pass): number {
  const most = maxWeightOf(pass.canary);
  if (turnedBack(pass)) return 0;
  if (pass.status.promoteFull || allStepsDone(pass)) return most;
  return weightAt(pass.steps, indexOf(pass), most);
}

/** The pods that the two live sets are to have now. */
function wantedSplit(pass: Pass): Split {
  const { replicas, canary } = pass;
  if (!hasStable(pass) || promoted(pass)) return { canary: replicas, stable: 0 };
  const most = maxWeightOf(canary);
  const weight = wantedWeight(pass);
  if (!pass.router) return basicCanarySplit(replicas, weight, most, headroom(canary, replicas).surge);
  if (turnedBack(pass)) return { canary: abortedCanary(pass), stable: replicas };
  const least = Math.min(replicas, canary.minPodsPerReplicaSet ?? 1);
  const scale = pass.status.promoteFull ? undefined : canaryScaleAt(pass.steps, indexOf(pass));
  if (scale && "replicas" in scale) return { canary: scale.replicas, stable: replicas };
  return trafficRoutedSplit(replicas, scale?.weight ?? weight, scale ? 100 : most, least);
}

/** An aborted, traffic-routed canary keeps its pods for a while, so that requests in hand end well. */
function abortedCanary(pass: Pass): number {
  const seconds = pass.canary.abortScaleDownDelaySeconds ?? DEFAULT_SCALE_DOWN_DELAY;
  const now = specReplicas(pass.sets.latest);
  if (seconds === 0 || !pass.status.abortedAt) return now;
  const deadline = later(pass.status.abortedAt, seconds * 1000);
  if (deadline.getTime() <= pass.now.getTime()) return 0;
  if (now > 0) lookAt(pass, deadline);
  return now;
}

/** True when pods and weight are what the current step asks for. */
export function countsReached(pass: Pass): boolean {
  const { latest, stable, older } = pass.sets;
  const split = wantedSplit(pass);
  if (specReplicas(latest) !== split.canary) return false;
  if (availableOf(latest) < sufficientPods(pass.canary, split.canary)) return false;
  if (pass.router) return weightIs(pass, wantedWeight(pass));
  if (stable && specReplicas(stable) !== split.stable) return false;
  return older.every((set) => specReplicas(set) === 0);
}

const weightIs = (pass: Pass, weight: number): boolean =>
  pass.router === undefined || pass.router.writes(pass.rollout, pass.state.routerObjects, weight).length === 0;

/** True when the new pods get all traffic, as far as a router decides that. */
export const routedFully = (pass: Pass): boolean =>
  !hasStable(pass) || promoted(pass) || weightIs(pass, maxWeightOf(pass.canary));

/** The weight that may be set now: it rises only when the pods for it are there. */
function allowedWeight(pass: Pass): number {
  const { latest } = pass.sets;
  if (promoted(pass) || turnedBack(pass) || availableOf(latest) === 0) return 0;
  const wanted = wantedWeight(pass);
  const have = pass.status.canary.weights?.canary.weight ?? 0;
  if (wanted <= have) return wanted;
  const split = wantedSplit(pass);
  const ready =
    specReplicas(latest) === split.canary && availableOf(latest) >= sufficientPods(pass.canary, split.canary);
  return ready ? wanted : Math.min(have, weightBefore(pass.steps, indexOf(pass), maxWeightOf(pass.canary)));
}

/** Points Services at their pods and moves traffic; routers come after the Services they name. */
export function moveTraffic(pass: Pass): void {
  const { canary, sets, status, rollout } = pass;
  if (hasStable(pass) && canary.stableService && sets.all.some((set) => hashOf(set) === status.stableRS)) {
    select(pass, canary.stableService, status.stableRS as string);
  }
  if (canary.canaryService && hasStable(pass)) {
    const idle = turnedBack(pass) && specReplicas(sets.latest) === 0;
    if (idle) select(pass, canary.canaryService, status.stableRS as string);
    else if (promoted(pass) || availableOf(sets.latest) > 0) select(pass, canary.canaryService, sets.hash);
  }
  if (!pass.router || !hasStable(pass)) return;
  const weight = allowedWeight(pass);
  for (const write of pass.router.writes(rollout, pass.state.routerObjects, weight)) {
    pass.actions.push({ kind: "route", write, ...inNamespace(pass) });
  }
  const before = status.canary.weights?.canary.weight;
  if (before !== weight) {
    const from = before === undefined ? "" : ` from ${before}`;
    event(pass, "Normal", "TrafficWeightUpdated", `Traffic weight updated${from} to ${weight}`);
  }
  const most = maxWeightOf(canary);
  const destination = (share: number, service: string | undefined, hash: string) => ({
    weight: share,
    ...(service ? { serviceName: service } : {}),
    podTemplateHash: hash,
  });
  status.canary.weights = {
    canary: destination(weight, canary.canaryService, sets.hash),
    stable: destination(most - weight, canary.stableService, status.stableRS ?? ""),
  };
}

const inNamespace = (pass: Pass) =>
  pass.rollout.metadata.namespace ? { namespace: pass.rollout.metadata.namespace } : {};

function select(pass: Pass, service: string, hash: string): void {
  const live = pass.state.services[service];
  const owner = pass.rollout.metadata.name;
  const selected = live?.["spec"]?.selector?.[POD_TEMPLATE_HASH_LABEL];
  if (selected === hash && live?.metadata.annotations?.[MANAGED_BY_ROLLOUTS_ANNOTATION] === owner) return;
  pass.actions.push({ kind: "selectPods", service, hash, owner, ...inNamespace(pass) });
  event(
    pass,
    "Normal",
    "SwitchService",
    `Switched selector for service '${service}' from '${selected ?? ""}' to '${hash}'`,
  );
}

/** Makes and scales the ReplicaSets. */
export function movePods(pass: Pass): void {
  const { sets, rollout, revision } = pass;
  if (rollout.spec.paused) {
    if (!scaledByUser(pass)) return;
    pass.reasons.push({ code: "ScaledWhilePaused", message: "spec.replicas has changed; the split stays" });
  }
  const { latest } = sets;
  const goal = goals(pass);
  if (!latest) {
    if (rollout.spec.paused) return;
    const set = newReplicaSet(rollout, sets.hash, revision, goal.canary);
    pass.actions.push({ kind: "createReplicaSet", set });
    event(pass, "Normal", "NewReplicaSetCreated", `Created ReplicaSet ${set.metadata.name} (revision ${revision})`);
  } else {
    patchSet(pass, latest, goal.canary, latestSetPatch(rollout, latest, revision));
  }
  if (sets.stable && sets.stable !== latest) patchSet(pass, sets.stable, goal.stable, {});
  sets.older.forEach((set, index) => {
    const { replicas, ...patch } = goal.older[index] ?? {};
    patchSet(pass, set, replicas ?? specReplicas(set), patch);
  });
  for (const set of setsToDelete(rollout, sets.older)) {
    pass.actions.push({
      kind: "deleteReplicaSet",
      name: set.metadata.name,
      uid: set.metadata.uid ?? "",
      ...inNamespace(pass),
    });
  }
}

interface Goals {
  readonly canary: number;
  readonly stable: number;
  readonly older: readonly ReplicaSetPatch[];
}

function goals(pass: Pass): Goals {
  const { sets, canary, replicas } = pass;
  const stable = sets.stable === sets.latest ? undefined : sets.stable;
  const wanted = pass.rollout.spec.paused ? keptSplit(pass) : wantedSplit(pass);
  if (pass.router) return { ...wanted, older: sets.older.map((set) => retire(pass, set)) };
  const pods = (set: ReplicaSet | undefined) => ({ replicas: specReplicas(set), available: availableOf(set) });
  const { surge, unavailable } = headroom(canary, replicas);
  const move = boundedMove({
    replicas,
    surge,
    unavailable,
    canary: pods(sets.latest),
    stable: pods(stable),
    older: sets.older.map(pods),
    wanted: stable || !hasStable(pass) || promoted(pass) ? wanted : { canary: replicas, stable: 0 },
  });
  return { canary: move.canary, stable: move.stable, older: move.older.map((count) => ({ replicas: count })) };
}

/** While paused by a person, a change of spec.replicas keeps the share that the sets have. */
function keptSplit(pass: Pass): Split {
  if (pass.router || pass.steps.length > 0 || !hasStable(pass) || promoted(pass)) return wantedSplit(pass);
  const { latest, stable } = pass.sets;
  const total = specReplicas(latest) + specReplicas(stable);
  const weight = total === 0 ? 0 : (100 * specReplicas(latest)) / total;
  return basicCanarySplit(pass.replicas, weight, 100, headroom(pass.canary, pass.replicas).surge);
}

const scaledByUser = (pass: Pass): boolean =>
  [pass.sets.latest, pass.sets.stable].some((set) => {
    const desired = set?.metadata.annotations?.[ROLLOUT_DESIRED_REPLICAS_ANNOTATION];
    return desired !== undefined && desired !== String(pass.replicas);
  });

/** An old set of a traffic-routed Rollout keeps its pods until its deadline: requests may still be on their way. */
function retire(pass: Pass, set: ReplicaSet): ReplicaSetPatch {
  if (specReplicas(set) === 0) return {};
  const { scaleDownDelaySeconds = DEFAULT_SCALE_DOWN_DELAY, scaleDownDelayRevisionLimit: most } = pass.canary;
  const newer = pass.sets.older.filter(
    (other) => specReplicas(other) > 0 && revisionOf(other) > revisionOf(set),
  ).length;
  if (scaleDownDelaySeconds === 0 || (most !== undefined && newer >= most)) return { replicas: 0 };
  const deadline = set.metadata.annotations?.[SCALE_DOWN_DEADLINE_ANNOTATION];
  if (deadline === undefined || Number.isNaN(Date.parse(deadline))) {
    const at = later(pass.now, scaleDownDelaySeconds * 1000);
    lookAt(pass, at);
    return { annotations: { [SCALE_DOWN_DEADLINE_ANNOTATION]: timeText(at) } };
  }
  if (Date.parse(deadline) > pass.now.getTime()) {
    lookAt(pass, new Date(deadline));
    return {};
  }
  return { replicas: 0, annotations: { [SCALE_DOWN_DEADLINE_ANNOTATION]: null } };
}

function patchSet(pass: Pass, set: ReplicaSet, replicas: number, base: ReplicaSetPatch): void {
  const have = specReplicas(set);
  const patch: ReplicaSetPatch = { ...base };
  const desired = String(pass.replicas);
  const live = replicas > 0 || have > 0;
  if (live && set.metadata.annotations?.[ROLLOUT_DESIRED_REPLICAS_ANNOTATION] !== desired) {
    patch.annotations = { ...patch.annotations, [ROLLOUT_DESIRED_REPLICAS_ANNOTATION]: desired };
  }
  if (have !== replicas) {
    patch.replicas = replicas;
    const word = replicas > have ? "up" : "down";
    event(
      pass,
      "Normal",
      "ScalingReplicaSet",
      `Scaled ${word} ReplicaSet ${set.metadata.name} (revision ${revisionOf(set)}) from ${have} to ${replicas}`,
    );
  }
  if (Object.keys(patch).length === 0) return;
  pass.actions.push({ kind: "patchReplicaSet", name: set.metadata.name, patch, ...inNamespace(pass) });
}
