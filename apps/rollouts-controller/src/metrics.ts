import type { Informer } from "@tiphys/kube";
import { type AnalysisRun, type KubeObject, keyOf, keyText, type Rollout } from "@tiphys/resources";
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
  const ends = [
    rollouts.onChange(({ type, object }) => {
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
