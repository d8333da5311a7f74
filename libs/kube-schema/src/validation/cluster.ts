// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { isLabelValue, isQualifiedName, parseCidr } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../field-error.js";
import { checkCidr } from "./addresses.js";
import { resourceAmount } from "./pod/index.js";

const HIGHEST_PRIORITY = 1_000_000_000;
const SYSTEM = "system-";
const systemPriorities: Readonly<Record<string, number>> = {
  "system-node-critical": 2_000_001_000,
  "system-cluster-critical": 2_000_000_000,
};

export function validatePriorityClass(object: any, old?: any): FieldError[] {
  const { value = 0, preemptionPolicy, globalDefault, metadata } = object;
  if (old) {
    return [
      ...(value === (old.value ?? 0) ? [] : [forbidden("value", "may not be changed in an update.")]),
      ...(preemptionPolicy === old.preemptionPolicy
        ? []
        : [invalid("preemptionPolicy", preemptionPolicy ?? null, "field is immutable")]),
    ];
  }
  const errors: FieldError[] = [];
  if (metadata.name?.startsWith(SYSTEM)) {
    const known = systemPriorities[metadata.name];
    const problem =
      known === undefined
        ? `${metadata.name} is not a known system priority class`
        : value !== known
          ? `value of ${metadata.name} PriorityClass must be ${known}`
          : globalDefault
            ? `globalDefault of ${metadata.name} PriorityClass must be false`
            : undefined;
    if (problem) {
      const rule = "priority class names with 'system-' prefix are reserved for system use only. error:";
      errors.push(forbidden("metadata.name", `${rule} ${problem}`));
    }
  } else if (value > HIGHEST_PRIORITY) {
    errors.push(forbidden("value", `maximum allowed value of a user defined priority is ${HIGHEST_PRIORITY}`));
  }
  const policies = ["PreemptLowerPriority", "Never"];
  if (preemptionPolicy !== undefined && !policies.includes(preemptionPolicy)) {
    errors.push(notSupported("preemptionPolicy", preemptionPolicy, policies));
  }
  return errors;
}

export function validateNamespace(object: KubeObject, old?: KubeObject): FieldError[] {
  if (old) return [];
  return ((object["spec"]?.finalizers ?? []) as string[]).flatMap((finalizer) => {
    const path = "spec.finalizers";
    const errors = isQualifiedName(finalizer).map((problem) => invalid(path, finalizer, problem));
    if (!finalizer.includes("/") && !["kubernetes", "orphan", "foregroundDeletion"].includes(finalizer)) {
      errors.push(invalid(path, finalizer, "name is neither a standard finalizer name nor is it fully qualified"));
    }
    return errors;
  });
}

export function validateNamespaceStatus({ metadata, status }: KubeObject): FieldError[] {
  const phase = status?.phase ?? "";
  if (!metadata.deletionTimestamp) {
    if (phase === "Active") return [];
    return [invalid("status.Phase", phase, "may only be 'Active' if `deletionTimestamp` is empty")];
  }
  if (phase === "Terminating") return [];
  return [invalid("status.Phase", phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")];
}

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function checkTaints(taints: any[]): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [at, { key = "", value = "", effect = "", timeAdded }] of taints.entries()) {
    const path = `metadata.taints[${at}]`;
    for (const problem of isQualifiedName(key)) errors.push(invalid(`${path}.key`, key, problem));
    for (const problem of isLabelValue(value)) errors.push(invalid(`${path}.value`, value, problem));
    if (!effect) errors.push(required(`${path}.effect`));
    else if (!effects.includes(effect)) errors.push(notSupported(`${path}.effect`, effect, effects));
    if (seen.has(`${key}:${effect}`)) {
      const shown = { Key: key, Value: value, Effect: effect, TimeAdded: timeAdded ?? null };
      const { field, reason, message } = duplicate(path, shown);
      errors.push({ field, reason, message: `${message}: taints must be unique by key and effect pair` });
    }
    seen.add(`${key}:${effect}`);
  }
  return errors;
}

function checkNodeStatus(status: any): FieldError[] {
  return ["capacity", "allocatable"].flatMap((field) =>
    Object.entries((status?.[field] ?? {}) as Record<string, string>).flatMap(([name, amount]) =>
      resourceAmount(name, amount, `status.${field}.${name}`),
    ),
  );
}

const KEPT = 'except from "" to valid';

export function validateNode(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const common = () => [...checkTaints(spec.taints ?? []), ...checkNodeStatus(object["status"])];
  const errors = common();
  const ranges: string[] = spec.podCIDRs ?? [];
  for (const [at, range] of ranges.entries()) errors.push(...checkCidr(`spec.podCIDRs[${at}]`, range));
  const families = new Set(ranges.map((range) => parseCidr(range)?.address.family));
  if (ranges.length > 1 && (families.size < 2 || ranges.length > 2)) {
    errors.push(invalid("spec.podCIDRs", ranges, "may specify no more than one CIDR for each IP family"));
  }
  if (!old) return errors;
  // A changed node is looked at as a new one and as a changed one: what is wrong is said twice.
  errors.push(...common());
  const was = old["spec"] ?? {};
  const before: string[] = was.podCIDRs ?? [];
  if (before.length > 0) {
    const changed = before.length !== ranges.length ? 1 : before.filter((range, at) => range !== ranges[at]).length;
    for (let n = 0; n < changed; n++) {
      errors.push(forbidden("spec.podCIDRs", `node updates may not change podCIDR ${KEPT}`));
    }
  }
  if (was.providerID && was.providerID !== spec.providerID) {
    errors.push(forbidden("spec.providerID", `node updates may not change providerID ${KEPT}`));
  }
  if ((was.externalID ?? "") !== (spec.externalID ?? "")) {
    errors.push(forbidden("spec.externalID", "may not be updated"));
  }
  return errors;
}

export function validateNodeStatus({ status }: KubeObject): FieldError[] {
  const seen = new Set<string>();
  const repeated = ((status?.addresses ?? []) as any[]).flatMap(({ type, address }, at) => {
    const key = `${type}/${address}`;
    const isRepeated = seen.has(key);
    seen.add(key);
    return isRepeated ? [duplicate(`status.addresses[${at}]`, { Type: type, Address: address })] : [];
  });
  return [...checkNodeStatus(status), ...repeated];
}

export const nodeWarnings = ({ spec }: KubeObject): string[] => [
  ...(spec?.configSource ? ["spec.configSource: the feature is no longer supported"] : []),
  ...(spec?.externalID ? ["spec.externalID: this field is deprecated, and is unused by Kubernetes"] : []),
];
