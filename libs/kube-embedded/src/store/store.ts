import { deepFreeze } from "@tiphys/canonical-json";
import type { KubeObject } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import { type DurableLog, openDurableLog } from "./durable-log.js";
import type { StoreRecord } from "./records.js";

/** One committed change. Objects are frozen; a removed object carries the revision of its removal. */
export interface Change {
  readonly revision: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly collection: string;
  readonly object: KubeObject;
  readonly previous?: KubeObject;
}

/** Changes kept per collection for watches that come back: at least so many, while they have no more bytes than that. */
const HISTORY = 4096;
const HISTORY_BYTES = 16 << 20;
/** Requests answered from memory before the event loop gets a turn. */
const TURN_AFTER = 100;
const DONE = Promise.resolve();
const EMPTY = Buffer.alloc(0);

interface Collection {
  readonly objects: Map<string, KubeObject>;
  /** Keys in the order lists are given; undefined after a key came or went. */
  sorted: readonly string[] | undefined;
  readonly byNamespace: Map<string, { readonly keys: Set<string>; sorted: readonly string[] | undefined }>;
  history: Change[];
  /** Bytes of the objects in `history`, as far as they are known. */
  historyBytes: number;
  /** Revision of the newest change that history has forgotten. */
  forgotten: number;
  changed: number;
  readonly watchers: Set<(change: Change) => void>;
}

export const storeKey = (namespace: string | undefined, name: string): string => `${namespace ?? ""}/${name}`;
const keyOfObject = (object: KubeObject) => storeKey(object.metadata.namespace, object.metadata.name);

const serialized = new WeakMap<KubeObject, Buffer>();
/** The JSON bytes of a stored object, made once and shared by log, watches and answers. */
export function bytesOf(object: KubeObject): Buffer {
  let bytes = serialized.get(object);
  if (!bytes) {
    bytes = Buffer.from(stringify(object));
    serialized.set(object, bytes);
  }
  return bytes;
}

/** Integers too large for a number are rare, and a replacer makes every object several times as dear. */
function stringify(object: KubeObject): string {
  try {
    return JSON.stringify(object);
  } catch {
    return JSON.stringify(object, (_, value) => (typeof value === "bigint" ? Number(value) : value));
  }
}

/** What a change holds on to: its object, which has been written out when there is a log. */
const sizeOf = ({ object }: Change): number => serialized.get(object)?.length ?? 0;

/** Drops the oldest changes, so that half of what may be kept is left, and the newest one always. */
function forget(found: Collection): void {
  let drop = 0;
  while (
    drop < found.history.length - 1 &&
    (found.history.length - drop > HISTORY || found.historyBytes > HISTORY_BYTES)
  ) {
    const change = found.history[drop++] as Change;
    found.historyBytes -= sizeOf(change);
    found.forgotten = change.revision;
  }
  found.history = found.history.slice(drop);
}

/**
 * Kubernetes objects in memory, by collection ("apps/deployments") and key ("namespace/name"), with a log behind them.
 * A change is in memory at once, so that the next write sees it; it is told to watchers and acknowledged when it is
 * durable.
 */
export class Store {
  private readonly collections = new Map<string, Collection>();
  private readonly observers = new Set<(change: Change) => void>();
  private log: DurableLog | undefined;
  private current = 0;
  private durable = 0;
  private started = 0;

  static async open(options: { dir?: string; log: Logger; compactBytes?: number }): Promise<Store> {
    const store = new Store();
    const { dir, log, compactBytes } = options;
    if (dir !== undefined) {
      store.log = await openDurableLog({
        dir,
        log,
        ...(compactBytes === undefined ? {} : { compactBytes }),
        restore: (record) => store.restore(record),
        capture: () => store.capture(),
      });
    }
    // Revisions begin above 0, which means "any" in requests.
    store.current = Math.max(store.current, 1);
    store.durable = store.current;
    store.started = store.current;
    for (const collection of store.collections.values()) collection.forgotten = store.current;
    return store;
  }

  get revision(): number {
    return this.current;
  }

  get(collection: string, namespace: string | undefined, name: string): KubeObject | undefined {
    return this.collections.get(collection)?.objects.get(storeKey(namespace, name));
  }

  /** Keys in list order, optionally of one namespace. */
  keys(collection: string, namespace?: string): readonly string[] {
    const found = this.collections.get(collection);
    if (!found) return [];
    if (namespace !== undefined) {
      const space = found.byNamespace.get(namespace);
      if (!space) return [];
      space.sorted ??= [...space.keys].sort();
      return space.sorted;
    }
    found.sorted ??= [...found.objects.keys()].sort();
    return found.sorted;
  }

  byKey(collection: string, key: string): KubeObject | undefined {
    return this.collections.get(collection)?.objects.get(key);
  }

  /**
   * Keys in list order and objects as they were at `revision`; undefined when changes since then are forgotten. Made
   * by taking back what has changed since.
   */
  at(
    collection: string,
    revision: number,
    namespace?: string,
  ): { readonly keys: readonly string[]; get(key: string): KubeObject | undefined } | undefined {
    const found = this.collections.get(collection);
    if (!found || revision >= found.changed) {
      return { keys: this.keys(collection, namespace), get: (key) => this.byKey(collection, key) };
    }
    if (revision < found.forgotten) return undefined;
    const before = new Map<string, KubeObject | undefined>();
    for (let at = found.history.length - 1; at >= 0; at--) {
      const change = found.history[at];
      if (!change || change.revision <= revision) break;
      const key = keyOfObject(change.object);
      if (namespace === undefined || change.object.metadata.namespace === namespace) before.set(key, change.previous);
    }
    const keys = new Set(this.keys(collection, namespace));
    for (const [key, object] of before) {
      if (object) keys.add(key);
      else keys.delete(key);
    }
    return { keys: [...keys].sort(), get: (key) => (before.has(key) ? before.get(key) : found.objects.get(key)) };
  }

  *all(): Generator<{ collection: string; object: KubeObject }> {
    for (const [collection, { objects }] of this.collections) {
      for (const object of objects.values()) yield { collection, object };
    }
  }

  collectionNames(): string[] {
    return [...this.collections.keys()];
  }

  /** Stores `object` under the next revision, which is written into it. Await `settled()` before acknowledging. */
  put(collection: string, object: KubeObject): KubeObject {
    const revision = ++this.current;
    object.metadata.resourceVersion = String(revision);
    deepFreeze(object);
    const previous = this.set(collection, object);
    this.commit(
      { revision, type: previous ? "MODIFIED" : "ADDED", collection, object, ...(previous ? { previous } : {}) },
      { op: "put", revision, collection, json: this.log ? bytesOf(object) : EMPTY },
    );
    return object;
  }

  /** Removes the object; the answer is its last state. */
  remove(collection: string, object: KubeObject): KubeObject {
    const revision = ++this.current;
    const key = keyOfObject(object);
    const found = this.of(collection);
    const previous = found.objects.get(key) ?? object;
    this.unset(found, key);
    const last = deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
    this.commit(
      { revision, type: "DELETED", collection, object: last, previous },
      { op: "delete", revision, collection, key },
    );
    return last;
  }

  /** Resolves when everything written so far is durable; rejects when it cannot be. */
  settled(): Promise<void> {
    if (this.durable < this.current) return this.pending;
    // Without a disk to wait for, a burst of requests would never let go of the event loop.
    if (++this.sinceTurn < TURN_AFTER) return DONE;
    this.sinceTurn = 0;
    return new Promise((resolve) => setImmediate(resolve));
  }
  private sinceTurn = 0;

  /** Changes newer than `revision`, or undefined when some of them are forgotten. Then `listener` gets those to come. */
  watch(
    collection: string,
    revision: number,
    listener: (change: Change) => void,
  ): { past: Change[]; stop(): void } | undefined {
    const found = this.of(collection);
    if (revision < found.forgotten) return undefined;
    const past = found.history.filter((change) => change.revision > revision && change.revision <= this.durable);
    found.watchers.add(listener);
    return { past, stop: () => found.watchers.delete(listener) };
  }

  /** Why nothing can be written any more. */
  get problem(): Error | undefined {
    return this.log?.problem();
  }

  /** Every change at the moment it is made, before it is durable: for parts of the server itself. */
  observe(observer: (change: Change) => void): () => void {
    this.observers.add(observer);
    return () => this.observers.delete(observer);
  }

  async close(): Promise<void> {
    await this.log?.close();
  }

  private pending: Promise<void> = DONE;
  private readonly undelivered: Change[] = [];

  private commit(change: Change, record: StoreRecord): void {
    const found = this.of(change.collection);
    found.changed = change.revision;
    found.history.push(change);
    found.historyBytes += sizeOf(change);
    if (found.history.length > 2 * HISTORY || found.historyBytes > 2 * HISTORY_BYTES) forget(found);
    for (const observer of this.observers) observer(change);
    if (!this.log) {
      this.durable = change.revision;
      for (const watcher of found.watchers) watcher(change);
      return;
    }
    this.undelivered.push(change);
    const written = this.log.append([record]);
    if (written !== this.pending) {
      this.pending = written;
      written.then(
        () => this.deliver(written),
        () => undefined,
      );
    }
    this.lastOf.set(written, change.revision);
  }

  /** The newest revision each write of the log carries. */
  private readonly lastOf = new WeakMap<Promise<void>, number>();

  private deliver(written: Promise<void>): void {
    this.durable = Math.max(this.durable, this.lastOf.get(written) ?? 0);
    let count = 0;
    for (const change of this.undelivered) {
      if (change.revision > this.durable) break;
      count++;
      for (const watcher of this.of(change.collection).watchers) watcher(change);
    }
    this.undelivered.splice(0, count);
  }

  private of(name: string): Collection {
    let found = this.collections.get(name);
    if (!found) {
      found = {
        objects: new Map(),
        sorted: undefined,
        byNamespace: new Map(),
        history: [],
        historyBytes: 0,
        forgotten: this.started,
        changed: 0,
        watchers: new Set(),
      };
      this.collections.set(name, found);
    }
    return found;
  }

  private set(collection: string, object: KubeObject): KubeObject | undefined {
    const found = this.of(collection);
    const key = keyOfObject(object);
    const previous = found.objects.get(key);
    found.objects.set(key, object);
    if (!previous) {
      found.sorted = undefined;
      const namespace = object.metadata.namespace ?? "";
      let space = found.byNamespace.get(namespace);
      if (!space) {
        space = { keys: new Set(), sorted: undefined };
        found.byNamespace.set(namespace, space);
      }
      space.keys.add(key);
      space.sorted = undefined;
    }
    return previous;
  }

  private unset(found: Collection, key: string): void {
    if (!found.objects.delete(key)) return;
    found.sorted = undefined;
    const namespace = key.slice(0, key.indexOf("/"));
    const space = found.byNamespace.get(namespace);
    if (!space) return;
    space.keys.delete(key);
    space.sorted = undefined;
    if (space.keys.size === 0) found.byNamespace.delete(namespace);
  }

  private restore(record: StoreRecord): void {
    this.current = Math.max(this.current, record.revision);
    if (record.op === "put") {
      this.set(record.collection, deepFreeze(JSON.parse(record.json.toString()) as KubeObject));
    } else if (record.op === "delete") this.unset(this.of(record.collection), record.key);
  }

  private *captured(entries: readonly [string, KubeObject][], revision: number): Generator<StoreRecord> {
    yield { op: "revision", revision };
    for (const [collection, object] of entries) {
      yield {
        op: "put",
        revision: Number(object.metadata.resourceVersion),
        collection,
        json: serialized.get(object) ?? Buffer.from(stringify(object)),
      };
    }
  }

  /** A shallow copy of the present: objects never change, so it can be written while work goes on. */
  private capture(): Iterable<StoreRecord> {
    const entries: [string, KubeObject][] = [];
    for (const { collection, object } of this.all()) entries.push([collection, object]);
    return this.captured(entries, this.current);
  }
}
