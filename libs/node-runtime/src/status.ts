import type { Condition, KubeObject } from "@tiphys/resources";
import { goDuration } from "./duration.js";
import {
  allContainers,
  ephemeralContainers,
  initContainers,
  isSidecar,
  mainContainers,
  type PodContainer,
  restarts,
} from "./plan.js";
import { type ContainerRecord, newContainer, type PodRecord } from "./record.js";

const time = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, "Z");

export interface NodeAddress {
  readonly hostIP: string;
  /** Why this node has no sandbox that could run the pod. */
  readonly sandboxProblem?: string;
}

/** The status a kubelet would write for `pod`. Conditions of others are kept; times move only with their condition. */
export function podStatus(
  pod: KubeObject,
  record: PodRecord,
  { hostIP, sandboxProblem }: NodeAddress,
  now: number,
): object {
  const of = (name: string) => record.containers[name] ?? newContainer();
  const outcome = record.outcome;
  const notInitialized = initContainers(pod)
    .filter((container) => {
      const { state, started } = of(container.name);
      if (isSidecar(container)) return !started;
      return !(state.phase === "terminated" && state.exitCode === 0);
    })
    .map(({ name }) => name);
  const unready = [...initContainers(pod).filter(isSidecar), ...mainContainers(pod)]
    .filter(({ name }) => !of(name).ready)
    .map(({ name }) => name);
  const initialized = outcome?.phase === "Succeeded" || notInitialized.length === 0;
  const ended = outcome?.phase === "Succeeded" ? "PodCompleted" : outcome ? "PodFailed" : undefined;
  const ready = !ended && unready.length === 0 && initialized;
  const notReady = ended
    ? { reason: ended }
    : {
        reason: "ContainersNotReady",
        message: `containers with unready status: [${unready.join(" ")}]`,
      };
  const gates: string[] = (pod["spec"]?.readinessGates ?? []).map(
    (gate: { conditionType: string }) => gate.conditionType,
  );
  const before: Condition[] = pod["status"]?.conditions ?? [];
  const openGates = gates.filter((gate) => before.find(({ type }) => type === gate)?.status !== "True");

  const wanted: Condition[] = [
    {
      type: "PodReadyToStartContainers",
      status: ended || sandboxProblem ? "False" : "True",
      ...(sandboxProblem ? { reason: "SandboxInsufficient", message: sandboxProblem } : {}),
    },
    {
      type: "Initialized",
      status: initialized ? "True" : "False",
      ...(outcome?.phase === "Succeeded" ? { reason: "PodCompleted" } : {}),
      ...(initialized
        ? {}
        : {
            reason: "ContainersNotInitialized",
            message: `containers with incomplete status: [${notInitialized.join(" ")}]`,
          }),
    },
    {
      type: "Ready",
      status: ready && openGates.length === 0 ? "True" : "False",
      ...(ready && openGates.length > 0
        ? {
            reason: "ReadinessGatesNotReady",
            message: `the status of pod readiness gate "${openGates[0]}" is not "True"`,
          }
        : ready
          ? {}
          : notReady),
    },
    { type: "ContainersReady", status: ready ? "True" : "False", ...(ready ? {} : notReady) },
    { type: "PodScheduled", status: "True" },
  ];
  if (record.resize && !outcome) {
    wanted.push({
      ...record.resize,
      status: "True",
      ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    });
  }
  const own = new Set([...wanted.map(({ type }) => type), "PodResizePending", "PodResizeInProgress"]);
  const conditions = [
    ...wanted.map((condition) => {
      const old = before.find(({ type }) => type === condition.type);
      const since = old && old.status === condition.status ? old.lastTransitionTime : undefined;
      return { ...condition, lastTransitionTime: since ?? time(now) };
    }),
    ...before.filter(({ type }) => !own.has(type)),
  ];

  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase: outcome?.phase ?? phaseOf(pod, record),
    reason: outcome?.reason ?? null,
    message: outcome?.message ?? null,
    conditions,
    hostIP,
    hostIPs: [{ ip: hostIP }],
    podIP: record.ip,
    podIPs: [{ ip: record.ip }],
    startTime: time(record.startTime),
    qosClass: pod["status"]?.qosClass ?? qosClass(pod),
    ...(initContainers(pod).length > 0
      ? {
          initContainerStatuses: initContainers(pod).map((container) =>
            containerStatus(pod, record, container, of, now),
          ),
        }
      : {}),
    ...(ephemeralContainers(pod).length > 0
      ? {
          ephemeralContainerStatuses: ephemeralContainers(pod).map((container) =>
            containerStatus(pod, record, container, of, now),
          ),
        }
      : {}),
    containerStatuses: mainContainers(pod).map((container) => containerStatus(pod, record, container, of, now)),
  };
}

function phaseOf(pod: KubeObject, record: PodRecord): string {
  const begun = mainContainers(pod).some(({ name }) => {
    const container = record.containers[name];
    return (
      container !== undefined &&
      (container.state.phase === "running" ||
        container.state.phase === "terminated" ||
        container.restarts > 0 ||
        container.last)
    );
  });
  return begun ? "Running" : "Pending";
}

function containerStatus(
  pod: KubeObject,
  record: PodRecord,
  container: PodContainer,
  of: (name: string) => ContainerRecord,
  now: number,
): object {
  const own = crashLooping(pod, container, of(container.name), now);
  const { state } = own;
  return {
    name: container.name,
    image: own.imageName ?? container["image"] ?? "",
    imageID: own.imageId ?? "",
    ...(own.attempt > 0 ? { containerID: `tiphys://${record.uid}/${container.name}/${own.attempt}` } : {}),
    ready: own.ready,
    started: state.phase === "running" && own.started,
    restartCount: own.restarts,
    state: apiState(record, container.name, state),
    lastState: own.last ? apiState(record, container.name, own.last) : {},
    ...(state.phase === "running" ? sizes(own.resources ?? container["resources"] ?? {}) : {}),
    ...(own.user && own.attempt > 0 ? { user: { linux: own.user } } : {}),
    ...(container["volumeMounts"]?.length ? { volumeMounts: container["volumeMounts"].map(mountStatus) } : {}),
  };
}

const sizes = (resources: { requests?: object }) => ({
  resources,
  ...(resources.requests ? { allocatedResources: resources.requests } : {}),
});

const mountStatus = ({ name, mountPath, readOnly }: { name: string; mountPath: string; readOnly?: boolean }) => ({
  name,
  mountPath,
  ...(readOnly ? { readOnly, recursiveReadOnly: "Disabled" } : {}),
});

/** A container that waits for its next start shows that, and its end as the last state. */
function crashLooping(pod: KubeObject, container: PodContainer, own: ContainerRecord, now: number): ContainerRecord {
  const { state, retryAt, backOff } = own;
  if (state.phase !== "terminated" || !retryAt || retryAt <= now || !backOff) return own;
  if (pod.metadata.deletionTimestamp || !restarts(pod, container, state.exitCode)) return own;
  const message = `back-off ${goDuration(backOff)} restarting failed container=${container.name} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
  return { ...own, state: { phase: "waiting", reason: "CrashLoopBackOff", message }, last: state };
}

function apiState(record: PodRecord, name: string, state: ContainerRecord["state"]): object {
  if (state.phase === "starting") return { waiting: { reason: "ContainerCreating" } };
  if (state.phase === "running") return { running: { startedAt: time(state.startedAt) } };
  if (state.phase === "waiting") {
    return { waiting: { reason: state.reason, ...(state.message ? { message: state.message } : {}) } };
  }
  return {
    terminated: {
      exitCode: state.exitCode,
      reason: state.reason,
      ...(state.signal ? { signal: state.signal } : {}),
      ...(state.message ? { message: state.message } : {}),
      startedAt: state.startedAt === undefined ? null : time(state.startedAt),
      finishedAt: time(state.finishedAt),
      containerID: `tiphys://${record.uid}/${name}/${state.attempt}`,
    },
  };
}

/** Guaranteed, Burstable or BestEffort, from requests and limits of cpu and memory. */
export function qosClass(pod: KubeObject): string {
  const containers = allContainers(pod);
  const values = containers.map((container) => ({
    requests: container["resources"]?.requests ?? {},
    limits: container["resources"]?.limits ?? {},
  }));
  const named = ["cpu", "memory"];
  if (values.every(({ requests, limits }) => named.every((name) => !requests[name] && !limits[name])))
    return "BestEffort";
  const guaranteed = values.every(({ requests, limits }) =>
    named.every((name) => limits[name] && (requests[name] ?? limits[name]) === limits[name]),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}
