// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { isDnsLabel } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid, notSupported, required } from "../field-error.js";
import { selects, validateAnnotations, validateLabels, validateSelector } from "./metadata.js";
import { Found, validateClaimSpec, validatePodSpec } from "./pod/index.js";

const nonNegative = "must be greater than or equal to 0";
const immutable = "field is immutable";

/** A pod template. `owner` names the kind in messages whose pods never end by themselves. */
export function validateTemplate(template: any, path: string, owner?: string): FieldError[] {
  if (!template) return [required(path)];
  const { metadata, spec } = template;
  const errors = [
    ...validateLabels(metadata?.labels, `${path}.labels`),
    ...validateAnnotations(metadata?.annotations, `${path}.annotations`),
    ...validatePodSpec(spec, `${path}.spec`),
  ];
  if (spec?.ephemeralContainers?.length) {
    errors.push(forbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"));
  }
  if (owner === undefined) return errors;
  if (spec?.restartPolicy !== "Always") {
    errors.push(notSupported(`${path}.spec.restartPolicy`, spec?.restartPolicy ?? "", ["Always"]));
  }
  if (spec?.activeDeadlineSeconds !== undefined) {
    const problem = `activeDeadlineSeconds in ${owner} is not Supported`;
    errors.push(forbidden(`${path}.spec.activeDeadlineSeconds`, problem));
  }
  return errors;
}

export function counts(spec: any, fields: readonly string[], path = "spec"): FieldError[] {
  return fields
    .filter((field) => spec?.[field] < 0)
    .map((field) => invalid(`${path}.${field}`, spec[field], nonNegative));
}

const isEmptySelector = (selector: any): boolean =>
  Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;

/** A selector as messages show it. */
const shownSelector = (selector: any): unknown => selector;

/** The selector every workload has to have, matching its own template. */
function validateOwnSelector(spec: any, kind: string): FieldError[] {
  const { selector } = spec;
  if (!selector) return [required("spec.selector")];
  const errors = validateSelector(selector, "spec.selector");
  if (isEmptySelector(selector))
    errors.push(invalid("spec.selector", shownSelector(selector), `empty selector is invalid for ${kind}`));
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

export function validateAmount(value: unknown, path: string): FieldError[] {
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
  errors.push(...validateTemplateMatches(spec), ...validateTemplate(spec.template, "spec.template", "ReplicaSet"));
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
    ...validateTemplate(spec.template, "spec.template", "ReplicaSet"),
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
  errors.push(...validateSetStrategy(spec.updateStrategy ?? {}));
  const retention = spec.persistentVolumeClaimRetentionPolicy;
  for (const field of ["whenDeleted", "whenScaled"]) {
    if (!retention || retention[field] === "Retain" || retention[field] === "Delete") continue;
    const here = `spec.persistentVolumeClaimRetentionPolicy.${field}`;
    errors.push(notSupported(here, retention[field] ?? "", ["Retain", "Delete"]));
  }
  if (old === undefined) {
    for (const [at, claim] of (spec.volumeClaimTemplates ?? []).entries()) {
      errors.push(...validateClaimSpec(claim.spec ?? {}, `spec.volumeClaimTemplates[${at}].spec`));
    }
    if (spec.serviceName) {
      for (const problem of isDnsLabel(spec.serviceName)) {
        errors.push(invalid("spec.serviceName", spec.serviceName, problem));
      }
    }
  }
  errors.push(...counts(spec, ["replicas", "minReadySeconds"]));
  if (spec.ordinals) errors.push(...counts(spec.ordinals, ["start"], "spec.ordinals"));
  errors.push(...validateOwnSelector(spec, "statefulset"), ...validateTemplateMatches(spec));
  errors.push(...validateTemplate(withClaims(spec), "spec.template", "StatefulSet"));
  // Labels are looked at a second time by the original.
  errors.push(...validateLabels(spec.template?.metadata?.labels, "spec.template.labels"));
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

/** The template as its pods will be: with the volumes of the claims, and without names that every pod gets anew. */
function withClaims({ template, volumeClaimTemplates = [] }: any): any {
  if (!template?.spec) return template;
  const names = new Set(volumeClaimTemplates.map(({ metadata }: any) => metadata?.name));
  const { subdomain: _, hostname: __, ...rest } = template.spec;
  const claims = [...names].map((name) => ({ name, persistentVolumeClaim: { claimName: name } }));
  const volumes = [...claims, ...(rest.volumes ?? []).filter(({ name }: any) => !names.has(name))];
  return { ...template, spec: { ...rest, ...(volumes.length > 0 ? { volumes } : {}) } };
}

function validateSetStrategy({ type, rollingUpdate }: any): FieldError[] {
  const path = "spec.updateStrategy";
  if (type === "OnDelete") {
    if (!rollingUpdate) return [];
    const shown = { Partition: rollingUpdate.partition ?? 0, MaxUnavailable: rollingUpdate.maxUnavailable ?? null };
    return [invalid(`${path}.rollingUpdate`, shown, "only allowed for updateStrategy 'RollingUpdate'")];
  }
  if (type !== "RollingUpdate") {
    if (!type) return [required(path)];
    const shown = { Type: type, RollingUpdate: rollingUpdate ?? null };
    return [invalid(path, shown, "must be 'RollingUpdate' or 'OnDelete'")];
  }
  const errors = counts(rollingUpdate, ["partition"], `${path}.rollingUpdate`);
  const most = rollingUpdate?.maxUnavailable;
  if (most === undefined) return errors;
  const at = `${path}.rollingUpdate.maxUnavailable`;
  errors.push(...validateAmount(most, at));
  if (percent(most) === 0) errors.push(invalid(at, most, "cannot be 0"));
  if (typeof most === "string" && percent(most) > 100) errors.push(invalid(at, most, "must not be greater than 100%"));
  return errors;
}

function validateDaemonStrategy(strategy: any): FieldError[] {
  const { type, rollingUpdate } = strategy;
  const path = "spec.updateStrategy";
  if (type === "OnDelete") return [];
  if (type !== "RollingUpdate") {
    const shown = { Type: type ?? "", RollingUpdate: rollingUpdate ?? null };
    return [notSupported(path, shown, ["RollingUpdate", "OnDelete"])];
  }
  if (!rollingUpdate) return [required(`${path}.rollingUpdate`)];
  const errors: FieldError[] = [];
  const { maxUnavailable, maxSurge } = rollingUpdate;
  for (const [field, value] of Object.entries({ maxUnavailable, maxSurge })) {
    const at = `${path}.rollingUpdate.${field}`;
    errors.push(...validateAmount(value, at));
    if (typeof value === "string" && percent(value) > 100) {
      errors.push(invalid(at, value, "must not be greater than 100%"));
    }
  }
  if (percent(maxUnavailable) !== 0 && percent(maxSurge) !== 0) {
    const problem = "may not be set when maxUnavailable is non-zero";
    errors.push(invalid(`${path}.rollingUpdate.maxSurge`, maxSurge, problem));
  } else if (percent(maxUnavailable) === 0 && percent(maxSurge) === 0) {
    errors.push(required(`${path}.rollingUpdate.maxUnavailable`, "cannot be 0 when maxSurge is 0"));
  }
  return errors;
}

export function validateDaemonSet(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors = validateSelector(spec.selector, "spec.selector");
  errors.push(...validateTemplateMatches(spec));
  if (spec.selector && isEmptySelector(spec.selector)) {
    errors.push(invalid("spec.selector", shownSelector(spec.selector), "empty selector is invalid for daemonset"));
  }
  return [
    ...errors,
    ...validateTemplate(spec.template, "spec.template", "DaemonSet"),
    ...counts(spec, ["minReadySeconds", "revisionHistoryLimit"]),
    ...validateDaemonStrategy(spec.updateStrategy ?? {}),
    ...changed(object, old, "selector"),
  ];
}

/** A ReplicationController, whose selector is plain labels. */
export function validateController(object: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const found = new Found();
  found.counts(spec, ["minReadySeconds"], "spec");
  const selector: Record<string, string> = spec.selector ?? {};
  if (Object.keys(selector).length === 0) found.add(required("spec.selector"));
  found.counts(spec, ["replicas"], "spec");
  if (!spec.template) found.add(required("spec.template"));
  else {
    const labels: Record<string, string> = spec.template.metadata?.labels ?? {};
    if (!Object.entries(selector).every(([key, value]) => labels[key] === value)) {
      const problem = "`selector` does not match template `labels`";
      found.add(invalid("spec.template.metadata.labels", spec.template.metadata?.labels ?? null, problem));
    }
    found.add(...validateTemplate(spec.template, "spec.template", "ReplicationController"));
  }
  return found.errors;
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
  for (const [field, value] of Object.entries({ minAvailable, maxUnavailable })) {
    if (typeof value === "string" && percent(value) > 100) {
      errors.push(invalid(`spec.${field}`, value, "must not be greater than 100%"));
    }
  }
  const policies = ["AlwaysAllow", "IfHealthyBudget"];
  if (unhealthyPodEvictionPolicy !== undefined && !policies.includes(unhealthyPodEvictionPolicy)) {
    errors.push(notSupported("spec.unhealthyPodEvictionPolicy", unhealthyPodEvictionPolicy, policies));
  }
  return [...errors, ...validateSelector(selector, "spec.selector")];
}

export function validateDisruptionBudgetStatus({ status = {} }: KubeObject): FieldError[] {
  const errors = counts(status, ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"], "status");
  for (const [at, condition] of ((status.conditions ?? []) as any[]).entries()) {
    errors.push(...validateCondition(condition, `status.conditions[${at}]`));
  }
  return errors;
}

const conditionStates = ["False", "True", "Unknown"];

/** A condition of the common form. */
export function validateCondition({ type = "", status = "", reason = "", lastTransitionTime }: any, path: string) {
  const errors: FieldError[] = [];
  if (!type) errors.push(required(`${path}.type`));
  if (!status) errors.push(required(`${path}.status`));
  else if (!conditionStates.includes(status)) errors.push(notSupported(`${path}.status`, status, conditionStates));
  if (!lastTransitionTime) errors.push(required(`${path}.lastTransitionTime`));
  if (!reason) errors.push(required(`${path}.reason`));
  return errors;
}
