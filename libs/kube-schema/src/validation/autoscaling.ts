// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { isDnsLabel, isPathSegment, parseQuantity } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid, notSupported, required } from "../field-error.js";
import { containerResourceName } from "./pod/resources.js";

const LONGEST_WINDOW_SECONDS = 3600;
const LONGEST_PERIOD_SECONDS = 1800;
const metricTypes = ["ContainerResource", "External", "Object", "Pods", "Resource"];
/** In the order they are looked at. */
const sources = ["object", "external", "pods", "resource", "containerResource"] as const;
const sourceOf: Readonly<Record<string, string>> = {
  Object: "object",
  External: "external",
  Pods: "pods",
  Resource: "resource",
  ContainerResource: "containerResource",
};

const segment = (text: string, path: string, detail?: string): FieldError[] =>
  text ? isPathSegment(text).map((problem) => invalid(path, text, problem)) : [required(path, detail)];

/** `mustName`: the version has to name a group. */
function checkTarget({ apiVersion = "", kind = "", name = "" }: any, path: string, mustName: boolean): FieldError[] {
  const errors = [...segment(kind, `${path}.kind`), ...segment(name, `${path}.name`)];
  const parts = apiVersion.split("/");
  if (parts.length > 2) {
    errors.push(invalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  } else if (mustName && parts.length < 2) {
    errors.push(invalid(`${path}.apiVersion`, apiVersion, "apiVersion must specify API group"));
  }
  return errors;
}

function checkAmount(target: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type = "", averageUtilization } = target;
  if (!type) errors.push(required(`${path}.type`, "must specify a metric target type"));
  if (!["Utilization", "Value", "AverageValue"].includes(type)) {
    errors.push(invalid(`${path}.type`, type, "must be either Utilization, Value, or AverageValue"));
  }
  for (const field of ["value", "averageValue"]) {
    const amount = target[field];
    if (amount !== undefined && (parseQuantity(amount)?.nanos ?? 0n) <= 0n) {
      errors.push(invalid(`${path}.${field}`, amount, "must be positive"));
    }
  }
  if (averageUtilization !== undefined && averageUtilization < 1) {
    errors.push(invalid(`${path}.averageUtilization`, averageUtilization, "must be greater than 0"));
  }
  return errors;
}

const checkMetricName = (metric: any, path: string): FieldError[] =>
  segment(metric?.name ?? "", `${path}.metric.name`, "must specify a metric name");

function checkOfResource({ averageUtilization, averageValue }: any, path: string): FieldError[] {
  if (averageUtilization === undefined && averageValue === undefined) {
    const problem = "must set either a target raw value or a target utilization";
    return [required(`${path}.averageUtilization`, problem)];
  }
  if (averageUtilization === undefined || averageValue === undefined) return [];
  return [forbidden(`${path}.averageValue`, "may not set both a target raw value and a target utilization")];
}

const checks: Readonly<Record<(typeof sources)[number], (source: any, path: string) => FieldError[]>> = {
  object: ({ describedObject = {}, metric, target = {} }, path) => [
    ...checkTarget(describedObject, `${path}.describedObject`, false),
    ...checkMetricName(metric, path),
    ...checkAmount(target, `${path}.target`),
    ...(target.value === undefined && target.averageValue === undefined
      ? [required(`${path}.target.averageValue`, "must set either a target value or averageValue")]
      : []),
  ],
  external: ({ metric, target = {} }, path) => {
    const errors = [...checkMetricName(metric, path), ...checkAmount(target, `${path}.target`)];
    if (target.value === undefined && target.averageValue === undefined) {
      const problem = "must set either a target value for metric or a per-pod target";
      errors.push(required(`${path}.target.averageValue`, problem));
    } else if (target.value !== undefined && target.averageValue !== undefined) {
      const problem = "may not set both a target value for metric and a per-pod target";
      errors.push(forbidden(`${path}.target.value`, problem));
    }
    return errors;
  },
  pods: ({ metric, target = {} }, path) => [
    ...checkMetricName(metric, path),
    ...checkAmount(target, `${path}.target`),
    ...(target.averageValue === undefined
      ? [required(`${path}.target.averageValue`, "must specify a positive target averageValue")]
      : []),
  ],
  resource: ({ name = "", target = {} }, path) => [
    ...(name ? [] : [required(`${path}.name`, "must specify a resource name")]),
    ...checkAmount(target, `${path}.target`),
    ...checkOfResource(target, `${path}.target`),
  ],
  containerResource: ({ name = "", container = "", target = {} }, path) => [
    ...(name
      ? containerResourceName(name, `${path}.name`)
      : [required(`${path}.name`, "must specify a resource name")]),
    ...(container
      ? isDnsLabel(container).map((problem) => invalid(`${path}.container`, container, problem))
      : [required(`${path}.container`, "must specify a container")]),
    ...checkAmount(target, `${path}.target`),
    ...checkOfResource(target, `${path}.target`),
  ],
};

function checkMetric(metric: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { type = "" } = metric;
  if (!type) errors.push(required(`${path}.type`, "must specify a metric source type"));
  if (!metricTypes.includes(type)) errors.push(notSupported(`${path}.type`, type, metricTypes));
  const present = sources.filter((source) => metric[source]);
  const [first] = present;
  if (first) errors.push(...checks[first](metric[first], `${path}.${first}`));
  const wanted = sourceOf[type];
  if (wanted === undefined) errors.push(notSupported(`${path}.type`, type, metricTypes));
  else if (!metric[wanted]) {
    errors.push(required(`${path}.${wanted}`, "must populate information for the given metric source"));
  }
  if (present.length !== 1) {
    for (const source of present.filter((one) => one !== wanted)) {
      errors.push(forbidden(`${path}.${source}`, "must populate the given metric source only"));
    }
  }
  return errors;
}

function checkRules(rules: any, path: string): FieldError[] {
  if (!rules) return [];
  const errors: FieldError[] = [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [], tolerance } = rules;
  if (window < 0) {
    errors.push(invalid(`${path}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero"));
  }
  if (window > LONGEST_WINDOW_SECONDS) {
    const problem = `must be less than or equal to ${LONGEST_WINDOW_SECONDS}`;
    errors.push(invalid(`${path}.stabilizationWindowSeconds`, window, problem));
  }
  const choices = ["Disabled", "Max", "Min"];
  if (selectPolicy !== undefined && !choices.includes(selectPolicy)) {
    errors.push(notSupported(`${path}.selectPolicy`, selectPolicy, choices));
  }
  if (policies.length === 0) errors.push(required(`${path}.policies`, "must specify at least one Policy"));
  for (const [at, { type = "", value = 0, periodSeconds = 0 }] of policies.entries()) {
    const here = `${path}.policies[${at}]`;
    if (type !== "Pods" && type !== "Percent") errors.push(notSupported(`${here}.type`, type, ["Percent", "Pods"]));
    if (value <= 0) errors.push(invalid(`${here}.value`, value, "must be greater than zero"));
    if (periodSeconds <= 0) errors.push(invalid(`${here}.periodSeconds`, periodSeconds, "must be greater than zero"));
    if (periodSeconds > LONGEST_PERIOD_SECONDS) {
      const problem = `must be less than or equal to ${LONGEST_PERIOD_SECONDS}`;
      errors.push(invalid(`${here}.periodSeconds`, periodSeconds, problem));
    }
  }
  if (tolerance !== undefined && (parseQuantity(tolerance)?.nanos ?? 0n) < 0n) {
    errors.push(invalid(`${path}.tolerance`, tolerance, "must be greater than or equal to 0"));
  }
  return errors;
}

export function validateAutoscaler(object: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors: FieldError[] = [];
  const most = spec.maxReplicas ?? 0;
  const least = spec.minReplicas;
  if (least !== undefined && least < 1) {
    errors.push(invalid("spec.minReplicas", least, "must be greater than or equal to 1"));
  }
  if (most === 0) errors.push(required("spec.maxReplicas", "must be set and greater than 0"));
  else if (most < 0) errors.push(invalid("spec.maxReplicas", most, "must be greater than or equal to 1"));
  if (least !== undefined && most < least) {
    errors.push(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"));
  }
  errors.push(...checkTarget(spec.scaleTargetRef ?? {}, "spec.scaleTargetRef", true));
  const metrics = (spec.metrics ?? []) as any[];
  for (const [at, metric] of metrics.entries()) errors.push(...checkMetric(metric, `spec.metrics[${at}]`));
  if (least === 0 && !metrics.some(({ type }) => type === "Object" || type === "External")) {
    const problem = "must specify at least one Object or External metric to support scaling to zero replicas";
    errors.push(forbidden("spec.metrics", problem));
  }
  for (const side of ["scaleUp", "scaleDown"]) {
    errors.push(...checkRules(spec.behavior?.[side], `spec.behavior.${side}`));
  }
  return errors;
}

export const validateAutoscalerStatus = ({ status }: KubeObject): FieldError[] =>
  ["currentReplicas", "desiredReplicas"].flatMap((field) =>
    status?.[field] < 0 ? [invalid(`status.${field}`, status[field], "must be greater than or equal to 0")] : [],
  );
