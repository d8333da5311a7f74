// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { InvalidScheduleError, isTimeZone, parseSchedule } from "@tiphys/cron";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid, notSupported, required } from "../field-error.js";
import { selects, validateLabels, validateSelector } from "./metadata.js";
import { validatePodSpec } from "./pod.js";

const nonNegative = "must be greater than or equal to 0";
const immutable = "field is immutable";

export function validateTemplate(template: any, path: string, restartPolicies?: string[]): FieldError[] {
  if (!template) return [required(path)];
  return [
    ...validateLabels(template.metadata?.labels, `${path}.labels`),
    ...validatePodSpec(template.spec, `${path}.spec`, restartPolicies),
  ];
}

export function counts(spec: any, fields: readonly string[], path = "spec"): FieldError[] {
  return fields
    .filter((field) => spec?.[field] < 0)
    .map((field) => invalid(`${path}.${field}`, spec[field], nonNegative));
}

const isEmptySelector = (selector: any): boolean =>
  Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;

/** The selector every workload has to have, matching its own template. */
function validateOwnSelector(spec: any, kind: string): FieldError[] {
  const { selector } = spec;
  if (!selector) return [required("spec.selector")];
  const errors = validateSelector(selector, "spec.selector");
  if (isEmptySelector(selector))
    errors.push(invalid("spec.selector", selector, `empty selector is invalid for ${kind}`));
  return errors;
}

function validateTemplateMatches(spec: any): FieldError[] {
  const labels = spec.template?.metadata?.labels;
  if (!spec.template || validateSelector(spec.selector, "").length > 0) return [];
  if (spec.selector && selects(spec.selector, labels)) return [];
  return [invalid("spec.template.metadata.labels", labels ?? null, "`selector` does not match template `labels`")];
}

function changed(object: KubeObject, old: KubeObject | undefined, field: string): FieldError[] {
  if (old === undefined || deepEqual(object["spec"]?.[field], old["spec"]?.[field])) return [];
  return [invalid(`spec.${field}`, object["spec"]?.[field] ?? null, immutable)];
}

const always = ["Always"];

function validateAmount(value: unknown, path: string): FieldError[] {
  if (typeof value === "number") return value < 0 ? [invalid(path, value, nonNegative)] : [];
  if (typeof value !== "string") return [];
  if (!/^[0-9]+%$/.test(value)) {
    return [
      invalid(
        path,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ];
  }
  return [];
}

const percent = (value: unknown): number =>
  typeof value === "string" ? Number.parseInt(value, 10) : Number(value ?? 0);

export function validateDeployment(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors = counts(spec, ["replicas"]);
  errors.push(...validateOwnSelector(spec, "deployment"));
  errors.push(...validateTemplateMatches(spec), ...validateTemplate(spec.template, "spec.template", always));
  const { type, rollingUpdate } = spec.strategy ?? {};
  if (type === "Recreate") {
    if (rollingUpdate)
      errors.push(forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"));
  } else if (type === "RollingUpdate") {
    const { maxSurge, maxUnavailable } = rollingUpdate ?? {};
    errors.push(...validateAmount(maxUnavailable, "spec.strategy.rollingUpdate.maxUnavailable"));
    errors.push(...validateAmount(maxSurge, "spec.strategy.rollingUpdate.maxSurge"));
    if (percent(maxSurge) === 0 && percent(maxUnavailable) === 0) {
      errors.push(
        invalid("spec.strategy.rollingUpdate.maxUnavailable", maxUnavailable, "may not be 0 when `maxSurge` is 0"),
      );
    }
    if (typeof maxUnavailable === "string" && percent(maxUnavailable) > 100) {
      errors.push(
        invalid("spec.strategy.rollingUpdate.maxUnavailable", maxUnavailable, "must not be greater than 100%"),
      );
    }
  } else {
    const shown = { Type: type, RollingUpdate: rollingUpdate ?? null };
    errors.push(notSupported("spec.strategy", shown, ["Recreate", "RollingUpdate"]));
  }
  errors.push(...counts(spec, ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"]));
  if (spec.progressDeadlineSeconds <= (spec.minReadySeconds ?? 0) && spec.progressDeadlineSeconds >= 0) {
    errors.push(
      invalid("spec.progressDeadlineSeconds", spec.progressDeadlineSeconds, "must be greater than minReadySeconds"),
    );
  }
  return [...errors, ...changed(object, old, "selector")];
}

export function validateReplicaSet(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  return [
    ...counts(spec, ["replicas", "minReadySeconds"]),
    ...validateOwnSelector(spec, "deployment"),
    ...validateTemplateMatches(spec),
    ...validateTemplate(spec.template, "spec.template", always),
    ...changed(object, old, "selector"),
  ];
}

const statefulSetMutable = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];

export function validateStatefulSet(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors: FieldError[] = [];
  const policies = ["OrderedReady", "Parallel"];
  if (!policies.includes(spec.podManagementPolicy)) {
    errors.push(
      invalid("spec.podManagementPolicy", spec.podManagementPolicy, `must be '${policies[0]}' or '${policies[1]}'`),
    );
  }
  if (spec.updateStrategy?.type !== "RollingUpdate" && spec.updateStrategy?.type !== "OnDelete") {
    errors.push(invalid("spec.updateStrategy", spec.updateStrategy ?? null, "must be 'RollingUpdate' or 'OnDelete'"));
  }
  errors.push(...counts(spec, ["replicas", "minReadySeconds"]));
  errors.push(...validateOwnSelector(spec, "statefulset"), ...validateTemplateMatches(spec));
  errors.push(...validateTemplate(spec.template, "spec.template", always));
  if (old !== undefined) {
    const fixed = (one: any) =>
      Object.fromEntries(Object.entries(one ?? {}).filter(([key]) => !statefulSetMutable.includes(key)));
    if (!deepEqual(fixed(spec), fixed(old["spec"]))) {
      errors.push(
        forbidden(
          "spec",
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
      );
    }
  }
  return errors;
}

export function validateDaemonSet(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  return [
    ...validateOwnSelector(spec, "daemonset"),
    ...validateTemplateMatches(spec),
    ...validateTemplate(spec.template, "spec.template", always),
    ...counts(spec, ["minReadySeconds", "revisionHistoryLimit"]),
    ...changed(object, old, "selector"),
  ];
}

const jobPolicies = ["OnFailure", "Never"];

function validateJobSpec(spec: any, path: string): FieldError[] {
  const errors = counts(
    spec,
    ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"],
    path,
  );
  const template = spec.template;
  if (!template) return [...errors, required(`${path}.template`)];
  errors.push(...validateTemplate(template, `${path}.template`));
  const policy = template.spec?.restartPolicy;
  if (policy === "Always") {
    errors.push(
      required(
        `${path}.template.spec.restartPolicy`,
        `valid values: ${jobPolicies.map((one) => JSON.stringify(one)).join(", ")}`,
      ),
    );
  }
  if (spec.completionMode === "Indexed" && spec.completions === undefined) {
    errors.push(required(`${path}.completions`, "when completion mode is Indexed"));
  }
  return errors;
}

export function validateJob(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors = validateJobSpec(spec, "spec");
  if (old !== undefined) {
    for (const field of ["completions", "selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex"]) {
      errors.push(...changed(object, old, field));
    }
    // A suspended job that has not started may still be scheduled elsewhere.
    if (!(old["spec"]?.suspend && !old["status"]?.startTime)) errors.push(...changed(object, old, "template"));
  }
  return errors;
}

/** What is wrong with a schedule, in the words of the original. */
function scheduleProblems(schedule: string): string[] {
  try {
    parseSchedule(schedule);
    return [];
  } catch (error) {
    return [error instanceof InvalidScheduleError ? error.problem : String(error)];
  }
}

function zoneProblem(zone: string): string | undefined {
  if (zone === "") return "timeZone must be nil or non-empty string";
  if (/^\s*local\s*$/i.test(zone)) {
    return "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";
  }
  return isTimeZone(zone) ? undefined : `unknown time zone ${zone}`;
}

export function validateCronJob(object: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors = validateJobSpec(spec.jobTemplate?.spec ?? {}, "spec.jobTemplate.spec");
  const schedule: string = spec.schedule ?? "";
  if (schedule === "") errors.push(required("spec.schedule"));
  else {
    const problems = scheduleProblems(schedule);
    if (schedule.includes("TZ")) problems.push("cannot use TZ or CRON_TZ in schedule, use timeZone field instead");
    for (const problem of problems) errors.push(invalid("spec.schedule", schedule, problem));
  }
  const zone: string | undefined = spec.timeZone;
  const unknown = zone === undefined ? undefined : zoneProblem(zone);
  if (unknown !== undefined) errors.push(invalid("spec.timeZone", zone, unknown));
  errors.push(...counts(spec, ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"]));
  const policies = ["Allow", "Forbid", "Replace"];
  if (!policies.includes(spec.concurrencyPolicy))
    errors.push(notSupported("spec.concurrencyPolicy", spec.concurrencyPolicy, policies));
  return errors;
}

export function validateDisruptionBudget(object: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = spec;
  const errors = [
    ...validateAmount(minAvailable, "spec.minAvailable"),
    ...validateAmount(maxUnavailable, "spec.maxUnavailable"),
  ];
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    const shown = {
      MinAvailable: minAvailable,
      Selector: selector ?? null,
      MaxUnavailable: maxUnavailable,
      UnhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy ?? null,
    };
    errors.push(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"));
  }
  return [...errors, ...validateSelector(selector, "spec.selector")];
}
