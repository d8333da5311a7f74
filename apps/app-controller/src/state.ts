import type { Reason } from "@tiphys/controller";
import type { Change } from "@tiphys/identity";
import type {
  Application,
  ApplicationCondition,
  ApplicationDestination,
  AppProject,
  IgnoreDifference,
  KubeObject,
  OperationState,
  ResourceResult,
} from "@tiphys/resources";
import type { SyncItem, SyncStep } from "@tiphys/sync";
import type { Comparison, SchemaSource } from "./compare.js";
import type { Target } from "./targets.js";

/** All that a pass over one application has read. */
export interface ApplicationState {
  readonly app: Application;
  readonly controlNamespace: string;
  readonly project: AppProject | undefined;
  /** Why the spec cannot be used; then nothing was rendered. */
  readonly specProblem: string | undefined;
  /** Set while the destination's cluster does not answer: nothing is known of what lives there. */
  readonly unreachable?: string;
  /** What is set without effect. */
  readonly warnings: readonly ApplicationCondition[];
  readonly target: Target;
  /** Objects by `resourceId`: everything tracked, and everything that is wanted, tracked or not. */
  readonly live: ReadonlyMap<string, KubeObject>;
  readonly operation: OperationView | undefined;
  readonly refreshRequested: boolean;
  /** Whether `status.resources` tells the health of each; else it is told by the resource tree alone. */
  readonly healthInResources: boolean;
  /** When the source is asked again even if nothing changes. */
  readonly pollAt: Date;
  /** A new identity, in case this pass begins something that has none. */
  readonly freshChange: Change;
  readonly schemas: SchemaSource;
}

/** What the running or requested operation syncs to. */
export interface OperationView {
  readonly target: Target;
  readonly live: ReadonlyMap<string, KubeObject>;
  /** The destination namespace, when it has to be made first. */
  readonly namespace: KubeObject | undefined;
  /** Refusals of the server's dry run; undefined when none was made in this pass. */
  readonly preflight: readonly ResourceResult[] | undefined;
}

/** One write of a sync, with what it needs beside the step. */
export interface DeliveryAction {
  readonly step: SyncStep;
  /** Put on what the step changes; undefined when the application does not want that. */
  readonly change: Change | undefined;
  /** Rules whose live values an apply leaves as they are. */
  readonly keep: readonly IgnoreDifference[];
  /** The cluster to write to. */
  readonly destination: ApplicationDestination;
}

export interface DeliveryFact {
  /** The object as it is now; absent when it is gone. */
  readonly live?: KubeObject;
}

/** What happens to an operation in a pass. */
export interface OperationDecision {
  readonly operationState?: OperationState;
  /** Beside status: removal of `operation`, the change annotation. */
  readonly patch?: Record<string, unknown>;
  readonly steps: readonly SyncStep[];
  /** Set when the attempt ends with the steps, if they succeed. */
  readonly end?: { readonly phase: "Succeeded" | "Failed"; readonly message: string };
  readonly syncError?: string;
  readonly reasons: readonly Reason[];
  readonly lookAgainAt?: Date;
}

export type { Comparison, SyncItem };
