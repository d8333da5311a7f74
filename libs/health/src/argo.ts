import type { Condition, HealthStatusCode } from "@tiphys/resources";
import type { Health, HealthCheck } from "./health.js";

const say = (status: HealthStatusCode, message?: string): Health => ({ status, ...(message ? { message } : {}) });

const workflow: HealthCheck = (object) => {
  const { phase, message } = object["status"] ?? {};
  switch (phase) {
    case undefined:
    case "":
    case "Pending":
    case "Running":
      return say("Progressing", message);
    case "Succeeded":
      return say("Healthy", message);
    case "Failed":
    case "Error":
      return say("Degraded", message);
    default:
      return say("Unknown", message);
  }
};

const rollout: HealthCheck = (object) => {
  const { spec = {}, status } = object;
  const conditions: Condition[] = status?.conditions ?? [];
  const behind = Number(status?.observedGeneration ?? 0) < (object.metadata.generation ?? 0);
  if (!status || (!status.phase && conditions.length === 0)) {
    return say("Progressing", "Waiting for rollout to finish: status has not been reconciled.");
  }
  if (status.observedGeneration !== undefined && behind) {
    return say("Progressing", "Waiting for rollout spec update to be observed");
  }
  for (const condition of conditions) {
    if (condition.type === "InvalidSpec" && condition.status === "True") return say("Degraded", condition.message);
    if (
      condition.type === "Progressing" &&
      (condition.reason === "RolloutAborted" || condition.reason === "ProgressDeadlineExceeded")
    ) {
      return say("Degraded", condition.message);
    }
  }
  if (status.phase) {
    const map: Readonly<Record<string, HealthStatusCode>> = {
      Progressing: "Progressing",
      Paused: "Suspended",
      Healthy: "Healthy",
      Degraded: "Degraded",
    };
    return say(map[status.phase] ?? "Unknown", status.message);
  }
  if (spec.paused) return say("Suspended", "Rollout is paused");
  return say("Progressing", "Waiting for rollout to finish");
};

const analysisRun: HealthCheck = (object) => {
  const { phase, message } = object["status"] ?? {};
  switch (phase) {
    case undefined:
    case "":
      return say("Progressing", "Waiting for analysis run to finish: status has not been reconciled.");
    case "Pending":
      return say("Progressing", "Analysis run is running");
    case "Running":
      return say("Progressing", "Analysis run is running");
    case "Successful":
      return say("Healthy", message ?? "Analysis run completed successfully");
    case "Failed":
      return say("Degraded", message ?? "Analysis run failed");
    case "Error":
      return say("Degraded", message ?? "Analysis run had error");
    case "Inconclusive":
      return say("Unknown", message ?? "Analysis run was inconclusive");
    default:
      return say("Progressing", "Waiting for analysis run to finish: status has not been reconciled.");
  }
};

/** EventSource, Sensor and EventBus: degraded by any false condition, healthy when all are true. */
const events: HealthCheck = (object) => {
  const conditions: Condition[] = object["status"]?.conditions ?? [];
  if (conditions.length === 0) return say("Progressing", `Waiting for ${object.kind.toLowerCase()} to be ready`);
  for (const condition of conditions) {
    if (condition.status === "False") return say("Degraded", condition.message);
    if (condition.status === "Unknown") return say("Progressing", condition.message);
  }
  return say("Healthy", `${object.kind} is healthy`);
};

/** Checks of the suite's own kinds, by `group/Kind`. A child Application has none by default, as in Argo CD. */
export const argoChecks: Readonly<Record<string, HealthCheck>> = {
  "argoproj.io/Workflow": workflow,
  "argoproj.io/Rollout": rollout,
  "argoproj.io/AnalysisRun": analysisRun,
  "argoproj.io/EventSource": events,
  "argoproj.io/Sensor": events,
  "argoproj.io/EventBus": events,
};
