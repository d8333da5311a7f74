import type { Condition, KubeObject } from "@tiphys/resources";

/** What becomes of a pod after it has started. */
export interface SimulatedFate {
  /** Milliseconds from its start until it is ready; never when negative. */
  readonly readyAfter?: number;
  /** Given: its containers end with this code, `endAfter` milliseconds after its start. */
  readonly exitCode?: number;
  readonly endAfter?: number;
}

export interface Look {
  readonly now: Date;
  readonly startTime: string;
  readonly ready: boolean;
  readonly address: string;
  /** Given: the containers have ended. */
  readonly exitCode?: number | undefined;
  /** The pod is being deleted: what runs is ended by a signal. */
  readonly killed?: boolean;
}

/** Exit code of a process that ended by SIGTERM. */
const TERMINATED = 143;

interface ContainerStatus {
  readonly name: string;
  readonly state?: { readonly running?: { readonly startedAt?: string }; readonly terminated?: object };
}

/** A time as Kubernetes writes it: whole seconds. */
export const timeText = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, "Z");

/** The status that a kubelet would write for `pod` now. */
export function podStatus(pod: KubeObject, look: Look): Record<string, unknown> {
  const { now, address, killed } = look;
  const exitCode = look.exitCode ?? (killed ? TERMINATED : undefined);
  const finished = exitCode !== undefined;
  const ready = look.ready && !finished;
  const time = timeText(now);
  const startTime = look.startTime.replace(/\.\d+Z$/, "Z");
  const before = (pod.status?.conditions ?? []) as Condition[];
  const condition = (type: string, status: "True" | "False", reason?: string, message?: string): Condition => {
    const current = before.find((item) => item.type === type);
    if (current?.status === status && current.reason === reason) return current;
    const since = current?.status === status ? current.lastTransitionTime : undefined;
    return {
      type,
      status,
      lastTransitionTime: since ?? time,
      ...(reason ? { reason } : {}),
      ...(message ? { message } : {}),
    };
  };
  const succeeded = exitCode === 0;
  const names = (pod.spec.containers as { name: string }[]).map(({ name }) => name);
  const unready = `containers with unready status: [${names.join(" ")}]`;
  const readiness = (type: string) => {
    if (ready) return condition(type, "True");
    if (!finished) return condition(type, "False", "ContainersNotReady", unready);
    return succeeded ? condition(type, "False", "PodCompleted") : condition(type, "False", "PodFailed");
  };
  const kept = before.filter(({ type }) => !KUBELET_CONDITIONS.has(type));
  const states = (pod.status?.containerStatuses ?? []) as ContainerStatus[];
  return {
    ...pod.status,
    observedGeneration: pod.metadata.generation,
    phase: !finished ? "Running" : succeeded ? "Succeeded" : "Failed",
    startTime,
    hostIP: "10.243.0.1",
    hostIPs: [{ ip: "10.243.0.1" }],
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [
      ...kept,
      condition("PodReadyToStartContainers", finished ? "False" : "True"),
      condition("Initialized", "True"),
      readiness("Ready"),
      readiness("ContainersReady"),
    ],
    containerStatuses: (pod.spec.containers as { name: string; image: string }[]).map(({ name, image }) => {
      const ended = states.find((state) => state.name === name)?.state?.terminated;
      const state = finished
        ? { terminated: ended ?? endedState(exitCode, startTime, time) }
        : { running: { startedAt: startTime } };
      return { name, image, imageID: `simulated://${image}`, ready, started: !finished, restartCount: 0, state };
    }),
  };
}

const KUBELET_CONDITIONS = new Set(["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"]);

const endedState = (exitCode: number, startedAt: string, finishedAt: string) => ({
  exitCode,
  reason: exitCode === 0 ? "Completed" : "Error",
  startedAt,
  finishedAt,
});
