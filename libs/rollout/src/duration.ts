import type { RolloutDuration, RolloutStatus } from "@tiphys/resources";
import type { Pass } from "./pass.js";
import { isPromoted } from "./status.js";
import { stepsOf } from "./steps.js";

const text = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;
const seconds = (from: string | undefined, to: Date): number =>
  from === undefined ? 0 : Math.max(0, Math.round((to.getTime() - Date.parse(from)) / 1000));

/** A person has to end this pause: the whole Rollout is paused, or a step without duration. */
function waitsForPerson({ rollout, status }: Pass): boolean {
  if (rollout.spec.paused) return true;
  const step = stepsOf(rollout)[status.currentStepIndex ?? 0];
  return (status.pauseConditions ?? []).some(
    ({ reason }) => reason !== "CanaryPauseStep" || (step?.pause && step.pause.duration === undefined),
  );
}

/** How the running update has ended with this pass; undefined while it goes on. */
function ending({ before, status, rollout }: Pass): RolloutDuration["completionStatus"] | undefined {
  if (status.abort) return "Aborted";
  if (!isPromoted(status)) return undefined;
  // The stable template is wanted again, in place of the one that was on its way.
  const back = before.stableRS === status.stableRS && before.currentPodHash !== status.currentPodHash;
  const fast = before.promoteFull === true || stepsOf(rollout).length === 0;
  if (back) return fast ? "FastRolledBack" : "RolledBack";
  return before.promoteFull ? "FastPromoted" : "Promoted";
}

/**
 * How long the update takes, or took, and how long of that it waited for a person. The first deployment of a Rollout is
 * no update. An update that another one replaces is superseded: the next one starts its own count.
 */
export function durationOf(pass: Pass): RolloutStatus["duration"] {
  const { before, status, now } = pass;
  let duration = before.duration;
  const begins =
    before.currentPodHash !== undefined &&
    (status.stableRS ?? "") !== "" &&
    !isPromoted(status) &&
    (before.currentPodHash !== status.currentPodHash ||
      // Tried again after an abort.
      (duration?.completionStatus === "Aborted" && !status.abort));
  if (begins) duration = { rolloutStartedAt: text(now) };
  if (!duration || duration.finishedAt) return duration;
  const waits = waitsForPerson(pass);
  const { manualPauseStartedAt, ...rest } = duration;
  const waited = (rest.totalManualPauseDurationSeconds ?? 0) + seconds(manualPauseStartedAt, now);
  const end = ending(pass);
  if (end) {
    return {
      ...rest,
      ...(waited > 0 ? { totalManualPauseDurationSeconds: waited } : {}),
      finishedAt: text(now),
      completionStatus: end,
    };
  }
  if (waits) return manualPauseStartedAt ? duration : { ...duration, manualPauseStartedAt: text(now) };
  if (!manualPauseStartedAt) return duration;
  return { ...rest, ...(waited > 0 ? { totalManualPauseDurationSeconds: waited } : {}) };
}
