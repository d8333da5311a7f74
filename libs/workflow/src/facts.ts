import type { WorkflowOutputs, WorkflowSpec } from "@tiphys/resources";

/** What the engine needs to know of one pod. */
export interface PodFact {
  readonly name: string;
  readonly nodeId: string;
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
  /** Its own message, such as that of an eviction. */
  readonly message?: string;
  readonly ip?: string;
  readonly node?: string;
  readonly deleting?: boolean;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** `done/all`, as the pod's own annotation says. */
  readonly progress?: string;
  /** It carries the label of pods that nobody has to look at any more. */
  readonly labelledCompleted?: boolean;
  readonly containers: readonly ContainerFact[];
}

export interface ContainerFact {
  readonly name: string;
  readonly kind: "main" | "init" | "sidecar";
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly terminated?: {
    readonly exitCode: number;
    readonly reason?: string;
    readonly message?: string;
    readonly startedAt?: string;
    readonly finishedAt?: string;
  };
  /** Quantities by resource: requests, and limits where nothing is requested. */
  readonly resources?: Readonly<Record<string, string>>;
}

/** What an executor reported of its pod. */
export interface TaskResultFact {
  readonly nodeId: string;
  /** The executor has reported all it will. */
  readonly completed: boolean;
  readonly phase?: string;
  readonly message?: string;
  readonly outputs?: WorkflowOutputs;
  readonly progress?: string;
}

/** The stored libraries that a workflow may refer to; undefined when there is none of that name. */
export interface TemplateSource {
  workflowTemplate(name: string): WorkflowSpec | undefined;
  clusterWorkflowTemplate(name: string): WorkflowSpec | undefined;
}

export const noTemplates: TemplateSource = {
  workflowTemplate: () => undefined,
  clusterWorkflowTemplate: () => undefined,
};
