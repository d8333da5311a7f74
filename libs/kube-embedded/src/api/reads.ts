import type { KubeList } from "@tiphys/kube";
import { statusError } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import type { Change } from "../store/store.js";
import { continuation, continueToken } from "./continuation.js";
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

export async function get(parts: Parts, target: Target, resourceVersion?: string): Promise<KubeObject> {
  if (resourceVersion) {
    const revision = parseRevision(resourceVersion);
    if (revision > parts.store.revision) throw tooLarge(revision, parts.store.revision);
  }
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

/** A page: objects in the order of namespace and name, as they were when the first page was given. */
export async function list(
  parts: Parts,
  kind: ServedKind,
  query: ListQuery,
): Promise<KubeList & { remaining?: number }> {
  const { store } = parts;
  const matches = selection(kind, query);
  const wanted = wantedRevision(parts, query);
  await store.settled();
  const from = query.continue ? continuation(query.continue) : undefined;
  // Revision 0 asks for whatever is at hand, which is all of it.
  const limit = query.resourceVersion === "0" && !from ? undefined : query.limit;
  const namespace = kind.namespaced ? query.namespace : undefined;
  /** What all keys of the list begin with. */
  const prefix = kind.namespaced ? (namespace === undefined ? "" : `${namespace}/`) : "/";
  const revision = from?.revision ?? wanted ?? store.revision;
  const then = store.at(kind.collection, revision, namespace);
  if (!then) throw from ? tooOldPage(store.revision, from.after) : status.expired(TOO_OLD);
  const named = NAMED.exec(query.fieldSelector ?? "")?.[1];
  const keys = named !== undefined && (namespace !== undefined || !kind.namespaced) ? [`${prefix}${named}`] : then.keys;
  const items: KubeObject[] = [];
  let at = from ? firstAfter(keys, prefix + from.after) : 0;
  let last = "";
  for (; at < keys.length; at++) {
    const key = keys[at] ?? "";
    const object = then.get(key);
    if (!object || (matches && !matches(object))) continue;
    if (limit && items.length === limit) break;
    items.push(inVersion(kind, object));
    last = key;
  }
  const result = { items, resourceVersion: String(revision) };
  if (at >= keys.length) return result;
  return {
    ...result,
    continue: continueToken(revision, last.slice(prefix.length)),
    ...(matches ? {} : { remaining: keys.length - at }),
  };
}

/** A selection of one object by its name need not look at the others. */
const NAMED = /^metadata\.name==?([^,=!\\]+)$/;

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

const TOO_OLD =
  "The provided resource version is too old. You can start a new list without the resourceVersion parameter.";

/** What a client does now: begin again, or go on in the present with the token that comes along. */
const tooOldPage = (revision: number, after: string) =>
  status.expired(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    continueToken(revision, after),
  );

/** The real server's limit on how a list may be asked for. */
function wantedRevision({ store }: Parts, query: ListQuery): number | undefined {
  const { resourceVersion, resourceVersionMatch } = query;
  if (query.continue && resourceVersion && resourceVersion !== "0") {
    throw status.badRequest("specifying resource version is not allowed when using continue");
  }
  if (!resourceVersion) return undefined;
  const revision = parseRevision(resourceVersion, (problem) =>
    status.badRequest(`invalid resource version: ${problem}`),
  );
  if (revision > store.revision) throw tooLarge(revision, store.revision);
  const isExact = resourceVersionMatch === "Exact" || (!resourceVersionMatch && query.limit && revision > 0);
  return isExact ? revision : undefined;
}

const noRevision = (text: string) =>
  `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;

export function parseRevision(text: string, refuse = (problem: string): Error => status.bare(problem)): number {
  if (!/^\d+$/.test(text)) throw refuse(noRevision(text));
  return Number(text);
}

const tooLarge = (wanted: number, current: number) =>
  statusError(504, "Timeout", `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });

export interface WatchQuery extends Selection {
  readonly resourceVersion?: string;
  readonly sendInitialEvents?: boolean;
  /** False: the end of the initial events is not told. */
  readonly bookmarks?: boolean;
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
  const result = new Watch();
  const inScope = (object: KubeObject) =>
    query.namespace === undefined || !kind.namespaced || object.metadata.namespace === query.namespace;
  const initial = query.sendInitialEvents ?? from === 0;
  // What the list below shows may become durable, and so be told, only afterwards.
  const shown = initial ? store.revision : 0;
  const convey = (change: Change) => {
    if (change.revision <= shown || change.revision <= from || !inScope(change.object)) return;
    const frame = seen(change, matches);
    if (frame) result.push({ type: frame.type, object: inVersion(kind, frame.object) });
  };
  const source = store.watch(kind.collection, initial || from === 0 ? store.revision : from, convey);
  if (!source) throw status.expired(`too old resource version: ${from} (${store.revision})`);
  result.stopSource = source.stop;
  if (initial) {
    for (const key of store.keys(kind.collection, kind.namespaced ? query.namespace : undefined)) {
      const object = store.byKey(kind.collection, key);
      if (object && (!matches || matches(object))) result.push({ type: "ADDED", object: inVersion(kind, object) });
    }
    // A watch from nowhere in particular is told where its beginning ends as well.
    if (
      query.bookmarks === undefined ? query.sendInitialEvents : query.bookmarks && (query.sendInitialEvents || !version)
    ) {
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
