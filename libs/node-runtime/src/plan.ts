import type { KubeObject } from "@tiphys/resources";
import { type ContainerRecord, isAlive, newContainer, type PodOutcome, type PodRecord } from "./record.js";

/** What to do next for one pod. Several containers may start at once; stops come with what a user reads about them. */
export interface PodPlan {
  readonly start: readonly string[];
  /** `changed`: it starts again whatever the restart policy says. */
  readonly stop: readonly { readonly container: string; readonly reason: string; readonly changed?: true }[];
  /** The pod's end, once nothing of it runs. */
  readonly outcome?: PodOutcome;
  /** The pod is being deleted and nothing of it runs: the object can go. */
  readonly remove?: true;
  /** Milliseconds since 1970. */
  readonly lookAgainAt?: number;
}

// biome-ignore lint/suspicious/noExplicitAny: a container as the API gives it
export type PodContainer = Record<string, any> & { name: string };

export const mainContainers = (pod: KubeObject): readonly PodContainer[] => pod["spec"]?.containers ?? [];
export const initContainers = (pod: KubeObject): readonly PodContainer[] => pod["spec"]?.initContainers ?? [];
export const isSidecar = (container: PodContainer): boolean => container["restartPolicy"] === "Always";
export const allContainers = (pod: KubeObject): readonly PodContainer[] => [
  ...initContainers(pod),
  ...mainContainers(pod),
];

/** Containers that were added to a running pod to look into it: they start once, and hold nothing up. */
export const ephemeralContainers = (pod: KubeObject): readonly PodContainer[] => pod["spec"]?.ephemeralContainers ?? [];
export const everyContainer = (pod: KubeObject): readonly PodContainer[] => [
  ...allContainers(pod),
  ...ephemeralContainers(pod),
];

const FIRST_BACK_OFF = 10_000;
const LONGEST_BACK_OFF = 300_000;
/** A container that ran this long starts its back-off anew. */
const BACK_OFF_RESET = 600_000;

/** Back-off before the next restart: none at first, then 10 s doubled up to 5 minutes. */
export function nextBackOff(record: Pick<ContainerRecord, "backOff" | "state">): number {
  const { state, backOff } = record;
  const ran = state.phase === "terminated" && state.startedAt !== undefined ? state.finishedAt - state.startedAt : 0;
  if (backOff === undefined || ran > BACK_OFF_RESET) return 0;
  return backOff === 0 ? FIRST_BACK_OFF : Math.min(backOff * 2, LONGEST_BACK_OFF);
}

type RestartPolicy = "Always" | "OnFailure" | "Never";

interface RestartRule {
  readonly action?: string;
  readonly exitCodes?: { readonly operator?: string; readonly values?: readonly number[] };
}

/** Whether a container that ended with `exitCode` starts again: by its own rules, its own policy, then the pod's. */
export function restarts(pod: KubeObject, container: PodContainer, exitCode: number): boolean {
  for (const { action, exitCodes } of (container["restartPolicyRules"] ?? []) as RestartRule[]) {
    const listed = exitCodes?.values?.includes(exitCode) ?? false;
    if (action === "Restart" && exitCodes && (exitCodes.operator === "NotIn" ? !listed : listed)) return true;
  }
  const policy: RestartPolicy = container["restartPolicy"] ?? pod["spec"]?.restartPolicy ?? "Always";
  return policy === "Always" || (policy === "OnFailure" && exitCode !== 0);
}

/** How long after a failed pull its reason becomes the waiting for the next one. */
export const PULL_SHOWN_MS = 2000;

export function planPod(pod: KubeObject, record: PodRecord, now: number): PodPlan {
  const spec = pod["spec"] ?? {};
  const of = (name: string) => record.containers[name] ?? newContainer();
  const sidecars = initContainers(pod).filter(isSidecar);
  const mains = mainContainers(pod);

  const end = (outcome: PodOutcome | undefined, reason: string): PodPlan => {
    const alive = everyContainer(pod).filter((container) => isAlive(of(container.name)));
    const first = alive.filter((container) => !sidecars.includes(container));
    // Sidecars serve the others, so they go last, in reverse order.
    const stop = first.length > 0 ? first : alive.slice(-1);
    return {
      start: [],
      stop: stop.map(({ name }) => ({ container: name, reason })),
      ...(alive.length === 0 && outcome ? { outcome } : {}),
      ...(alive.length === 0 && pod.metadata.deletionTimestamp ? { remove: true as const } : {}),
    };
  };

  if (pod.metadata.deletionTimestamp)
    return end(record.outcome ?? endOf(mains.map(({ name }) => of(name))), "the pod is being deleted");
  if (record.outcome) return end(undefined, "the pod has ended");
  if (record.evicted) {
    return end({ phase: "Failed", reason: "Evicted", message: record.evicted }, record.evicted);
  }
  const deadline =
    spec.activeDeadlineSeconds === undefined ? undefined : record.startTime + spec.activeDeadlineSeconds * 1000;
  if (deadline !== undefined && now >= deadline) {
    const message = "Pod was active on the node longer than the specified deadline";
    return end({ phase: "Failed", reason: "DeadlineExceeded", message }, message);
  }

  const start: string[] = [];
  const stop: { container: string; reason: string; changed?: true }[] = [];
  const times: number[] = deadline === undefined ? [] : [deadline];
  const result = (): PodPlan => ({ start, stop, ...(times.length > 0 ? { lookAgainAt: Math.min(...times) } : {}) });

  /** Starts a container whose time has come. */
  const begin = (name: string) => {
    const { retryAt, state, waitingSince } = of(name);
    if (retryAt === undefined || now >= retryAt) {
      start.push(name);
      return;
    }
    times.push(retryAt);
    if (state.phase === "waiting" && state.reason === "ErrImagePull" && waitingSince !== undefined) {
      times.push(waitingSince + PULL_SHOWN_MS);
    }
  };
  const check = (container: PodContainer) => {
    const { unhealthy, specImage } = of(container.name);
    const { name } = container;
    if (unhealthy !== undefined) stop.push({ container: name, reason: unhealthy });
    else if (specImage !== undefined && specImage !== container["image"]) {
      stop.push({ container: name, reason: `Container ${name} definition changed, will be restarted`, changed: true });
    }
  };

  for (const { name } of ephemeralContainers(pod)) if (of(name).state.phase === "waiting") begin(name);

  // Once a main container has started, sidecars that end hold nothing up any more.
  const begun = mains.some(({ name }) => of(name).attempt > 0);
  let initialized = true;
  for (const container of initContainers(pod)) {
    const { state, started, restart } = of(container.name);
    if (isSidecar(container)) {
      if (state.phase === "running" || state.phase === "starting") check(container);
      else begin(container.name);
      if (!begun && (state.phase !== "running" || !started)) {
        initialized = false;
        break;
      }
      continue;
    }
    if (begun || (state.phase === "terminated" && state.exitCode === 0)) continue;
    initialized = false;
    if (state.phase === "waiting") begin(container.name);
    else if (state.phase === "terminated") {
      if (!restart && !restarts(pod, container, state.exitCode)) {
        return end({ phase: "Failed" }, `init container ${container.name} failed`);
      }
      begin(container.name);
    } else check(container);
    break;
  }
  if (!initialized) return result();

  let unfinished = false;
  let failed = false;
  for (const container of mains) {
    const { state, restart } = of(container.name);
    if (state.phase === "terminated") {
      const again = restart === true || restarts(pod, container, state.exitCode);
      if (again) begin(container.name);
      else failed ||= state.exitCode !== 0;
      unfinished ||= again;
    } else {
      unfinished = true;
      if (state.phase === "waiting") begin(container.name);
      else check(container);
    }
  }
  if (unfinished) return result();
  return end({ phase: failed ? "Failed" : "Succeeded" }, "all containers of the pod have ended");
}

/** How a pod that was stopped has ended, when all of its containers ran. */
function endOf(records: readonly ContainerRecord[]): PodOutcome | undefined {
  const codes = records.flatMap(({ state }) => (state.phase === "terminated" ? [state.exitCode] : []));
  if (codes.length < records.length) return undefined;
  return { phase: codes.every((code) => code === 0) ? "Succeeded" : "Failed" };
}
