import type { Reconciler, Watch } from "@tiphys/controller";
import type { Informers } from "@tiphys/kube";
import { isNotFound } from "@tiphys/kube";
import { type KubeObject, keyOf, type ResourceType, types } from "@tiphys/resources";

const core = { group: "", version: "v1" } as const;
export const volumeClaims: ResourceType = {
  ...core,
  resource: "persistentvolumeclaims",
  kind: "PersistentVolumeClaim",
  namespaced: true,
};
export const volumes: ResourceType = {
  ...core,
  resource: "persistentvolumes",
  kind: "PersistentVolume",
  namespaced: false,
};
export const attributesClasses: ResourceType = {
  group: "storage.k8s.io",
  version: "v1",
  resource: "volumeattributesclasses",
  kind: "VolumeAttributesClass",
  namespaced: false,
};

/** Lets go of what is being deleted once nobody uses it: the API server gives such objects a finalizer when they are made. */
function protectionReconciler(
  { client }: Informers,
  resource: ResourceType,
  finalizer: string,
  isUsed: (object: KubeObject) => boolean,
): Reconciler<KubeObject, KubeObject, void> {
  return {
    async observe(object) {
      const { deletionTimestamp, finalizers = [] } = object.metadata;
      return deletionTimestamp && finalizers.includes(finalizer) && !isUsed(object) ? object : undefined;
    },
    plan: (object) => ({ actions: [object], reasons: [] }),
    async act(object, signal) {
      const finalizers = object.metadata.finalizers?.filter((other) => other !== finalizer) ?? [];
      const { resourceVersion } = object.metadata;
      const body = { metadata: { finalizers, ...(resourceVersion ? { resourceVersion } : {}) } };
      try {
        await client.patch(resource, keyOf(object), { type: "merge", body }, { signal });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
    describe: (object) => `release ${object.kind} ${object.metadata.name}`,
    digestOf: ({ metadata }) => metadata.finalizers,
  };
}

interface Volume {
  readonly name?: string;
  readonly persistentVolumeClaim?: { readonly claimName?: string };
  readonly ephemeral?: object;
}

/** Claims that a pod names, or that are made for it. */
export const claimsOf = (pod: KubeObject): string[] =>
  ((pod["spec"]?.volumes ?? []) as Volume[]).flatMap(({ name, persistentVolumeClaim, ephemeral }) =>
    persistentVolumeClaim?.claimName
      ? [persistentVolumeClaim.claimName]
      : ephemeral
        ? [`${pod.metadata.name}-${name}`]
        : [],
  );

/** A claim is used by pods that a node may run: others would not start once it is being deleted. */
export function claimProtection(informers: Informers): Reconciler<KubeObject, KubeObject, void> {
  const pods = informers.informer(types.pods);
  return protectionReconciler(informers, volumeClaims, "kubernetes.io/pvc-protection", ({ metadata }) =>
    pods.list(metadata.namespace).some((pod) => pod["spec"]?.nodeName && claimsOf(pod).includes(metadata.name)),
  );
}

export const volumeProtection = (informers: Informers): Reconciler<KubeObject, KubeObject, void> =>
  protectionReconciler(
    informers,
    volumes,
    "kubernetes.io/pv-protection",
    ({ status }) => (status as { phase?: string } | undefined)?.phase === "Bound",
  );

/** A class is used by the volumes and claims that name it. */
export function attributesClassProtection(informers: Informers): Reconciler<KubeObject, KubeObject, void> {
  const users = [informers.informer(volumes), informers.informer(volumeClaims)];
  return protectionReconciler(informers, attributesClasses, "kubernetes.io/vac-protection", ({ metadata }) =>
    users.some((informer) => informer.list().some((object) => classOf(object) === metadata.name)),
  );
}

const classOf = (object: KubeObject): string | undefined =>
  object["spec"]?.volumeAttributesClassName ?? object["status"]?.currentVolumeAttributesClassName;

/** What may let go of an object: the end of those that use it. */
export const claimWatches: readonly Watch[] = [
  {
    resource: types.pods,
    keys: ({ type, object }) =>
      type === "deleted" ? claimsOf(object).map((name) => ({ namespace: object.metadata.namespace ?? "", name })) : [],
  },
];
export const attributesClassWatches: readonly Watch[] = [volumes, volumeClaims].map((resource) => ({
  resource,
  keys: ({ type, object, previous }) => {
    const left = type === "deleted" ? object : previous;
    const name = left && classOf(left);
    return name ? [{ name }] : [];
  },
}));
