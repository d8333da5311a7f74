import type { KubeObject, ObjectKey, ResourceType } from "@tiphys/resources";
import type { KubeClient } from "./client.js";

/** What happened to an object in a cache. */
export interface CacheChange {
  readonly type: "added" | "modified" | "deleted";
  readonly object: KubeObject;
  readonly previous?: KubeObject;
}

/** A local, always current copy of one resource, kept by list and watch. Objects are frozen. */
export interface Informer {
  readonly resource: ResourceType;
  get(key: ObjectKey): KubeObject | undefined;
  list(namespace?: string): readonly KubeObject[];
  /** Objects whose index function gave `value`. Owner uids are always indexed, under "owner". */
  byIndex(index: string, value: string): readonly KubeObject[];
  /** Calls `handler` on every change from now on; the returned function ends that. */
  onChange(handler: (change: CacheChange) => void): () => void;
  /** Resolves after the first full list. */
  readonly synced: Promise<void>;
}

export interface InformerOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly indexes?: Readonly<Record<string, (object: KubeObject) => readonly string[]>>;
}

/**
 * Shared informers over one client. `client` is the same client, writing through: what a write answered is in the
 * caches when the write resolves, so a pass never reads a state older than its own writes.
 */
export interface Informers {
  readonly client: KubeClient;
  informer(type: ResourceType, options?: InformerOptions): Informer;
  stop(): Promise<void>;
}
