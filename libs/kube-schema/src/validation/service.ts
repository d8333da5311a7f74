// biome-ignore-all lint/suspicious/noExplicitAny: objects were decoded against their schemas and defaulted before
import { isDnsLabel, isDnsSubdomain, isPortNumber, isQualifiedName } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { duplicate, type FieldError, forbidden, invalid, notSupported, required } from "../field-error.js";
import {
  checkCidr,
  checkEndpointIp,
  checkIngressPoint,
  checkIp,
  cidrWarnings,
  ipWarnings,
  isIpv6,
} from "./addresses.js";
import { validateLabels } from "./metadata.js";
import { validatePort } from "./pod/index.js";

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const families = ["IPv4", "IPv6"];
const familyPolicies = ["PreferDualStack", "RequireDualStack", "SingleStack"];
const policies = ["Cluster", "Local"];
const distributions = ["PreferClose", "PreferSameZone", "PreferSameNode"];
export const protocols = ["SCTP", "TCP", "UDP"];
const DAY_SECONDS = 86_400;
const TOPOLOGY_HINTS = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE = "service.kubernetes.io/topology-mode";
const SOURCE_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";
const ofBalancers = "may only be used when `type` is 'LoadBalancer'";
const setOnce = "may not change once set";

const isHeadless = (spec: any): boolean => spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === "None";
const isBalancer = ({ type }: any): boolean => type === "LoadBalancer";
const isReachable = (spec: any): boolean =>
  spec.type === "NodePort" || isBalancer(spec) || (spec.type === "ClusterIP" && spec.externalIPs?.length > 0);
export const needsHealthCheck = (spec: any): boolean => isBalancer(spec) && spec.externalTrafficPolicy === "Local";
const qualified = (text: string, field: string): FieldError[] =>
  isQualifiedName(text).map((problem) => invalid(field, text, problem));

export function validateService(object: KubeObject, old?: KubeObject): FieldError[] {
  const spec = object["spec"] ?? {};
  const was = old?.["spec"];
  const { annotations = {} } = object.metadata;
  const errors: FieldError[] = was ? validateChange(spec, was) : [];
  if (
    annotations[TOPOLOGY_HINTS] !== undefined &&
    annotations[TOPOLOGY_MODE] !== undefined &&
    annotations[TOPOLOGY_HINTS] !== annotations[TOPOLOGY_MODE]
  ) {
    const problem = `must match annotations[${TOPOLOGY_HINTS}] when both are specified`;
    errors.push(invalid(`metadata.annotations[${TOPOLOGY_MODE}]`, annotations[TOPOLOGY_MODE], problem));
  }
  if (!spec.ports?.length && !isHeadless(spec) && spec.type !== "ExternalName") errors.push(required("spec.ports"));
  if ((isBalancer(spec) || spec.type === "NodePort") && isHeadless(spec)) {
    errors.push(invalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${spec.type} services`));
  }
  if (spec.type === "ExternalName") errors.push(...validateExternalName(spec));
  errors.push(...validatePorts(spec));
  errors.push(...validateLabels(spec.selector, "spec.selector"));
  errors.push(...validateAffinity(spec), ...validateClusterIps(spec, was));
  for (const [at, ip] of ((spec.externalIPs ?? []) as string[]).entries()) {
    const path = `spec.externalIPs[${at}]`;
    const found = checkIp(path, ip, was?.externalIPs);
    errors.push(...(found.length > 0 ? found : checkEndpointIp(path, ip)));
  }
  if (!types.includes(spec.type)) errors.push(notSupported("spec.type", spec.type, types));
  errors.push(...validateRepeatedPorts(spec), ...validateSourceRanges(spec, annotations, old));
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isBalancer(spec)) {
    errors.push(forbidden("spec.allocateLoadBalancerNodePorts", ofBalancers));
  }
  if (spec.allocateLoadBalancerNodePorts === undefined && isBalancer(spec)) {
    errors.push(required("allocateLoadBalancerNodePorts"));
  }
  errors.push(...validateBalancerClass(spec), ...validateTraffic(spec));
  return errors;
}

function validateExternalName(spec: any): FieldError[] {
  const errors: FieldError[] = [];
  const never = "may not be set for ExternalName services";
  if (spec.clusterIPs?.length) errors.push(forbidden("spec.clusterIPs", never));
  if (spec.ipFamilies?.length) errors.push(forbidden("spec.ipFamilies", never));
  if (spec.ipFamilyPolicy) errors.push(forbidden("spec.ipFamilyPolicy", never));
  const name = (spec.externalName ?? "").replace(/\.$/, "");
  if (!name) errors.push(required("spec.externalName"));
  for (const problem of name ? isDnsSubdomain(name) : []) errors.push(invalid("spec.externalName", name, problem));
  return errors;
}

function validatePorts({ ports = [] }: any): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [at, port] of ports.entries()) {
    const path = `spec.ports[${at}]`;
    if (!port.name) {
      if (ports.length > 1) errors.push(required(`${path}.name`));
    } else {
      for (const problem of isDnsLabel(port.name)) errors.push(invalid(`${path}.name`, port.name, problem));
      if (names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
      names.add(port.name);
    }
    for (const problem of isPortNumber(port.port)) errors.push(invalid(`${path}.port`, port.port ?? 0, problem));
    if (!protocols.includes(port.protocol)) errors.push(notSupported(`${path}.protocol`, port.protocol, protocols));
    if (port.targetPort !== undefined) validatePort(port.targetPort, `${path}.targetPort`, errors);
    if (port.appProtocol !== undefined) errors.push(...qualified(port.appProtocol, `${path}.appProtocol`));
  }
  return errors;
}

function validateRepeatedPorts({ type, ports = [] }: any): FieldError[] {
  const errors: FieldError[] = [];
  const nodePorts = new Set<string>();
  const used = new Set<string>();
  for (const [at, port] of ports.entries()) {
    if (type === "ClusterIP" && port.nodePort) {
      errors.push(forbidden(`spec.ports[${at}].nodePort`, "may not be used when `type` is 'ClusterIP'"));
    }
  }
  for (const [at, { protocol, nodePort }] of ports.entries()) {
    if (!nodePort) continue;
    if (nodePorts.has(`${protocol}/${nodePort}`)) errors.push(duplicate(`spec.ports[${at}].nodePort`, nodePort));
    nodePorts.add(`${protocol}/${nodePort}`);
  }
  for (const [at, { protocol, port }] of ports.entries()) {
    if (used.has(`${protocol}/${port}`)) {
      const shown = { Name: "", Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
      errors.push(duplicate(`spec.ports[${at}]`, shown));
    }
    used.add(`${protocol}/${port}`);
  }
  return errors;
}

function validateAffinity({ sessionAffinity, sessionAffinityConfig }: any): FieldError[] {
  if (sessionAffinity === "ClientIP") {
    const path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
    const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
    if (seconds === undefined) return [required(path, "when session affinity type is ClientIP")];
    if (seconds > 0 && seconds <= DAY_SECONDS) return [];
    return [invalid(path, seconds, `must be greater than 0 and less than ${DAY_SECONDS}`)];
  }
  if (sessionAffinity !== "None") {
    return [notSupported("spec.sessionAffinity", sessionAffinity, ["ClientIP", "None"])];
  }
  if (!sessionAffinityConfig) return [];
  return [forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None")];
}

/** Cluster IPs, families and their policy: the API server looks at them before it gives addresses, and again after. */
export function validateClusterIps(spec: any, was?: any): FieldError[] {
  if (spec.type === "ExternalName") return [];
  const errors: FieldError[] = [];
  const ips: string[] = spec.clusterIPs ?? [];
  if (spec.clusterIP) {
    // Without a list, the one address becomes the list before it is looked at.
    if (ips.length > 0 && ips[0] !== spec.clusterIP) {
      errors.push(invalid("spec.clusterIPs", ips, "first value must match `clusterIP`"));
    }
  } else if (ips.length > 0) {
    errors.push(invalid("spec.clusterIPs", ips, "must be empty when `clusterIP` is not specified"));
  }
  const seen = new Set<string>();
  for (const [at, family] of (spec.ipFamilies ?? []).entries()) {
    if (!families.includes(family)) errors.push(notSupported(`spec.ipFamilies[${at}]`, family, families));
    if (seen.has(family)) errors.push(duplicate(`spec.ipFamilies[${at}]`, family));
    seen.add(family);
  }
  if (spec.ipFamilyPolicy !== undefined && !familyPolicies.includes(spec.ipFamilyPolicy)) {
    errors.push(notSupported("spec.ipFamilyPolicy", spec.ipFamilyPolicy, familyPolicies));
  }
  let isWrong = false;
  for (const [at, ip] of ips.entries()) {
    if (at === 0 && ip === "None") {
      if (ips.length === 1) continue;
      isWrong = true;
      errors.push(invalid("spec.clusterIPs", ips, "'None' must be the first and only value"));
      continue;
    }
    const found = checkIp(`spec.clusterIPs[${at}]`, ip, was?.clusterIPs);
    if (found.length > 0) isWrong = true;
    errors.push(...found);
  }
  if (ips.length > 2) errors.push(invalid("spec.clusterIPs", ips, "may only hold up to 2 values"));
  if (isWrong) return errors;
  if (ips.length > 1 && !(ips.some(isIpv6) && ips.some((ip) => !isIpv6(ip)))) {
    errors.push(invalid("spec.clusterIPs", ips, "may specify no more than one IP for each IP family"));
  }
  if (isHeadless(spec)) return errors;
  for (const [at, ip] of ips.entries()) {
    const family = spec.ipFamilies?.[at];
    if (!families.includes(family) || (family === "IPv6") === isIpv6(ip)) continue;
    const problem = `expected an ${family} value as indicated by \`ipFamilies[${at}]\``;
    errors.push(invalid(`spec.clusterIPs[${at}]`, ip, problem));
  }
  return errors;
}

function validateSourceRanges(spec: any, annotations: Record<string, string>, old?: KubeObject): FieldError[] {
  const ranges: string[] = spec.loadBalancerSourceRanges ?? [];
  if (ranges.length > 0) {
    const path = "spec.LoadBalancerSourceRanges";
    const before = ((old?.["spec"]?.loadBalancerSourceRanges ?? []) as string[]).map((range) => range.trim());
    return [
      ...(isBalancer(spec) ? [] : [forbidden(path, ofBalancers)]),
      ...ranges.flatMap((range, at) => checkCidr(`${path}[${at}]`, range.trim(), before)),
    ];
  }
  const text = annotations[SOURCE_RANGES];
  if (text === undefined) return [];
  const path = `metadata.annotations[${SOURCE_RANGES}]`;
  const isNew = text !== old?.metadata.annotations?.[SOURCE_RANGES] && text.trim() !== "";
  return [
    ...(isBalancer(spec) ? [] : [forbidden(path, ofBalancers)]),
    ...(isNew ? text.split(",").flatMap((range) => checkCidr(path, range.trim())) : []),
  ];
}

function validateBalancerClass(spec: any): FieldError[] {
  if (spec.loadBalancerClass === undefined) return [];
  return isBalancer(spec)
    ? qualified(spec.loadBalancerClass, "spec.loadBalancerClass")
    : [forbidden("spec.loadBalancerClass", ofBalancers)];
}

function validateTraffic(spec: any): FieldError[] {
  const errors: FieldError[] = [];
  const { externalTrafficPolicy: outer, internalTrafficPolicy: inner, healthCheckNodePort = 0 } = spec;
  if (!isReachable(spec)) {
    if (outer) {
      const problem = "may only be set for externally-accessible services";
      errors.push(invalid("spec.externalTrafficPolicy", outer, problem));
    }
  } else if (!outer) errors.push(required("spec.externalTrafficPolicy"));
  else if (!policies.includes(outer)) errors.push(notSupported("spec.externalTrafficPolicy", outer, policies));
  if (!needsHealthCheck(spec)) {
    if (healthCheckNodePort !== 0) {
      const problem = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
      errors.push(invalid("spec.healthCheckNodePort", healthCheckNodePort, problem));
    }
  } else {
    for (const problem of isPortNumber(healthCheckNodePort)) {
      errors.push(invalid("spec.healthCheckNodePort", healthCheckNodePort, problem));
    }
  }
  if (inner !== undefined && !policies.includes(inner)) {
    errors.push(notSupported("spec.internalTrafficPolicy", inner, policies));
  }
  if (spec.trafficDistribution !== undefined && !distributions.includes(spec.trafficDistribution)) {
    errors.push(notSupported("spec.trafficDistribution", spec.trafficDistribution, distributions));
  }
  return errors;
}

function validateChange(spec: any, was: any): FieldError[] {
  const errors: FieldError[] = [];
  const isOutside = spec.type === "ExternalName" || was.type === "ExternalName";
  if (!isOutside && !(isHeadless(spec) && isHeadless(was))) {
    const ips: string[] = spec.clusterIPs ?? [];
    const before: string[] = was.clusterIPs ?? [];
    if (ips.length === before.length) {
      for (const [at, ip] of before.entries()) {
        if (ip !== ips[at]) errors.push(invalid(`spec.clusterIPs[${at}]`, ips, setOnce));
      }
    } else if (before.length > 0 && ips.length === 0) {
      errors.push(invalid("spec.clusterIPs[0]", null, "primary clusterIP can not be unset"));
    } else if (before.length > 0 && ips[0] !== before[0]) {
      errors.push(invalid("spec.clusterIPs[0]", ips, setOnce));
    }
  }
  if (!isOutside && !isHeadless(spec) && !isHeadless(was)) {
    const now: string[] = spec.ipFamilies ?? [];
    for (const [at, family] of ((was.ipFamilies ?? []) as string[]).entries()) {
      if (now[at] !== undefined && now[at] !== family) errors.push(invalid("spec.ipFamilies[0]", now, setOnce));
    }
  }
  if (isBalancer(spec) && isBalancer(was) && spec.loadBalancerClass !== was.loadBalancerClass) {
    errors.push(invalid("spec.loadBalancerClass", spec.loadBalancerClass ?? null, setOnce));
  }
  errors.push(...validateBalancerClass(spec));
  if (needsHealthCheck(was) && needsHealthCheck(spec) && was.healthCheckNodePort !== spec.healthCheckNodePort) {
    errors.push(forbidden("spec.healthCheckNodePort", "field is immutable"));
  }
  return errors;
}

const ipModes = ["Proxy", "VIP"];

export function validateServiceStatus(object: KubeObject, old?: KubeObject): FieldError[] {
  const points = (object["status"]?.loadBalancer?.ingress ?? []) as any[];
  const path = "status.loadBalancer.ingress";
  if (points.length > 0 && !isBalancer(object["spec"] ?? {})) {
    return [forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")];
  }
  const before = ((old?.["status"]?.loadBalancer?.ingress ?? []) as any[]).map(({ ip }) => ip);
  return points.flatMap((point, at) => {
    const here = `${path}[${at}]`;
    const errors = checkIngressPoint(here, point, before);
    if (point.ipMode === undefined) {
      if (point.ip) errors.push(required(`${here}.ipMode`, "must be specified when `ip` is set"));
    } else if (!point.ip) errors.push(forbidden(`${here}.ipMode`, "may not be specified when `ip` is not set"));
    else if (!ipModes.includes(point.ipMode)) errors.push(notSupported(`${here}.ipMode`, point.ipMode, ipModes));
    return errors;
  });
}

export function serviceWarnings(object: KubeObject): string[] {
  const spec = object["spec"] ?? {};
  const warnings: string[] = [];
  if (object.metadata.annotations?.[TOPOLOGY_HINTS] !== undefined) {
    warnings.push(`annotation ${TOPOLOGY_HINTS} is deprecated, please use ${TOPOLOGY_MODE} instead`);
  }
  const headless = spec.type === "ClusterIP" && spec.clusterIP === "None";
  const isExternal = spec.type === "ExternalName";
  const external: string[] = spec.externalIPs ?? [];
  if (spec.clusterIP && spec.clusterIP !== "None") {
    for (const [at, ip] of (spec.clusterIPs ?? []).entries())
      warnings.push(...ipWarnings(`spec.clusterIPs[${at}]`, ip));
  }
  if (headless) {
    if (spec.loadBalancerIP) warnings.push("spec.loadBalancerIP is ignored for headless services");
    if (external.length > 0) warnings.push("spec.externalIPs is ignored for headless services");
    if (spec.sessionAffinity !== "None") warnings.push("spec.SessionAffinity is ignored for headless services");
  }
  for (const [at, ip] of external.entries()) warnings.push(...ipWarnings(`spec.externalIPs[${at}]`, ip));
  if (external.length > 0 && !headless && !isExternal) {
    warnings.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters");
  }
  if (spec.loadBalancerIP) warnings.push(...ipWarnings("spec.loadBalancerIP", spec.loadBalancerIP));
  for (const [at, range] of ((spec.loadBalancerSourceRanges ?? []) as string[]).entries()) {
    warnings.push(...cidrWarnings(`spec.loadBalancerSourceRanges[${at}]`, range));
  }
  if (isExternal && external.length > 0) {
    warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  }
  if (!isExternal && spec.externalName) {
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  if (spec.trafficDistribution === "PreferClose") {
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  }
  return warnings;
}
