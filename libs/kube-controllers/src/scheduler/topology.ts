import { type LabelSelector, matchesSelector } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import type { NodeRoom, SchedulingCluster } from "./cluster.js";
import {
  matchesPodTerm,
  type PodTerm,
  preferredTerms,
  requiredTerms,
  taintsOf,
  tolerated,
  wantsNode,
  withLabelKeys,
} from "./selectors.js";

interface Constraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly whenUnsatisfiable: string;
  readonly labelSelector?: LabelSelector;
  readonly minDomains?: number;
  readonly nodeAffinityPolicy?: string;
  readonly nodeTaintsPolicy?: string;
  readonly matchLabelKeys?: readonly string[];
}

export const HOSTNAME = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";

const labelOf = ({ node }: NodeRoom, key: string): string | undefined => node?.metadata.labels?.[key];

const constraintsOf = (pod: KubeObject, when: string): readonly Constraint[] =>
  ((pod.spec?.topologySpreadConstraints ?? []) as Constraint[]).filter((one) => one.whenUnsatisfiable === when);

const selectorOf = (constraint: Constraint, pod: KubeObject) => withLabelKeys(constraint, pod);

const countMatching = (room: NodeRoom, selector: LabelSelector | undefined, namespace: string | undefined): number => {
  let count = 0;
  for (const pod of room.pods.values()) {
    if (pod.metadata.namespace !== namespace || pod.metadata.deletionTimestamp) continue;
    if (matchesSelector(selector, pod.metadata.labels)) count++;
  }
  return count;
};

const isCounted = (pod: KubeObject, { node }: NodeRoom, constraint: Constraint): boolean => {
  if (!node) return false;
  if ((constraint.nodeAffinityPolicy ?? "Honor") === "Honor" && !wantsNode(pod, node)) return false;
  if (constraint.nodeTaintsPolicy !== "Honor") return true;
  return taintsOf(node).every((taint) => taint.effect === "PreferNoSchedule" || tolerated(pod, taint));
};

/** Whether a node keeps the pods of each topology even enough; `missing` when it has no such label. */
export type SpreadCheck = (room: NodeRoom) => "missing" | "uneven" | undefined;

export function spreadCheck(pod: KubeObject, cluster: SchedulingCluster): SpreadCheck | undefined {
  const constraints = constraintsOf(pod, "DoNotSchedule");
  if (constraints.length === 0) return undefined;
  const rooms = cluster
    .nodes()
    .filter((room) => constraints.every(({ topologyKey }) => labelOf(room, topologyKey) !== undefined));
  const checks = constraints.map((constraint) => {
    const selector = selectorOf(constraint, pod);
    const counts = new Map<string, number>();
    for (const room of rooms) {
      if (!isCounted(pod, room, constraint)) continue;
      const value = labelOf(room, constraint.topologyKey) as string;
      counts.set(value, (counts.get(value) ?? 0) + countMatching(room, selector, pod.metadata.namespace));
    }
    const few = counts.size < (constraint.minDomains ?? 1);
    const least = few ? 0 : Math.min(...counts.values());
    const self = matchesSelector(selector, pod.metadata.labels) ? 1 : 0;
    return { ...constraint, counts, least, self };
  });
  return (room) => {
    for (const { topologyKey, counts, least, self, maxSkew } of checks) {
      const value = labelOf(room, topologyKey);
      if (value === undefined) return "missing";
      if ((counts.get(value) ?? 0) + self - least > maxSkew) return "uneven";
    }
    return undefined;
  };
}

/** Constraints that the scheduler takes for pods without any, when something selects them: spread, but not at all cost. */
const defaults: readonly Constraint[] = [
  { maxSkew: 3, topologyKey: HOSTNAME, whenUnsatisfiable: "ScheduleAnyway" },
  { maxSkew: 5, topologyKey: ZONE, whenUnsatisfiable: "ScheduleAnyway" },
];

/** Scores from 0 to 100 by how few matching pods a node's topologies have; undefined when nothing asks for it. */
export function spreadScores(
  pod: KubeObject,
  rooms: readonly NodeRoom[],
  cluster: SchedulingCluster,
  selectedBy: LabelSelector | undefined,
): number[] | undefined {
  const own = pod.spec?.topologySpreadConstraints?.length > 0;
  const constraints = own
    ? constraintsOf(pod, "ScheduleAnyway")
    : selectedBy
      ? defaults.map((constraint) => ({ ...constraint, labelSelector: selectedBy }))
      : [];
  if (constraints.length === 0) return undefined;
  const complete = (room: NodeRoom) => constraints.every(({ topologyKey }) => labelOf(room, topologyKey) !== undefined);
  const ignored = rooms.map((room) => own && !complete(room));
  const parts = constraints.map((constraint) => {
    const { topologyKey } = constraint;
    const selector = selectorOf(constraint, pod);
    const counts = new Map<string, number>();
    if (topologyKey !== HOSTNAME) {
      rooms.forEach((room, at) => {
        if (!ignored[at]) counts.set(labelOf(room, topologyKey) ?? "", 0);
      });
      for (const room of cluster.nodes()) {
        const value = labelOf(room, topologyKey) ?? "";
        if (!counts.has(value) || (own && !complete(room)) || !isCounted(pod, room, constraint)) continue;
        counts.set(value, (counts.get(value) ?? 0) + countMatching(room, selector, pod.metadata.namespace));
      }
    }
    const size = topologyKey === HOSTNAME ? ignored.filter((one) => !one).length : counts.size;
    return { ...constraint, selector, counts, weight: Math.log(size + 2) };
  });
  const raw = rooms.map((room, at) => {
    if (ignored[at]) return undefined;
    let score = 0;
    for (const { topologyKey, maxSkew, selector, counts, weight } of parts) {
      const value = labelOf(room, topologyKey);
      if (value === undefined) continue;
      const count =
        topologyKey === HOSTNAME ? countMatching(room, selector, pod.metadata.namespace) : (counts.get(value) ?? 0);
      score += count * weight + (maxSkew - 1);
    }
    return Math.round(score);
  });
  const given = raw.filter((score) => score !== undefined);
  const [least, most] = [Math.min(...given), Math.max(0, ...given)];
  return raw.map((score) =>
    score === undefined ? 0 : most === 0 ? 100 : Math.trunc((100 * (most + least - score)) / most),
  );
}

/** `affinity`, `anti` or `existing`: whose rule a node breaks. */
export type AffinityCheck = (room: NodeRoom) => "affinity" | "anti" | "existing" | undefined;

export function affinityCheck(pod: KubeObject, cluster: SchedulingCluster): AffinityCheck | undefined {
  const wanted = requiredTerms(pod, "podAffinity");
  const unwanted = requiredTerms(pod, "podAntiAffinity");
  if (wanted.length + unwanted.length + cluster.affinityPods === 0) return undefined;
  const { namespaceLabels } = cluster;
  const place = (key: string, value: string) => `${key} ${value}`;
  /** Topologies, by place, that have a pod for all terms, per term of anti-affinity, and that repel this one. */
  const attract = new Map<string, number>();
  const repelled = new Set<string>();
  const repelling = new Set<string>();
  for (const room of cluster.nodes()) {
    for (const other of room.withAffinity.values()) {
      for (const term of requiredTerms(other, "podAntiAffinity")) {
        const value = labelOf(room, term.topologyKey);
        if (value !== undefined && matchesPodTerm(term, other, pod, namespaceLabels)) {
          repelling.add(place(term.topologyKey, value));
        }
      }
    }
    if (wanted.length + unwanted.length === 0) continue;
    for (const other of room.pods.values()) {
      if (wanted.length > 0 && wanted.every((term) => matchesPodTerm(term, pod, other, namespaceLabels))) {
        for (const { topologyKey } of wanted) {
          const value = labelOf(room, topologyKey);
          if (value !== undefined) attract.set(place(topologyKey, value), 1);
        }
      }
      for (const term of unwanted) {
        const value = labelOf(room, term.topologyKey);
        if (value !== undefined && matchesPodTerm(term, pod, other, namespaceLabels)) {
          repelled.add(place(term.topologyKey, value));
        }
      }
    }
  }
  // The first of a group that wants to be together has nobody to go to.
  const first = attract.size === 0 && wanted.every((term) => matchesPodTerm(term, pod, pod, namespaceLabels));
  const isIn = (set: { has(key: string): boolean }, room: NodeRoom, { topologyKey }: PodTerm) => {
    const value = labelOf(room, topologyKey);
    return value !== undefined && set.has(place(topologyKey, value));
  };
  return (room) => {
    const labelled = wanted.every(({ topologyKey }) => labelOf(room, topologyKey) !== undefined);
    if (!labelled || !(first || wanted.every((term) => isIn(attract, room, term)))) return "affinity";
    if (unwanted.some((term) => isIn(repelled, room, term))) return "anti";
    const labels = Object.entries(room.node?.metadata.labels ?? {});
    return labels.some(([key, value]) => repelling.has(place(key, value))) ? "existing" : undefined;
  };
}

/** What preferred pod (anti-)affinities, its own and those of others, make of nodes: 0 to 100; undefined: nothing. */
export function affinityScores(
  pod: KubeObject,
  rooms: readonly NodeRoom[],
  cluster: SchedulingCluster,
): number[] | undefined {
  const near = preferredTerms(pod, "podAffinity");
  const far = preferredTerms(pod, "podAntiAffinity");
  if (near.length + far.length + cluster.affinityPods === 0) return undefined;
  const { namespaceLabels } = cluster;
  const weights = new Map<string, number>();
  const note = (room: NodeRoom, { topologyKey }: PodTerm, weight: number) => {
    const value = labelOf(room, topologyKey);
    if (value === undefined) return;
    const key = `${topologyKey} ${value}`;
    weights.set(key, (weights.get(key) ?? 0) + weight);
  };
  for (const room of cluster.nodes()) {
    const looked = near.length + far.length > 0 ? room.pods : room.withAffinity;
    for (const other of looked.values()) {
      for (const { weight, podAffinityTerm: term } of near) {
        if (matchesPodTerm(term, pod, other, namespaceLabels)) note(room, term, weight);
      }
      for (const { weight, podAffinityTerm: term } of far) {
        if (matchesPodTerm(term, pod, other, namespaceLabels)) note(room, term, -weight);
      }
      for (const term of requiredTerms(other, "podAffinity")) {
        if (matchesPodTerm(term, other, pod, namespaceLabels)) note(room, term, 1);
      }
      for (const { weight, podAffinityTerm: term } of preferredTerms(other, "podAffinity")) {
        if (matchesPodTerm(term, other, pod, namespaceLabels)) note(room, term, weight);
      }
      for (const { weight, podAffinityTerm: term } of preferredTerms(other, "podAntiAffinity")) {
        if (matchesPodTerm(term, other, pod, namespaceLabels)) note(room, term, -weight);
      }
    }
  }
  if (weights.size === 0) return undefined;
  const raw = rooms.map(({ node }) => {
    let score = 0;
    for (const [key, value] of Object.entries(node?.metadata.labels ?? {}))
      score += weights.get(`${key} ${value}`) ?? 0;
    return score;
  });
  const [least, most] = [Math.min(...raw), Math.max(...raw)];
  return raw.map((score) => (most > least ? Math.trunc((100 * (score - least)) / (most - least)) : 0));
}
