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
  time,
} from "./argo-schema.js";

const headers = list(object({ key: text, value: text }, ["key", "value"]));
const oauth2 = object({ tokenUrl: text, clientId: text, clientSecret: text, scopes: list(text) });
const authentication = object({
  sigv4: object({ profile: text, region: text, roleArn: text }),
  oauth2,
  basicAuth: object({ username: text, password: text }),
});

const provider = object({
  cloudWatch: object({ interval: text, metricDataQueries: list(anyObject) }, ["metricDataQueries"]),
  datadog: object({
    apiVersion: { type: "string", enum: ["v1", "v2"], default: "v1" },
    aggregator: { type: "string", enum: ["avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area"] },
    formula: text,
    interval: { type: "string", default: "5m" },
    queries: texts,
    query: text,
    secretRef: object({ name: text, namespaced: flag }),
  }),
  graphite: object({ address: text, query: text }),
  influxdb: object({ profile: text, query: text }),
  job: object({ metadata: anyObject, spec: anyObject }, ["spec"]),
  kayenta: anyObject,
  newRelic: object({ profile: text, query: text, timeout: int64 }, ["query"]),
  plugin: anyObject,
  prometheus: object({
    address: text,
    authentication,
    headers,
    insecure: flag,
    query: text,
    rangeQuery: object({ start: text, end: text, step: text }),
    timeout: int64,
  }),
  skywalking: object({ address: text, interval: text, query: text }),
  wavefront: object({ address: text, query: text }),
  web: object(
    {
      authentication,
      body: text,
      headers,
      insecure: flag,
      jsonBody: anyValue,
      jsonPath: text,
      method: { type: "string", enum: ["GET", "POST", "PUT"] },
      timeoutSeconds: int64,
      url: text,
    },
    ["url"],
  ),
});

const metric = object(
  {
    name: text,
    interval: text,
    initialDelay: text,
    count: intOrString,
    successCondition: text,
    failureCondition: text,
    failureLimit: intOrString,
    inconclusiveLimit: intOrString,
    consecutiveErrorLimit: intOrString,
    consecutiveSuccessLimit: intOrString,
    provider,
  },
  ["name", "provider"],
);

export const analysisArgs = list(
  object(
    {
      name: text,
      value: text,
      valueFrom: object({
        secretKeyRef: object({ name: text, key: text }, ["name", "key"]),
        fieldRef: object({ fieldPath: text }, ["fieldPath"]),
        podTemplateHashValue: { type: "string", enum: ["Stable", "Latest"] },
      }),
    },
    ["name"],
  ),
);

export const dryRun = list(object({ metricName: text }, ["metricName"]));
export const measurementRetention = list(object({ metricName: text, limit: int32 }, ["metricName", "limit"]));
export const templateRefs = list(object({ templateName: text, clusterScope: flag }));
export const runMetadata = object({ labels: texts, annotations: texts });

/** Spec of AnalysisTemplate and ClusterAnalysisTemplate. */
export const templateSpec: Schema = object({
  metrics: list(metric),
  args: analysisArgs,
  dryRun,
  measurementRetention,
  templates: templateRefs,
});

export const runSpec: Schema = object(
  {
    metrics: list(metric),
    args: analysisArgs,
    dryRun,
    measurementRetention,
    terminate: flag,
    ttlStrategy: object({ secondsAfterCompletion: int32, secondsAfterFailure: int32, secondsAfterSuccess: int32 }),
  },
  ["metrics"],
);

const summary = object({ count: int32, successful: int32, failed: int32, inconclusive: int32, error: int32 });

export const runStatus: Schema = object(
  {
    phase: text,
    message: text,
    startedAt: time,
    completedAt: time,
    runSummary: summary,
    dryRunSummary: summary,
    metricResults: list(
      object(
        {
          name: text,
          phase: text,
          message: text,
          count: int32,
          successful: int32,
          failed: int32,
          inconclusive: int32,
          error: int32,
          consecutiveError: int32,
          consecutiveSuccess: int32,
          dryRun: flag,
          metadata: texts,
          measurements: list(
            object(
              {
                phase: text,
                message: text,
                value: text,
                startedAt: time,
                finishedAt: time,
                resumeAt: time,
                metadata: texts,
              },
              ["phase"],
            ),
          ),
        },
        ["name", "phase"],
      ),
    ),
  },
  ["phase"],
);
