import { setMaxListeners } from "node:events";
import { CanceledError, codeOf, isTerminal, messageOf, WaitError } from "@tiphys/errors";
import type { CacheChange, Informer } from "@tiphys/kube";
import { isConflict, isNotFound } from "@tiphys/kube";
import {
  controllerOf,
  groupVersionOf,
  keyOf,
  keyText,
  type ObjectKey,
  parseKey,
  type ResourceType,
} from "@tiphys/resources";
import { noTracer } from "@tiphys/telemetry";
import type { Controller, ControllerOptions, Watch } from "./controller.js";
import { type Explanation, explainFrom } from "./explain.js";
import { KilledError, marked } from "./kill-point.js";
import { type PassDeps, type PassResult, pass, recordFailure } from "./pass.js";
import { WorkQueue } from "./work-queue.js";

/** A pass mostly waits for writes to become durable. */
const WORKERS = 16;
const PASS_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface RunningController extends Controller {
  readonly name: string;
  /** The latest decisions about one object, newest first. */
  explain(key: ObjectKey): Promise<Explanation>;
  /** Why it is not at work, or undefined when it is. */
  ready(): string | undefined;
  /** Keys that wait for a worker. */
  queueDepth(): number;
}

/** Runs a reconciler: decides when a pass is due, makes it, journals it, retries it. */
export function createController<State, Action, Fact>(
  options: ControllerOptions<State, Action, Fact>,
): RunningController {
  const { name, resource, informers, clock, metrics } = options;
  const log = options.log.with({ controller: name });
  const passes = metrics.counter("tiphys_controller_pass_total", "Passes by result.", ["controller", "result"]);
  const seconds = metrics.histogram(
    "tiphys_controller_pass_seconds",
    "Duration of a pass.",
    ["controller"],
    PASS_SECONDS,
  );
  const depth = metrics.gauge("tiphys_controller_queue_depth", "Keys that wait for a worker.", ["controller"]);
  const primary = informers.informer(resource);
  const deps: PassDeps<State, Action, Fact> = {
    name,
    resource,
    statusSubresource: options.statusSubresource,
    annotationsWithStatus: options.annotationsWithStatus ?? false,
    reconciler: options.reconciler,
    client: informers.client,
    clock,
    journal: options.journal,
    killPoint: marked(options.killPoint),
    tracer: options.tracer ?? noTracer,
  };
  const queue = new WorkQueue({
    clock,
    workers: options.workers ?? WORKERS,
    run: onePass,
    ...(options.rank ? { rank: (key: string) => options.rank?.(parseKey(key)) ?? 0 } : {}),
    onDepth: (keys) => depth.set(keys, { controller: name }),
  });
  const unsubscribe: (() => void)[] = [];
  const stopping = new AbortController();
  // Every write of every worker listens to it.
  setMaxListeners(0, stopping.signal);
  let state: "new" | "starting" | "running" | "stopped" = "new";

  async function onePass(key: string): Promise<void> {
    const objectKey = parseKey(key);
    if (options.owns && !options.owns(objectKey)) return;
    const object = primary.get(objectKey);
    if (!object) {
      queue.forget(key);
      return;
    }
    const started = clock.monotonic();
    let result = "ok";
    try {
      settle(key, await pass(object, deps, stopping.signal));
    } catch (error) {
      result = await failed(key, objectKey, object, error);
    } finally {
      passes.add({ controller: name, result });
      const took = (clock.monotonic() - started) / 1000;
      seconds.observe(took, { controller: name });
      options.onPass?.(objectKey, took, result === "error" || result === "terminal");
    }
  }

  function settle(key: string, { lookAgainAt, failed: errors }: PassResult): void {
    const now = clock.now().getTime();
    // A time in the past would be a loop that never sleeps.
    if (lookAgainAt) queue.addAt(key, new Date(Math.max(lookAgainAt.getTime(), now + 1)));
    const waits = errors.filter((error) => error instanceof WaitError);
    for (const wait of waits) queue.addAt(key, new Date(now + wait.after));
    const retry = errors.some((error) => !isTerminal(error) && !(error instanceof WaitError));
    if (retry && !lookAgainAt) queue.addAfterFailure(key);
    if (!retry) queue.forgetFailures(key);
  }

  async function failed(
    key: string,
    objectKey: ObjectKey,
    object: Parameters<typeof recordFailure>[0],
    error: unknown,
  ): Promise<string> {
    if (error instanceof KilledError) {
      log.warn("controller ends at a kill point", { point: error.point });
      void controller.stop();
      return "killed";
    }
    if (stopping.signal.aborted) return "stopped";
    if (isConflict(error)) {
      // Read what the others wrote (it goes into the caches), then decide anew.
      await informers.client.get(resource, objectKey).catch(() => {});
      queue.addAfterFailure(key);
      return "conflict";
    }
    // The object, or its namespace, went away during the pass: the informer will say so.
    if (isNotFound(error) && !primary.get(objectKey)) return "gone";
    try {
      await recordFailure(object, deps, error);
    } catch (problem) {
      log.error("the journal did not take a record", { key, problem: messageOf(problem) });
    }
    const fields = { key, code: codeOf(error), problem: messageOf(error) };
    if (error instanceof WaitError) {
      queue.addAt(key, new Date(clock.now().getTime() + error.after));
      log.debug("pass waits", fields);
      return "wait";
    }
    if (isTerminal(error)) {
      queue.forgetFailures(key);
      log.warn("pass failed until something changes", fields);
      return "terminal";
    }
    const wait = queue.addAfterFailure(key);
    log.warn("pass failed and is tried again", { ...fields, wait });
    return "error";
  }

  function follow(watch: Watch): Informer {
    const informer = informers.informer(watch.resource, {
      ...(watch.namespace === undefined ? {} : { namespace: watch.namespace }),
      ...(watch.labelSelector === undefined ? {} : { labelSelector: watch.labelSelector }),
    });
    const keys = watch.keys === "owner" ? (change: CacheChange) => ownersOf(change, resource) : watch.keys;
    const enqueueAll = (change: CacheChange) => {
      for (const key of keys(change)) queue.add(keyText(key));
    };
    unsubscribe.push(informer.onChange(enqueueAll));
    return informer;
  }

  const concerns = options.concerns ?? (() => true);
  function changed({ type, object, previous }: CacheChange): void {
    const key = keyText(keyOf(object));
    if (concerns(object) || (previous && concerns(previous))) queue.add(key);
    else if (type === "deleted") queue.forget(key);
  }

  const controller: RunningController = {
    name,
    async start() {
      if (state !== "new") return;
      state = "starting";
      unsubscribe.push(primary.onChange(changed));
      const watched = (options.watches ?? []).map(follow);
      await Promise.all([primary, ...watched].map((informer) => informer.synced));
      // Stopped meanwhile, whatever the compiler believes.
      if ((state as string) !== "starting") return;
      for (const object of primary.list()) if (concerns(object)) queue.add(keyText(keyOf(object)));
      state = "running";
      queue.start();
    },
    async stop() {
      state = "stopped";
      for (const end of unsubscribe.splice(0)) end();
      stopping.abort(new CanceledError(`controller ${name} is stopping`));
      await queue.stop();
    },
    enqueue: (key) => queue.add(keyText(key)),
    explain: (key) => explainFrom(options.journal, name, key),
    ready() {
      if (state === "running") return undefined;
      return state === "stopped" ? `controller ${name} is stopped` : `controller ${name} waits for its first lists`;
    },
    queueDepth: () => queue.depth,
  };
  return controller;
}

/** The primary objects that manage, or managed, the changed object. */
function ownersOf({ object, previous }: CacheChange, resource: ResourceType): ObjectKey[] {
  const keys: ObjectKey[] = [];
  for (const version of previous && previous !== object ? [object, previous] : [object]) {
    const owner = controllerOf(version);
    if (!owner || owner.kind !== resource.kind) continue;
    if (groupVersionOf(owner.apiVersion).group !== resource.group) continue;
    const { namespace } = version.metadata;
    keys.push(resource.namespaced && namespace ? { namespace, name: owner.name } : { name: owner.name });
  }
  return keys;
}
