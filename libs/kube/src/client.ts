import type { Principal } from "@tiphys/identity";
import { apiVersionOf, type KubeObject, type ObjectKey, type ResourceType } from "@tiphys/resources";

/**
 * The Kubernetes API as a port. Two implementations: HTTP (any real API server, or the embedded one over its socket)
 * and in memory (`libs/kube-embedded`). Objects go in and come out as plain data and are never shared: the in-memory
 * client freezes what it returns. Every failure is a {@link KubeApiError}.
 */
export interface KubeClient {
  get(type: ResourceType, key: ObjectKey, options?: GetOptions): Promise<KubeObject>;
  list(type: ResourceType, options?: ListOptions): Promise<KubeList>;
  /** Ends without error when the server closes it; throws KubeApiError 410 when `resourceVersion` is too old. */
  watch(type: ResourceType, options: WatchOptions, signal: AbortSignal): AsyncIterable<WatchEvent>;
  create(type: ResourceType, object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  replace(type: ResourceType, object: KubeObject, options?: WriteOptions): Promise<KubeObject>;
  patch(type: ResourceType, key: ObjectKey, patch: Patch, options?: WriteOptions): Promise<KubeObject>;
  delete(type: ResourceType, key: ObjectKey, options?: DeleteOptions): Promise<void>;
  /** The served type of a kind; throws NotFound when the server has none. */
  resourceFor(apiVersion: string, kind: string): Promise<ResourceType>;
  /** Every served type that can be listed, in its preferred version. */
  resources(): Promise<readonly ResourceType[]>;
  /** What the server says about itself. */
  cluster(): Promise<ClusterFacts>;
  logs(pod: ObjectKey, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** The same client acting as another principal (impersonation). */
  as(principal: Principal): KubeClient;
}

export interface ClusterFacts {
  /** `gitVersion` of `/version`. */
  readonly version: string;
  /** Every version of every group that is served, and every kind in it: `apps/v1`, `apps/v1/Deployment`; sorted. */
  readonly apiVersions: readonly string[];
}

/** Versions and kinds of served types, as {@link ClusterFacts} has them. */
export function apiVersionsOf(served: Iterable<ResourceType>): string[] {
  const names = new Set<string>();
  for (const type of served) {
    const version = apiVersionOf(type);
    names.add(version).add(`${version}/${type.kind}`);
  }
  return [...names].sort();
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

export interface GetOptions extends RequestOptions {
  readonly subresource?: string;
}

export interface ListOptions extends RequestOptions {
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: "Exact" | "NotOlderThan";
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  /** Seconds until the server closes the watch. */
  readonly timeoutSeconds?: number;
}

export interface WriteOptions extends RequestOptions {
  readonly subresource?: string;
  readonly fieldManager?: string;
  readonly fieldValidation?: "Ignore" | "Warn" | "Strict";
  readonly dryRun?: boolean;
  /** Server-side apply only: take over fields of other managers. */
  readonly force?: boolean;
}

export type Patch =
  | { readonly type: "json"; readonly body: readonly JsonPatchOperation[] }
  | { readonly type: "merge" | "strategic" | "apply"; readonly body: object };

export interface JsonPatchOperation {
  readonly op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

export interface DeleteOptions extends RequestOptions {
  readonly propagation?: "Foreground" | "Background" | "Orphan";
  readonly gracePeriodSeconds?: number;
  readonly dryRun?: boolean;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export interface LogOptions {
  readonly container?: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  /** Bytes after which the answer ends. */
  readonly limitBytes?: number;
  readonly tailLines?: number;
  readonly timestamps?: boolean;
}

export interface KubeList {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly continue?: string;
}

export type WatchEvent =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: KubeObject }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };
