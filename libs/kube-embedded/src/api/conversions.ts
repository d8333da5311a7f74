import type { KubeObject, ResourceType } from "@tiphys/resources";

/** How a version with fields of its own is kept: in the form of another version. Inputs are not changed. */
export interface Conversion {
  fromStored(object: KubeObject): KubeObject;
  toStored(object: KubeObject): KubeObject;
}

/** Builtin versions whose stored form has other fields; all others differ in their name alone. */
export const conversionOf = ({
  group,
  version,
  resource,
}: Pick<ResourceType, "group" | "version" | "resource">): Conversion | undefined =>
  conversions[`${group}/${version}/${resource}`];

const conversions: Readonly<Record<string, Conversion>> = {
  "events.k8s.io/v1/events": renamed("v1", {
    involvedObject: "regarding",
    message: "note",
    source: "deprecatedSource",
    firstTimestamp: "deprecatedFirstTimestamp",
    lastTimestamp: "deprecatedLastTimestamp",
    count: "deprecatedCount",
    reportingComponent: "reportingController",
  }),
  "autoscaling/v1/horizontalpodautoscalers": { fromStored: autoscalerV1, toStored: autoscalerV2 },
};

/** `names`: the stored name of each member that is called otherwise here. */
function renamed(storedVersion: string, names: Readonly<Record<string, string>>): Conversion {
  const back = Object.fromEntries(Object.entries(names).map(([stored, here]) => [here, stored]));
  const rename = (object: KubeObject, to: Readonly<Record<string, string>>): KubeObject => {
    const out: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(object)) out[Object.hasOwn(to, key) ? (to[key] ?? key) : key] = value;
    return out as unknown as KubeObject;
  };
  return {
    fromStored: (object) => rename(object, names),
    toStored: (object) => ({ ...rename(object, back), apiVersion: storedVersion }),
  };
}

// What version 1 of an autoscaler has no fields for travels in annotations.
const METRICS = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior";

interface Metric {
  readonly type: string;
  readonly resource?: {
    readonly name: string;
    readonly target?: { readonly averageUtilization?: number };
    readonly current?: { readonly averageUtilization?: number };
  };
}
const isCpu = ({ type, resource }: Metric): boolean => type === "Resource" && resource?.name === "cpu";

function autoscalerV1(object: KubeObject): KubeObject {
  const { metrics = [], behavior, ...spec } = object["spec"] as { metrics?: Metric[]; behavior?: object };
  const { currentMetrics, conditions, ...status } = (object["status"] ?? {}) as {
    currentMetrics?: Metric[] | null;
    conditions?: object[];
  };
  const annotations: Record<string, string> = { ...object.metadata.annotations };
  const utilization = metrics.find((metric) => isCpu(metric) && metric.resource?.target?.averageUtilization);
  const others = metrics.filter((metric) => metric !== utilization);
  if (others.length > 0) annotations[METRICS] = JSON.stringify(others);
  if (behavior) annotations[BEHAVIOR] = JSON.stringify(behavior);
  const current = currentMetrics?.find((metric) => isCpu(metric) && metric.resource?.current?.averageUtilization);
  const otherCurrent = currentMetrics?.filter((metric) => metric !== current) ?? [];
  if (otherCurrent.length > 0) annotations[CURRENT] = JSON.stringify(otherCurrent);
  if (conditions?.length) annotations[CONDITIONS] = JSON.stringify(conditions);
  const percentage = utilization?.resource?.target?.averageUtilization;
  const currentPercentage = current?.resource?.current?.averageUtilization;
  return {
    ...object,
    metadata: withAnnotations(object.metadata, annotations),
    spec: { ...spec, ...(percentage === undefined ? {} : { targetCPUUtilizationPercentage: percentage }) },
    status: {
      ...{ currentReplicas: 0 },
      ...status,
      ...(currentPercentage === undefined ? {} : { currentCPUUtilizationPercentage: currentPercentage }),
    },
  };
}

function autoscalerV2(object: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: percentage, ...spec } = object["spec"] as {
    targetCPUUtilizationPercentage?: number;
  };
  const { currentCPUUtilizationPercentage: _, ...status } = (object["status"] ?? {}) as Record<string, unknown>;
  const annotations: Record<string, string> = { ...object.metadata.annotations };
  const taken = (name: string): unknown => {
    const text = annotations[name];
    delete annotations[name];
    try {
      return text === undefined ? undefined : JSON.parse(text);
    } catch {
      return undefined;
    }
  };
  const others = taken(METRICS);
  const behavior = taken(BEHAVIOR);
  const currentMetrics = taken(CURRENT);
  const conditions = taken(CONDITIONS);
  const metrics = [
    ...(Array.isArray(others) ? others : []),
    ...(percentage === undefined
      ? []
      : [
          {
            type: "Resource",
            resource: { name: "cpu", target: { type: "Utilization", averageUtilization: percentage } },
          },
        ]),
  ];
  return {
    ...object,
    apiVersion: "autoscaling/v2",
    metadata: withAnnotations(object.metadata, annotations),
    spec: { ...spec, ...(metrics.length > 0 ? { metrics } : {}), ...(behavior ? { behavior } : {}) },
    status: {
      ...status,
      ...(Array.isArray(conditions) ? { conditions } : {}),
      ...(Array.isArray(currentMetrics) ? { currentMetrics } : { currentMetrics: null }),
    },
  };
}

function withAnnotations(
  metadata: KubeObject["metadata"],
  annotations: Record<string, string>,
): KubeObject["metadata"] {
  const { annotations: _, ...rest } = metadata;
  return Object.keys(annotations).length > 0 ? { ...rest, annotations } : rest;
}
