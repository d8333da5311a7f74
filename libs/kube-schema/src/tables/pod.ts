// biome-ignore-all lint/suspicious/noExplicitAny: rows are made of objects that were checked against their schemas when they were stored
import type { KubeObject } from "@tiphys/resources";
import { ageOf, columns, formatAge, type Printer } from "./parts.js";

/** What kubectl shows of a pod: how many containers are ready and in how many words it is. */
export interface PodSummary {
  readonly ready: number;
  readonly containers: number;
  readonly status: string;
  readonly restarts: number;
  readonly lastRestart: string | undefined;
}

const ended = (state: any): string | undefined => {
  if (!state?.terminated) return undefined;
  const { reason, signal, exitCode } = state.terminated;
  return reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);
};

const later = (a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined || (b !== undefined && b > a) ? b : a;

const conditionIs = (status: any, type: string, value = "True"): boolean =>
  (status.conditions ?? []).some((condition: any) => condition.type === type && condition.status === value);

/** The summary behind the columns Ready, Status and Restarts. */
export function podSummary(pod: KubeObject): PodSummary {
  const spec = pod["spec"] ?? {};
  const status = pod["status"] ?? {};
  let containers: number = spec.containers?.length ?? 0;
  let ready = 0;
  let restarts = 0;
  let lastRestart: string | undefined;
  let text: string = status.reason || status.phase || "Unknown";
  for (const { type, status: value, reason } of status.conditions ?? []) {
    if (type === "PodScheduled" && value !== "True" && reason === "SchedulingGated") text = reason;
  }
  const isSidecar = new Set(
    (spec.initContainers ?? []).filter((one: any) => one.restartPolicy === "Always").map((one: any) => one.name),
  );
  containers += isSidecar.size;

  let initializing = false;
  for (const [at, container] of (status.initContainerStatuses ?? []).entries()) {
    const { state, lastState } = container;
    restarts += container.restartCount ?? 0;
    lastRestart = later(lastRestart, lastState?.terminated?.finishedAt);
    if (state?.terminated && state.terminated.exitCode === 0) continue;
    if (isSidecar.has(container.name) && container.started) {
      if (container.ready) ready++;
      continue;
    }
    const waiting = state?.waiting?.reason;
    if (state?.terminated) text = `Init:${ended(state)}`;
    else if (waiting && waiting !== "PodInitializing") text = `Init:${waiting}`;
    else text = `Init:${at}/${spec.initContainers.length}`;
    initializing = true;
    break;
  }
  if (!initializing || conditionIs(status, "Initialized")) {
    // Sidecars keep counting their restarts once the pod runs; the others start from zero.
    restarts = (status.initContainerStatuses ?? [])
      .filter(({ name }: any) => isSidecar.has(name))
      .reduce((sum: number, one: any) => sum + (one.restartCount ?? 0), 0);
    let running = false;
    for (const container of [...(status.containerStatuses ?? [])].reverse()) {
      const { state, lastState } = container;
      restarts += container.restartCount ?? 0;
      lastRestart = later(lastRestart, lastState?.terminated?.finishedAt);
      if (state?.waiting?.reason) text = state.waiting.reason;
      else if (state?.terminated) text = ended(state)!;
      else if (container.ready && state?.running) {
        running = true;
        ready++;
      }
    }
    if (text === "Completed" && running) text = conditionIs(status, "Ready") ? "Running" : "NotReady";
  }
  if (pod.metadata.deletionTimestamp) {
    if (status.reason === "NodeLost") text = "Unknown";
    else if (status.phase !== "Succeeded" && status.phase !== "Failed") text = "Terminating";
  }
  return { ready, containers, status: text, restarts, lastRestart };
}

export const podPrinter: Printer = {
  columns: columns("Name", "Ready", "Status", "Restarts", "Age", "IP*", "Node*", "Nominated Node*", "Readiness Gates*"),
  row(pod, now) {
    const { ready, containers, status, restarts, lastRestart } = podSummary(pod);
    const ago = restarts > 0 && lastRestart ? ` (${formatAge(now.getTime() - Date.parse(lastRestart))} ago)` : "";
    const gates: any[] = pod["spec"]?.readinessGates ?? [];
    const passed = gates.filter(({ conditionType }) => conditionIs(pod["status"] ?? {}, conditionType)).length;
    return [
      pod.metadata.name,
      `${ready}/${containers}`,
      status,
      `${restarts}${ago}`,
      ageOf(pod, now),
      pod["status"]?.podIPs?.[0]?.ip ?? pod["status"]?.podIP ?? "<none>",
      pod["spec"]?.nodeName || "<none>",
      pod["status"]?.nominatedNodeName || "<none>",
      gates.length > 0 ? `${passed}/${gates.length}` : "<none>",
    ];
  },
};
