import { messageOf } from "@tiphys/errors";
import {
  MANAGED_BY_ROLLOUTS_ANNOTATION,
  type ReplicaSet,
  ROLLOUT_REVISION_ANNOTATION,
  type Rollout,
  type RolloutStatus,
} from "@tiphys/resources";
import { withCondition } from "./conditions.js";
import { advance, followRuns, noticeChange, noticeRequests } from "./decide.js";
import { durationOf } from "./duration.js";
import { beginPass, decided, lookAt, type Pass, type RolloutPlan, type RolloutState } from "./pass.js";
import { movePods, moveTraffic } from "./pods.js";
import { hashOf, sortSets } from "./replica-sets.js";
import { restartPods } from "./restart.js";
import type { TrafficRouter } from "./router.js";
import { analysesOf, runSpec, runsToDelete } from "./runs.js";
import { conditionsFor, countPods, phaseOf, progressDeadline } from "./status.js";
import { canaryOf } from "./steps.js";
import { type FieldProblem, validateRollout } from "./validate.js";

/** Services that a Rollout names. */
export const servicesOf = (rollout: Rollout): readonly string[] =>
  [canaryOf(rollout).stableService, canaryOf(rollout).canaryService].filter((name): name is string => !!name);

/** The name of the ReplicaSet that has to be created, or undefined when it exists or the spec has no template. */
export function wantedSetName(rollout: Rollout, owned: readonly ReplicaSet[]): string | undefined {
  if (!rollout.spec?.template?.spec) return undefined;
  const sets = sortSets(rollout, owned);
  return sets.latest ? undefined : `${rollout.metadata.name}-${sets.hash}`;
}

/**
 * Decides one pass of a Rollout: the status to write and what to do. Pure. A pass that decides something (a step is
 * done, an abort, a promotion) only stores that; the pass that follows acts on it, so that a crash at any point leaves
 * a state from which the same things follow.
 */
export function planRollout(state: RolloutState, now: Date, routers: readonly TrafficRouter[] = []): RolloutPlan {
  const { rollout } = state;
  const problems = [...validateRollout(rollout)];
  if (problems.length === 0) problems.push(...referenceProblems(state, routers));
  if (problems.length > 0) return refuse(rollout, problems, now);
  if (state.orphans?.length) return adopt(rollout, state.orphans);
  if (state.nameTaken) return avoidCollision(rollout);
  const pass = beginPass(state, now, routers);
  noticeChange(pass);
  noticeRequests(pass);
  followRuns(pass);
  advance(pass);
  if (decided(pass)) {
    // Ending runs may go along: a run that is not needed stays so.
    pass.actions.splice(0, pass.actions.length, ...pass.actions.filter((action) => action.kind === "terminateRun"));
  } else {
    moveTraffic(pass);
    movePods(pass);
    restartPods(pass);
    deleteRuns(pass);
  }
  return finish(pass);
}

/** Sets that the selector selects and nobody controls, as after a delete that left them: they are ours before anything else. */
function adopt(rollout: Rollout, orphans: readonly ReplicaSet[]): RolloutPlan {
  return {
    status: { ...rollout.status },
    actions: orphans.map((set) => ({ kind: "adoptReplicaSet", set })),
    reasons: orphans.map(({ metadata }) => ({
      code: "AdoptsReplicaSet",
      message: `ReplicaSet ${metadata.name} fits the selector and has no owner`,
    })),
  };
}

/** Two templates share a hash, or somebody made a ReplicaSet of this name: the next hash is another one. */
function avoidCollision(rollout: Rollout): RolloutPlan {
  const collisionCount = (rollout.status?.collisionCount ?? 0) + 1;
  const message = "the name of the new ReplicaSet is taken; another hash is used";
  return {
    status: { ...rollout.status, collisionCount },
    actions: [],
    reasons: [{ code: "HashCollision", message }],
  };
}

/** What is wrong with the objects that the spec names. */
function referenceProblems(state: RolloutState, routers: readonly TrafficRouter[]): readonly FieldProblem[] {
  const { rollout } = state;
  const problems: FieldProblem[] = [];
  const canary = canaryOf(rollout);
  for (const field of ["stableService", "canaryService"] as const) {
    const name = canary[field];
    if (!name) continue;
    const service = state.services[name];
    const owner = service?.metadata.annotations?.[MANAGED_BY_ROLLOUTS_ANNOTATION];
    const at = `spec.strategy.canary.${field}`;
    if (!service) problems.push({ field: at, problem: `service "${name}" not found` });
    else if (owner && owner !== rollout.metadata.name) {
      problems.push({ field: at, problem: `service "${name}" is already managed by the Rollout "${owner}"` });
    }
  }
  for (const router of routers) {
    if (router.wanted(rollout)) problems.push(...router.problems(rollout, state.routerObjects));
  }
  const find = (ref: { templateName: string; clusterScope?: boolean }) =>
    state.templates[ref.clusterScope ? `cluster/${ref.templateName}` : ref.templateName];
  for (const { purpose, analysis } of analysesOf(rollout)) {
    try {
      // fieldRefs are read from a status that may not be there yet, so only templates and args are checked here.
      runSpec({ rollout, purpose, analysis: withoutFieldRefs(analysis), find, hash: "", stableHash: "" });
    } catch (error) {
      problems.push({ field: "", problem: messageOf(error) });
    }
  }
  return problems;
}

const withoutFieldRefs = <T extends { args?: { name: string; value?: string; valueFrom?: object }[] }>(
  analysis: T,
): T => ({
  ...analysis,
  args: analysis.args?.map((arg) =>
    arg.valueFrom && "fieldRef" in arg.valueFrom ? { name: arg.name, value: "-" } : arg,
  ),
});

function refuse(rollout: Rollout, problems: readonly FieldProblem[], now: Date): RolloutPlan {
  const texts = problems.map(({ field, problem }) => (field ? `${field}: ${problem}` : problem));
  const what = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  const message = `The Rollout "${rollout.metadata.name}" is invalid: ${what}`;
  const before = rollout.status ?? {};
  const conditions = withCondition(
    before.conditions,
    { type: "InvalidSpec", status: "True", reason: "InvalidSpec", message },
    now,
  );
  const status: RolloutStatus = { ...before, conditions, observedGeneration: String(rollout.metadata.generation ?? 0) };
  return {
    status: { ...status, ...phaseOf(rollout, status) },
    actions: [],
    reasons: problems.map(({ field, problem }) => ({
      code: "InvalidSpec",
      message: problem,
      ...(field ? { about: field } : {}),
    })),
  };
}

function deleteRuns(pass: Pass): void {
  const { rollout, status, sets } = pass;
  const current = [status.canary.currentStepAnalysisRunStatus, status.canary.currentBackgroundAnalysisRunStatus];
  const inUse = new Set(current.flatMap((run) => (run ? [run.name] : [])));
  const hashes = new Set([...sets.all.map(hashOf), sets.hash]);
  for (const run of runsToDelete(rollout, pass.state.analysisRuns, hashes, inUse)) {
    const { name, namespace } = run.metadata;
    pass.actions.push({ kind: "deleteRun", name, ...(namespace ? { namespace } : {}) });
  }
}

function finish(pass: Pass): RolloutPlan {
  const { rollout, status, sets, before, revision, now } = pass;
  Object.assign(status, countPods(rollout, sets));
  status.observedGeneration = String(rollout.metadata.generation ?? 0);
  const { abortMessage } = pass;
  status.conditions = conditionsFor(status, {
    rollout,
    sets,
    before,
    revision,
    now,
    ...(abortMessage ? { abortMessage } : {}),
  });
  delete status.message;
  Object.assign(status, phaseOf(rollout, status));
  const deadline = progressDeadline(rollout, status);
  // Written in whole seconds, so the deadline may seem to have passed a moment before it has.
  if (deadline && deadline.getTime() > now.getTime()) lookAt(pass, deadline);
  if (status.message) pass.reasons.push({ code: status.phase as string, message: status.message });
  const duration = durationOf(pass);
  if (duration) status.duration = duration;
  const { canary, ...rest } = status;
  const text = String(revision);
  const known = rollout.metadata.annotations?.[ROLLOUT_REVISION_ANNOTATION] === text;
  return {
    status: { ...rest, ...(Object.keys(canary).length > 0 ? { canary } : {}) },
    ...(known ? {} : { patch: { metadata: { annotations: { [ROLLOUT_REVISION_ANNOTATION]: text } } } }),
    actions: [...pass.actions, ...pass.events],
    reasons: pass.reasons,
    ...(pass.look ? { lookAgainAt: pass.look } : {}),
  };
}
