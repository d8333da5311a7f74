// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { isDnsLabel, isDnsSubdomain, isPathSegment, isPortName, isPortNumber } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { type FieldError, forbidden, invalid, notSupported, required, tooLong } from "../field-error.js";
import { checkDomainPath, checkIngressPoint, isWildcardDomain, readIp } from "./addresses.js";

const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];
const CLASS_ANNOTATION = "kubernetes.io/ingress.class";
const LONGEST_CONTROLLER = 250;

const named = (field: string, text: string, rule: (text: string) => string[]): FieldError[] =>
  text ? rule(text).map((problem) => invalid(field, text, problem)) : [required(field)];

/** A reference to an object of some kind. */
function validateReference({ apiGroup, kind = "", name = "" }: any, path: string): FieldError[] {
  return [
    ...(apiGroup === undefined || apiGroup === null ? [] : isDnsSubdomain(apiGroup)).map((problem) =>
      invalid(`${path}.apiGroup`, apiGroup, problem),
    ),
    ...named(`${path}.kind`, kind, isPathSegment),
    ...named(`${path}.name`, name, isPathSegment),
  ];
}

function validateBackend(backend: any, path: string): FieldError[] {
  const { resource, service } = backend ?? {};
  if (resource && service) return [invalid(path, "", "cannot set both resource and service backends")];
  if (resource) return validateReference(resource, `${path}.resource`);
  if (!service) return [invalid(path, "", "resource or service backend is required")];
  const errors = named(`${path}.service.name`, service.name ?? "", isDnsLabel);
  const { name = "", number = 0 } = service.port ?? {};
  if (name && number) errors.push(invalid(path, "", "cannot set both port name & port number"));
  else if (name) {
    for (const problem of isPortName(name)) errors.push(invalid(`${path}.service.port.name`, name, problem));
  } else if (number) {
    for (const problem of isPortNumber(number)) errors.push(invalid(`${path}.service.port.number`, number, problem));
  } else errors.push(required(path, "port name or number is required"));
  return errors;
}

const notInPaths = ["//", "/./", "/../", "%2f", "%2F"];
const notAtEnds = ["/..", "/."];

function validatePath(one: any, path: string): FieldError[] {
  const { pathType, path: text = "" } = one;
  if (pathType === undefined || pathType === null) return [required(`${path}.pathType`, "pathType must be specified")];
  const errors: FieldError[] = [];
  const refuse = (problem: string) => errors.push(invalid(`${path}.path`, text, problem));
  if (pathType === "Exact" || pathType === "Prefix") {
    if (!text.startsWith("/")) refuse("must be an absolute path");
    for (const part of notInPaths) if (text.includes(part)) refuse(`must not contain '${part}'`);
    for (const end of notAtEnds) if (text.endsWith(end)) refuse(`cannot end with '${end}'`);
  } else if (pathType === "ImplementationSpecific") {
    if (text && !text.startsWith("/")) refuse("must be an absolute path");
  } else errors.push(notSupported(`${path}.pathType`, pathType, pathTypes));
  return [...errors, ...validateBackend(one.backend, `${path}.backend`)];
}

function validateRule({ host = "", http }: any, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (host) {
    if (readIp(host)) errors.push(invalid(`${path}.host`, host, "must be a DNS name, not an IP address"));
    const problems = host.includes("*") ? isWildcardDomain(host) : isDnsSubdomain(host);
    for (const problem of problems) errors.push(invalid(`${path}.host`, host, problem));
  }
  if (!http) return errors;
  if (!http.paths?.length) errors.push(required(`${path}.http.paths`));
  for (const [at, one] of (http.paths ?? []).entries()) errors.push(...validatePath(one, `${path}.http.paths[${at}]`));
  return errors;
}

export function validateIngress(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const errors: FieldError[] = [];
  if (!spec.rules?.length && !spec.defaultBackend) {
    errors.push(invalid("spec", spec.rules ?? null, "either `defaultBackend` or `rules` must be specified"));
  }
  if (spec.defaultBackend) errors.push(...validateBackend(spec.defaultBackend, "spec.defaultBackend"));
  for (const [at, rule] of (spec.rules ?? []).entries()) errors.push(...validateRule(rule, `spec.rules[${at}]`));
  const secretsWere = (old?.["spec"]?.tls ?? []).some(
    ({ secretName }: any) => secretName && isDnsSubdomain(secretName).length > 0,
  );
  for (const [at, { hosts = [], secretName = "" }] of (spec.tls ?? []).entries()) {
    for (const [index, host] of hosts.entries()) {
      const problems = host.includes("*") ? isWildcardDomain(host) : isDnsSubdomain(host);
      for (const problem of problems) errors.push(invalid(`spec.tls[${at}].hosts[${index}]`, host, problem));
    }
    for (const problem of secretName && !secretsWere ? isDnsSubdomain(secretName) : []) {
      errors.push(invalid(`spec.tls[${at}].secretName`, secretName, problem));
    }
  }
  if (spec.ingressClassName !== undefined) {
    for (const problem of isDnsSubdomain(spec.ingressClassName)) {
      errors.push(invalid("spec.ingressClassName", spec.ingressClassName, problem));
    }
  }
  const annotated = object.metadata.annotations?.[CLASS_ANNOTATION];
  if (!old && annotated !== undefined && spec.ingressClassName !== undefined && annotated !== spec.ingressClassName) {
    const problem = "must match `ingressClassName` when both are specified";
    errors.push(invalid(`annotations.${CLASS_ANNOTATION}`, annotated, problem));
  }
  return errors;
}

export function validateIngressStatus(object: KubeObject, old?: KubeObject): FieldError[] {
  const before = ((old?.["status"]?.loadBalancer?.ingress ?? []) as any[]).map(({ ip }) => ip);
  return ((object["status"]?.loadBalancer?.ingress ?? []) as any[]).flatMap((point, at) =>
    checkIngressPoint(`status.loadBalancer.ingress[${at}]`, point, before),
  );
}

const scopes = ["Cluster", "Namespace"];

export function validateIngressClass(object: KubeObject, old?: KubeObject): FieldError[] {
  const { controller = "", parameters } = object["spec"] ?? {};
  const errors: FieldError[] = [];
  if (old && controller !== (old["spec"]?.controller ?? "")) {
    errors.push(invalid("spec.controller", controller, "field is immutable"));
  }
  if (controller.length > LONGEST_CONTROLLER) errors.push(tooLong("spec.controller", LONGEST_CONTROLLER));
  errors.push(...checkDomainPath("spec.controller", controller));
  if (!parameters) return errors;
  const path = "spec.parameters";
  errors.push(...validateReference(parameters, path));
  const { scope, namespace } = parameters;
  if (scope === undefined) errors.push(required(`${path}.scope`));
  else if (!scopes.includes(scope)) errors.push(notSupported(`${path}.scope`, scope, scopes));
  else if (scope === "Cluster") {
    if (namespace !== undefined) errors.push(forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"));
  } else if (namespace === undefined) {
    errors.push(required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"));
  } else {
    for (const problem of isDnsLabel(namespace)) errors.push(invalid(`${path}.namespace`, namespace, problem));
  }
  return errors;
}

/** What the writer of an Ingress is told: an annotation that a field has replaced. */
export const ingressWarnings = ({ metadata, spec }: KubeObject): string[] =>
  metadata.annotations?.[CLASS_ANNOTATION] === undefined || spec?.ingressClassName !== undefined
    ? []
    : [`annotation "${CLASS_ANNOTATION}" is deprecated, please use 'spec.ingressClassName' instead`];
