import type { Condition, KubeObject } from "../object.js";
import type { AnalysisArg, AnalysisPhase, AnalysisTemplateRef, DryRun, MeasurementRetention } from "./analysis.js";

/** Label of ReplicaSets, their pods, Service selectors and runs: which template they belong to. */
export const POD_TEMPLATE_HASH_LABEL = "rollouts-pod-template-hash";
export const ROLLOUT_REVISION_ANNOTATION = "rollout.argoproj.io/revision";
export const ROLLOUT_REVISION_HISTORY_ANNOTATION = "rollout.argoproj.io/revision-history";
export const ROLLOUT_DESIRED_REPLICAS_ANNOTATION = "rollout.argoproj.io/desired-replicas";
/** RFC 3339 time after which an old ReplicaSet goes to zero; the key really has no prefix. */
export const SCALE_DOWN_DEADLINE_ANNOTATION = "scale-down-deadline";
export const MANAGED_BY_ROLLOUTS_ANNOTATION = "argo-rollouts.argoproj.io/managed-by-rollouts";
export const ROLLOUT_TYPE_LABEL = "rollout-type";
export const STEP_INDEX_LABEL = "step-index";

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: the pod spec is passed on as it is
  spec: Record<string, any>;
}

export interface RolloutPause {
  /** Seconds, a number in a text, or a Go duration; absent means until promoted. */
  duration?: number | string;
}

export interface RolloutAnalysis {
  templates?: AnalysisTemplateRef[];
  args?: AnalysisArg[];
  dryRun?: DryRun[];
  measurementRetention?: MeasurementRetention[];
  analysisRunMetadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
}

export interface CanaryStep {
  setWeight?: number;
  pause?: RolloutPause;
  setCanaryScale?: { weight?: number; replicas?: number; matchTrafficWeight?: boolean };
  analysis?: RolloutAnalysis;
  experiment?: Record<string, unknown>;
  setHeaderRoute?: Record<string, unknown>;
  setMirrorRoute?: Record<string, unknown>;
  plugin?: Record<string, unknown>;
}

export interface NginxTrafficRouting {
  annotationPrefix?: string;
  stableIngress?: string;
  stableIngresses?: string[];
  additionalIngressAnnotations?: Record<string, string>;
  canaryIngressAnnotations?: Record<string, string>;
}

export interface TrafficRouting {
  nginx?: NginxTrafficRouting;
  maxTrafficWeight?: number;
  managedRoutes?: { name: string }[];
  [router: string]: unknown;
}

export interface CanaryStrategy {
  canaryService?: string;
  stableService?: string;
  steps?: CanaryStep[];
  maxSurge?: number | string;
  maxUnavailable?: number | string;
  trafficRouting?: TrafficRouting;
  analysis?: RolloutAnalysis & { startingStep?: number };
  antiAffinity?: Record<string, unknown>;
  canaryMetadata?: Record<string, unknown>;
  stableMetadata?: Record<string, unknown>;
  scaleDownDelaySeconds?: number;
  scaleDownDelayRevisionLimit?: number;
  abortScaleDownDelaySeconds?: number;
  dynamicStableScale?: boolean;
  pingPong?: Record<string, unknown>;
  minPodsPerReplicaSet?: number;
  replicaProgressThreshold?: { type: "Percent" | "Pods"; value: number | string };
}

export interface RolloutSpec {
  replicas?: number;
  selector?: { matchLabels?: Record<string, string>; matchExpressions?: Record<string, unknown>[] };
  template?: PodTemplate;
  workloadRef?: Record<string, unknown>;
  minReadySeconds?: number;
  rollbackWindow?: { revisions?: number };
  strategy?: { canary?: CanaryStrategy; blueGreen?: Record<string, unknown> };
  revisionHistoryLimit?: number;
  paused?: boolean;
  progressDeadlineSeconds?: number;
  progressDeadlineAbort?: boolean;
  restartAt?: string;
  analysis?: { successfulRunHistoryLimit?: number; unsuccessfulRunHistoryLimit?: number };
}

export type PauseReason = "CanaryPauseStep" | "BlueGreenPause" | "InconclusiveAnalysisRun" | "InconclusiveExperiment";

export interface PauseCondition {
  reason: PauseReason;
  startTime: string;
}

export interface RolloutAnalysisRunStatus {
  name: string;
  status: AnalysisPhase;
  message?: string;
}

export interface WeightDestination {
  weight: number;
  serviceName?: string;
  podTemplateHash?: string;
}

export interface CanaryStatus {
  currentStepAnalysisRunStatus?: RolloutAnalysisRunStatus;
  currentBackgroundAnalysisRunStatus?: RolloutAnalysisRunStatus;
  currentExperiment?: string;
  weights?: { canary: WeightDestination; stable: WeightDestination; verified?: boolean };
  [field: string]: unknown;
}

export type RolloutPhase = "Healthy" | "Degraded" | "Progressing" | "Paused";

/** The course of the last update in time. */
export interface RolloutDuration {
  rolloutStartedAt: string;
  manualPauseStartedAt?: string;
  totalManualPauseDurationSeconds?: number;
  finishedAt?: string;
  completionStatus?: "Promoted" | "FastPromoted" | "Aborted" | "RolledBack" | "FastRolledBack";
}

export interface RolloutStatus {
  abort?: boolean;
  abortedAt?: string;
  pauseConditions?: PauseCondition[];
  controllerPause?: boolean;
  currentPodHash?: string;
  currentStepHash?: string;
  currentStepIndex?: number;
  stableRS?: string;
  replicas?: number;
  updatedReplicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  HPAReplicas?: number;
  selector?: string;
  collisionCount?: number;
  /** Text, for historic reasons. */
  observedGeneration?: string;
  conditions?: Condition[];
  promoteFull?: boolean;
  restartedAt?: string;
  phase?: RolloutPhase;
  message?: string;
  canary?: CanaryStatus;
  blueGreen?: Record<string, unknown>;
  duration?: RolloutDuration;
}

export interface Rollout extends KubeObject {
  kind: "Rollout";
  spec: RolloutSpec;
  status?: RolloutStatus;
}

/** An apps/v1 ReplicaSet, as far as rollouts look at it. */
export interface ReplicaSet extends KubeObject {
  kind: "ReplicaSet";
  spec: {
    replicas?: number;
    minReadySeconds?: number;
    selector: { matchLabels?: Record<string, string>; matchExpressions?: Record<string, unknown>[] };
    template: PodTemplate;
  };
  status?: {
    replicas?: number;
    fullyLabeledReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    observedGeneration?: number;
    conditions?: Condition[];
  };
}
