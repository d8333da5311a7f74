import { type TemplateLookup, templateKey } from "@tiphys/analysis";
import { clone } from "@tiphys/canonical-json";
import type {
  AnalysisRun,
  AnalysisTemplate,
  CanaryStatus,
  CanaryStep,
  CanaryStrategy,
  KubeObject,
  ReplicaSet,
  Rollout,
  RolloutStatus,
} from "@tiphys/resources";
import { type ReplicaSetPatch, type Sets, sortSets, wantedRevision } from "./replica-sets.js";
import type { ObjectsByName, RouterWrite, TrafficRouter } from "./router.js";
import { canaryOf, replicasOf, stepsOf } from "./steps.js";

/** Everything a decision about a Rollout depends on. */
export interface RolloutState {
  readonly rollout: Rollout;
  /** Controlled by the Rollout. */
  readonly replicaSets: readonly ReplicaSet[];
  /** Selected by the Rollout and controlled by nobody. */
  readonly orphans?: readonly ReplicaSet[];
  /** Services that the Rollout names. */
  readonly services: Readonly<Record<string, KubeObject | undefined>>;
  /** What its traffic router reads. */
  readonly routerObjects: ObjectsByName;
  /** Controlled by the Rollout. */
  readonly analysisRuns: readonly AnalysisRun[];
  /** Templates by `templateKey`, nested ones included. */
  readonly templates: Readonly<Record<string, AnalysisTemplate | undefined>>;
  /** Pods that the selector selects; read only while a restart is pending. */
  readonly pods?: readonly KubeObject[];
  /** The name of the ReplicaSet to create belongs to somebody else's. */
  readonly nameTaken?: boolean;
}

/** One write, or one event to record. */
export type RolloutAction =
  | { readonly kind: "createReplicaSet"; readonly set: ReplicaSet }
  | { readonly kind: "adoptReplicaSet"; readonly set: ReplicaSet }
  | {
      readonly kind: "patchReplicaSet";
      readonly name: string;
      readonly namespace?: string;
      readonly patch: ReplicaSetPatch;
    }
  | { readonly kind: "deleteReplicaSet"; readonly name: string; readonly namespace?: string; readonly uid: string }
  | {
      readonly kind: "selectPods";
      readonly service: string;
      readonly namespace?: string;
      readonly hash: string;
      readonly owner: string;
    }
  | { readonly kind: "route"; readonly namespace?: string; readonly write: RouterWrite }
  | { readonly kind: "createRun"; readonly run: AnalysisRun }
  | { readonly kind: "terminateRun"; readonly name: string; readonly namespace?: string }
  | { readonly kind: "deleteRun"; readonly name: string; readonly namespace?: string }
  | { readonly kind: "evictPod"; readonly name: string }
  | { readonly kind: "event"; readonly type: "Normal" | "Warning"; readonly reason: string; readonly message: string };

export interface RolloutReason {
  readonly code: string;
  readonly message: string;
  readonly about?: string;
}

/** What one pass decided; the same shape as the controller framework's plan. */
export interface RolloutPlan {
  readonly status: Record<string, unknown>;
  readonly patch?: Record<string, unknown>;
  readonly actions: readonly RolloutAction[];
  readonly reasons: readonly RolloutReason[];
  readonly lookAgainAt?: Date;
}

/** A pass while it is being decided. `status` is the draft of what will be written. */
export interface Pass {
  readonly state: RolloutState;
  readonly rollout: Rollout;
  readonly canary: CanaryStrategy;
  readonly steps: readonly CanaryStep[];
  readonly replicas: number;
  readonly router: TrafficRouter | undefined;
  readonly sets: Sets;
  readonly revision: number;
  readonly before: RolloutStatus;
  readonly status: RolloutStatus & { canary: CanaryStatus };
  readonly now: Date;
  readonly find: TemplateLookup;
  readonly actions: RolloutAction[];
  readonly events: RolloutAction[];
  readonly reasons: RolloutReason[];
  look?: Date;
  abortMessage?: string;
  /** A person resumed a pause that was not a pause step. */
  resumed?: boolean;
}

export function beginPass(state: RolloutState, now: Date, routers: readonly TrafficRouter[]): Pass {
  const { rollout } = state;
  const sets = sortSets(rollout, state.replicaSets);
  const before = rollout.status ?? {};
  return {
    state,
    rollout,
    canary: canaryOf(rollout),
    steps: stepsOf(rollout),
    replicas: replicasOf(rollout),
    router: routers.find((router) => router.wanted(rollout)),
    sets,
    revision: wantedRevision(sets),
    before,
    status: { ...clone(before), canary: clone(before.canary ?? {}) },
    now,
    find: (ref) => state.templates[templateKey(ref)],
    actions: [],
    events: [],
    reasons: [],
  };
}

/** The step the update is at; `steps.length` when all are done. */
export const indexOf = (pass: Pass): number => (pass.steps.length === 0 ? 0 : (pass.status.currentStepIndex ?? 0));

export const allStepsDone = (pass: Pass): boolean => indexOf(pass) >= pass.steps.length;

/** True while an update is turned back: traffic and pods go to the stable template. */
export const turnedBack = (pass: Pass): boolean => pass.status.abort === true && hasStable(pass);

export const hasStable = (pass: Pass): boolean => (pass.status.stableRS ?? "") !== "";

export const promoted = (pass: Pass): boolean => pass.status.stableRS === pass.sets.hash;

export function lookAt(pass: Pass, at: Date): void {
  if (!pass.look || at < pass.look) pass.look = at;
}

export function event(pass: Pass, type: "Normal" | "Warning", reason: string, message: string): void {
  pass.events.push({ kind: "event", type, reason, message });
}

/** Fields of the status that later passes act upon. They are stored before anything is done because of them. */
const decisive = [
  "abort",
  "abortedAt",
  "collisionCount",
  "controllerPause",
  "currentPodHash",
  "currentStepHash",
  "currentStepIndex",
  "pauseConditions",
  "promoteFull",
  "stableRS",
] as const;

/** True when this pass decided something that has to be stored before it is acted upon. */
export function decided(pass: Pass): boolean {
  const { before, status } = pass;
  return (
    decisive.some((field) => JSON.stringify(before[field]) !== JSON.stringify(status[field])) ||
    before.canary?.currentStepAnalysisRunStatus?.name !== status.canary.currentStepAnalysisRunStatus?.name ||
    before.canary?.currentBackgroundAnalysisRunStatus?.name !== status.canary.currentBackgroundAnalysisRunStatus?.name
  );
}
