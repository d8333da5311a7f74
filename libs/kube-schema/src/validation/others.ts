// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { deepEqual } from "@tiphys/canonical-json";
import { isConfigKey, isDns1035Label, isDnsLabel, isDnsSubdomain, isPortNumber } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required, tooLong } from "../field-error.js";
import { validateLabels, validateSelector } from "./metadata.js";
import { validatePort } from "./pod/index.js";

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

const serviceTypes = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const protocols = ["SCTP", "TCP", "UDP"];
const address = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$/;

export function validateService(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors: FieldError[] = [];
  const headless = spec.clusterIP === "None";
  if (!spec.ports?.length && !headless && spec.type !== "ExternalName") errors.push(required("spec.ports"));
  const names = new Set<string>();
  const used = new Set<string>();
  for (const [at, port] of (spec.ports ?? []).entries()) {
    const path = `spec.ports[${at}]`;
    if (!port.name) {
      if (spec.ports.length > 1) errors.push(required(`${path}.name`));
    } else {
      for (const problem of isDnsLabel(port.name)) errors.push(invalid(`${path}.name`, port.name, problem));
      if (names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
      names.add(port.name);
    }
    for (const problem of isPortNumber(port.port)) errors.push(invalid(`${path}.port`, port.port ?? 0, problem));
    if (!protocols.includes(port.protocol)) errors.push(notSupported(`${path}.protocol`, port.protocol, protocols));
    if (port.targetPort !== undefined) validatePort(port.targetPort, `${path}.targetPort`, errors);
    const key = `${port.protocol}/${port.port}`;
    if (used.has(key))
      errors.push(
        duplicate(path, {
          Name: "",
          Protocol: port.protocol,
          AppProtocol: null,
          Port: port.port,
          TargetPort: 0,
          NodePort: 0,
        }),
      );
    used.add(key);
  }
  errors.push(...validateLabels(spec.selector, "spec.selector"));
  if (!["None", "ClientIP"].includes(spec.sessionAffinity)) {
    errors.push(notSupported("spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]));
  }
  if (!serviceTypes.includes(spec.type)) errors.push(notSupported("spec.type", spec.type, serviceTypes));
  if (spec.type === "ExternalName") {
    if (!spec.externalName) errors.push(required("spec.externalName"));
    else
      for (const problem of isDnsSubdomain(spec.externalName))
        errors.push(invalid("spec.externalName", spec.externalName, problem));
  }
  if (spec.clusterIP && !headless && !address.test(spec.clusterIP)) {
    errors.push(
      invalid("spec.clusterIPs[0]", spec.clusterIP, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    );
  }
  const was = old?.["spec"];
  if (
    was?.clusterIP &&
    spec.type !== "ExternalName" &&
    was.type !== "ExternalName" &&
    spec.clusterIP !== was.clusterIP
  ) {
    errors.push(invalid("spec.clusterIPs[0]", spec.clusterIP ? [spec.clusterIP] : null, "may not change once set"));
  }
  return errors;
}

const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];

function validateBackend(backend: any, path: string): FieldError[] {
  if (!backend?.service && !backend?.resource) return [invalid(path, "", "resource or service backend is required")];
  const errors: FieldError[] = [];
  if (backend.service) {
    const { name, port } = backend.service;
    if (!name) errors.push(required(`${path}.service.name`));
    else for (const problem of isDns1035Label(name)) errors.push(invalid(`${path}.service.name`, name, problem));
    if (!port?.name && !port?.number) errors.push(required(path, "port name or number is required"));
  }
  return errors;
}

export function validateIngress(object: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors: FieldError[] = [];
  if (!spec.rules?.length && !spec.defaultBackend) {
    errors.push(invalid("spec", spec.rules ?? null, "either `defaultBackend` or `rules` must be specified"));
  }
  if (spec.defaultBackend) errors.push(...validateBackend(spec.defaultBackend, "spec.defaultBackend"));
  for (const [at, rule] of (spec.rules ?? []).entries()) {
    const path = `spec.rules[${at}]`;
    const host: string = rule.host ?? "";
    for (const problem of host ? isDnsSubdomain(host.startsWith("*.") ? host.slice(2) : host) : []) {
      errors.push(invalid(`${path}.host`, host, problem));
    }
    if (rule.http && !rule.http.paths?.length) errors.push(required(`${path}.http.paths`));
    for (const [index, one] of (rule.http?.paths ?? []).entries()) {
      const here = `${path}.http.paths[${index}]`;
      if (!one.pathType) {
        errors.push(required(`${here}.pathType`, "pathType must be specified"));
        continue;
      }
      if (!pathTypes.includes(one.pathType)) errors.push(notSupported(`${here}.pathType`, one.pathType, pathTypes));
      else if (one.pathType !== "ImplementationSpecific" && !one.path?.startsWith("/")) {
        errors.push(invalid(`${here}.path`, one.path ?? "", "must be an absolute path"));
      }
      errors.push(...validateBackend(one.backend, `${here}.backend`));
    }
  }
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

const addressTypes = ["FQDN", "IPv4", "IPv6"];

export function validateEndpointSlice(object: KubeObject, old?: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  if (!object["addressType"]) errors.push(required("addressType"));
  else if (!addressTypes.includes(object["addressType"]))
    errors.push(notSupported("addressType", object["addressType"], addressTypes));
  for (const [at, endpoint] of (object["endpoints"] ?? []).entries()) {
    const path = `endpoints[${at}].addresses`;
    if (!endpoint.addresses?.length) errors.push(required(path, "must contain at least 1 address"));
    for (const [index, one] of (endpoint.addresses ?? []).entries()) {
      if (object["addressType"] === "IPv4" && !/^\d{1,3}(\.\d{1,3}){3}$/.test(one)) {
        errors.push(invalid(`${path}[${index}]`, one, "must be a valid IPv4 address"));
      } else if (one.startsWith("127.") || one === "::1") {
        errors.push(invalid(`${path}[${index}]`, one, "may not be in the loopback range (127.0.0.0/8, ::1/128)"));
      }
    }
  }
  if (old !== undefined && old["addressType"] !== object["addressType"])
    errors.push(invalid("addressType", object["addressType"], immutable));
  return errors;
}

export function validateNetworkPolicy(object: KubeObject): FieldError[] {
  return validateSelector(object["spec"]?.podSelector, "spec.podSelector");
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
