import { type LabelSelector, matchesSelector } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";

export interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}
export interface NodeTerm {
  readonly matchExpressions?: readonly Requirement[];
  readonly matchFields?: readonly Requirement[];
}
export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
  readonly timeAdded?: string;
}
export interface Toleration {
  readonly key?: string;
  readonly operator?: string;
  readonly value?: string;
  readonly effect?: string;
  readonly tolerationSeconds?: number;
}
export interface PodTerm {
  readonly labelSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
  readonly namespaces?: readonly string[];
  readonly topologyKey: string;
  readonly matchLabelKeys?: readonly string[];
  readonly mismatchLabelKeys?: readonly string[];
}

export const taintsOf = (node: KubeObject): readonly Taint[] => node.spec?.taints ?? [];
export const tolerationsOf = (pod: KubeObject): readonly Toleration[] => pod.spec?.tolerations ?? [];

export const tolerates = (toleration: Toleration, taint: Taint): boolean => {
  const { key, operator = "Equal", value = "", effect } = toleration;
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  if (operator === "Exists") return true;
  if (!key) return false;
  if (operator === "Equal") return value === (taint.value ?? "");
  const [ours, theirs] = [Number(value), Number(taint.value)];
  if (!Number.isInteger(ours) || !Number.isInteger(theirs)) return false;
  return operator === "Lt" ? theirs < ours : operator === "Gt" && theirs > ours;
};

export const tolerated = (pod: KubeObject, taint: Taint): boolean =>
  tolerationsOf(pod).some((toleration) => tolerates(toleration, taint));

export function meets({ key, operator, values = [] }: Requirement, labels: Readonly<Record<string, string>>): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
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
      return value !== undefined && Number.parseInt(value, 10) > Number.parseInt(values[0] ?? "", 10);
    case "Lt":
      return value !== undefined && Number.parseInt(value, 10) < Number.parseInt(values[0] ?? "", 10);
    default:
      return false;
  }
}

/** Both lists of a term have to match; a term without any matches nothing. */
export function matchesNodeTerm({ matchExpressions = [], matchFields = [] }: NodeTerm, node: KubeObject): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  const fields = { "metadata.name": node.metadata.name };
  return (
    matchExpressions.every((requirement) => meets(requirement, labels)) &&
    matchFields.every((requirement) => meets(requirement, fields))
  );
}

/** The node selector and required node affinity of a pod. */
export function wantsNode(pod: KubeObject, node: KubeObject): boolean {
  const labels = node.metadata.labels ?? {};
  const selector: Readonly<Record<string, string>> = pod.spec?.nodeSelector ?? {};
  for (const [key, value] of Object.entries(selector)) if (labels[key] !== value) return false;
  const required = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  if (!required) return true;
  return ((required.nodeSelectorTerms ?? []) as NodeTerm[]).some((term) => matchesNodeTerm(term, node));
}

/** Labels of a namespace, for terms that select namespaces. */
export type NamespaceLabels = (name: string) => Readonly<Record<string, string>> | undefined;

/** Whether `pod` is one of those that `term` of `owner` speaks of. */
export function matchesPodTerm(
  term: PodTerm,
  owner: KubeObject,
  pod: KubeObject,
  namespaces: NamespaceLabels,
): boolean {
  const namespace = pod.metadata.namespace ?? "";
  const named = term.namespaces ?? [];
  const inNamespace =
    named.length === 0 && term.namespaceSelector === undefined
      ? namespace === owner.metadata.namespace
      : named.includes(namespace) ||
        (term.namespaceSelector !== undefined && matchesSelector(term.namespaceSelector, namespaces(namespace)));
  return inNamespace && matchesSelector(withLabelKeys(term, owner), pod.metadata.labels);
}

/** The selector with the owner's own values of `matchLabelKeys` and `mismatchLabelKeys`. */
export function withLabelKeys(
  { labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] }: Omit<PodTerm, "topologyKey">,
  owner: KubeObject,
): LabelSelector | undefined {
  if (!labelSelector || matchLabelKeys.length + mismatchLabelKeys.length === 0) return labelSelector;
  const labels = owner.metadata.labels ?? {};
  const more = (keys: readonly string[], operator: string) =>
    keys.flatMap((key) => (labels[key] === undefined ? [] : [{ key, operator, values: [labels[key] as string] }]));
  return {
    ...labelSelector,
    matchExpressions: [
      ...(labelSelector.matchExpressions ?? []),
      ...more(matchLabelKeys, "In"),
      ...more(mismatchLabelKeys, "NotIn"),
    ],
  };
}

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";
type Side = "podAffinity" | "podAntiAffinity";

export const requiredTerms = (pod: KubeObject, side: Side): readonly PodTerm[] =>
  pod.spec?.affinity?.[side]?.[REQUIRED] ?? [];

export const preferredTerms = (
  pod: KubeObject,
  side: Side,
): readonly { readonly weight: number; readonly podAffinityTerm: PodTerm }[] =>
  pod.spec?.affinity?.[side]?.[PREFERRED] ?? [];

export const hasPodAffinity = (pod: KubeObject): boolean =>
  pod.spec?.affinity?.podAffinity !== undefined || pod.spec?.affinity?.podAntiAffinity !== undefined;
