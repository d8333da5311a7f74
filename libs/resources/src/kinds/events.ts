import type { Condition, KubeObject } from "../object.js";

/** A key of a Secret or ConfigMap in the object's namespace. */
export interface KeyRef {
  name: string;
  key: string;
  optional?: boolean;
}

export interface EventBusObject extends KubeObject {
  spec: { nats?: object; jetstream?: object; jetstreamExotic?: object; kafka?: object };
  status?: { conditions?: Condition[] };
}

export interface EventSource extends KubeObject {
  spec: EventSourceSpec;
  status?: { conditions?: Condition[] };
}

export interface EventSourceSpec {
  eventBusName?: string;
  template?: object;
  service?: object;
  replicas?: number;
  webhook?: Record<string, WebhookSource>;
  github?: Record<string, GithubSource>;
  gitlab?: Record<string, GitlabSource>;
  calendar?: Record<string, CalendarSource>;
  /** Every other source type, by the name of its field. */
  [type: string]: unknown;
}

export interface WebhookContext {
  endpoint?: string;
  method?: string;
  port?: string;
  url?: string;
  serverCertSecret?: KeyRef;
  serverKeySecret?: KeyRef;
  metadata?: Record<string, string>;
  authSecret?: KeyRef;
  maxPayloadSize?: number;
}

export interface SourceFilter {
  expression?: string;
}

export interface WebhookSource extends WebhookContext {
  filter?: SourceFilter;
}

export interface GithubSource {
  webhook?: WebhookContext;
  events?: string[];
  repositories?: { owner?: string; names?: string[] }[];
  organizations?: string[];
  owner?: string;
  repository?: string;
  apiToken?: KeyRef;
  githubApp?: object;
  webhookSecret?: KeyRef;
  metadata?: Record<string, string>;
  filter?: SourceFilter;
}

export interface GitlabSource {
  webhook?: WebhookContext;
  events?: string[];
  projects?: string[];
  groups?: string[];
  projectID?: string;
  accessToken?: KeyRef;
  secretToken?: KeyRef;
  metadata?: Record<string, string>;
  filter?: SourceFilter;
}

export interface CalendarSource {
  schedule?: string;
  interval?: string;
  exclusionDates?: string[];
  timezone?: string;
  metadata?: Record<string, string>;
  persistence?: object;
  filter?: SourceFilter;
}

export interface Sensor extends KubeObject {
  spec: SensorSpec;
  status?: { conditions?: Condition[] };
}

export interface SensorSpec {
  dependencies?: EventDependency[];
  triggers?: Trigger[];
  template?: object;
  eventBusName?: string;
  errorOnFailedRound?: boolean;
  replicas?: number;
  revisionHistoryLimit?: number;
  loggingFields?: Record<string, string>;
}

export type LogicalOperator = "" | "and" | "or";

export interface EventDependency {
  name: string;
  eventSourceName: string;
  eventName: string;
  filters?: DependencyFilter;
  filtersLogicalOperator?: LogicalOperator;
  transform?: { jq?: string; script?: string };
}

export interface DependencyFilter {
  time?: { start: string; stop: string; timezone?: string };
  context?: Record<string, unknown>;
  data?: DataFilter[];
  dataLogicalOperator?: LogicalOperator;
  exprs?: { expr: string; fields: { path: string; name: string }[] }[];
  exprLogicalOperator?: LogicalOperator;
  script?: string;
}

export interface DataFilter {
  path: string;
  type: "bool" | "number" | "string";
  value: string[];
  comparator?: ">=" | ">" | "=" | "!=" | "<" | "<=" | "";
  template?: string;
}

export interface TriggerParameter {
  src?: ParameterSource;
  dest?: string;
  operation?: "" | "overwrite" | "append" | "prepend";
}

export interface ParameterSource {
  dependencyName: string;
  contextKey?: string;
  contextTemplate?: string;
  dataKey?: string;
  dataTemplate?: string;
  value?: string;
  useRawData?: boolean;
}

export interface Backoff {
  /** Nanoseconds, or a Go duration. */
  duration?: number | string;
  factor?: number | string;
  jitter?: number | string;
  steps?: number;
}

export interface Trigger {
  template?: TriggerTemplate;
  parameters?: TriggerParameter[];
  policy?: { k8s?: object; status?: { allow?: number[] } };
  retryStrategy?: Backoff;
  rateLimit?: { unit?: "Second" | "Minute" | "Hour"; requestsPerUnit?: number };
  atLeastOnce?: boolean;
  dlqTrigger?: Trigger;
}

export interface TriggerTemplate {
  name: string;
  conditions?: string;
  conditionsReset?: { byTime?: { cron?: string; timezone?: string } }[];
  k8s?: K8sTrigger;
  argoWorkflow?: ArgoWorkflowTrigger;
  http?: HttpTrigger;
  log?: { intervalSeconds?: number };
  /** Every other trigger type, by the name of its field. */
  [type: string]: unknown;
}

export interface TriggerSource {
  resource?: KubeObject;
  inline?: string;
  configmap?: KeyRef;
  [type: string]: unknown;
}

export interface K8sTrigger {
  source?: TriggerSource;
  operation?: "" | "create" | "update" | "patch" | "delete";
  parameters?: TriggerParameter[];
  patchStrategy?: string;
  liveObject?: boolean;
}

export interface ArgoWorkflowTrigger {
  source?: TriggerSource;
  operation?: string;
  parameters?: TriggerParameter[];
  args?: string[];
}

export interface HttpTrigger {
  url: string;
  payload?: TriggerParameter[];
  tls?: { caCertSecret?: KeyRef; clientCertSecret?: KeyRef; clientKeySecret?: KeyRef; insecureSkipVerify?: boolean };
  method?: string;
  parameters?: TriggerParameter[];
  /** Seconds. */
  timeout?: number;
  basicAuth?: { username?: KeyRef; password?: KeyRef };
  headers?: Record<string, string>;
  secureHeaders?: { name: string; valueFrom?: { secretKeyRef?: KeyRef; configMapKeyRef?: KeyRef } }[];
  dynamicHeaders?: TriggerParameter[];
}
