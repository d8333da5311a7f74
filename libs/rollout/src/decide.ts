import { isCompleted, later, timeText } from "@tiphys/analysis";
import type {
  AnalysisRun,
  PauseReason,
  ReplicaSet,
  RolloutAnalysis,
  RolloutAnalysisRunStatus,
} from "@tiphys/resources";
import { STEP_INDEX_LABEL } from "@tiphys/resources";
import { sufficientPods } from "./arithmetic.js";
import { conditionOf } from "./conditions.js";
import { allStepsDone, event, hasStable, indexOf, lookAt, type Pass, promoted, turnedBack } from "./pass.js";
import { countsReached, routedFully } from "./pods.js";
import { availableOf, specReplicas } from "./replica-sets.js";
import { freeRunName, madeBy, newRun, type RunPurpose, type RunRecipe } from "./runs.js";
import { describeStep, pauseMilliseconds } from "./steps.js";
import { stepHash } from "./template.js";

/** Sees that the template or the steps have changed, and starts the update (again). */
export function noticeChange(pass: Pass): void {
  const { status, sets, steps, before } = pass;
  const hash = stepHash(pass.canary.steps);
  const newPods = before.currentPodHash !== sets.hash;
  if (!newPods && before.currentStepHash === hash) return;
  status.currentPodHash = sets.hash;
  status.currentStepHash = hash;
  delete status.pauseConditions;
  delete status.abortedAt;
  delete status.promoteFull;
  delete status.canary.currentStepAnalysisRunStatus;
  delete status.canary.currentBackgroundAnalysisRunStatus;
  if (status.abort) status.abort = false;
  status.controllerPause = false;
  const skip = !hasStable(pass) || promoted(pass) || inRollbackWindow(pass);
  if (steps.length > 0) status.currentStepIndex = skip ? steps.length : 0;
  else delete status.currentStepIndex;
  if (newPods) event(pass, "Normal", "RolloutUpdated", `Rollout updated to revision ${pass.revision}`);
  if (newPods && skip && hasStable(pass) && steps.length > 0) {
    event(pass, "Normal", "SkipSteps", `Rollback to revision ${pass.revision}: the steps are skipped`);
  }
}

/** True when the wanted template is an older one, and spec.rollbackWindow lets it come back without steps. */
function inRollbackWindow(pass: Pass): boolean {
  const window = pass.rollout.spec.rollbackWindow?.revisions ?? 0;
  const { latest, stable, all } = pass.sets;
  if (window <= 0 || !latest || !stable || latest === stable) return false;
  const born = (set: ReplicaSet) => set.metadata.creationTimestamp ?? "";
  if (born(latest) >= born(stable)) return false;
  return all.filter((set) => born(set) > born(latest) && born(set) < born(stable)).length < window;
}

/** Sees what people asked for through the status: abort, retry, full promotion, resume. */
export function noticeRequests(pass: Pass): void {
  const { status, steps } = pass;
  // An abort that came before the wish to promote in full is overruled by it; one that came after overrules it.
  if (status.promoteFull && status.abort && status.abortedAt) {
    delete status.abortedAt;
    status.abort = false;
  }
  if (status.abort) {
    if (promoted(pass)) {
      status.abort = false;
      delete status.abortedAt;
    } else if (!status.abortedAt) abort(pass);
    return;
  }
  if (status.abortedAt) {
    delete status.abortedAt;
    delete status.canary.currentStepAnalysisRunStatus;
    delete status.canary.currentBackgroundAnalysisRunStatus;
    if (steps.length > 0) status.currentStepIndex = hasStable(pass) ? 0 : steps.length;
    event(pass, "Normal", "RolloutRetry", `Retrying the update to revision ${pass.revision} after abort`);
  }
  if (status.promoteFull) {
    if (promoted(pass)) delete status.promoteFull;
    else {
      if (steps.length > 0) status.currentStepIndex = steps.length;
      delete status.pauseConditions;
      delete status.canary.currentStepAnalysisRunStatus;
      delete status.canary.currentBackgroundAnalysisRunStatus;
      status.controllerPause = false;
    }
  }
  if (status.controllerPause && !status.pauseConditions?.length) {
    status.controllerPause = false;
    delete status.pauseConditions;
    event(pass, "Normal", "RolloutResumed", "Rollout is resumed");
    if (steps[indexOf(pass)]?.pause) finishStep(pass);
    else pass.resumed = true;
  }
  const exceeded = conditionOf(status.conditions, "Progressing");
  if (pass.rollout.spec.progressDeadlineAbort && exceeded?.reason === "ProgressDeadlineExceeded" && !promoted(pass)) {
    const unchanged = pass.before.currentPodHash === status.currentPodHash;
    if (unchanged && hasStable(pass)) abort(pass, exceeded.message);
  }
}

/** Turns the update back. */
export function abort(pass: Pass, why?: string): void {
  const { status } = pass;
  status.abort = true;
  status.abortedAt = timeText(pass.now);
  status.controllerPause = false;
  delete status.pauseConditions;
  delete status.promoteFull;
  if (pass.steps.length > 0 && hasStable(pass)) status.currentStepIndex = 0;
  pass.abortMessage = `Rollout aborted update to revision ${pass.revision}${why ? `: ${why}` : ""}`;
  event(pass, "Warning", "RolloutAborted", pass.abortMessage);
}

function pause(pass: Pass, reason: PauseReason): void {
  const { status } = pass;
  status.pauseConditions = [...(status.pauseConditions ?? []), { reason, startTime: timeText(pass.now) }];
  status.controllerPause = true;
  event(pass, "Normal", "RolloutPaused", `Rollout is paused (${reason})`);
}

type RunField = "currentStepAnalysisRunStatus" | "currentBackgroundAnalysisRunStatus";

/** Follows the step's and the background run: starts what is due, acts on verdicts, ends what is not needed. */
export function followRuns(pass: Pass): void {
  const { status, steps, canary, rollout } = pass;
  const index = indexOf(pass);
  const updating = !turnedBack(pass) && !status.abort && hasStable(pass) && !promoted(pass) && !status.promoteFull;
  for (const field of ["currentStepAnalysisRunStatus", "currentBackgroundAnalysisRunStatus"] as const)
    refresh(pass, field);
  const stepAnalysis = updating ? steps[index]?.analysis : undefined;
  const background =
    updating && canary.analysis && index >= (canary.analysis.startingStep ?? 0) && !inRollbackWindow(pass)
      ? canary.analysis
      : undefined;
  const current = status.canary.currentStepAnalysisRunStatus;
  const recorded = current ? runNamed(pass, current.name) : undefined;
  // Somebody may have moved the index past the step that the run belongs to.
  const elsewhere = recorded && recorded.metadata.labels?.[STEP_INDEX_LABEL] !== String(index);
  if (!status.abort && (!stepAnalysis || elsewhere)) delete status.canary.currentStepAnalysisRunStatus;
  if (!status.abort && !background) delete status.canary.currentBackgroundAnalysisRunStatus;
  if (stepAnalysis) follow(pass, { kind: "Step", index }, stepAnalysis, "currentStepAnalysisRunStatus");
  if (background && !status.abort) {
    follow(pass, { kind: "Background" }, background, "currentBackgroundAnalysisRunStatus");
  }
  const needed = new Set(
    status.abort
      ? []
      : [status.canary.currentStepAnalysisRunStatus?.name, status.canary.currentBackgroundAnalysisRunStatus?.name],
  );
  for (const run of pass.state.analysisRuns) {
    if (isCompleted(run.status?.phase) || run.spec.terminate || needed.has(run.metadata.name)) continue;
    pass.actions.push({ kind: "terminateRun", name: run.metadata.name, ...at(rollout.metadata.namespace) });
  }
}

const at = (namespace: string | undefined) => (namespace ? { namespace } : {});

const runNamed = (pass: Pass, name: string): AnalysisRun | undefined =>
  pass.state.analysisRuns.find((run) => run.metadata.name === name);

function refresh(pass: Pass, field: RunField): void {
  const recorded = pass.status.canary[field];
  const run = recorded && runNamed(pass, recorded.name);
  if (!recorded || !run) return;
  const phase = run.status?.phase || "Pending";
  if (phase !== recorded.status) {
    const kind = field === "currentStepAnalysisRunStatus" ? "Step" : "Background";
    const type = phase === "Failed" || phase === "Error" ? "Warning" : "Normal";
    event(
      pass,
      type,
      `AnalysisRun${phase}`,
      `${kind} Analysis Run '${recorded.name}' Status New: '${phase}' Previous: '${recorded.status}'`,
    );
  }
  const next: RolloutAnalysisRunStatus = { name: recorded.name, status: phase };
  if (run.status?.message) next.message = run.status.message;
  pass.status.canary[field] = next;
}

function follow(pass: Pass, purpose: RunPurpose, analysis: RolloutAnalysis, field: RunField): void {
  const { status, rollout } = pass;
  const recorded = status.canary[field];
  const recipe: RunRecipe = {
    rollout,
    purpose,
    analysis,
    find: pass.find,
    hash: pass.sets.hash,
    stableHash: status.stableRS ?? "",
    revision: pass.revision,
  };
  const again = recorded?.status === "Inconclusive" && pass.resumed === true;
  if (!recorded || again) {
    if (rollout.spec.paused || !pass.sets.latest) return;
    const index = purpose.kind === "Step" ? String(purpose.index) : undefined;
    const known = pass.state.analysisRuns.find(
      (run) => run.metadata.labels?.[STEP_INDEX_LABEL] === index && madeBy(run, recipe),
    );
    // The name is stored before the run is made, so that a crash between the two makes no second run.
    status.canary[field] = {
      name: known?.metadata.name ?? freeRunName(recipe, pass.state.analysisRuns),
      status: known?.status?.phase || "Pending",
    };
    return;
  }
  if (!runNamed(pass, recorded.name)) {
    pass.actions.push({ kind: "createRun", run: newRun(recipe, recorded.name) });
    return;
  }
  const word = purpose.kind === "Step" ? "Step-based" : "Background";
  if (recorded.status === "Failed" || recorded.status === "Error") {
    abort(pass, `${word} analysis phase error/failed${recorded.message ? `: ${recorded.message}` : ""}`);
  } else if (recorded.status === "Inconclusive" && !status.pauseConditions?.length) {
    pause(pass, "InconclusiveAnalysisRun");
  }
}

function finishStep(pass: Pass): void {
  const index = indexOf(pass);
  const step = pass.steps[index];
  pass.status.currentStepIndex = index + 1;
  delete pass.status.canary.currentStepAnalysisRunStatus;
  const text = `Rollout step ${index + 1}/${pass.steps.length} completed (${step ? describeStep(step) : ""})`;
  event(pass, "Normal", "RolloutStepCompleted", text);
}

/** Goes through the steps as far as they are done now, and promotes after the last. */
export function advance(pass: Pass): void {
  const { status, rollout } = pass;
  if (rollout.spec.paused || status.abort || !pass.sets.latest || promoted(pass)) return;
  for (let waiting = ""; !allStepsDone(pass) && waiting === ""; ) {
    waiting = waitingForStep(pass);
    if (waiting === "") finishStep(pass);
    else
      pass.reasons.push({
        code: "StepRunning",
        message: waiting,
        about: `spec.strategy.canary.steps[${indexOf(pass)}]`,
      });
  }
  if (allStepsDone(pass)) promote(pass);
}

/** What the current step still waits for; "" when it is done. */
function waitingForStep(pass: Pass): string {
  const { status } = pass;
  const index = indexOf(pass);
  const step = pass.steps[index];
  if (!step) return "";
  if (status.pauseConditions?.some((known) => known.reason !== "CanaryPauseStep")) return "the pause has to be ended";
  if (step.pause) return waitingForPause(pass);
  if (step.setWeight !== undefined || step.setCanaryScale)
    return countsReached(pass) ? "" : "pods and weight to follow";
  if (step.analysis) {
    const run = status.canary.currentStepAnalysisRunStatus;
    return run?.status === "Successful" ? "" : "the analysis to complete";
  }
  return "a step of a kind that is not implemented";
}

function waitingForPause(pass: Pass): string {
  const { status } = pass;
  const duration = pauseMilliseconds(pass.steps[indexOf(pass)]?.pause ?? {});
  const known = status.pauseConditions?.find((condition) => condition.reason === "CanaryPauseStep");
  if (!known) {
    if (duration === 0) return "";
    pause(pass, "CanaryPauseStep");
  }
  const start = known?.startTime ?? timeText(pass.now);
  if (duration === undefined) return "somebody to promote";
  const end = later(start, duration);
  if (end.getTime() > pass.now.getTime()) {
    lookAt(pass, end);
    return "the pause to end";
  }
  delete status.pauseConditions;
  status.controllerPause = false;
  return "";
}

/** Makes the wanted template the stable one when its pods carry everything. */
function promote(pass: Pass): void {
  const { status, sets, canary, replicas } = pass;
  const { latest } = sets;
  if (!latest || status.pauseConditions?.length) return;
  const enough = specReplicas(latest) >= replicas && availableOf(latest) >= sufficientPods(canary, replicas);
  if (!enough || !routedFully(pass)) {
    pass.reasons.push({ code: "PromotionWaiting", message: "the new pods to be available and to get all traffic" });
    return;
  }
  const why = !hasStable(pass)
    ? "Initial deploy"
    : status.promoteFull
      ? "Full promotion requested"
      : `Completed all ${pass.steps.length} canary steps`;
  status.stableRS = sets.hash;
  delete status.promoteFull;
  delete status.canary.currentStepAnalysisRunStatus;
  delete status.canary.currentBackgroundAnalysisRunStatus;
  if (pass.steps.length > 0) status.currentStepIndex = pass.steps.length;
  event(
    pass,
    "Normal",
    "RolloutCompleted",
    `Rollout completed update to revision ${pass.revision} (${sets.hash}): ${why}`,
  );
}
