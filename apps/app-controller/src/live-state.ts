import type { Informer, Informers } from "@tiphys/kube";
import { isNotFound } from "@tiphys/kube";
import { apiVersionOf, type KubeObject, keyOf, type ResourceType } from "@tiphys/resources";
import { resourceId } from "@tiphys/sync";
import { trackedBy } from "./tracking.js";

const INDEX = "application";

/** What lives in the cluster, watched kind by kind as applications need them. */
export interface LiveState {
  /** The served type of a kind; undefined when the server has none now. */
  typeOf(apiVersion: string, kind: string): Promise<ResourceType | undefined>;
  /** The kind is watched, and its first list is here, when this resolves. */
  watch(type: ResourceType): Promise<Informer>;
  get(object: KubeObject): Promise<KubeObject | undefined>;
  /** Everything that says it belongs to the application, by `resourceId`; only of watched kinds. */
  tracked(app: string): Map<string, KubeObject>;
}

/** `onChange` is told the application whose object changed. */
export function createLiveState(informers: Informers, onChange: (app: string) => void): LiveState {
  const types = new Map<string, ResourceType>();
  const watched = new Map<string, Informer>();

  const state: LiveState = {
    async typeOf(apiVersion, kind) {
      const key = `${apiVersion}/${kind}`;
      const known = types.get(key);
      if (known) return known;
      try {
        const type = await informers.client.resourceFor(apiVersion, kind);
        types.set(key, type);
        return type;
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    async watch(type) {
      const key = `${apiVersionOf(type)}/${type.resource}`;
      let informer = watched.get(key);
      if (!informer) {
        informer = informers.informer(type, {
          indexes: {
            [INDEX]: (object) => {
              const app = trackedBy(object);
              return app === undefined ? [] : [app];
            },
          },
        });
        watched.set(key, informer);
        informer.onChange(({ object, previous }) => {
          const apps = new Set([trackedBy(object), previous && trackedBy(previous)]);
          for (const app of apps) if (app) onChange(app);
        });
      }
      await informer.synced;
      return informer;
    },
    async get(object) {
      const type = await state.typeOf(object.apiVersion, object.kind);
      return type ? (await state.watch(type)).get(keyOf(object)) : undefined;
    },
    tracked(app) {
      const found = new Map<string, KubeObject>();
      for (const informer of watched.values()) {
        for (const object of informer.byIndex(INDEX, app)) found.set(resourceId(object), object);
      }
      return found;
    },
  };
  return state;
}
