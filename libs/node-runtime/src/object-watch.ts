import { type Clock, sleep } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { isNotFound, type KubeClient } from "@tiphys/kube";
import { types } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import type { VolumeReference } from "./volume-content.js";

/** Tells of changes of single ConfigMaps and Secrets, with one watch for each however many pods mount it. */
export interface ObjectWatch {
  /** Calls `changed` after each change; give back what ends it. */
  on(namespace: string, reference: VolumeReference, changed: () => void): () => void;
  stop(): void;
}

const AGAIN_MS = 1000;
const LONGEST_AGAIN_MS = 60_000;

export function createObjectWatch(client: KubeClient, clock: Clock, log: Logger): ObjectWatch {
  const watched = new Map<string, { listeners: Set<() => void>; end: AbortController }>();

  async function follow(
    namespace: string,
    { kind, name }: VolumeReference,
    listeners: ReadonlySet<() => void>,
    signal: AbortSignal,
  ): Promise<void> {
    const type = kind === "secret" ? types.secrets : types.configMaps;
    let seen: string | undefined;
    const tell = (version: string | undefined) => {
      if (version === seen) return;
      seen = version;
      for (const listener of listeners) listener();
    };
    for (let pause = AGAIN_MS; !signal.aborted; ) {
      try {
        const list = await client.list(type, { namespace, fieldSelector: `metadata.name=${name}`, signal });
        const object = list.items[0];
        tell(object?.metadata.resourceVersion);
        // It cannot change any more; that it is replaced is for new pods.
        if (object?.["immutable"] === true) return;
        const options = { namespace, fieldSelector: `metadata.name=${name}`, resourceVersion: list.resourceVersion };
        for await (const event of client.watch(type, options, signal)) {
          if (event.type !== "BOOKMARK")
            tell(event.type === "DELETED" ? undefined : event.object.metadata.resourceVersion);
        }
        pause = AGAIN_MS;
      } catch (error) {
        if (signal.aborted) return;
        if (!isNotFound(error)) log.debug("watch of a mounted object ended", { kind, name, error: messageOf(error) });
        pause = Math.min(pause * 2, LONGEST_AGAIN_MS);
      }
      await sleep(clock, pause, signal).catch(() => {});
    }
  }

  return {
    on(namespace, reference, changed) {
      const key = `${reference.kind}/${namespace}/${reference.name}`;
      let entry = watched.get(key);
      if (!entry) {
        entry = { listeners: new Set(), end: new AbortController() };
        watched.set(key, entry);
        void follow(namespace, reference, entry.listeners, entry.end.signal);
      }
      const { listeners, end } = entry;
      listeners.add(changed);
      return () => {
        listeners.delete(changed);
        if (listeners.size > 0 || watched.get(key)?.listeners !== listeners) return;
        watched.delete(key);
        end.abort();
      };
    },
    stop() {
      for (const { end } of watched.values()) end.abort();
      watched.clear();
    },
  };
}
