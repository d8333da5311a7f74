import type { Clock } from "@tiphys/clock";
import type { Journal } from "@tiphys/journal";
import type { CacheChange, Informers } from "@tiphys/kube";
import type { KubeObject, ObjectKey, ResourceType } from "@tiphys/resources";
import type { Logger, Metrics, Tracer } from "@tiphys/telemetry";
import type { Reconciler } from "./reconciler.js";

export interface ControllerOptions<State, Action, Fact> {
  /** Names the work queue, metrics, field manager and journal stream: `applications`, `rollouts`… */
  readonly name: string;
  /** The primary resource: one key is one object of it. */
  readonly resource: ResourceType;
  /** False for kinds whose status is written with the object (Workflow, AnalysisRun). */
  readonly statusSubresource: boolean;
  /** True for kinds that take annotations together with their status (Deployment): then `plan.patch` goes there too. */
  readonly annotationsWithStatus?: boolean;
  readonly reconciler: Reconciler<State, Action, Fact>;
  readonly informers: Informers;
  /** Further resources whose changes call for a pass, and which keys they call for. */
  readonly watches?: readonly Watch[];
  readonly clock: Clock;
  readonly journal: Journal;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Every action becomes a span of the change that its object carries; absent: no spans. */
  readonly tracer?: Tracer;
  /** Passes at the same time; never two of one key. */
  readonly workers?: number;
  /** False for objects that never need a pass: their changes cost nothing. Absent: every object may need one. */
  readonly concerns?: (object: KubeObject) => boolean;
  /** Keys of a higher rank go first. Absent: first come, first served. */
  readonly rank?: (key: ObjectKey) => number;
  /** Sharding: asked before every pass, also with one replica. */
  readonly owns?: (key: ObjectKey) => boolean;
  /** Told of every pass: how long it took, and whether it failed. */
  readonly onPass?: (key: ObjectKey, seconds: number, failed: boolean) => void;
  /** Crash tests stop the process here; production passes nothing. */
  readonly killPoint?: (name: string) => void;
}

export interface Watch {
  readonly resource: ResourceType;
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** Keys of the primary resource that a change calls for. "owner" follows the managing ownerReference. */
  readonly keys: "owner" | ((change: CacheChange) => readonly ObjectKey[]);
}

export interface Controller {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Asks for a pass of one key as soon as a worker is free. */
  enqueue(key: ObjectKey): void;
}
