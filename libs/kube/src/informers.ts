import { setMaxListeners } from "node:events";
import { type Clock, sleep } from "@tiphys/clock";
import { CanceledError, messageOf } from "@tiphys/errors";
import type { KubeObject, ResourceType } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import type { KubeClient } from "./client.js";
import type { Informer, InformerOptions, Informers } from "./informer.js";
import { ObjectCache } from "./object-cache.js";
import { isGone } from "./predicates.js";
import { parseLabelSelector } from "./selector.js";
import { type WrittenTo, writeThroughClient } from "./write-through.js";

const PAGE = 500;
const FIRST_RETRY_MS = 200;
const LONGEST_RETRY_MS = 30_000;

export interface InformersDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Running extends WrittenTo {
  readonly informer: Informer;
  readonly finished: Promise<void>;
}

/** Shared informers: one list and watch per resource, namespace and selector, however many ask for it. */
export function createInformers({ client, clock, log }: InformersDeps): Informers {
  const running = new Map<string, Running>();
  const stopping = new AbortController();
  // One listener per watch is meant; Node takes more than ten for a leak.
  setMaxListeners(0, stopping.signal);
  const writing = writeThroughClient(client, clock, (type) =>
    [...running.values()].filter(
      ({ cache: { resource } }) =>
        resource.resource === type.resource && resource.group === type.group && resource.version === type.version,
    ),
  );

  return {
    client: writing,
    informer(type, options = {}) {
      const key = JSON.stringify([type.group, type.version, type.resource, options.namespace, options.labelSelector]);
      let entry = running.get(key);
      if (!entry) {
        entry = run(client, clock, log.with({ resource: type.resource }), type, options, stopping.signal);
        running.set(key, entry);
      }
      for (const [name, of] of Object.entries(options.indexes ?? {})) entry.cache.addIndex(name, of);
      return entry.informer;
    },
    async stop() {
      stopping.abort(new CanceledError("informers are stopping"));
      await Promise.all([...running.values()].map((entry) => entry.finished));
    },
  };
}

function run(
  client: KubeClient,
  clock: Clock,
  log: Logger,
  type: ResourceType,
  options: InformerOptions,
  signal: AbortSignal,
): Running {
  const cache = new ObjectCache(type, (error) => log.error("informer handler failed", { error }));
  let resolve = () => {};
  let reject = (_reason: unknown) => {};
  const synced = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  // Nobody may be waiting when the informers stop before the first list.
  synced.catch(() => {});
  const selects = options.labelSelector ? parseLabelSelector(options.labelSelector) : undefined;
  const informer: Informer = {
    resource: type,
    get: (key) => cache.get(key),
    list: (namespace) => cache.list(namespace),
    byIndex: (index, value) => cache.byIndex(index, value),
    onChange: (handler) => cache.onChange(handler),
    synced,
  };
  return {
    cache,
    informer,
    covers: (namespace) => options.namespace === undefined || options.namespace === namespace,
    selects: (object) => selects?.(object.metadata.labels) ?? true,
    finished: keepCurrent(client, clock, log, cache, options, signal, resolve).finally(() =>
      reject(new CanceledError(`informer of ${type.resource} stopped before its first list`)),
    ),
  };
}

/** List, then watch until stopped; lists again only when the server has forgotten where we were. */
async function keepCurrent(
  client: KubeClient,
  clock: Clock,
  log: Logger,
  cache: ObjectCache,
  options: InformerOptions,
  signal: AbortSignal,
  onSynced: () => void,
): Promise<void> {
  let position: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (position === undefined) {
        const listed = await clock.track(listAll(client, cache.resource, options, signal));
        if (signal.aborted) return;
        cache.replace(listed.items, listed.resourceVersion);
        position = listed.resourceVersion;
        onSynced();
      }
      const scope = scopeOf(options);
      const started = clock.now().getTime();
      let seen = 0;
      for await (const event of client.watch(cache.resource, { ...scope, resourceVersion: position }, signal)) {
        seen++;
        failures = 0;
        if (event.type === "BOOKMARK") {
          position = event.resourceVersion;
          continue;
        }
        if (event.type === "DELETED") cache.remove(event.object);
        else cache.put(event.object);
        position = event.object.metadata.resourceVersion ?? position;
      }
      // A server that closes every watch at once must not be asked in a tight loop.
      if (seen === 0 && clock.now().getTime() - started < 1000) await pause(clock, ++failures, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (isGone(error)) {
        position = undefined;
        if (failures++ === 0) continue;
      } else {
        failures++;
        log.warn("informer lost its server and tries again", { problem: messageOf(error), failures });
      }
      await pause(clock, failures, signal);
    }
  }
}

function pause(clock: Clock, failures: number, signal: AbortSignal): Promise<void> {
  const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20));
  return sleep(clock, wait, signal).catch(() => {});
}

const scopeOf = ({ namespace, labelSelector }: InformerOptions) => ({
  ...(namespace === undefined ? {} : { namespace }),
  ...(labelSelector === undefined ? {} : { labelSelector }),
});

async function listAll(client: KubeClient, type: ResourceType, options: InformerOptions, signal: AbortSignal) {
  const items: KubeObject[] = [];
  let from: string | undefined;
  for (;;) {
    const page = await client.list(type, {
      ...scopeOf(options),
      limit: PAGE,
      signal,
      ...(from === undefined ? {} : { continue: from }),
    });
    for (const item of page.items) items.push(item);
    if (!page.continue) return { items, resourceVersion: page.resourceVersion };
    from = page.continue;
  }
}
