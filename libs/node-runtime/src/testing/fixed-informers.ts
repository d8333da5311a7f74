import type { Informer, Informers, KubeClient } from "@tiphys/kube";
import type { KubeObject, ResourceType } from "@tiphys/resources";

/** Informers over fixed objects. */
export function fixedInformers(objects: KubeObject[]): Informers {
  const informer = (
    resource: ResourceType,
    options?: { indexes?: Record<string, (object: KubeObject) => readonly string[]> },
  ): Informer => {
    const own = () => objects.filter(({ kind }) => kind === resource.kind);
    return {
      resource,
      get: ({ namespace, name }) =>
        own().find((one) => one.metadata.namespace === namespace && one.metadata.name === name),
      list: () => own(),
      byIndex: (index, value) => own().filter((one) => options?.indexes?.[index]?.(one).includes(value)),
      onChange: () => () => {},
      synced: Promise.resolve(),
    };
  };
  return { client: {} as KubeClient, informer, stop: async () => {} };
}
