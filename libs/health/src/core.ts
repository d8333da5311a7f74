import type { Condition, KubeObject } from "@tiphys/resources";
import type { Health, HealthCheck } from "./health.js";

const healthy = (message?: string): Health => ({ status: "Healthy", ...(message ? { message } : {}) });
const progressing = (message: string): Health => ({ status: "Progressing", message });
const degraded = (message: string): Health => ({ status: "Degraded", message });
const suspended = (message: string): Health => ({ status: "Suspended", message });

const conditionsOf = (object: KubeObject): readonly Condition[] => object["status"]?.conditions ?? [];
const conditionOf = (object: KubeObject, type: string): Condition | undefined =>
  conditionsOf(object).find((condition) => condition.type === type);
const observed = (object: KubeObject): number => object["status"]?.observedGeneration ?? 0;
const isBehind = (object: KubeObject): boolean => (object.metadata.generation ?? 0) > observed(object);

const deployment: HealthCheck = (object) => {
  const { spec, status = {} } = object;
  if (spec?.paused) return suspended("Deployment is paused");
  const generation = object.metadata.generation ?? 0;
  if (generation > observed(object)) {
    return progressing("Waiting for rollout to finish: observed deployment generation less than desired generation");
  }
  const condition = conditionOf(object, "Progressing");
  const name = object.metadata.name;
  const { updatedReplicas: updated = 0, replicas = 0, availableReplicas: available = 0 } = status;
  if (condition?.reason === "ProgressDeadlineExceeded") {
    return degraded(`Deployment "${name}" exceeded its progress deadline`);
  }
  const wanted = spec?.replicas;
  if (wanted !== undefined && updated < wanted) {
    return progressing(`Waiting for rollout to finish: ${updated} out of ${wanted} new replicas have been updated...`);
  }
  if (replicas > updated) {
    return progressing(`Waiting for rollout to finish: ${replicas - updated} old replicas are pending termination...`);
  }
  if (available < updated) {
    return progressing(`Waiting for rollout to finish: ${available} of ${updated} updated replicas are available...`);
  }
  return healthy();
};

const replicaSet: HealthCheck = (object) => {
  const { spec, status = {} } = object;
  if (isBehind(object)) {
    return progressing("Waiting for rollout to finish: observed replica set generation less than desired generation");
  }
  const failure = conditionOf(object, "ReplicaFailure");
  if (failure?.status === "True") return degraded(failure.message ?? "");
  const available = status.availableReplicas ?? 0;
  if (spec?.replicas !== undefined && available < spec.replicas) {
    return progressing(
      `Waiting for rollout to finish: ${available} out of ${spec.replicas} new replicas are available...`,
    );
  }
  return healthy();
};

const statefulSet: HealthCheck = (object) => {
  const { spec, status = {} } = object;
  if (observed(object) === 0 || isBehind(object)) {
    return progressing("Waiting for statefulset spec update to be observed...");
  }
  const wanted = spec?.replicas;
  const ready = status.readyReplicas ?? 0;
  if (wanted !== undefined && ready < wanted) return progressing(`Waiting for ${wanted - ready} pods to be ready...`);
  const strategy = spec?.updateStrategy;
  if (strategy?.type === "RollingUpdate" && strategy.rollingUpdate) {
    const updated = status.updatedReplicas ?? 0;
    const partition = strategy.rollingUpdate.partition;
    if (wanted !== undefined && partition !== undefined && updated < wanted - partition) {
      return progressing(
        `Waiting for partitioned roll out to finish: ${updated} out of ${wanted - partition} new pods have been updated...`,
      );
    }
    return healthy(`partitioned roll out complete: ${updated} new pods have been updated...`);
  }
  if (strategy?.type === "OnDelete") return healthy(`statefulset has ${ready} ready pods`);
  if (status.updateRevision !== status.currentRevision) {
    return progressing(
      `waiting for statefulset rolling update to complete ${status.updatedReplicas ?? 0} pods at revision ${status.updateRevision}...`,
    );
  }
  return healthy(
    `statefulset rolling update complete ${status.currentReplicas ?? 0} pods at revision ${status.currentRevision ?? ""}...`,
  );
};

const daemonSet: HealthCheck = (object) => {
  const { spec, status = {} } = object;
  if (isBehind(object)) {
    return progressing("Waiting for rollout to finish: observed daemon set generation less than desired generation");
  }
  const {
    updatedNumberScheduled: updated = 0,
    desiredNumberScheduled: wanted = 0,
    numberAvailable: available = 0,
  } = status;
  if (spec?.updateStrategy?.type === "OnDelete") {
    return healthy(`daemon set ${updated} out of ${wanted} new pods have been updated`);
  }
  const name = object.metadata.name;
  if (updated < wanted) {
    return progressing(
      `Waiting for daemon set "${name}" rollout to finish: ${updated} out of ${wanted} new pods have been updated...`,
    );
  }
  if (available < wanted) {
    return progressing(
      `Waiting for daemon set "${name}" rollout to finish: ${available} of ${wanted} updated pods are available...`,
    );
  }
  return healthy();
};

interface ContainerStatus {
  name: string;
  ready?: boolean;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { exitCode: number; reason?: string; message?: string };
  };
  lastState?: { terminated?: object };
}

const failureOf = (container: ContainerStatus): string => {
  const terminated = container.state?.terminated;
  if (!terminated) return "";
  if (terminated.message) return terminated.message;
  if (terminated.reason === "OOMKilled") return terminated.reason;
  return terminated.exitCode === 0 ? "" : `container "${container.name}" failed with exit code ${terminated.exitCode}`;
};

const pod: HealthCheck = (object) => {
  const { spec, status = {} } = object;
  const containers: ContainerStatus[] = status.containerStatuses ?? [];
  const all: ContainerStatus[] = [...(status.initContainerStatuses ?? []), ...containers];
  if (spec?.restartPolicy === "Always" || spec?.restartPolicy === undefined) {
    const waiting = all
      .map((container) => container.state?.waiting)
      .filter((state) => state && (/^Err/.test(state.reason ?? "") || /Error$|BackOff$/.test(state.reason ?? "")));
    if (waiting.length > 0) return degraded(waiting.map((state) => state?.message ?? "").join(", "));
  }
  switch (status.phase) {
    case "Pending":
      return progressing(status.message ?? "");
    case "Succeeded":
      return healthy(status.message);
    case "Failed": {
      if (status.message) return degraded(status.message);
      for (const container of all) {
        const message = failureOf(container);
        if (message) return degraded(message);
      }
      return degraded("");
    }
    case "Running": {
      if (spec?.restartPolicy === "OnFailure" || spec?.restartPolicy === "Never")
        return progressing(status.message ?? "");
      if (conditionOf(object, "Ready")?.status === "True") return healthy(status.message);
      if (containers.some((container) => container.lastState?.terminated)) return degraded(status.message ?? "");
      return progressing(status.message ?? "");
    }
    default:
      return { status: "Unknown", message: status.message ?? "" };
  }
};

const job: HealthCheck = (object) => {
  const message = (condition: Condition) => condition.message ?? "";
  for (const condition of conditionsOf(object)) {
    if (condition.status !== "True") continue;
    if (condition.type === "Failed") return degraded(message(condition));
    if (condition.type === "Complete") return healthy(message(condition));
    if (condition.type === "Suspended") return suspended(message(condition));
  }
  return progressing("");
};

const loadBalanced = (object: KubeObject): Health =>
  (object["status"]?.loadBalancer?.ingress?.length ?? 0) > 0 ? healthy() : { status: "Progressing" };

const service: HealthCheck = (object) => (object["spec"]?.type === "LoadBalancer" ? loadBalanced(object) : healthy());

const persistentVolumeClaim: HealthCheck = (object) => {
  switch (object["status"]?.phase) {
    case "Lost":
      return { status: "Degraded" };
    case "Pending":
      return { status: "Progressing" };
    case "Bound":
      return healthy();
    default:
      return { status: "Unknown" };
  }
};

const horizontalPodAutoscaler: HealthCheck = (object) => {
  const reasons = ["FailedGetScale", "FailedUpdateScale", "FailedGetResourceMetric", "InvalidSelector"];
  for (const condition of conditionsOf(object)) {
    if (reasons.includes(condition.reason ?? "") && condition.status === "False")
      return degraded(condition.message ?? "");
  }
  const good = conditionsOf(object).find(
    (condition) =>
      condition.status === "True" &&
      ((condition.type === "AbleToScale" && condition.reason === "SucceededRescale") ||
        condition.type === "ScalingLimited"),
  );
  const able = conditionOf(object, "AbleToScale");
  const active = conditionOf(object, "ScalingActive");
  if (good) return healthy(good.message);
  if (able?.status === "True" && active?.status === "True") return healthy(active.message);
  return progressing("Waiting to Autoscale");
};

const apiService: HealthCheck = (object) => {
  const available = conditionOf(object, "Available");
  if (!available) return progressing("Waiting to be processed");
  const message = `${available.reason ?? ""}: ${available.message ?? ""}`;
  return available.status === "True" ? healthy(message) : progressing(message);
};

/** Checks of Kubernetes' own kinds, by `group/Kind`; statuses and messages as Argo CD gives them. */
export const coreChecks: Readonly<Record<string, HealthCheck>> = {
  "apps/Deployment": deployment,
  "apps/ReplicaSet": replicaSet,
  "apps/StatefulSet": statefulSet,
  "apps/DaemonSet": daemonSet,
  "/Pod": pod,
  "batch/Job": job,
  "/Service": service,
  "networking.k8s.io/Ingress": loadBalanced,
  "/PersistentVolumeClaim": persistentVolumeClaim,
  "autoscaling/HorizontalPodAutoscaler": horizontalPodAutoscaler,
  "apiregistration.k8s.io/APIService": apiService,
};
