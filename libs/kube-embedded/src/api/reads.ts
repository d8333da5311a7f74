import type { KubeList } from "@tiphys/kube";
import { statusError } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import type { Change } from "../store/store.js";
import type { ServedKind } from "./kinds.js";
import { inVersion, type Parts, type Target } from "./parts.js";
import { fieldSelector, labelSelector, type Match } from "./selectors.js";
import * as status from "./status.js";
import { current } from "./writes.js";

export interface Selection {
  readonly namespace?: string;
  readonly name?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ListQuery extends Selection {
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: string;
}

export async function get(parts: Parts, target: Target): Promise<KubeObject> {
  await parts.store.settled();
  const found = current(parts, target);
  if (!found) throw status.notFound(target.kind, target.name);
  return found;
}

/** A predicate of both selectors; undefined selects everything. */
export function selection(kind: ServedKind, query: Selection): Match<KubeObject> | undefined {
  const labels = labelSelector(query.labelSelector);
  const fields = fieldSelector(query.fieldSelector, kind.fields);
  const { name } = query;
  if (!labels && !fields && name === undefined) return undefined;
  return (object) =>
    (!labels || labels(object)) && (!fields || fields(object)) && (name === undefined || object.metadata.name === name);
}

interface Continuation {
  readonly revision: number;
  readonly after: string;
}

/** A page: objects in the order of namespace and name. A continued list shows the present from where it stopped. */
export async function list(
  parts: Parts,
  kind: ServedKind,
  query: ListQuery,
): Promise<KubeList & { remaining?: number }> {
  const { store } = parts;
  const matches = selection(kind, query);
  checkVersion(parts, query);
  await store.settled();
  const { limit } = query;
  const from = query.continue ? continuation(query.continue) : undefined;
  const keys = store.keys(kind.collection, kind.namespaced ? query.namespace : undefined);
  const items: KubeObject[] = [];
  let at = from ? firstAfter(keys, from.after) : 0;
  for (; at < keys.length; at++) {
    const object = store.byKey(kind.collection, keys[at] ?? "");
    if (!object || (matches && !matches(object))) continue;
    if (limit && items.length === limit) break;
    items.push(inVersion(kind, object));
  }
  const revision = from?.revision ?? store.revision;
  const result = { items, resourceVersion: String(revision) };
  if (at >= keys.length) return result;
  const token: Continuation = { revision, after: keys[at - 1] ?? "" };
  return {
    ...result,
    continue: Buffer.from(JSON.stringify(token)).toString("base64url"),
    ...(matches ? {} : { remaining: keys.length - at }),
  };
}

function firstAfter(keys: readonly string[], after: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? "") <= after) low = middle + 1;
    else high = middle;
  }
  return low;
}

function continuation(token: string): Continuation {
  try {
    const { revision, after } = JSON.parse(Buffer.from(token, "base64url").toString()) as Continuation;
    if (typeof revision === "number" && typeof after === "string") return { revision, after };
  } catch {
    // answered below
  }
  throw status.badRequest("continue key is not valid: it must be the value that the previous page gave");
}

function checkVersion({ store }: Parts, query: ListQuery): void {
  const { resourceVersion, resourceVersionMatch } = query;
  const options = { group: "meta.k8s.io", kind: "ListOptions" };
  if (resourceVersionMatch && !resourceVersion) {
    throw status.invalid(options, "", [
      status.fieldError(
        "resourceVersionMatch",
        "FieldValueForbidden",
        "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
      ),
    ]);
  }
  if (!resourceVersion) return;
  const revision = parseRevision(resourceVersion);
  if (revision > store.revision) throw tooLarge(revision, store.revision);
  if (resourceVersionMatch === "Exact" && revision !== store.revision) {
    throw status.expired(`The resourceVersion for the provided list is too old.`);
  }
}

export function parseRevision(text: string): number {
  if (!/^\d+$/.test(text)) {
    throw status.invalid({ group: "meta.k8s.io", kind: "ListOptions" }, "", [
      status.fieldError(
        "resourceVersion",
        "FieldValueInvalid",
        `Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
      ),
    ]);
  }
  return Number(text);
}

const tooLarge = (wanted: number, current: number) =>
  statusError(504, "Timeout", `Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });

export interface WatchQuery extends Selection {
  readonly resourceVersion?: string;
  readonly sendInitialEvents?: boolean;
}

export type WatchFrame =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: KubeObject }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string; readonly initialEnd?: boolean };

/** Frames a slow reader may lag behind before its watch is ended. */
const LAG = 100_000;

/** A watch in motion: `next` gives frames as they come, undefined when it has ended. */
export class Watch {
  private readonly queue: WatchFrame[] = [];
  private wake: (() => void) | undefined;
  private ended = false;
  private failure: Error | undefined;
  /** Tells a push transport that there is something to take. */
  onFrame: (() => void) | undefined;
  stopSource: () => void = () => undefined;

  push(frame: WatchFrame): void {
    if (this.ended) return;
    if (this.queue.length >= LAG) {
      this.failure = status.expired("the watch was too slow to follow the changes: list again");
      this.close();
      return;
    }
    this.queue.push(frame);
    this.signal();
  }

  take(): WatchFrame[] {
    return this.queue.splice(0);
  }

  get done(): boolean {
    return this.ended;
  }

  get error(): Error | undefined {
    return this.failure;
  }

  async *frames(): AsyncGenerator<WatchFrame> {
    try {
      for (;;) {
        for (const frame of this.take()) yield frame;
        if (this.queue.length > 0) continue;
        if (this.ended) break;
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      if (this.failure) throw this.failure;
    } finally {
      this.close();
    }
  }

  close(): void {
    if (this.ended) return;
    this.ended = true;
    this.stopSource();
    this.signal();
  }

  private signal(): void {
    this.wake?.();
    this.wake = undefined;
    this.onFrame?.();
  }
}

/** Starts a watch: the present first unless a revision to go on from is given. */
export async function watch(parts: Parts, kind: ServedKind, query: WatchQuery): Promise<Watch> {
  const { store } = parts;
  const matches = selection(kind, query);
  const version = query.resourceVersion;
  const from = version ? parseRevision(version) : 0;
  await store.settled();
  if (from > store.revision) throw tooLarge(from, store.revision);
  const result = new Watch();
  const inScope = (object: KubeObject) =>
    query.namespace === undefined || !kind.namespaced || object.metadata.namespace === query.namespace;
  const initial = from === 0 || query.sendInitialEvents === true;
  // What the list below shows may become durable, and so be told, only afterwards.
  const shown = initial ? store.revision : 0;
  const convey = (change: Change) => {
    if (change.revision <= shown || !inScope(change.object)) return;
    const frame = seen(change, matches);
    if (frame) result.push({ type: frame.type, object: inVersion(kind, frame.object) });
  };
  const source = store.watch(kind.collection, initial ? store.revision : from, convey);
  if (!source) throw status.expired(`too old resource version: ${from} (${store.revision})`);
  result.stopSource = source.stop;
  if (initial) {
    for (const key of store.keys(kind.collection, kind.namespaced ? query.namespace : undefined)) {
      const object = store.byKey(kind.collection, key);
      if (object && (!matches || matches(object))) result.push({ type: "ADDED", object: inVersion(kind, object) });
    }
    if (query.sendInitialEvents) {
      result.push({ type: "BOOKMARK", resourceVersion: String(store.revision), initialEnd: true });
    }
  } else for (const change of source.past) convey(change);
  return result;
}

/** How a change looks through a selector: an object that no longer matches is gone for this watcher. */
function seen(
  change: Change,
  matches: Match<KubeObject> | undefined,
): { type: "ADDED" | "MODIFIED" | "DELETED"; object: KubeObject } | undefined {
  if (!matches) return change;
  const { type, object, previous } = change;
  const before = previous !== undefined && matches(previous);
  if (type === "DELETED") return before ? { type, object } : undefined;
  const now = matches(object);
  if (now) return { type: before ? "MODIFIED" : "ADDED", object };
  if (!before || !previous) return undefined;
  const { resourceVersion } = object.metadata;
  return {
    type: "DELETED",
    object: { ...previous, metadata: { ...previous.metadata, ...(resourceVersion ? { resourceVersion } : {}) } },
  };
}
