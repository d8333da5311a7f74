import { type KubeObject, keyOf, keyText, type ObjectKey, type ResourceType } from "@tiphys/resources";
import type { CacheChange } from "./informer.js";
import { compareResourceVersions } from "./resource-version.js";

type IndexFunction = (object: KubeObject) => readonly string[];

interface Index {
  readonly of: IndexFunction;
  readonly buckets: Map<string, Set<KubeObject>>;
}

const ownerUids: IndexFunction = (object) => object.metadata.ownerReferences?.map((owner) => owner.uid) ?? [];

/**
 * The objects of one informer. Two sources feed it, the watch and our own writes, in any order: the newer
 * resourceVersion wins, so that neither can take the other back.
 */
export class ObjectCache {
  readonly #objects = new Map<string, KubeObject>();
  readonly #namespaces = new Map<string, Map<string, KubeObject>>();
  readonly #indexes = new Map<string, Index>([["owner", { of: ownerUids, buckets: new Map() }]]);
  readonly #handlers = new Set<(change: CacheChange) => void>();
  /** Objects that we know to be deleted before the watch says so: key → uid. */
  readonly #gone = new Map<string, string>();

  constructor(
    readonly resource: ResourceType,
    private readonly onHandlerError: (error: unknown) => void,
  ) {}

  get(key: ObjectKey): KubeObject | undefined {
    return this.#objects.get(keyText(key));
  }

  list(namespace?: string): readonly KubeObject[] {
    const source = namespace === undefined ? this.#objects : this.#namespaces.get(namespace);
    return source ? [...source.values()] : [];
  }

  byIndex(index: string, value: string): readonly KubeObject[] {
    const found = this.#indexes.get(index);
    if (!found) throw new Error(`informer of ${this.resource.resource} has no index "${index}"`);
    const bucket = found.buckets.get(value);
    return bucket ? [...bucket] : [];
  }

  addIndex(name: string, of: IndexFunction): void {
    if (this.#indexes.has(name)) return;
    const index: Index = { of, buckets: new Map() };
    for (const object of this.#objects.values()) fill(index, object);
    this.#indexes.set(name, index);
  }

  onChange(handler: (change: CacheChange) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }

  /** Takes over `object` unless what is here is as new. */
  put(object: KubeObject): void {
    const key = keyText(keyOf(object));
    const gone = this.#gone.get(key);
    if (gone !== undefined) {
      if (gone === object.metadata.uid) return;
      this.#gone.delete(key);
    }
    const previous = this.#objects.get(key);
    // The answer of a write that ended the object may come after the watch has told the end.
    if (!previous && isOver(object)) return;
    if (previous && compareResourceVersions(object.metadata.resourceVersion, previous.metadata.resourceVersion) <= 0) {
      return;
    }
    this.#store(key, object, previous);
    this.#tell(previous ? { type: "modified", object, previous } : { type: "added", object });
  }

  /** The watch saw the end of `object`. */
  remove(object: KubeObject): void {
    const key = keyText(keyOf(object));
    if (this.#gone.get(key) === object.metadata.uid) this.#gone.delete(key);
    const previous = this.#objects.get(key);
    if (!previous) return;
    if (compareResourceVersions(object.metadata.resourceVersion, previous.metadata.resourceVersion) < 0) return;
    this.#drop(key, previous);
    this.#tell({ type: "deleted", object, previous });
  }

  /** A read after our own delete found no object with this uid any more; the watch will say so later. */
  forget(key: ObjectKey, uid: string): void {
    const text = keyText(key);
    const previous = this.#objects.get(text);
    if (previous?.metadata.uid !== uid) return;
    this.#gone.set(text, uid);
    this.#drop(text, previous);
    this.#tell({ type: "deleted", object: previous, previous });
  }

  /** The answer of a full list at `resourceVersion`. */
  replace(items: readonly KubeObject[], resourceVersion: string): void {
    const listed = new Set<string>();
    for (const object of items) {
      listed.add(keyText(keyOf(object)));
      this.put(object);
    }
    for (const [key, object] of [...this.#objects]) {
      // What we wrote after the list was made is not in it, and is not gone.
      if (listed.has(key) || compareResourceVersions(object.metadata.resourceVersion, resourceVersion) > 0) continue;
      this.#drop(key, object);
      this.#tell({ type: "deleted", object, previous: object });
    }
    for (const key of [...this.#gone.keys()]) if (!listed.has(key)) this.#gone.delete(key);
  }

  #store(key: string, object: KubeObject, previous: KubeObject | undefined): void {
    this.#objects.set(key, object);
    const namespace = object.metadata.namespace ?? "";
    let inNamespace = this.#namespaces.get(namespace);
    if (!inNamespace) {
      inNamespace = new Map();
      this.#namespaces.set(namespace, inNamespace);
    }
    inNamespace.set(key, object);
    for (const index of this.#indexes.values()) {
      if (previous) empty(index, previous);
      fill(index, object);
    }
  }

  #drop(key: string, object: KubeObject): void {
    this.#objects.delete(key);
    const namespace = object.metadata.namespace ?? "";
    const inNamespace = this.#namespaces.get(namespace);
    inNamespace?.delete(key);
    if (inNamespace?.size === 0) this.#namespaces.delete(namespace);
    for (const index of this.#indexes.values()) empty(index, object);
  }

  #tell(change: CacheChange): void {
    for (const handler of [...this.#handlers]) {
      try {
        handler(change);
      } catch (error) {
        this.onHandlerError(error);
      }
    }
  }
}

function fill(index: Index, object: KubeObject): void {
  for (const value of index.of(object)) {
    const bucket = index.buckets.get(value);
    if (bucket) bucket.add(object);
    else index.buckets.set(value, new Set([object]));
  }
}

function empty(index: Index, object: KubeObject): void {
  for (const value of index.of(object)) {
    const bucket = index.buckets.get(value);
    bucket?.delete(object);
    if (bucket?.size === 0) index.buckets.delete(value);
  }
}

/** Nothing keeps the object any more: the server has let it go with this state. */
const isOver = ({ metadata, spec }: KubeObject): boolean =>
  metadata.deletionTimestamp !== undefined &&
  !metadata.finalizers?.length &&
  !metadata.deletionGracePeriodSeconds &&
  !(spec as { finalizers?: unknown[] } | undefined)?.finalizers?.length;
