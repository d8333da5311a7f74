import type { Informer } from "@tiphys/kube";
import { type AnalysisRun, type KubeObject, keyOf, keyText, type ObjectKey, type Rollout } from "@tiphys/resources";
import type { Labels, Metrics } from "@tiphys/telemetry";

/** Keeps the gauges that dashboards for Argo Rollouts read; the returned function ends that. */
export function observeRollouts(metrics: Metrics, rollouts: Informer, analysisRuns: Informer): () => void {
  const info = metrics.gauge("rollout_info", "Rollouts by phase.", [
    "namespace",
    "name",
    "strategy",
    "traffic_router",
    "phase",
  ]);
  const runs = metrics.gauge("analysis_run_info", "AnalysisRuns by phase.", ["namespace", "name", "phase"]);
  const counts = (["desired", "updated", "available", "unavailable"] as const).map((kind) => ({
    kind,
    gauge: metrics.gauge(`rollout_info_replicas_${kind}`, `Pods of a Rollout: ${kind}.`, ["namespace", "name"]),
  }));
  const shown = new Map<string, Labels>();

  const show = (key: string, gauge: typeof info, labels: Labels | undefined) => {
    const old = shown.get(key);
    if (old && (!labels || old["phase"] !== labels["phase"])) gauge.remove(old);
    if (!labels) shown.delete(key);
    else {
      gauge.set(1, labels);
      shown.set(key, labels);
    }
  };
  const updates = updateMetrics(metrics);
  const ends = [
    rollouts.onChange(({ type, object, previous }) => {
      if (type === "modified" && previous) updates(previous as Rollout, object as Rollout);
      const gone = type === "deleted";
      show(`rollout/${keyText(keyOf(object))}`, info, gone ? undefined : rolloutLabels(object as Rollout));
      const labels = { namespace: object.metadata.namespace ?? "", name: object.metadata.name };
      for (const { kind, gauge } of counts) {
        if (gone) gauge.remove(labels);
        else gauge.set(podCount(object as Rollout, kind), labels);
      }
    }),
    analysisRuns.onChange(({ type, object }) => {
      show(`run/${keyText(keyOf(object))}`, runs, type === "deleted" ? undefined : runLabels(object));
    }),
  ];
  return () => {
    for (const end of ends) end();
  };
}

/** Seconds that passes may take. */
const PASS_SECONDS = [0.01, 0.15, 0.25, 0.5, 1];
/** Seconds that updates take: from half a minute to a week. */
const UPDATE_SECONDS = [30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400, 259_200, 604_800];

/** `KIND_reconcile` and `KIND_reconcile_error`, for the passes of one controller. */
export function passMetrics(
  metrics: Metrics,
  kind: string,
): (key: ObjectKey, seconds: number, failed: boolean) => void {
  const labels = ["namespace", "name"];
  const took = metrics.histogram(`${kind}_reconcile`, `Seconds of a pass over one ${kind}.`, labels, PASS_SECONDS);
  const errors = metrics.counter(`${kind}_reconcile_error`, `Passes over one ${kind} that failed.`, labels);
  return ({ namespace = "", name }, seconds, failed) => {
    took.observe(seconds, { namespace, name });
    if (failed) errors.add({ namespace, name });
  };
}

/** Tells the length of each update when it ends, or when another one takes its place. */
function updateMetrics(metrics: Metrics): (before: Rollout, after: Rollout) => void {
  const labels = ["namespace", "name", "status"];
  const histogram = (name: string, help: string) => metrics.histogram(name, help, labels, UPDATE_SECONDS);
  const total = histogram("rollout_duration_seconds", "Seconds of an update, from its start to its end.");
  const moving = histogram("rollout_progression_duration_seconds", "Seconds of an update, without manual pauses.");
  const paused = histogram("rollout_manual_pause_duration_seconds", "Seconds of an update that waited for a person.");
  return (before, after) => {
    const was = before.status?.duration;
    const is = after.status?.duration;
    if (!was || was.finishedAt || !is) return;
    const superseded = is.rolloutStartedAt !== was.rolloutStartedAt;
    const end = superseded ? is.rolloutStartedAt : is.finishedAt;
    if (end === undefined) return;
    const seconds = Math.max(0, (Date.parse(end) - Date.parse(was.rolloutStartedAt)) / 1000);
    const waited = (superseded ? was : is).totalManualPauseDurationSeconds ?? 0;
    const { namespace = "", name } = after.metadata;
    const of = { namespace, name, status: superseded ? "Superseded" : (is.completionStatus ?? "") };
    total.observe(seconds, of);
    moving.observe(Math.max(0, seconds - waited), of);
    paused.observe(waited, of);
  };
}

function rolloutLabels(rollout: Rollout): Labels {
  const { strategy } = rollout.spec;
  const routing = strategy?.canary?.trafficRouting ?? {};
  return {
    namespace: rollout.metadata.namespace ?? "",
    name: rollout.metadata.name,
    strategy: strategy?.canary ? "canary" : strategy?.blueGreen ? "blueGreen" : "none",
    traffic_router: routing.nginx ? "nginx" : "",
    phase: rollout.status?.phase ?? "Progressing",
  };
}

const runLabels = (object: KubeObject): Labels => ({
  namespace: object.metadata.namespace ?? "",
  name: object.metadata.name,
  phase: (object as AnalysisRun).status?.phase || "Pending",
});

function podCount(rollout: Rollout, kind: "desired" | "updated" | "available" | "unavailable"): number {
  const status = rollout.status ?? {};
  const desired = rollout.spec.replicas ?? 1;
  if (kind === "desired") return desired;
  if (kind === "updated") return status.updatedReplicas ?? 0;
  const available = status.availableReplicas ?? 0;
  return kind === "available" ? available : Math.max(0, desired - available);
}
