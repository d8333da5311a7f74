import {
  anyObject,
  anyValue,
  flag,
  int32,
  int64,
  intOrString,
  list,
  object,
  type Schema,
  text,
  texts,
} from "./argo-schema.js";

const keyRef = object({ name: text, key: text, optional: flag }, ["key"]);
/** Resource.Amount of the originals: a number, also as a string. */
const amount: Schema = { "x-kubernetes-preserve-unknown-fields": true };
const backoff = object({ duration: intOrString, factor: amount, jitter: amount, steps: int32 });
const tls = object({
  enabled: flag,
  caCertSecret: keyRef,
  clientCertSecret: keyRef,
  clientKeySecret: keyRef,
  insecureSkipVerify: flag,
});

const condition = object(
  {
    type: text,
    status: text,
    reason: text,
    message: text,
    lastTransitionTime: { type: "string", format: "date-time" },
    observedGeneration: int64,
  },
  ["type", "status"],
);
/** Status of all three kinds: conditions. */
export const eventsStatus = object({ conditions: list(condition) });

const podTemplate = object({
  metadata: object({ labels: texts, annotations: texts }),
  serviceAccountName: text,
  container: anyObject,
  volumes: list(anyObject),
  securityContext: anyObject,
  affinity: anyObject,
  tolerations: list(anyObject),
  nodeSelector: texts,
  imagePullSecrets: list(anyObject),
  priorityClassName: text,
  priority: int32,
});

const sourceFilter = object({ expression: text });
const webhookContext = {
  endpoint: text,
  method: text,
  port: text,
  url: text,
  serverCertSecret: keyRef,
  serverKeySecret: keyRef,
  metadata: texts,
  authSecret: keyRef,
  maxPayloadSize: int64,
};
const webhook = object({ ...webhookContext, filter: sourceFilter });
const named = (schema: Schema): Schema => ({ type: "object", additionalProperties: schema });

/** Sources whose fields we know exactly, because we run them. */
const typedSources: Record<string, Schema> = {
  webhook: named(webhook),
  github: named(
    object({
      id: int64,
      webhook: object(webhookContext),
      owner: text,
      repository: text,
      events: list(text),
      apiToken: keyRef,
      webhookSecret: keyRef,
      insecure: flag,
      active: flag,
      contentType: text,
      githubBaseURL: text,
      githubUploadURL: text,
      deleteHookOnFinish: flag,
      metadata: texts,
      repositories: list(object({ owner: text, names: list(text) })),
      organizations: list(text),
      githubApp: object({ privateKey: keyRef, appID: int64, installationID: int64 }),
      filter: sourceFilter,
    }),
  ),
  gitlab: named(
    object({
      webhook: object(webhookContext),
      projectID: text,
      projects: list(text),
      groups: list(text),
      events: list(text),
      accessToken: keyRef,
      enableSSLVerification: flag,
      gitlabBaseURL: text,
      deleteHookOnFinish: flag,
      metadata: texts,
      secretToken: keyRef,
      filter: sourceFilter,
    }),
  ),
  calendar: named(
    object({
      schedule: text,
      interval: text,
      exclusionDates: list(text),
      timezone: text,
      metadata: texts,
      persistence: object({
        catchup: object({ enabled: flag, maxDuration: text }),
        configMap: object({ name: text, createIfNotExist: flag }),
      }),
      filter: sourceFilter,
    }),
  ),
};

/** Sources that the schema accepts and the gateway refuses by name until they are built. */
const otherSources = [
  "amqp", "azureEventsHub", "azureQueueStorage", "azureServiceBus", "bitbucket", "bitbucketserver", "emitter", "file",
  "generic", "gerrit", "hdfs", "kafka", "minio", "mns", "mqtt", "nats", "nsq", "pubSub", "pulsar", "redis",
  "redisStream", "resource", "sftp", "slack", "sns", "sqs", "storageGrid", "stripe",
]; // biome-ignore format: one list, in the order of the alphabet

export const eventSourceSpec = object({
  eventBusName: text,
  template: podTemplate,
  service: object({ ports: list(anyObject), clusterIP: text, metadata: anyObject }),
  replicas: int32,
  ...typedSources,
  ...Object.fromEntries(otherSources.map((name) => [name, named(anyObject)])),
});

const dataFilter = object({ path: text, type: text, value: list(text), comparator: text, template: text }, [
  "path",
  "type",
  "value",
]);
const dependency = object(
  {
    name: text,
    eventSourceName: text,
    eventName: text,
    filtersLogicalOperator: text,
    transform: object({ jq: text, script: text }),
    filters: object({
      time: object({ start: text, stop: text, timezone: text }),
      context: object({
        id: text,
        source: text,
        specversion: text,
        type: text,
        datacontenttype: text,
        subject: text,
        time: anyValue,
      }),
      data: list(dataFilter),
      dataLogicalOperator: text,
      exprs: list(object({ expr: text, fields: list(object({ path: text, name: text })) })),
      exprLogicalOperator: text,
      script: text,
    }),
  },
  ["name", "eventSourceName", "eventName"],
);

const parameter = object({
  src: object({
    dependencyName: text,
    contextKey: text,
    contextTemplate: text,
    dataKey: text,
    dataTemplate: text,
    value: text,
    useRawData: flag,
  }),
  dest: text,
  operation: text,
});
const artifact = object({
  s3: anyObject,
  inline: text,
  file: anyObject,
  url: anyObject,
  configmap: keyRef,
  git: anyObject,
  resource: anyObject,
});
const secureHeader = object({ name: text, valueFrom: object({ secretKeyRef: keyRef, configMapKeyRef: keyRef }) });

const triggerTemplate = object(
  {
    name: text,
    conditions: text,
    conditionsReset: list(object({ byTime: object({ cron: text, timezone: text }) })),
    k8s: object({
      source: artifact,
      operation: text,
      parameters: list(parameter),
      patchStrategy: text,
      liveObject: flag,
    }),
    argoWorkflow: object({ source: artifact, operation: text, parameters: list(parameter), args: list(text) }),
    http: object({
      url: text,
      payload: list(parameter),
      tls,
      method: text,
      parameters: list(parameter),
      timeout: int64,
      basicAuth: object({ username: keyRef, password: keyRef }),
      headers: texts,
      secureHeaders: list(secureHeader),
      dynamicHeaders: list(parameter),
    }),
    log: object({ intervalSeconds: int64 }),
    ...Object.fromEntries(
      // biome-ignore format: one list, in the order of the alphabet
      ["awsLambda", "azureEventHubs", "azureServiceBus", "custom", "email", "kafka", "nats", "openWhisk", "pulsar", "slack"]
        .map((name) => [name, anyObject]),
    ),
  },
  ["name"],
);

const triggerFields: Record<string, Schema> = {
  template: triggerTemplate,
  parameters: list(parameter),
  policy: object({
    k8s: object({ labels: texts, backoff, errorOnBackoffTimeout: flag }),
    status: object({ allow: list(int32) }),
  }),
  retryStrategy: backoff,
  rateLimit: object({ unit: text, requestsPerUnit: int32 }),
  atLeastOnce: flag,
};
const trigger = object({ ...triggerFields, dlqTrigger: object(triggerFields) });

export const sensorSpec = object({
  dependencies: list(dependency),
  triggers: list(trigger),
  template: podTemplate,
  errorOnFailedRound: flag,
  eventBusName: text,
  replicas: int32,
  revisionHistoryLimit: int32,
  loggingFields: texts,
});

export const eventBusSpec = object({
  nats: anyObject,
  jetstream: anyObject,
  jetstreamExotic: anyObject,
  kafka: anyObject,
});
