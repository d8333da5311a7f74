import type { KubeObject, ObjectMeta } from "../object.js";

/** Verdict of a run, a metric or a measurement. */
export type AnalysisPhase = "" | "Pending" | "Running" | "Successful" | "Failed" | "Error" | "Inconclusive";

/** A number, or its text (args are substituted into texts). */
export type IntOrString = number | string;

/** A value that an analysis is given. */
export interface AnalysisArg {
  name: string;
  value?: string;
  valueFrom?: {
    secretKeyRef?: { name: string; key: string };
    fieldRef?: { fieldPath: string };
    podTemplateHashValue?: "Stable" | "Latest";
  };
}

export interface WebMetric {
  method?: "GET" | "POST" | "PUT";
  url: string;
  headers?: { key: string; value: string }[];
  body?: string;
  jsonBody?: unknown;
  timeoutSeconds?: IntOrString;
  jsonPath?: string;
  insecure?: boolean;
  authentication?: Record<string, unknown>;
}

export interface PrometheusMetric {
  address?: string;
  query?: string;
  timeout?: IntOrString;
  insecure?: boolean;
  headers?: { key: string; value: string }[];
  authentication?: Record<string, unknown>;
  rangeQuery?: Record<string, unknown>;
}

export interface JobMetric {
  metadata?: Pick<ObjectMeta, "labels" | "annotations">;
  spec: Record<string, unknown>;
}

/** One of the providers is set; the others are kept as they are. */
export interface MetricProviderSpec {
  web?: WebMetric;
  prometheus?: PrometheusMetric;
  job?: JobMetric;
  [provider: string]: unknown;
}

export interface Metric {
  name: string;
  interval?: string;
  initialDelay?: string;
  count?: IntOrString;
  successCondition?: string;
  failureCondition?: string;
  failureLimit?: IntOrString;
  inconclusiveLimit?: IntOrString;
  consecutiveErrorLimit?: IntOrString;
  consecutiveSuccessLimit?: IntOrString;
  provider: MetricProviderSpec;
}

export interface DryRun {
  metricName: string;
}

export interface MeasurementRetention {
  metricName: string;
  limit: number;
}

export interface AnalysisTemplateRef {
  templateName: string;
  clusterScope?: boolean;
}

export interface AnalysisTemplateSpec {
  metrics?: Metric[];
  args?: AnalysisArg[];
  dryRun?: DryRun[];
  measurementRetention?: MeasurementRetention[];
  templates?: AnalysisTemplateRef[];
}

export interface AnalysisTemplate extends KubeObject {
  kind: "AnalysisTemplate" | "ClusterAnalysisTemplate";
  spec: AnalysisTemplateSpec;
}

export interface AnalysisRunSpec {
  metrics: Metric[];
  args?: AnalysisArg[];
  dryRun?: DryRun[];
  measurementRetention?: MeasurementRetention[];
  terminate?: boolean;
  ttlStrategy?: {
    secondsAfterCompletion?: number;
    secondsAfterFailure?: number;
    secondsAfterSuccess?: number;
  };
}

export interface Measurement {
  phase: AnalysisPhase;
  message?: string;
  value?: string;
  startedAt?: string;
  finishedAt?: string;
  resumeAt?: string;
  metadata?: Record<string, string>;
}

export interface MetricResult {
  name: string;
  phase: AnalysisPhase;
  message?: string;
  measurements?: Measurement[];
  count?: number;
  successful?: number;
  failed?: number;
  inconclusive?: number;
  error?: number;
  consecutiveError?: number;
  consecutiveSuccess?: number;
  dryRun?: boolean;
  metadata?: Record<string, string>;
}

export interface RunSummary {
  count?: number;
  successful?: number;
  failed?: number;
  inconclusive?: number;
  error?: number;
}

export interface AnalysisRunStatus {
  phase: AnalysisPhase;
  message?: string;
  metricResults?: MetricResult[];
  startedAt?: string;
  completedAt?: string;
  runSummary?: RunSummary;
  dryRunSummary?: RunSummary;
}

export interface AnalysisRun extends KubeObject {
  kind: "AnalysisRun";
  spec: AnalysisRunSpec;
  status?: AnalysisRunStatus;
}
