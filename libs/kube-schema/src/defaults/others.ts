// biome-ignore-all lint/suspicious/noExplicitAny: defaulting walks objects of builtin kinds, decoded against their schemas before
import { fill } from "./pod.js";

export function fillService({ spec, status }: any): void {
  if (!spec) return;
  for (const point of status?.loadBalancer?.ingress ?? []) {
    if (point.ip && spec.type === "LoadBalancer") fill(point, "ipMode", "VIP");
  }
  if (!spec.sessionAffinity) spec.sessionAffinity = "None";
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === "ClientIP") {
    fill(spec, "sessionAffinityConfig", {});
    fill(spec.sessionAffinityConfig, "clientIP", {});
    fill(spec.sessionAffinityConfig.clientIP, "timeoutSeconds", 10800);
  }
  if (!spec.type) spec.type = "ClusterIP";
  for (const port of spec.ports ?? []) {
    if (!port.protocol) port.protocol = "TCP";
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === "") port.targetPort = port.port;
  }
  const isExternal = spec.type === "NodePort" || spec.type === "LoadBalancer";
  const isReachable = isExternal || (spec.type === "ClusterIP" && spec.externalIPs?.length > 0);
  if (isReachable) fill(spec, "externalTrafficPolicy", "Cluster");
  if (isExternal || spec.type === "ClusterIP") fill(spec, "internalTrafficPolicy", "Cluster");
  if (spec.type === "LoadBalancer") fill(spec, "allocateLoadBalancerNodePorts", true);
}

export function fillNode({ spec, status }: any): void {
  if (status?.capacity) fill(status, "allocatable", { ...status.capacity });
  // One range, and the list of all: either tells the other.
  if (spec?.podCIDR && !spec.podCIDRs?.length) spec.podCIDRs = [spec.podCIDR];
  else if (spec && !spec.podCIDR && spec.podCIDRs?.length) spec.podCIDR = spec.podCIDRs[0];
}

export function fillIngressClass({ spec }: any): void {
  if (spec?.parameters) fill(spec.parameters, "scope", "Cluster");
}

export function fillEndpoints({ subsets }: any): void {
  for (const subset of subsets ?? []) for (const port of subset.ports ?? []) fill(port, "protocol", "TCP");
}

export function fillEndpointSlice({ ports }: any): void {
  for (const port of ports ?? []) {
    fill(port, "name", "");
    fill(port, "protocol", "TCP");
  }
}

export function fillSecret(secret: any): void {
  if (!secret.type) secret.type = "Opaque";
  if (!secret.stringData) return;
  // stringData is for writing only: it ends up in data.
  secret.data = { ...secret.data };
  for (const [key, text] of Object.entries(secret.stringData as Record<string, string>)) {
    secret.data[key] = Buffer.from(text, "utf8").toString("base64");
  }
  delete secret.stringData;
}

export function fillNamespace({ metadata }: any): void {
  if (!metadata?.name) return;
  metadata.labels = { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name };
}

const rbac = "rbac.authorization.k8s.io";

export function fillBinding(binding: any): void {
  if (binding.roleRef && !binding.roleRef.apiGroup) binding.roleRef.apiGroup = rbac;
  for (const subject of binding.subjects ?? []) {
    if (!subject.apiGroup && (subject.kind === "User" || subject.kind === "Group")) subject.apiGroup = rbac;
  }
}

export function fillNetworkPolicy({ spec }: any): void {
  if (!spec) return;
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
    for (const port of rule.ports ?? []) fill(port, "protocol", "TCP");
  }
  fill(spec, "policyTypes", spec.egress?.length ? ["Ingress", "Egress"] : ["Ingress"]);
}

export function fillStorageClass(object: any): void {
  fill(object, "reclaimPolicy", "Delete");
  fill(object, "volumeBindingMode", "Immediate");
}

export function fillPriorityClass(object: any): void {
  fill(object, "preemptionPolicy", "PreemptLowerPriority");
}

export function fillAutoscaler({ spec }: any): void {
  if (!spec) return;
  fill(spec, "minReplicas", 1);
  if (spec.metrics === undefined) {
    spec.metrics = [
      { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
    ];
  }
  if (spec.behavior) fillBehavior(spec.behavior);
}

/** How fast an autoscaler goes up and down where nothing is said, once anything is said about it. */
const rules = {
  scaleUp: () => ({
    stabilizationWindowSeconds: 0,
    selectPolicy: "Max",
    policies: [
      { type: "Pods", value: 4, periodSeconds: 15 },
      { type: "Percent", value: 100, periodSeconds: 15 },
    ],
  }),
  scaleDown: () => ({ selectPolicy: "Max", policies: [{ type: "Percent", value: 100, periodSeconds: 15 }] }),
};

function fillBehavior(behavior: any): void {
  for (const side of ["scaleUp", "scaleDown"] as const) {
    behavior[side] ??= {};
    for (const [field, value] of Object.entries(rules[side]())) fill(behavior[side], field, value);
  }
}

export function fillAutoscalerV1({ spec }: any): void {
  if (spec) fill(spec, "minReplicas", 1);
}

export function fillCustomResourceDefinition({ spec }: any): void {
  if (!spec) return;
  fill(spec, "scope", "Namespaced");
  if (spec.names?.kind) {
    if (!spec.names.singular) spec.names.singular = spec.names.kind.toLowerCase();
    if (!spec.names.listKind) spec.names.listKind = `${spec.names.kind}List`;
  }
  fill(spec, "conversion", { strategy: "None" });
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service) fill(service, "port", 443);
}
