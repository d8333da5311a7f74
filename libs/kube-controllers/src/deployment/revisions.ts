import { deepEqual } from "@tiphys/canonical-json";
import { podTemplateHash } from "@tiphys/pod-template-hash";
import { controllerRef, type KubeObject } from "@tiphys/resources";
import { byCreation } from "../shared.js";

export const HASH_LABEL = "pod-template-hash";
const PREFIX = "deployment.kubernetes.io/";
export const REVISION = `${PREFIX}revision`;
const HISTORY = `${PREFIX}revision-history`;
export const DESIRED = `${PREFIX}desired-replicas`;
export const MAX = `${PREFIX}max-replicas`;
/** Annotations that belong to one object and are not handed down from Deployment to ReplicaSet. */
const OWN = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  REVISION,
  HISTORY,
  DESIRED,
  MAX,
  "deprecated.deployment.rollback.to",
]);

const withoutHash = (template: KubeObject["spec"]) => {
  const { [HASH_LABEL]: _hash, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
};

const sameTemplate = (a: unknown, b: unknown) => deepEqual(withoutHash(a), withoutHash(b));

/** The ReplicaSet that runs the Deployment's template now: the oldest, should there be two. */
export const newReplicaSet = (deployment: KubeObject, replicaSets: readonly KubeObject[]): KubeObject | undefined =>
  [...replicaSets].sort(byCreation).find((set) => sameTemplate(set.spec.template, deployment.spec.template));

export const revisionOf = (object: KubeObject): number =>
  Number.parseInt(object.metadata.annotations?.[REVISION] ?? "0", 10) || 0;

export const sizeOf = (replicaSet: KubeObject): number => replicaSet.spec.replicas ?? 1;

/** Annotations the new ReplicaSet is to carry at `revision`; a reused one remembers the revisions it had. */
export function annotationsFor(
  deployment: KubeObject,
  replicaSet: KubeObject | undefined,
  revision: number,
): Record<string, string> {
  const current = replicaSet?.metadata.annotations ?? {};
  const wanted: Record<string, string> = { ...current };
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {})) {
    if (!OWN.has(name)) wanted[name] = value;
  }
  const before = current[REVISION];
  const known = Number.parseInt(before ?? "0", 10) || 0;
  if (known < revision) {
    wanted[REVISION] = String(revision);
    if (before !== undefined) wanted[HISTORY] = current[HISTORY] ? `${current[HISTORY]},${before}` : before;
  }
  return wanted;
}

/** Sizes a ReplicaSet was made for; proportional scaling reads them later. */
export const sizeAnnotations = (replicas: number, surge: number): Record<string, string> => ({
  [DESIRED]: String(replicas),
  [MAX]: String(replicas + surge),
});

export function replicaSetFor(deployment: KubeObject, revision: number, replicas: number, surge: number): KubeObject {
  const { template, selector, minReadySeconds } = deployment.spec;
  const hash = podTemplateHash(template, deployment.status?.collisionCount);
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      ...(deployment.metadata.namespace ? { namespace: deployment.metadata.namespace } : {}),
      labels,
      annotations: {
        ...annotationsFor(deployment, undefined, revision),
        ...sizeAnnotations(deployment.spec.replicas ?? 1, surge),
      },
      ownerReferences: [controllerRef(deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds ? { minReadySeconds } : {}),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
