// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { isConfigKey, isDnsSubdomain } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from "../field-error.js";

const largestMap = 1024 * 1024;
const immutable = "field is immutable";
const frozen = "field is immutable when `immutable` is set";

function validateData(object: KubeObject, old: KubeObject | undefined, fields: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  const seen = new Set<string>();
  for (const field of fields) {
    for (const [key, value] of Object.entries((object[field] ?? {}) as Record<string, string>)) {
      for (const problem of isConfigKey(key)) errors.push(invalid(`${field}[${key}]`, key, problem));
      if (seen.has(key)) errors.push(invalid(`${field}[${key}]`, key, `duplicate of key present in ${fields[0]}`));
      seen.add(key);
      size += value.length;
    }
  }
  if (size > largestMap) errors.push(tooLong("[]", largestMap));
  if (old?.["immutable"]) {
    if (!object["immutable"]) errors.push(forbidden("immutable", frozen));
    for (const field of fields) {
      if (!deepEqual(object[field] ?? {}, old[field] ?? {})) errors.push(forbidden(field, frozen));
    }
  }
  return errors;
}

export const validateConfigMap = (object: KubeObject, old?: KubeObject): FieldError[] =>
  validateData(object, old, ["data", "binaryData"]);

const secretKeys: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};

export function validateSecret(object: KubeObject, old?: KubeObject): FieldError[] {
  const errors = validateData(object, old, ["data"]);
  for (const key of secretKeys[object["type"]] ?? []) {
    if (object["data"]?.[key] === undefined) errors.push(required(`data[${key}]`));
  }
  if (
    object["type"] === "kubernetes.io/service-account-token" &&
    !object.metadata.annotations?.["kubernetes.io/service-account.name"]
  ) {
    errors.push(required("metadata.annotations[kubernetes.io/service-account.name]"));
  }
  if (old !== undefined && object["type"] !== old["type"]) errors.push(invalid("type", object["type"], immutable));
  return errors;
}

export function validateRole(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const [at, rule] of (object["rules"] ?? []).entries()) {
    const path = `rules[${at}]`;
    if (!rule.verbs?.length) errors.push(required(`${path}.verbs`, "verbs must contain at least one value"));
    if (rule.nonResourceURLs?.length) {
      if (object.kind === "Role") {
        errors.push(
          invalid(
            `${path}.nonResourceURLs`,
            rule.nonResourceURLs,
            "namespaced rules cannot apply to non-resource URLs",
          ),
        );
      }
      if (rule.apiGroups?.length || rule.resources?.length || rule.resourceNames?.length) {
        errors.push(
          invalid(
            `${path}.nonResourceURLs`,
            rule.nonResourceURLs,
            "rules cannot apply to both regular resources and non-resource URLs",
          ),
        );
      }
      continue;
    }
    if (!rule.apiGroups?.length)
      errors.push(required(`${path}.apiGroups`, "resource rules must supply at least one api group"));
    if (!rule.resources?.length)
      errors.push(required(`${path}.resources`, "resource rules must supply at least one resource"));
  }
  return errors;
}

const rbac = "rbac.authorization.k8s.io";

export function validateRoleBinding(object: KubeObject, old?: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const { roleRef = {}, subjects = [] } = object as any;
  if (roleRef.apiGroup !== rbac) errors.push(notSupported("roleRef.apiGroup", roleRef.apiGroup ?? "", [rbac]));
  const kinds = object.kind === "RoleBinding" ? ["Role", "ClusterRole"] : ["ClusterRole"];
  if (!kinds.includes(roleRef.kind)) errors.push(notSupported("roleRef.kind", roleRef.kind ?? "", kinds));
  if (!roleRef.name) errors.push(required("roleRef.name"));
  for (const [at, subject] of subjects.entries()) {
    const path = `subjects[${at}]`;
    if (!subject.name) errors.push(required(`${path}.name`));
    if (subject.kind === "ServiceAccount") {
      for (const problem of subject.name ? isDnsSubdomain(subject.name) : [])
        errors.push(invalid(`${path}.name`, subject.name, problem));
      if (subject.apiGroup) errors.push(notSupported(`${path}.apiGroup`, subject.apiGroup, [""]));
      // In a RoleBinding the namespace is the binding's own when it is left out.
      if (!subject.namespace && object.kind === "ClusterRoleBinding") errors.push(required(`${path}.namespace`));
    } else if (subject.kind === "User" || subject.kind === "Group") {
      if (subject.apiGroup !== rbac) errors.push(notSupported(`${path}.apiGroup`, subject.apiGroup ?? "", [rbac]));
    } else errors.push(notSupported(`${path}.kind`, subject.kind ?? "", ["ServiceAccount", "User", "Group"]));
  }
  if (old !== undefined && !deepEqual(old["roleRef"], roleRef))
    errors.push(
      invalid(
        "roleRef",
        { APIGroup: roleRef.apiGroup ?? "", Kind: roleRef.kind ?? "", Name: roleRef.name ?? "" },
        "cannot change roleRef",
      ),
    );
  return errors;
}

export function validateLease(object: KubeObject): FieldError[] {
  const { leaseDurationSeconds, leaseTransitions } = object["spec"] ?? {};
  const errors: FieldError[] = [];
  if (leaseDurationSeconds !== undefined && leaseDurationSeconds <= 0) {
    errors.push(invalid("spec.leaseDurationSeconds", leaseDurationSeconds, "must be greater than 0"));
  }
  if (leaseTransitions < 0)
    errors.push(invalid("spec.leaseTransitions", leaseTransitions, "must be greater than or equal to 0"));
  return errors;
}
