import { type Change, changeAnnotations, changeOf } from "@tiphys/identity";
import {
  controllerRef,
  POD_TEMPLATE_HASH_LABEL,
  type PodTemplate,
  type ReplicaSet,
  ROLLOUT_DESIRED_REPLICAS_ANNOTATION,
  ROLLOUT_REVISION_ANNOTATION,
  ROLLOUT_REVISION_HISTORY_ANNOTATION,
  type Rollout,
  SCALE_DOWN_DEADLINE_ANNOTATION,
} from "@tiphys/resources";
import { podTemplateHash, sameTemplate } from "./template.js";

export const hashOf = (set: ReplicaSet): string => set.metadata.labels?.[POD_TEMPLATE_HASH_LABEL] ?? "";
export const revisionOf = (object: { metadata: { annotations?: Record<string, string> } }): number =>
  Number(object.metadata.annotations?.[ROLLOUT_REVISION_ANNOTATION] ?? 0) || 0;
export const specReplicas = (set: ReplicaSet | undefined): number => (set ? (set.spec.replicas ?? 1) : 0);
export const availableOf = (set: ReplicaSet | undefined): number => set?.status?.availableReplicas ?? 0;

const createdAt = (set: ReplicaSet): string => set.metadata.creationTimestamp ?? "";
const oldestFirst = (a: ReplicaSet, b: ReplicaSet): number =>
  createdAt(a) < createdAt(b) ? -1 : createdAt(a) > createdAt(b) ? 1 : a.metadata.name < b.metadata.name ? -1 : 1;

/** A Rollout's ReplicaSets by their part in it. `older` is oldest first, and has neither of the other two. */
export interface Sets {
  readonly latest?: ReplicaSet;
  readonly stable?: ReplicaSet;
  readonly older: readonly ReplicaSet[];
  readonly all: readonly ReplicaSet[];
  /** Hash of the wanted template: the label of `latest`, or the name a new set will get. */
  readonly hash: string;
}

/** Sorts the sets that the Rollout controls. The wanted template's set is the oldest one with an equal template. */
export function sortSets(rollout: Rollout, owned: readonly ReplicaSet[]): Sets {
  const all = owned.filter((set) => hashOf(set) !== "" && !set.metadata.deletionTimestamp).sort(oldestFirst);
  const template = rollout.spec.template as PodTemplate;
  const current = rollout.status?.currentPodHash;
  const equal = all.filter((set) => sameTemplate(set.spec.template, template));
  // Prefer the set that the status names: two equal ones exist when another controller made one under another hash.
  const latest = equal.find((set) => hashOf(set) === current) ?? equal[0];
  const stableHash = rollout.status?.stableRS;
  const stable = stableHash ? all.find((set) => hashOf(set) === stableHash) : undefined;
  return {
    ...(latest ? { latest } : {}),
    ...(stable ? { stable } : {}),
    older: all.filter((set) => set !== latest && set !== stable),
    all,
    hash: latest ? hashOf(latest) : podTemplateHash(template, rollout.status?.collisionCount),
  };
}

/** The revision that the wanted template has, or gets: one more than all others. */
export function wantedRevision(sets: Sets): number {
  const others = Math.max(0, ...sets.all.filter((set) => set !== sets.latest).map(revisionOf));
  const own = sets.latest ? revisionOf(sets.latest) : 0;
  return own > others ? own : others + 1;
}

/** Rollout annotations that belong to the Rollout alone. */
const ownAnnotations = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  ROLLOUT_REVISION_ANNOTATION,
  ROLLOUT_REVISION_HISTORY_ANNOTATION,
  ROLLOUT_DESIRED_REPLICAS_ANNOTATION,
  SCALE_DOWN_DEADLINE_ANNOTATION,
]);

function copiedAnnotations(rollout: Rollout): Record<string, string> {
  const given = rollout.metadata.annotations ?? {};
  return Object.fromEntries(
    Object.entries(given).filter(([key]) => !ownAnnotations.has(key) && !key.startsWith("argocd.argoproj.io/")),
  );
}

/** The ReplicaSet of the wanted template. It and its pods carry the Rollout's change. */
export function newReplicaSet(rollout: Rollout, hash: string, revision: number, replicas: number): ReplicaSet {
  const template = rollout.spec.template as PodTemplate;
  const change: Change | undefined = changeOf(rollout);
  const labels = { ...template.metadata?.labels, [POD_TEMPLATE_HASH_LABEL]: hash };
  const podAnnotations = { ...template.metadata?.annotations, ...changeAnnotations(change) };
  const { selector } = rollout.spec;
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${rollout.metadata.name}-${hash}`,
      ...(rollout.metadata.namespace ? { namespace: rollout.metadata.namespace } : {}),
      labels,
      annotations: {
        ...copiedAnnotations(rollout),
        [ROLLOUT_REVISION_ANNOTATION]: String(revision),
        [ROLLOUT_DESIRED_REPLICAS_ANNOTATION]: String(rollout.spec.replicas ?? 1),
      },
      ownerReferences: [controllerRef(rollout)],
    },
    spec: {
      replicas,
      ...(rollout.spec.minReadySeconds ? { minReadySeconds: rollout.spec.minReadySeconds } : {}),
      selector: {
        ...(selector?.matchExpressions ? { matchExpressions: selector.matchExpressions } : {}),
        matchLabels: { ...selector?.matchLabels, [POD_TEMPLATE_HASH_LABEL]: hash },
      },
      template: {
        metadata: { labels, ...(Object.keys(podAnnotations).length > 0 ? { annotations: podAnnotations } : {}) },
        spec: template.spec,
      },
    },
  };
}

/** What has to change on the wanted template's set beside its pods; undefined when nothing does. */
export function latestSetPatch(rollout: Rollout, latest: ReplicaSet, revision: number): ReplicaSetPatch {
  const annotations: Record<string, string | null> = {};
  const was = revisionOf(latest);
  const have = latest.metadata.annotations ?? {};
  if (was !== revision) {
    // A rollback: the old set gets the newest revision, and carries the change that brought it back.
    Object.assign(annotations, changeAnnotations(changeOf(rollout)), {
      [ROLLOUT_REVISION_ANNOTATION]: String(revision),
    });
    const history = have[ROLLOUT_REVISION_HISTORY_ANNOTATION];
    if (was > 0) annotations[ROLLOUT_REVISION_HISTORY_ANNOTATION] = history ? `${history},${was}` : String(was);
  }
  for (const [key, value] of Object.entries(copiedAnnotations(rollout))) {
    if (key.startsWith("tiphys.dev/")) continue;
    if (have[key] !== value) annotations[key] = value;
  }
  // A set that is wanted again must not be scaled down by an old deadline.
  if (have[SCALE_DOWN_DEADLINE_ANNOTATION] !== undefined) annotations[SCALE_DOWN_DEADLINE_ANNOTATION] = null;
  const minReadySeconds = rollout.spec.minReadySeconds ?? 0;
  return {
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...((latest.spec.minReadySeconds ?? 0) === minReadySeconds ? {} : { minReadySeconds }),
  };
}

export interface ReplicaSetPatch {
  replicas?: number;
  minReadySeconds?: number;
  /** null removes. */
  annotations?: Record<string, string | null>;
}

/** Old sets beyond revisionHistoryLimit: without pods, oldest first. */
export function setsToDelete(rollout: Rollout, older: readonly ReplicaSet[]): readonly ReplicaSet[] {
  const keep = rollout.spec.revisionHistoryLimit ?? 10;
  const idle = older
    .filter((set) => specReplicas(set) === 0 && (set.status?.replicas ?? 0) === 0)
    .sort((a, b) => revisionOf(a) - revisionOf(b));
  return idle.slice(0, Math.max(0, older.length - keep));
}
