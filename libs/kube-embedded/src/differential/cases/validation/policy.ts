import type { Group } from "../../play.js";
import { fieldsOf, long, type Members } from "./tried.js";

const spec = (more: Members): Members => ({ spec: more });

const autoscalers = (): Group => {
  const cpu = { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } };
  const metric = (more: unknown): Members => spec({ metrics: [more] });
  const resource = (target: unknown, name = "cpu"): Members => metric({ type: "Resource", resource: { name, target } });
  const behaviour = (more: Members): Members => spec({ behavior: { scaleDown: more } });
  const policy = { type: "Pods", value: 1, periodSeconds: 60 };
  return fieldsOf(
    {
      group: "autoscaling",
      version: "v2",
      resource: "horizontalpodautoscalers",
      kind: "HorizontalPodAutoscaler",
      base: { spec: { maxReplicas: 3, scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" } } },
    },
    {
      "no spec": { spec: null },
      "no most": spec({ maxReplicas: null }),
      "a negative most": spec({ maxReplicas: -1 }),
      "no least": spec({ minReplicas: 0 }),
      "least above most": spec({ minReplicas: 5 }),
      "no target": spec({ scaleTargetRef: null }),
      "a bad target": spec({ scaleTargetRef: { apiVersion: "apps/v1", kind: "a/b", name: "a/b" } }),
      "a target with a bad version": spec({ scaleTargetRef: { apiVersion: "a/b/c", kind: "K", name: "n" } }),
      "a target of the core": spec({ scaleTargetRef: { apiVersion: "v1", kind: "K", name: "n" } }),
      "a metric": spec({ metrics: [cpu] }),
      "a metric of nothing": metric({}),
      "an unknown metric": metric({ type: "Magic" }),
      "a metric without its source": metric({ type: "Resource" }),
      "a metric of two sources": metric({
        ...cpu,
        pods: { metric: { name: "m" }, target: { type: "AverageValue", averageValue: "1" } },
      }),
      "a metric of another source": metric({ type: "Pods", resource: cpu.resource }),
      "a target without a type": resource({ averageUtilization: 50 }),
      "an unknown target": resource({ type: "Much" }),
      "a utilization of 0": resource({ type: "Utilization", averageUtilization: 0 }),
      "no utilization": resource({ type: "Utilization" }),
      "a utilization and a value": resource({ type: "Utilization", averageUtilization: 5, averageValue: "1" }),
      "a value": resource({ type: "AverageValue", averageValue: "1" }),
      "a value of 0": resource({ type: "AverageValue", averageValue: "0" }),
      "a plain value of a resource": resource({ type: "Value", value: "1" }),
      "no resource": resource({ type: "Utilization", averageUtilization: 5 }, ""),
      pods: metric({
        type: "Pods",
        pods: { metric: { name: "m" }, target: { type: "AverageValue", averageValue: "1" } },
      }),
      "pods without a metric": metric({ type: "Pods", pods: { target: { type: "AverageValue", averageValue: "1" } } }),
      "pods with a bad metric": metric({
        type: "Pods",
        pods: { metric: { name: "a/b" }, target: { type: "AverageValue" } },
      }),
      "pods with a bad selector": metric({
        type: "Pods",
        pods: {
          metric: { name: "m", selector: { matchLabels: { "a b": "c" } } },
          target: { type: "AverageValue", averageValue: "1" },
        },
      }),
      "an object": metric({
        type: "Object",
        object: {
          describedObject: { apiVersion: "v1", kind: "Service", name: "s" },
          metric: { name: "m" },
          target: { type: "Value", value: "1" },
        },
      }),
      "an object of nothing": metric({
        type: "Object",
        object: { metric: { name: "m" }, target: { type: "Value", value: "1" } },
      }),
      "an object without a value": metric({
        type: "Object",
        object: { describedObject: { kind: "Service", name: "s" }, metric: { name: "m" }, target: { type: "Value" } },
      }),
      external: metric({
        type: "External",
        external: { metric: { name: "m" }, target: { type: "Value", value: "1" } },
      }),
      "external with both": metric({
        type: "External",
        external: { metric: { name: "m" }, target: { type: "Value", value: "1", averageValue: "1" } },
      }),
      "external with neither": metric({
        type: "External",
        external: { metric: { name: "m" }, target: { type: "Value" } },
      }),
      "a container": metric({
        type: "ContainerResource",
        containerResource: { name: "cpu", container: "c", target: { type: "Utilization", averageUtilization: 5 } },
      }),
      "a container without a name": metric({
        type: "ContainerResource",
        containerResource: { name: "", container: "", target: { type: "Utilization" } },
      }),
      "a behaviour": behaviour({ policies: [policy] }),
      "a behaviour without policies": behaviour({ stabilizationWindowSeconds: 5 }),
      "a long window": behaviour({ stabilizationWindowSeconds: 4000, policies: [policy] }),
      "a negative window": behaviour({ stabilizationWindowSeconds: -1, policies: [policy] }),
      "an unknown choice": behaviour({ selectPolicy: "Some", policies: [policy] }),
      "an unknown policy": behaviour({ policies: [{ ...policy, type: "Kg" }] }),
      "a policy of 0": behaviour({ policies: [{ ...policy, value: 0, periodSeconds: 0 }] }),
      "a policy of a day": behaviour({ policies: [{ ...policy, periodSeconds: 86400 }] }),
      "a tolerance": behaviour({ tolerance: "0.1", policies: [policy] }),
      "a negative tolerance": behaviour({ tolerance: "-0.1", policies: [policy] }),
    },
    { "its most": spec({ maxReplicas: 0 }), "its target": spec({ scaleTargetRef: { name: "e" } }) },
    {
      replicas: { currentReplicas: 1, desiredReplicas: 2, currentMetrics: null },
      "negative replicas": { currentReplicas: -1, desiredReplicas: -1 },
    },
  );
};

const budgets = fieldsOf(
  {
    group: "policy",
    version: "v1",
    resource: "poddisruptionbudgets",
    kind: "PodDisruptionBudget",
    base: { spec: { minAvailable: 1, selector: { matchLabels: { a: "b" } } } },
  },
  {
    "no spec": { spec: null },
    both: spec({ maxUnavailable: 1 }),
    "a negative number": spec({ minAvailable: -1 }),
    "a percentage": spec({ minAvailable: "50%" }),
    "more than all": spec({ minAvailable: "150%" }),
    "a word": spec({ minAvailable: "half" }),
    "a bad selector": spec({ selector: { matchLabels: { "a b": "c d" } } }),
    "a bad expression": spec({ selector: { matchExpressions: [{ key: "a", operator: "Near", values: ["b"] }] } }),
    "an unknown eviction policy": spec({ unhealthyPodEvictionPolicy: "Never" }),
    "an eviction policy": spec({ unhealthyPodEvictionPolicy: "AlwaysAllow" }),
    "no selector": spec({ selector: null }),
    "an empty selector": spec({ selector: null, minAvailable: null, maxUnavailable: 0 }),
  },
  { "its least": spec({ minAvailable: 3 }), "its selector": spec({ selector: { matchLabels: { a: "c" } } }) },
  {
    counts: { disruptionsAllowed: 1, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
    "negative counts": { disruptionsAllowed: -1, currentHealthy: -1, desiredHealthy: -1, expectedPods: -1 },
    conditions: { conditions: [{ type: "A", status: "x", reason: "", message: "", lastTransitionTime: null }] },
  },
);

const quota = (hard: Members): Members => spec({ hard });
const quotas = fieldsOf(
  {
    group: "",
    version: "v1",
    resource: "resourcequotas",
    kind: "ResourceQuota",
    base: { spec: { hard: { pods: "10" } } },
    without: ["status"],
  },
  {
    nothing: { spec: null },
    many: quota({
      cpu: "1",
      "limits.memory": "1Gi",
      "requests.storage": "1Gi",
      "count/jobs.batch": "1",
      services: "2",
    }),
    "a negative number": quota({ pods: "-1" }),
    "half a pod": quota({ pods: "1500m" }),
    "a number that is none": quota({ pods: "many" }),
    "an unknown resource": quota({ plates: "1" }),
    "a bad resource": quota({ "a b": "1" }),
    "an extended resource": quota({ "requests.example.com/gpu": "1" }),
    "an extended resource without requests": quota({ "example.com/gpu": "1" }),
    "a class": quota({ "gold.storageclass.storage.k8s.io/requests.storage": "1Gi" }),
    "huge pages": quota({ "hugepages-2Mi": "1" }),
    scopes: spec({ scopes: ["BestEffort"] }),
    "scopes that cannot be": spec({ scopes: ["BestEffort", "NotBestEffort"] }),
    "terminating and not": spec({ scopes: ["Terminating", "NotTerminating"] }),
    "an unknown scope": spec({ scopes: ["Often"] }),
    "a scope of another resource": spec({ hard: { services: "1" }, scopes: ["BestEffort"] }),
    "a scope selector": spec({
      scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["a"] }] },
    }),
    "a scope selector without values": spec({
      scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "In" }] },
    }),
    "a scope selector with values": spec({
      scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "Exists", values: ["a"] }] },
    }),
    "a scope selector of an unknown operator": spec({
      scopeSelector: { matchExpressions: [{ scopeName: "PriorityClass", operator: "Near" }] },
    }),
    "a scope selector of an unknown scope": spec({
      scopeSelector: { matchExpressions: [{ scopeName: "Odd", operator: "Exists" }] },
    }),
    "a scope selector that has to exist": spec({
      scopeSelector: { matchExpressions: [{ scopeName: "BestEffort", operator: "In", values: ["a"] }] },
    }),
  },
  {
    "its numbers": quota({ pods: "5" }),
    "its scopes": spec({ scopes: ["BestEffort"] }),
    "a bad number": quota({ pods: "-1" }),
  },
  {
    numbers: { hard: { pods: "10" }, used: { pods: "1" } },
    "bad numbers": { hard: { pods: "-1" }, used: { "a b": "1" } },
  },
);

const limit = (more: Members): Members => spec({ limits: [{ type: "Container", ...more }] });
const ranges = fieldsOf(
  {
    group: "",
    version: "v1",
    resource: "limitranges",
    kind: "LimitRange",
    base: { spec: { limits: [{ type: "Container", default: { cpu: "1" } }] } },
  },
  {
    nothing: { spec: null },
    "a type of nothing": spec({ limits: [{}] }),
    "an unknown type": spec({ limits: [{ type: "Planet", max: { cpu: "1" } }] }),
    "a qualified type": spec({ limits: [{ type: "example.com/Planet", max: { cpu: "1" } }] }),
    "a bad type": spec({ limits: [{ type: "a b", max: { cpu: "1" } }] }),
    "types twice": spec({
      limits: [
        { type: "Container", max: { cpu: "1" } },
        { type: "Container", max: { cpu: "1" } },
      ],
    }),
    "least above most": limit({ min: { cpu: "2" }, max: { cpu: "1" } }),
    "a default above most": limit({ default: { cpu: "2" }, max: { cpu: "1" } }),
    "a default below least": limit({ default: { cpu: "1" }, min: { cpu: "2" } }),
    "a request above its default": limit({ defaultRequest: { cpu: "2" }, default: { cpu: "1" } }),
    "a request above most": limit({ defaultRequest: { cpu: "2" }, max: { cpu: "1" } }),
    "a request below least": limit({ defaultRequest: { cpu: "1" }, min: { cpu: "2" } }),
    "a ratio": limit({ default: null, maxLimitRequestRatio: { cpu: "2" } }),
    "a ratio below 1": limit({ default: null, maxLimitRequestRatio: { cpu: "0.5" } }),
    "a ratio that cannot be": limit({
      default: null,
      min: { cpu: "1" },
      max: { cpu: "2" },
      maxLimitRequestRatio: { cpu: "3" },
    }),
    "an unknown resource": limit({ default: { plates: "1" } }),
    "a bad resource": limit({ default: { "a b": "1" } }),
    "an extended resource": limit({ default: { "example.com/gpu": "1" }, defaultRequest: { "example.com/gpu": "2" } }),
    "a pod with a default": spec({ limits: [{ type: "Pod", default: { cpu: "1" }, defaultRequest: { cpu: "1" } }] }),
    "a pod": spec({ limits: [{ type: "Pod", max: { cpu: "1" } }] }),
    "a claim": spec({ limits: [{ type: "PersistentVolumeClaim", max: { storage: "1Gi" } }] }),
    "a claim without a size": spec({ limits: [{ type: "PersistentVolumeClaim", default: { storage: "1Gi" } }] }),
    "a negative number": limit({ default: { cpu: "-1" } }),
  },
  { "its limits": limit({ max: { cpu: "3" } }), "a bad limit": limit({ min: { cpu: "2" }, max: { cpu: "1" } }) },
);

const priorities = fieldsOf(
  {
    group: "scheduling.k8s.io",
    version: "v1",
    resource: "priorityclasses",
    kind: "PriorityClass",
    cluster: true,
    base: { value: 10 },
  },
  {
    "no value": { value: null },
    "too high a value": { value: 1_000_000_001 },
    "a negative value": { value: -5 },
    "an unknown policy": { preemptionPolicy: "Maybe" },
    never: { preemptionPolicy: "Never" },
    "a system's name": { metadata: { name: "system-mine" } },
    "a system's name and value": { metadata: { name: "system-node-critical" }, value: 5 },
    "a description": { description: "d" },
  },
  { "its value": { value: 11 }, "its policy": { preemptionPolicy: "Never" }, "its description": { description: "x" } },
);

const maps = fieldsOf(
  { group: "", version: "v1", resource: "configmaps", kind: "ConfigMap", base: { data: { a: "1" } } },
  {
    "bad keys": { data: { "a b": "1", "..": "2", ".": "3", "": "4" } },
    "long keys": { data: { [long(254)]: "1" } },
    "keys in both": { binaryData: { a: "MQ==" } },
    "too much": { data: { a: long(1_048_576) } },
    nothing: { data: null },
    immutable: { immutable: true },
  },
  { immutable: { immutable: true }, "a bad key": { data: { "a b": "1" } } },
);
const frozenMaps = fieldsOf(
  {
    group: "",
    version: "v1",
    resource: "configmaps",
    kind: "ConfigMap",
    name: "$RUN-frozen",
    base: { data: { a: "1" }, immutable: true },
  },
  {},
  {
    "its data": { data: { a: "2" } },
    "its binary data": { binaryData: { b: "MQ==" } },
    back: { immutable: null },
    both: { immutable: false, data: { a: "3" } },
    labels: { metadata: { labels: { a: "b" } } },
  },
);

const secrets = fieldsOf(
  { group: "", version: "v1", resource: "secrets", kind: "Secret", base: { data: { a: "MQ==" } } },
  {
    "bad keys": { data: { "a b": "MQ==" } },
    texts: { stringData: { a: "2", b: "3" } },
    "a bad text key": { stringData: { "a b": "1" } },
    "too much": { stringData: { a: long(1_048_577) } },
    "dockercfg without": { type: "kubernetes.io/dockercfg" },
    dockercfg: { type: "kubernetes.io/dockercfg", stringData: { ".dockercfg": "{}" } },
    "dockercfg that is no JSON": { type: "kubernetes.io/dockercfg", stringData: { ".dockercfg": "x" } },
    "dockerconfigjson without": { type: "kubernetes.io/dockerconfigjson" },
    "dockerconfigjson that is no JSON": {
      type: "kubernetes.io/dockerconfigjson",
      stringData: { ".dockerconfigjson": "x" },
    },
    "basic-auth without": { type: "kubernetes.io/basic-auth" },
    "basic-auth": { type: "kubernetes.io/basic-auth", stringData: { username: "u" } },
    "ssh-auth without": { type: "kubernetes.io/ssh-auth" },
    "an empty ssh key": { type: "kubernetes.io/ssh-auth", stringData: { "ssh-privatekey": "" } },
    "tls without": { type: "kubernetes.io/tls" },
    "tls without a key": { type: "kubernetes.io/tls", stringData: { "tls.crt": "x" } },
    tls: { type: "kubernetes.io/tls", stringData: { "tls.crt": "", "tls.key": "" } },
    "a token without an account": { type: "kubernetes.io/service-account-token" },
    "a free type": { type: "a b/c" },
    "a bootstrap token": { type: "bootstrap.kubernetes.io/token" },
  },
  { "its type": { type: "other" }, immutable: { immutable: true } },
);
const frozenSecrets = fieldsOf(
  {
    group: "",
    version: "v1",
    resource: "secrets",
    kind: "Secret",
    name: "$RUN-frozen",
    base: { data: { a: "MQ==" }, immutable: true },
  },
  {},
  { "its data": { data: { a: "Mg==" } }, "its texts": { stringData: { a: "2" } }, back: { immutable: false } },
);

const leases = fieldsOf(
  {
    group: "coordination.k8s.io",
    version: "v1",
    resource: "leases",
    kind: "Lease",
    base: { spec: { holderIdentity: "a" } },
  },
  {
    nothing: { spec: null },
    "no time": spec({ leaseDurationSeconds: 0 }),
    "a negative time": spec({ leaseDurationSeconds: -1 }),
    "negative transitions": spec({ leaseTransitions: -1 }),
    "an empty holder": spec({ holderIdentity: "" }),
    "a strategy": spec({ strategy: "OldestEmulationVersion" }),
    "a bad strategy": spec({ strategy: "a/b/c" }),
    "a preferred holder": spec({ preferredHolder: "b" }),
    "a preferred holder and a strategy": spec({ preferredHolder: "b", strategy: "OldestEmulationVersion" }),
    "an empty preferred holder": spec({ preferredHolder: "", strategy: "OldestEmulationVersion" }),
  },
  { "no time": spec({ leaseDurationSeconds: 0 }) },
);

const namespaces = fieldsOf(
  { group: "", version: "v1", resource: "namespaces", kind: "Namespace", cluster: true, base: {}, without: ["status"] },
  {
    "a bad finalizer": spec({ finalizers: ["a b"] }),
    "a finalizer without a domain": spec({ finalizers: ["abc"] }),
    dots: { metadata: { name: "a.b" } },
    "a long name": { metadata: { name: long(64) } },
    "another name in its label": { metadata: { labels: { "kubernetes.io/metadata.name": "x" } } },
  },
  {
    "its label": { metadata: { labels: { "kubernetes.io/metadata.name": "x" } } },
    "its finalizers": spec({ finalizers: [] }),
  },
  { "a phase": { phase: "Terminating" }, "an unknown phase": { phase: "x" } },
);

const nodes = fieldsOf(
  { group: "", version: "v1", resource: "nodes", kind: "Node", cluster: true, base: {}, without: ["status", "taints"] },
  {
    "a taint": spec({ taints: [{ key: "a", value: "b", effect: "NoSchedule" }] }),
    "a bad taint": spec({ taints: [{ key: "a b", value: "c d", effect: "Never" }] }),
    "a taint without anything": spec({ taints: [{}] }),
    "taints twice": spec({
      taints: [
        { key: "a", effect: "NoSchedule" },
        { key: "a", value: "x", effect: "NoSchedule" },
      ],
    }),
    ranges: spec({ podCIDR: "10.1.0.0/24", podCIDRs: ["10.1.0.0/24"] }),
    "a range without a list": spec({ podCIDR: "10.1.0.0/24" }),
    "a bad range": spec({ podCIDR: "x", podCIDRs: ["x"] }),
    "three ranges": spec({ podCIDRs: ["10.1.0.0/24", "fd00::/64", "10.2.0.0/24"], podCIDR: "10.1.0.0/24" }),
    "two ranges of a family": spec({ podCIDRs: ["10.1.0.0/24", "10.2.0.0/24"], podCIDR: "10.1.0.0/24" }),
    "a bad name": { metadata: { name: "A_" } },
    capacity: { status: { capacity: { cpu: "1", pods: "10", "example.com/gpu": "1" }, allocatable: { cpu: "1" } } },
    "bad capacity": { status: { capacity: { "a b": "1", pods: "1500m", cpu: "-1" } } },
    "an external ID": spec({ externalID: "x" }),
    "a provider ID": spec({ providerID: "x" }),
    unschedulable: spec({ unschedulable: true }),
  },
  {
    "a range": spec({ podCIDR: "10.1.0.0/24", podCIDRs: ["10.1.0.0/24"] }),
    "a provider": spec({ providerID: "x" }),
    "a bad taint": spec({ taints: [{ key: "a b", effect: "Never" }] }),
    unschedulable: spec({ unschedulable: true }),
  },
  {
    conditions: { conditions: [{ type: "Ready", status: "True" }] },
    addresses: { addresses: [{ type: "InternalIP", address: "10.0.0.1" }] },
    "addresses twice": {
      addresses: [
        { type: "InternalIP", address: "10.0.0.1" },
        { type: "InternalIP", address: "10.0.0.1" },
      ],
    },
    "bad capacity": { capacity: { "a b": "1", pods: "1500m" } },
  },
);

const accounts = fieldsOf(
  { group: "", version: "v1", resource: "serviceaccounts", kind: "ServiceAccount", base: {} },
  {
    "a bad name": { metadata: { name: "A_" } },
    secrets: { secrets: [{ name: "a" }], imagePullSecrets: [{ name: "A_" }, {}] },
    "no token": { automountServiceAccountToken: false },
  },
);

export const policyFields: readonly Group[] = [
  autoscalers(),
  budgets,
  quotas,
  ranges,
  priorities,
  maps,
  { ...frozenMaps, name: "changes of an immutable ConfigMap" },
  secrets,
  { ...frozenSecrets, name: "changes of an immutable Secret" },
  leases,
  namespaces,
  nodes,
  accounts,
];
