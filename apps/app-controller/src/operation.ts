import { clone } from "@tiphys/canonical-json";
import type { Reason } from "@tiphys/controller";
import { healthOf } from "@tiphys/health";
import { type Change, changeAnnotations, changeOf, isUlid } from "@tiphys/identity";
import type { Application, KubeObject, Operation, OperationState, ResourceResult } from "@tiphys/resources";
import {
  DEFAULT_RETRY,
  parseSyncOptions,
  planSync,
  planTermination,
  refusedOption,
  resourceId,
  retryDelay,
  type SyncDecision,
  type SyncInput,
  type SyncItem,
  type SyncOptions,
} from "@tiphys/sync";
import { type ComparedItem, type Comparison, compareApplication } from "./compare.js";
import {
  joined,
  revisionFields,
  sameSources,
  sourceFields,
  sourcesOf,
  syncedRevision,
  syncedSources,
} from "./sources.js";
import type { ApplicationState, OperationDecision } from "./state.js";
import type { Target } from "./targets.js";

const time = (date: Date): string => date.toISOString().replace(/\.\d{3}Z$/, "Z");

export const rfc3339 = time;

/** Names one attempt of one operation. */
export const attemptOf = (state: OperationState): string => `${state.startedAt}/${state.retryCount ?? 0}`;

const active = (state: OperationState | undefined): state is OperationState =>
  state?.phase === "Running" || state?.phase === "Terminating";

export const isActive = active;

/** True while an attempt is over and the next one is not due. */
export const awaitsRetry = (state: OperationState): boolean =>
  state.phase === "Running" && state.finishedAt !== undefined;

export const optionsOf = (app: Application, operation: Operation): SyncOptions =>
  parseSyncOptions(operation.sync?.syncOptions ?? app.spec.syncPolicy?.syncOptions);

/** What an operation asks for that we cannot do. */
export function refusedOperation(operation: Operation): string | undefined {
  const { sync } = operation;
  if (!sync) return "operation.sync is required";
  if (sync.manifests?.length) return "operation.sync.manifests is not implemented yet";
  if (sync.syncStrategy?.apply?.force || sync.syncStrategy?.hook?.force)
    return "operation.sync.syncStrategy force is not implemented yet";
  return refusedOption(parseSyncOptions(sync.syncOptions));
}

const selects = (operation: Operation, object: KubeObject): boolean => {
  const list = operation.sync?.resources ?? [];
  if (list.length === 0) return true;
  const id = resourceId(object);
  const hit = (entry: (typeof list)[number]) =>
    `${entry.group ?? ""}/${entry.kind}/${entry.namespace ?? object.metadata.namespace ?? ""}/${entry.name}` === id;
  if (list.some((entry) => entry.exclude && hit(entry))) return false;
  const included = list.filter((entry) => !entry.exclude);
  return included.length === 0 || included.some(hit);
};

/** What the operation is about: its items, with the namespace that has to be made, and its hooks. */
export function operationItems(
  state: ApplicationState,
  operation: Operation,
): { items: SyncItem[]; comparison: Comparison } {
  const { app, operation: view, schemas } = state;
  if (!view) return { items: [], comparison: compareApplication(app, state.target, state.live, schemas) };
  const comparison = compareApplication(app, view.target, view.live, schemas);
  const onlyChanged = optionsOf(app, operation)["ApplyOutOfSyncOnly"] === "true";
  const items: SyncItem[] = comparison.items.filter((item: ComparedItem) => {
    const object = item.desired ?? item.live;
    if (!object || !selects(operation, object)) return false;
    // An extraneous object that is not to be compared is not to be pruned either.
    return item.desired ? item.outOfSync || !onlyChanged : item.outOfSync;
  });
  if (view.namespace) {
    const there = view.live.get(resourceId(view.namespace));
    const id = resourceId(view.namespace);
    if (!items.some((item) => item.desired && resourceId(item.desired) === id)) {
      items.push({ desired: view.namespace, ...(there ? { live: there } : {}), outOfSync: there === undefined });
    }
  }
  return { items, comparison };
}

/** The change that an operation belongs to: the one it was given, the commit's, or a new one. */
function changeFor(state: ApplicationState, operation: Operation, target: Target): Change {
  const given = operation.info?.find((each) => each.name === "tiphys.dev/change")?.value;
  const current = changeOf(state.app);
  const carry = (id: string): Change => (current?.id === id ? current : { id, traceparent: "" });
  if (given && isUlid(given)) return carry(given);
  if (target.ok && target.commit?.change) return carry(target.commit.change);
  const last = state.app.status?.history?.at(-1);
  const lastRevision = last?.revisions ? joined(last.revisions) : last?.revision;
  return current && target.ok && lastRevision === target.revision ? current : state.freshChange;
}

/** Writes the intent: the operation is running, nothing is done yet. */
export function begin(state: ApplicationState, operation: Operation, target: Target, now: Date): OperationDecision {
  const change = changeFor(state, operation, target);
  const startedAt = time(now);
  const refused = refusedOperation(operation);
  const failure = refused ?? (target.ok ? undefined : target.message);
  const operationState: OperationState = {
    operation,
    phase: failure === undefined ? "Running" : "Error",
    message: failure ?? "waiting to start",
    startedAt,
    ...(failure === undefined ? {} : { finishedAt: startedAt }),
    syncResult: {
      revision: "",
      ...(target.ok ? revisionFields(target) : {}),
      ...sourceFields(syncedSources(state.app, operation.sync)),
      resources: [],
    },
  };
  return {
    operationState,
    patch: { operation: null, metadata: { annotations: { ...changeAnnotations(change) } } },
    steps: [],
    reasons: [
      {
        code: failure === undefined ? "OperationStarted" : "OperationRefused",
        message: failure ?? `sync to ${target.ok ? target.revision : "an unknown revision"} begins`,
      },
    ],
  };
}

/** Carries a running operation on by one wave. */
export function continueOperation(state: ApplicationState, current: OperationState, now: Date): OperationDecision {
  const { operation } = current;
  if (current.phase === "Terminating") {
    const ended: OperationState = {
      ...current,
      phase: "Failed",
      message: "Operation terminated",
      finishedAt: time(now),
    };
    return {
      operationState: ended,
      steps: planTermination(syncInput(state, current)),
      reasons: [{ code: "OperationTerminated", message: "the operation was terminated" }],
    };
  }
  if (awaitsRetry(current)) return retry(state, current, now);
  const target = state.operation?.target;
  if (!target?.ok) {
    const message = state.specProblem ?? (target ? target.message : "the source is not known");
    return finish(current, { phase: "Failed", message }, now);
  }
  const refused = state.operation?.preflight ?? [];
  if (refused.length > 0) {
    const failed: OperationState = withResults(current, refused);
    return finish(failed, { phase: "Failed", message: refusalMessage(refused, target.places) }, now);
  }
  const { items, comparison } = operationItems(state, operation);
  if (operation.sync?.dryRun) {
    const dry = items.filter((item) => item.desired).map((item) => dryResult(item));
    return finish(withResults(current, dry), { phase: "Succeeded", message: "successfully synced (dry run)" }, now);
  }
  const options = optionsOf(state.app, operation);
  if (options["FailOnSharedResource"] === "true" && comparison.shared.size > 0) {
    const [[id, other] = ["", ""]] = comparison.shared;
    return finish(
      current,
      { phase: "Failed", message: `Shared resource found: ${id} is part of application ${other}` },
      now,
    );
  }
  const decision = planSync(syncInput(state, current));
  return fromDecision(current, decision, now);
}

function syncInput(state: ApplicationState, current: OperationState): SyncInput {
  const { operation } = current;
  const { items, comparison } = operationItems(state, operation);
  return {
    items,
    hooks: comparison.hooks,
    options: optionsOf(state.app, operation),
    prune: operation.sync?.prune ?? false,
    runHooks: !operation.sync?.resources?.length && !operation.sync?.syncStrategy?.apply,
    results: current.syncResult?.resources ?? [],
    attempt: attemptOf(current),
    health: healthOf,
  };
}

function fromDecision(current: OperationState, decision: SyncDecision, now: Date): OperationDecision {
  const running = withResults({ ...current, message: decision.message }, decision.results);
  const reasons: Reason[] = [
    { code: decision.steps.length > 0 ? "Syncing" : "SyncWaiting", message: decision.message },
  ];
  if (decision.end && decision.steps.length === 0) return finish(running, decision.end, now);
  return { operationState: running, steps: decision.steps, ...(decision.end ? { end: decision.end } : {}), reasons };
}

export const withResults = (state: OperationState, results: readonly ResourceResult[]): OperationState => ({
  ...state,
  syncResult: { ...(state.syncResult ?? { revision: "" }), resources: [...results] },
});

const dryResult = (item: SyncItem): ResourceResult => {
  const object = item.desired as KubeObject;
  const [group = "", version = group] = object.apiVersion.includes("/")
    ? object.apiVersion.split("/")
    : ["", object.apiVersion];
  return {
    group,
    version,
    kind: object.kind,
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name,
    status: "Synced",
    message: `${item.outOfSync ? "would be applied" : "unchanged"} (dry run)`,
    hookPhase: "Succeeded",
    syncPhase: "Sync",
  };
};

/** Ends an attempt: for good, or until the next retry. */
export function finish(
  current: OperationState,
  end: { readonly phase: "Succeeded" | "Failed"; readonly message: string },
  now: Date,
): OperationDecision {
  const retries = current.retryCount ?? 0;
  const delay = end.phase === "Failed" ? retryDelay(current.operation.retry, retries) : undefined;
  if (delay !== undefined) {
    const due = new Date(now.getTime() + delay);
    const waiting: OperationState = {
      ...current,
      phase: "Running",
      message: `${end.message}. Retrying attempt #${retries + 1} at ${time(due)}.`,
      finishedAt: time(now),
      retryCount: retries + 1,
    };
    return {
      operationState: waiting,
      steps: [],
      reasons: [{ code: "SyncRetries", message: end.message }],
      lookAgainAt: due,
    };
  }
  const suffix = end.phase === "Failed" && retries > 0 ? ` (retried ${retries} times).` : "";
  const operationState: OperationState = {
    ...current,
    phase: end.phase,
    message: end.message + suffix,
    finishedAt: time(now),
  };
  return {
    operationState,
    steps: [],
    reasons: [
      { code: end.phase === "Succeeded" ? "SyncSucceeded" : "SyncFailed", message: operationState.message ?? "" },
    ],
  };
}

function retry(state: ApplicationState, current: OperationState, now: Date): OperationDecision {
  const retries = current.retryCount ?? 1;
  const delay = retryDelay({ ...current.operation.retry, limit: -1 }, retries - 1) ?? 0;
  const due = new Date(new Date(current.finishedAt ?? current.startedAt).getTime() + delay);
  const { target } = state;
  const follows = followsNewest(current.operation);
  // The fix must not wait for the end of its broken predecessor.
  const newer = follows && target.ok && target.revision !== syncedRevision(current.syncResult);
  if (now < due && !newer) {
    return {
      operationState: current,
      steps: [],
      reasons: [{ code: "SyncRetries", message: current.message ?? "" }],
      lookAgainAt: due,
    };
  }
  const operation: Operation = clone(current.operation);
  let to: { revision?: string; revisions?: string[] } = {};
  if (follows && target.ok) {
    to = revisionFields(target);
    if (operation.sync) Object.assign(operation.sync, to);
  }
  const { finishedAt: _, ...rest } = current;
  const change = newer ? changeFor(state, operation, target) : undefined;
  return {
    operationState: {
      ...rest,
      operation,
      message: `retrying attempt #${retries}`,
      syncResult: { revision: "", ...current.syncResult, ...to, resources: [] },
    },
    ...(change ? { patch: { metadata: { annotations: { ...changeAnnotations(change) } } } } : {}),
    steps: [],
    reasons: [{ code: "SyncRetries", message: newer ? "a newer commit is there" : `attempt #${retries} begins` }],
  };
}

/**
 * Whether the retries of an operation sync the newest commit instead of the one it began with. `retry.refresh` says so;
 * where it says nothing, those of an automated sync do. An operation with a source of its own has none that is newer.
 */
const followsNewest = ({ retry, initiatedBy, sync }: Operation): boolean =>
  sourcesOf(sync ?? {}).list.length === 0 && (retry?.refresh ?? initiatedBy?.automated ?? false);

/** The retry strategy of an automated sync. */
export const automatedRetry = (app: Application) => app.spec.syncPolicy?.retry ?? DEFAULT_RETRY;

/** True when the last operation synced, or tried to sync, exactly this. */
export function alreadyAttempted(app: Application, revision: string): boolean {
  const last = app.status?.operationState;
  if (!last?.syncResult || syncedRevision(last.syncResult) !== revision) return false;
  return sameSources(last.syncResult, sourcesOf(app.spec));
}

/** The original's sentence, then what is wrong with the first object and where in the repository it stands. */
export function refusalMessage(refused: readonly ResourceResult[], places: ReadonlyMap<string, string>): string {
  const [first, ...others] = refused;
  if (!first) return "one or more objects failed to apply (dry run)";
  const place = places.get(`${first.group}/${first.kind}/${first.namespace}/${first.name}`);
  const name = first.namespace ? `${first.namespace}/${first.name}` : first.name;
  const more = others.length > 0 ? ` (and ${others.length} more)` : "";
  return `one or more objects failed to apply (dry run), reason: ${place ? `${place}: ` : ""}${first.kind} ${name}: ${first.message ?? ""}${more}`;
}
