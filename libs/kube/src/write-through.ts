import type { Clock } from "@tiphys/clock";
import type { KubeObject, ObjectKey, ResourceType } from "@tiphys/resources";
import { apiVersionOf } from "@tiphys/resources";
import type { KubeClient, RequestOptions, WriteOptions } from "./client.js";
import type { ObjectCache } from "./object-cache.js";
import { isNotFound } from "./predicates.js";

/** A cache that wants to know what our own writes answered. */
export interface WrittenTo {
  readonly cache: ObjectCache;
  covers(namespace: string | undefined): boolean;
  selects(object: KubeObject): boolean;
}

/** `client` with every call counted on the clock and every answer put into the caches of its type. */
export function writeThroughClient(
  client: KubeClient,
  clock: Clock,
  cachesOf: (type: ResourceType) => readonly WrittenTo[],
  reader: KubeClient = client,
): KubeClient {
  const seen = (type: ResourceType, object: KubeObject): KubeObject => {
    // Subresources such as scale and binding answer other kinds.
    if (object.kind !== type.kind || object.apiVersion !== apiVersionOf(type)) return object;
    for (const entry of cachesOf(type)) {
      if (!entry.covers(object.metadata.namespace)) continue;
      if (entry.selects(object)) entry.cache.put(object);
      else entry.cache.remove(object);
    }
    return object;
  };
  const write = (type: ResourceType, work: Promise<KubeObject>, options?: WriteOptions) =>
    clock.track(options?.dryRun ? work : work.then((object) => seen(type, object)));

  return {
    get: (type, key, options) => clock.track(client.get(type, key, options).then((object) => seen(type, object))),
    list: (type, options) => clock.track(client.list(type, options)),
    watch: (type, options, signal) => client.watch(type, options, signal),
    create: (type, object, options) => write(type, client.create(type, object, options), options),
    replace: (type, object, options) => write(type, client.replace(type, object, options), options),
    patch: (type, key, patch, options) => write(type, client.patch(type, key, patch, options), options),
    delete: (type, key, options) =>
      clock.track(
        (async () => {
          const held = options?.dryRun ? [] : heldBy(cachesOf(type), key);
          await client.delete(type, key, options);
          if (held.length === 0) return;
          // A delete may have removed the object or only marked it, and its answer does not tell: read once.
          try {
            const left = await readBack(client, reader, type, key, options?.signal ? { signal: options.signal } : {});
            if (left) seen(type, left);
            else for (const { cache, uid } of held) cache.forget(key, uid);
          } catch {
            // The failure is only of this read: the delete is done, and the watch will tell.
          }
        })(),
      ),
    resourceFor: (apiVersion, kind) => clock.track(client.resourceFor(apiVersion, kind)),
    resources: () => clock.track(client.resources()),
    cluster: () => clock.track(client.cluster()),
    logs: (pod, options, signal) => client.logs(pod, options, signal),
    as: (principal) => writeThroughClient(client.as(principal), clock, cachesOf, reader),
  };
}

/** The object as it is now. Who deletes need not be allowed to get, so others than the reader ask the reader, who may list. */
async function readBack(
  client: KubeClient,
  reader: KubeClient,
  type: ResourceType,
  key: ObjectKey,
  options: RequestOptions,
): Promise<KubeObject | undefined> {
  if (client !== reader) {
    const { namespace, name } = key;
    const one = { ...(namespace ? { namespace } : {}), fieldSelector: `metadata.name=${name}` };
    return (await reader.list(type, { ...one, ...options })).items[0];
  }
  try {
    return await client.get(type, key, options);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function heldBy(caches: readonly WrittenTo[], key: ObjectKey): { cache: ObjectCache; uid: string }[] {
  const held: { cache: ObjectCache; uid: string }[] = [];
  for (const { cache } of caches) {
    const uid = cache.get(key)?.metadata.uid;
    if (uid !== undefined) held.push({ cache, uid });
  }
  return held;
}
