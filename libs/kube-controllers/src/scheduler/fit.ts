import type { KubeObject } from "@tiphys/resources";
import { quantity } from "../quantity.js";
import { isTrue } from "../shared.js";

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}
interface Term {
  readonly matchExpressions?: readonly Requirement[];
  readonly matchFields?: readonly Requirement[];
}
interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}
interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
}

/** What is asked of a node for one more pod. */
export interface Candidate {
  readonly node: KubeObject;
  /** Pods on the node that have not finished. */
  readonly pods: readonly KubeObject[];
}

/** Why `pod` cannot run on the node, in the words of the original; empty when it can. */
export function obstacles(pod: KubeObject, candidate: Candidate): string[] {
  for (const check of [schedulable, untainted, selected, resources]) {
    const found = check(pod, candidate);
    if (found.length > 0) return found;
  }
  return [];
}

/** Rules of the pod that this scheduler does not know: such a pod waits, by name, rather than land anywhere. */
export function unknownRules(pod: KubeObject): string[] {
  const { affinity, topologySpreadConstraints = [], schedulingGates = [], resourceClaims = [] } = pod.spec ?? {};
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  return [
    ...(affinity?.podAffinity?.[required]?.length ? ["spec.affinity.podAffinity"] : []),
    ...(affinity?.podAntiAffinity?.[required]?.length ? ["spec.affinity.podAntiAffinity"] : []),
    ...(topologySpreadConstraints.some(
      (constraint: { whenUnsatisfiable?: string }) => constraint.whenUnsatisfiable === "DoNotSchedule",
    )
      ? ["spec.topologySpreadConstraints"]
      : []),
    ...(resourceClaims.length > 0 ? ["spec.resourceClaims"] : []),
    ...(schedulingGates.length > 0 ? ["spec.schedulingGates"] : []),
  ];
}

function schedulable(pod: KubeObject, { node }: Candidate): string[] {
  if (node.spec?.unschedulable) {
    const taint: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
    if (!tolerated(pod, taint)) return ["node(s) were unschedulable"];
  }
  return isTrue(node, "Ready") ? [] : ["node(s) were not ready"];
}

function untainted(pod: KubeObject, { node }: Candidate): string[] {
  for (const taint of (node.spec?.taints ?? []) as Taint[]) {
    if (taint.effect === "PreferNoSchedule" || tolerated(pod, taint)) continue;
    return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`];
  }
  return [];
}

function tolerated(pod: KubeObject, taint: Taint): boolean {
  return ((pod.spec?.tolerations ?? []) as Toleration[]).some(
    (toleration) =>
      (!toleration.effect || toleration.effect === taint.effect) &&
      (toleration.operator === "Exists"
        ? !toleration.key || toleration.key === taint.key
        : toleration.key === taint.key && (toleration.value ?? "") === (taint.value ?? "")),
  );
}

function selected(pod: KubeObject, { node }: Candidate): string[] {
  const labels = node.metadata.labels ?? {};
  const fields = { "metadata.name": node.metadata.name };
  const selector: Record<string, string> = pod.spec?.nodeSelector ?? {};
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const bySelector = Object.entries(selector).every(([key, value]) => labels[key] === value);
  const byAffinity =
    !required ||
    ((required.nodeSelectorTerms ?? []) as Term[]).some(
      (term) =>
        (term.matchExpressions ?? []).every((requirement) => meets(requirement, labels)) &&
        (term.matchFields ?? []).every((requirement) => meets(requirement, fields)),
    );
  return bySelector && byAffinity ? [] : ["node(s) didn't match Pod's node affinity/selector"];
}

function meets({ key, operator, values = [] }: Requirement, labels: Record<string, string>): boolean {
  const value = labels[key];
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    case "Gt":
      return value !== undefined && Number(value) > Number(values[0]);
    case "Lt":
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

/** What a pod asks of its node: the sum of its containers, or its largest init container where that is more. */
export function requestsOf(pod: KubeObject): Readonly<Record<string, number>> {
  let requests = known.get(pod);
  if (!requests) {
    requests = sumRequests(pod);
    known.set(pod, requests);
  }
  return requests;
}

/** Objects never change, and every decision looks at all pods of all nodes. */
const known = new WeakMap<KubeObject, Readonly<Record<string, number>>>();

function sumRequests(pod: KubeObject): Record<string, number> {
  type Container = { restartPolicy?: string; resources?: { requests?: Record<string, unknown> } };
  const total: Record<string, number> = {};
  const add = (container: Container) => {
    for (const [name, value] of Object.entries(container.resources?.requests ?? {})) {
      total[name] = (total[name] ?? 0) + quantity(value);
    }
  };
  const inits = (pod.spec?.initContainers ?? []) as Container[];
  for (const container of (pod.spec?.containers ?? []) as Container[]) add(container);
  for (const container of inits) if (container.restartPolicy === "Always") add(container);
  for (const container of inits) {
    if (container.restartPolicy === "Always") continue;
    for (const [name, value] of Object.entries(container.resources?.requests ?? {})) {
      total[name] = Math.max(total[name] ?? 0, quantity(value));
    }
  }
  for (const [name, value] of Object.entries(pod.spec?.overhead ?? {}))
    total[name] = (total[name] ?? 0) + quantity(value);
  return total;
}

function resources(pod: KubeObject, { node, pods }: Candidate): string[] {
  const allocatable: Record<string, unknown> = node.status?.allocatable ?? {};
  const found: string[] = [];
  if (allocatable["pods"] !== undefined && pods.length + 1 > quantity(allocatable["pods"])) found.push("Too many pods");
  const used: Record<string, number> = {};
  for (const other of pods) {
    for (const [name, value] of Object.entries(requestsOf(other))) used[name] = (used[name] ?? 0) + value;
  }
  for (const [name, value] of Object.entries(requestsOf(pod))) {
    if (value > 0 && (used[name] ?? 0) + value > quantity(allocatable[name])) found.push(`Insufficient ${name}`);
  }
  return found;
}
