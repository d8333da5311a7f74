import type { Outcome, Plan } from "@tiphys/controller";
import { messageOf } from "@tiphys/errors";
import { changeOf } from "@tiphys/identity";
import type { KubeObject, OperationState, ResourceResult } from "@tiphys/resources";
import { mergeResults, resourceId, stepResult } from "@tiphys/sync";
import { autoSync } from "./auto-sync.js";
import { type Comparison, compareApplication } from "./compare.js";
import { planDeletion } from "./deletion.js";
import { begin, continueOperation, finish, isActive, optionsOf, withResults } from "./operation.js";
import type { ApplicationState, DeliveryAction, DeliveryFact, OperationDecision } from "./state.js";
import { historyWith, summarize } from "./summary.js";

/** On an Application: "false" keeps change annotations off what it deploys. */
const PROPAGATE_ANNOTATION = "tiphys.dev/propagate-change";
const REFRESH = "argocd.argoproj.io/refresh";

interface DeliveryPlan extends Plan<DeliveryAction> {
  readonly decision: OperationDecision;
}

/** What one pass decides about an application. Pure. */
export function planApplication(state: ApplicationState, now: Date): Plan<DeliveryAction> {
  const { app } = state;
  if (app.metadata.deletionTimestamp) return planDeletion(state, now);
  const comparison = compareApplication(app, state.target, state.live, state.schemas);
  const decision = decide(state, comparison, now);
  const change = app.metadata.annotations?.[PROPAGATE_ANNOTATION] === "false" ? undefined : changeOf(app);
  const operation = decision.operationState?.operation;
  const respects = operation && optionsOf(app, operation)["RespectIgnoreDifferences"] === "true";
  const keep = respects ? (app.spec.ignoreDifferences ?? []) : [];
  const plan: DeliveryPlan = {
    ...written(state, comparison, decision, now),
    actions: decision.steps.map((step) => ({ step, change, keep, destination: app.spec.destination })),
    decision,
  };
  return plan;
}

function decide(state: ApplicationState, comparison: Comparison, now: Date): OperationDecision {
  const { app } = state;
  const current = app.status?.operationState;
  if (isActive(current)) return continueOperation(state, current, now);
  if (app.operation) {
    const view = state.operation;
    const problem = state.specProblem;
    const target = view?.target ?? state.target;
    return begin(
      state,
      app.operation,
      problem === undefined ? target : { ok: false, message: problem, transient: false, resolvedAt: now },
      now,
    );
  }
  const auto = autoSync(state, comparison, now);
  switch (auto.type) {
    case "sync":
      return begin(state, auto.operation, state.target, now);
    case "later":
      return { steps: [], reasons: [{ code: "SelfHealWaits", message: auto.reason }], lookAgainAt: auto.at };
    case "refused":
      return { steps: [], syncError: auto.syncError, reasons: [{ code: "SyncError", message: auto.syncError }] };
    case "none":
      return {
        steps: [],
        reasons: [{ code: comparison.sync, message: auto.reason ?? whyNot(state, comparison) }],
      };
  }
}

/** Why the application is as it is, for `explain`. */
function whyNot(state: ApplicationState, comparison: Comparison): string {
  if (state.specProblem !== undefined) return state.specProblem;
  if (!state.target.ok) return state.target.message;
  const changed = comparison.items.filter((item) => item.outOfSync);
  if (changed.length === 0) return "every object is as the repository wants it";
  const [first] = changed;
  const where = first?.differences[0] ? ` at ${first.differences[0].path}` : "";
  return `${changed.length} objects differ; the first is ${first?.id ?? ""}${where}`;
}

function written(state: ApplicationState, comparison: Comparison, decision: OperationDecision, now: Date) {
  const { app } = state;
  const before = app.status?.operationState;
  const operationState = decision.operationState ?? before;
  const status = summarize(state, comparison, operationState, decision.syncError, now);
  if (operationState && isActive(before) && !isActive(operationState)) {
    const history = historyWith(app.status?.history ?? [], operationState, app.spec.revisionHistoryLimit);
    if (history.length > 0) status.history = history;
    else delete status.history;
  }
  const times = [state.pollAt, decision.lookAgainAt].filter((time) => time !== undefined);
  const patch = withRefresh(decision.patch, state.refreshRequested);
  return {
    status: status as Record<string, unknown>,
    ...(patch ? { patch } : {}),
    reasons: decision.reasons,
    lookAgainAt: new Date(Math.min(...times.map((time) => time.getTime()))),
  };
}

function withRefresh(
  patch: Record<string, unknown> | undefined,
  refresh: boolean,
): Record<string, unknown> | undefined {
  if (!refresh) return patch;
  const metadata = (patch?.["metadata"] ?? {}) as { annotations?: Record<string, unknown> };
  return { ...patch, metadata: { ...metadata, annotations: { ...metadata.annotations, [REFRESH]: null } } };
}

/** Folds what the writes answered into the operation, and compares with what lives now. */
export function reportApplication(
  state: ApplicationState,
  plan: Plan<DeliveryAction>,
  outcomes: readonly Outcome<DeliveryFact>[],
  now: Date,
): Plan<DeliveryAction> {
  const { decision } = plan as DeliveryPlan;
  if (!decision?.operationState || outcomes.length === 0) return plan;
  const results: ResourceResult[] = [];
  const live = new Map(state.live);
  const operationLive = new Map(state.operation?.live ?? []);
  let failed = false;
  for (const [index, outcome] of outcomes.entries()) {
    const step = plan.actions[index]?.step;
    if (!step) continue;
    const id = resourceId(step.object);
    if (outcome.ok) {
      for (const map of [live, operationLive]) put(map, id, outcome.fact.live);
    } else failed = true;
    const result = stepResult(step, outcome.ok ? undefined : { message: messageOf(outcome.error) });
    if (result) results.push(result);
  }
  const folded: OperationState = withResults(
    decision.operationState,
    mergeResults(decision.operationState.syncResult?.resources ?? [], results),
  );
  const after: ApplicationState = {
    ...state,
    live,
    operation: state.operation ? { ...state.operation, live: operationLive } : undefined,
  };
  const comparison = compareApplication(state.app, state.target, live, state.schemas);
  const next: OperationDecision =
    decision.end && !failed ? finish(folded, decision.end, now) : { ...decision, operationState: folded };
  return {
    ...plan,
    ...written(
      after,
      comparison,
      { ...next, reasons: [...decision.reasons, ...(next.reasons === decision.reasons ? [] : next.reasons)] },
      now,
    ),
  };
}

function put(map: Map<string, KubeObject>, id: string, object: KubeObject | undefined): void {
  if (object) map.set(id, object);
  else map.delete(id);
}
