import type { ObjectMeta } from "../object.js";

/** Workflow and its library kinds, as far as our own code reads them. Pod-shaped parts stay open data. */
export interface Workflow {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: WorkflowSpec;
  status?: WorkflowStatus;
  // biome-ignore lint/suspicious/noExplicitAny: the same open shape as KubeObject
  [field: string]: any;
}

export interface WorkflowTemplate {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: WorkflowSpec;
  // biome-ignore lint/suspicious/noExplicitAny: the same open shape as KubeObject
  [field: string]: any;
}

export interface WorkflowSpec {
  templates?: WorkflowTemplateSpec[];
  entrypoint?: string;
  arguments?: WorkflowArguments;
  workflowTemplateRef?: { name?: string; clusterScope?: boolean };
  serviceAccountName?: string;
  parallelism?: number;
  suspend?: boolean;
  onExit?: string;
  hooks?: Record<string, WorkflowLifecycleHook>;
  ttlStrategy?: { secondsAfterCompletion?: number; secondsAfterSuccess?: number; secondsAfterFailure?: number };
  activeDeadlineSeconds?: number;
  podGC?: { strategy?: string; labelSelector?: unknown; deleteDelayDuration?: string };
  shutdown?: string;
  retryStrategy?: WorkflowRetryStrategy;
  templateDefaults?: WorkflowTemplateSpec;
  podMetadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  workflowMetadata?: { labels?: Record<string, string>; annotations?: Record<string, string>; labelsFrom?: unknown };
  podPriorityClassName?: string;
  priority?: number;
  [field: string]: unknown;
}

export interface WorkflowArguments {
  parameters?: WorkflowParameter[];
  artifacts?: WorkflowArtifact[];
}

export interface WorkflowParameter {
  name: string;
  value?: string | number | boolean | null;
  default?: string | number | boolean | null;
  enum?: (string | number | boolean)[];
  description?: string;
  globalName?: string;
  valueFrom?: WorkflowParameterSource;
}

export interface WorkflowParameterSource {
  path?: string;
  parameter?: string;
  expression?: string;
  default?: string | number | boolean | null;
  supplied?: object;
  configMapKeyRef?: { name?: string; key?: string; optional?: boolean };
  jsonPath?: string;
  jqFilter?: string;
  event?: string;
}

export interface WorkflowArtifact {
  name: string;
  [field: string]: unknown;
}

export interface WorkflowLifecycleHook {
  template?: string;
  templateRef?: WorkflowTemplateRef;
  arguments?: WorkflowArguments;
  expression?: string;
}

export interface WorkflowTemplateRef {
  name?: string;
  template?: string;
  clusterScope?: boolean;
}

/** One template of a workflow's library. (`WorkflowTemplate` is the kind.) */
export interface WorkflowTemplateSpec {
  name?: string;
  inputs?: WorkflowArguments;
  outputs?: WorkflowOutputs;
  container?: Record<string, unknown>;
  script?: Record<string, unknown> & { source?: string };
  steps?: WorkflowStep[][];
  dag?: { tasks?: DagTask[]; target?: string; failFast?: boolean };
  suspend?: { duration?: string | number } | null;
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  annotations?: Record<string, string>;
  retryStrategy?: WorkflowRetryStrategy;
  parallelism?: number;
  failFast?: boolean;
  activeDeadlineSeconds?: number | string;
  timeout?: string;
  daemon?: boolean;
  serviceAccountName?: string;
  [field: string]: unknown;
}

export interface WorkflowOutputs {
  parameters?: WorkflowParameter[];
  artifacts?: WorkflowArtifact[];
  result?: string;
  exitCode?: string;
}

export interface WorkflowStep {
  name?: string;
  template?: string;
  templateRef?: WorkflowTemplateRef;
  inline?: WorkflowTemplateSpec;
  arguments?: WorkflowArguments;
  withItems?: unknown[];
  withParam?: string;
  withSequence?: WorkflowSequence;
  when?: string;
  continueOn?: { error?: boolean; failed?: boolean };
  onExit?: string;
  hooks?: Record<string, WorkflowLifecycleHook>;
}

export interface DagTask extends WorkflowStep {
  dependencies?: string[];
  depends?: string;
}

export interface WorkflowSequence {
  count?: string | number;
  start?: string | number;
  end?: string | number;
  format?: string;
}

export interface WorkflowRetryStrategy {
  limit?: string | number;
  retryPolicy?: string;
  backoff?: { duration?: string | number; factor?: string | number; cap?: string; maxDuration?: string };
  expression?: string;
  affinity?: unknown;
}

export type WorkflowPhase = "" | "Pending" | "Running" | "Succeeded" | "Failed" | "Error";
export type NodePhase = "Pending" | "Running" | "Succeeded" | "Skipped" | "Failed" | "Error" | "Omitted";
export type NodeType = "Pod" | "Steps" | "StepGroup" | "DAG" | "TaskGroup" | "Retry" | "Skipped" | "Suspend";

export interface WorkflowNodeStatus {
  id: string;
  name: string;
  displayName: string;
  type: NodeType;
  templateName?: string;
  templateRef?: WorkflowTemplateRef;
  templateScope?: string;
  phase?: NodePhase;
  boundaryID?: string;
  message?: string;
  startedAt?: string | null;
  finishedAt?: string | null;
  progress?: string;
  /** Seconds that this took in the last successful run of the template. */
  estimatedDuration?: number;
  /** Seconds by resource. */
  resourcesDuration?: Readonly<Record<string, number>>;
  podIP?: string;
  hostNodeName?: string;
  inputs?: WorkflowArguments;
  outputs?: WorkflowOutputs;
  children?: string[];
  outboundNodes?: string[];
  nodeFlag?: { hooked?: boolean; retried?: boolean };
  taskResultSynced?: boolean;
}

export interface WorkflowStatus {
  phase?: WorkflowPhase;
  startedAt?: string | null;
  finishedAt?: string | null;
  progress?: string;
  message?: string;
  nodes?: Record<string, WorkflowNodeStatus>;
  /** The nodes as gzip and base64, in place of `nodes`, of a workflow that would be too large otherwise. */
  compressedNodes?: string;
  estimatedDuration?: number;
  resourcesDuration?: Readonly<Record<string, number>>;
  storedTemplates?: Record<string, WorkflowTemplateSpec>;
  storedWorkflowTemplateSpec?: WorkflowSpec;
  outputs?: WorkflowOutputs;
  conditions?: { type: string; status: string; message?: string }[];
  [field: string]: unknown;
}

/** What the executor reported of one pod; NodeResult's fields are at top level. */
export interface WorkflowTaskResult {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  phase?: NodePhase;
  message?: string;
  outputs?: WorkflowOutputs;
  progress?: string;
  // biome-ignore lint/suspicious/noExplicitAny: the same open shape as KubeObject
  [field: string]: any;
}
