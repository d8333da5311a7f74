// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { isConfigKey, isDnsSubdomain, isPathSegment } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from "../field-error.js";
import { pairProblem } from "../tls-pair.js";
import { validateSelector } from "./metadata.js";

const largestMap = 1024 * 1024;
const immutable = "field is immutable";
const frozen = "field is immutable when `immutable` is set";

function validateData(object: KubeObject, old: KubeObject | undefined, fields: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const field of fields) {
    for (const [key, value] of Object.entries((object[field] ?? {}) as Record<string, string>)) {
      for (const problem of isConfigKey(key)) errors.push(invalid(`${field}[${key}]`, key, problem));
      if (field === "data" && object["binaryData"]?.[key] !== undefined) {
        errors.push(invalid(`${field}[${key}]`, key, "duplicate of key present in binaryData"));
      }
      size += field === "data" && object.kind === "ConfigMap" ? Buffer.byteLength(value) : decodedLength(value);
    }
  }
  if (size > largestMap) errors.push(tooLong(object.kind === "Secret" ? "data" : "[]", largestMap));
  if (old?.["immutable"]) {
    if (!object["immutable"]) errors.push(forbidden("immutable", frozen));
    for (const field of fields) {
      if (!deepEqual(object[field] ?? {}, old[field] ?? {})) errors.push(forbidden(field, frozen));
    }
  }
  return errors;
}

/** How many bytes a text of base64 stands for. */
const decodedLength = (text: string): number =>
  Math.floor((text.length * 3) / 4) - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0);

export const validateConfigMap = (object: KubeObject, old?: KubeObject): FieldError[] =>
  validateData(object, old, ["data", "binaryData"]);

const secretKeys: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};

/** Where secrets of a type have JSON. */
const configKeys: Readonly<Record<string, string>> = {
  "kubernetes.io/dockercfg": ".dockercfg",
  "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
};

/** Why a text is no JSON object, in the API server's words; the text itself is a secret. */
function jsonProblem(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch {
    const first = text.trimStart()[0];
    if (first === undefined) return "unexpected end of JSON input";
    return /[{["\dtfn-]/.test(first)
      ? "the text is no JSON"
      : `invalid character '${first}' looking for beginning of value`;
  }
}

export function validateSecret(object: KubeObject, old?: KubeObject): FieldError[] {
  const errors = validateData(object, old, ["data"]);
  const type: string = object["type"];
  const text = (key: string) => Buffer.from(object["data"]?.[key] ?? "", "base64").toString();
  for (const key of secretKeys[type] ?? []) {
    const isEmpty = type === "kubernetes.io/ssh-auth" && text(key) === "";
    if (object["data"]?.[key] === undefined || isEmpty) errors.push(required(`data[${key}]`));
  }
  const config = configKeys[type];
  if (config && object["data"]?.[config] !== undefined) {
    const problem = jsonProblem(text(config));
    if (problem) errors.push(invalid(`data[${config}]`, "<secret contents redacted>", problem));
  }
  if (type === "kubernetes.io/basic-auth" && ["username", "password"].every((key) => !object["data"]?.[key])) {
    errors.push(required("data[username]"), required("data[password]"));
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

function validateAggregation(rule: any): FieldError[] {
  if (!rule) return [];
  const path = "aggregationRule.clusterRoleSelectors";
  const selectors = rule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) {
    return [required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")];
  }
  return selectors.flatMap((selector: any, at: number) => {
    const errors = validateSelector(selector, `${path}[${at}]`);
    return errors.length > 0 ? [...errors, invalid(`${path}[${at}]`, null, "invalid label selector.")] : errors;
  });
}

export function validateRole(object: KubeObject): FieldError[] {
  const errors = validateAggregation(object["aggregationRule"]);
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
  else for (const problem of isPathSegment(roleRef.name)) errors.push(invalid("roleRef.name", roleRef.name, problem));
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

/** A pair of certificate and key that cannot be one is stored all the same. */
export function secretWarnings({ type, data = {} }: any): string[] {
  if (type !== "kubernetes.io/tls") return [];
  const text = (key: string) => Buffer.from(data[key] ?? "", "base64").toString();
  const problem = pairProblem(text("tls.crt"), text("tls.key"));
  return problem === undefined ? [] : [problem];
}
