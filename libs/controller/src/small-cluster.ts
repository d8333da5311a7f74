import { clone, deepFreeze } from "@tiphys/canonical-json";
import { type KubeClient, statusError, type WatchEvent } from "@tiphys/kube";
import { type KubeObject, keyOf, keyText, type ObjectKey, type ResourceType } from "@tiphys/resources";
import { effectivePatch } from "./merge-patch.js";

const SPEC_ONLY = new Set(["status", "metadata"]);

/**
 * A cluster of a few objects for tests of controllers: versions, conflicts, merge patches, watches, generated names,
 * bindings, graceful deletion of pods, owners' garbage. No validation and no defaults: `libs/kube-embedded` has those.
 */
export function smallCluster(now: () => Date = () => new Date(0)): {
  client: KubeClient;
  writes: string[];
  set(type: ResourceType, object: KubeObject): void;
} {
  const objects = new Map<string, KubeObject>();
  const watchers = new Set<(type: string, event: WatchEvent) => void>();
  const writes: string[] = [];
  let version = 0;
  const id = (type: ResourceType, key: ObjectKey) => `${type.resource} ${keyText(key)}`;
  const store = (type: ResourceType, object: KubeObject, event: "ADDED" | "MODIFIED" | "DELETED"): KubeObject => {
    const next = clone(object);
    next.metadata.resourceVersion = String(++version);
    next.metadata.creationTimestamp ??= now().toISOString();
    deepFreeze(next);
    if (event === "DELETED") objects.delete(id(type, keyOf(next)));
    else objects.set(id(type, keyOf(next)), next);
    writes.push(`${event} ${id(type, keyOf(next))}`);
    for (const tell of [...watchers]) tell(type.resource, { type: event, object: next });
    if (event === "DELETED") dropOwned(next.metadata.uid);
    return next;
  };
  const dropOwned = (uid: string | undefined) => {
    for (const [name, object] of [...objects]) {
      if (!object.metadata.ownerReferences?.some((owner) => owner.uid === uid)) continue;
      const [resource = ""] = name.split(" ");
      remove({ resource, kind: object.kind } as ResourceType, object);
    }
  };
  const remove = (type: ResourceType, object: KubeObject, grace?: number) => {
    const marked = { ...object, metadata: { ...object.metadata, deletionTimestamp: now().toISOString() } };
    const graceful = type.resource === "pods" && grace !== 0 && object.spec?.nodeName;
    if (graceful || object.metadata.finalizers?.length) {
      if (!object.metadata.deletionTimestamp) store(type, marked, "MODIFIED");
    } else store(type, marked, "DELETED");
  };
  const find = (type: ResourceType, key: ObjectKey): KubeObject => {
    const object = objects.get(id(type, key));
    if (!object) throw statusError(404, "NotFound", `${type.resource} "${key.name}" not found`);
    return object;
  };
  const merge = (base: unknown, patch: unknown): unknown => {
    if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
    const result = { ...(base && typeof base === "object" && !Array.isArray(base) ? base : {}) } as Record<
      string,
      unknown
    >;
    for (const [name, value] of Object.entries(patch)) {
      if (value === null) delete result[name];
      else result[name] = merge(result[name], value);
    }
    return result;
  };
  const client = {
    get: async (type, key) => find(type, key),
    list: async (type) => ({
      items: [...objects].filter(([name]) => name.startsWith(`${type.resource} `)).map(([, object]) => object),
      resourceVersion: String(version),
    }),
    async *watch(type, _options, signal) {
      const events: WatchEvent[] = [];
      let wake = () => {};
      const tell = (resource: string, event: WatchEvent) => {
        if (resource === type.resource) events.push(event);
        wake();
      };
      watchers.add(tell);
      signal.addEventListener("abort", () => wake());
      try {
        while (!signal.aborted) {
          for (let event = events.shift(); event; event = events.shift()) yield event;
          if (!signal.aborted) {
            await new Promise<void>((resolve) => {
              wake = resolve;
            });
          }
        }
      } finally {
        watchers.delete(tell);
      }
    },
    async create(type, object, options) {
      if (options?.subresource === "binding") {
        const pod = find(type, keyOf(object));
        store(type, { ...pod, spec: { ...pod.spec, nodeName: object.target.name } }, "MODIFIED");
        return object;
      }
      const name = object.metadata.name || `${object.metadata.generateName}${String(version).padStart(5, "0")}`;
      const named = { ...object, metadata: { ...object.metadata, name, uid: `uid-${version}`, generation: 1 } };
      if (objects.has(id(type, keyOf(named)))) throw statusError(409, "AlreadyExists", `${name} already exists`);
      return store(type, named, "ADDED");
    },
    async replace(type, object, options) {
      const next = store(type, object, "MODIFIED");
      if (options?.subresource === "finalize" && next.spec?.finalizers?.length === 0) store(type, next, "DELETED");
      return next;
    },
    async patch(type, key, patch) {
      const object = find(type, key);
      const body = patch.body as { metadata?: { resourceVersion?: string } };
      const wanted = body.metadata?.resourceVersion;
      if (wanted && wanted !== object.metadata.resourceVersion) throw statusError(409, "Conflict", "has been modified");
      if (!effectivePatch(object, patch.body as Record<string, unknown>)) return object;
      const next = merge(object, patch.body) as KubeObject;
      if (Object.keys(patch.body).some((name) => !SPEC_ONLY.has(name))) {
        next.metadata = { ...next.metadata, generation: (object.metadata.generation ?? 0) + 1 };
      }
      return store(type, next, "MODIFIED");
    },
    async delete(type, key, options) {
      remove(type, find(type, key), options?.gracePeriodSeconds);
    },
    resources: async () => [],
  } as Partial<KubeClient> as KubeClient;
  return { client, writes, set: (type, object) => void store(type, object, "ADDED") };
}
