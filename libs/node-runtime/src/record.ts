import type { ContainerResources, ResizeState } from "./resize.js";

/** Where a container is in its life. Times are milliseconds since 1970. */
export type ContainerState =
  | { readonly phase: "waiting"; readonly reason: string; readonly message?: string }
  | { readonly phase: "starting" }
  | { readonly phase: "running"; readonly startedAt: number }
  | Terminated;

export interface Terminated {
  readonly phase: "terminated";
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt?: number;
  readonly finishedAt: number;
  readonly attempt: number;
}

export interface ContainerRecord {
  /** What it was given when it started, or by a resize since. */
  resources?: ContainerResources;
  state: ContainerState;
  /** Number of the last process that was claimed; names its folder. */
  attempt: number;
  restarts: number;
  last?: Terminated;
  /** No start before this time. */
  retryAt?: number;
  /** Length of the last back-off, of starts and of image look-ups. */
  backOff?: number;
  /** The startup probe has passed, or there is none. */
  started: boolean;
  ready: boolean;
  /** Set when a probe wants the process ended. */
  unhealthy?: string;
  imageId?: string;
  /** The image's name as status shows it. */
  imageName?: string;
  /** What the spec named when it was started: another name since then means a restart. */
  specImage?: string;
  /** Started anew whatever the restart policy says, as its definition has changed. */
  restart?: true;
  /** When it began to wait for its image, milliseconds since 1970. */
  waitingSince?: number;
  /** Who its process is. */
  user?: { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] };
}

export interface PodOutcome {
  readonly phase: "Succeeded" | "Failed";
  readonly reason?: string;
  readonly message?: string;
}

/** Everything about a pod that must survive the death of this process. */
export interface PodRecord {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  /** `container/containerPort` → port on the host's loopback. */
  readonly ports: Record<string, number>;
  readonly startTime: number;
  containers: Record<string, ContainerRecord>;
  outcome?: PodOutcome;
  /** Set while a change of sizes cannot be made. */
  resize?: ResizeState;
  /** Set when the pod used more of the node than it may: it ends with this. */
  evicted?: string;
}

export const newContainer = (reason = "ContainerCreating"): ContainerRecord => ({
  state: { phase: "waiting", reason },
  attempt: 0,
  restarts: 0,
  started: false,
  ready: false,
});

export const isAlive = (record: ContainerRecord): boolean =>
  record.state.phase === "running" || record.state.phase === "starting";
