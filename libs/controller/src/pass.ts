import type { Clock } from "@tiphys/clock";
import { codeOf, messageOf } from "@tiphys/errors";
import { changeOf } from "@tiphys/identity";
import type { Journal } from "@tiphys/journal";
import type { KubeClient } from "@tiphys/kube";
import { type KubeObject, keyOf, keyText, type ResourceType } from "@tiphys/resources";
import type { Tracer } from "@tiphys/telemetry";
import { KilledError } from "./kill-point.js";
import { effectivePatch, mergePatch } from "./merge-patch.js";
import type { Outcome, Plan, Reconciler } from "./reconciler.js";
import { redacted } from "./redact.js";

export interface PassDeps<State, Action, Fact> {
  readonly name: string;
  readonly resource: ResourceType;
  readonly statusSubresource: boolean;
  readonly annotationsWithStatus: boolean;
  readonly reconciler: Reconciler<State, Action, Fact>;
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly killPoint: (name: string) => void;
  readonly tracer: Tracer;
}

export interface PassResult {
  readonly lookAgainAt?: Date;
  /** Errors of actions that the reconciler folded into its status; the framework still owes them a retry. */
  readonly failed: readonly unknown[];
}

/** One pass over one object: observe, plan, act, report, and one write of what the plan wants of the object itself. */
export async function pass<State, Action, Fact>(
  object: KubeObject,
  deps: PassDeps<State, Action, Fact>,
  signal: AbortSignal,
): Promise<PassResult> {
  const { reconciler, clock, killPoint } = deps;
  killPoint("observe");
  const state = await reconciler.observe(object, signal);
  if (state === undefined) return { failed: [] };
  killPoint("plan");
  const planned = reconciler.plan(state, clock.now());
  // The record becomes durable while the actions run; the pass does not end without it. With `report` the decision is
  // known only afterwards.
  const early = reconciler.report ? undefined : record(object, deps, state, planned);
  early?.catch(() => {});

  const outcomes: Outcome<Fact>[] = [];
  for (const [index, action] of planned.actions.entries()) {
    signal.throwIfAborted();
    killPoint(`act:${index}`);
    try {
      outcomes.push({ ok: true, fact: await traced(object, deps, action, signal) });
    } catch (error) {
      if (!reconciler.report || error instanceof KilledError || signal.aborted) throw error;
      outcomes.push({ ok: false, error });
    }
    killPoint(`acted:${index}`);
  }
  const final = reconciler.report ? reconciler.report(state, planned, outcomes, clock.now()) : planned;
  await write(object, final, deps, signal);
  await (early ?? record(object, deps, state, final));
  killPoint("done");
  const failed = outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.error]));
  return { failed, ...(final.lookAgainAt ? { lookAgainAt: final.lookAgainAt } : {}) };
}

/** One action as a span of the trace that its object's change began. */
function traced<State, Action, Fact>(
  object: KubeObject,
  { reconciler, name, tracer }: PassDeps<State, Action, Fact>,
  action: Action,
  signal: AbortSignal,
): Promise<Fact> {
  const traceparent = changeOf(object)?.traceparent;
  const attributes = { "tiphys.controller": name, "tiphys.object": keyText(keyOf(object)) };
  return tracer.span(reconciler.describe(action), { attributes, ...(traceparent ? { traceparent } : {}) }, () =>
    reconciler.act(action, signal),
  );
}

async function write<State, Action, Fact>(
  object: KubeObject,
  plan: Plan<Action>,
  deps: PassDeps<State, Action, Fact>,
  signal: AbortSignal,
): Promise<void> {
  const status = plan.status ? mergePatch(object.status, plan.status) : undefined;
  const main = plan.patch ? effectivePatch(object, plan.patch) : undefined;
  const options = { fieldManager: `tiphys-${deps.name}`, signal };
  const locked = (body: Record<string, unknown>, resourceVersion: string | undefined) => ({
    type: "merge" as const,
    body: { ...body, metadata: { ...(body["metadata"] as object | undefined), resourceVersion } },
  });
  let version = object.metadata.resourceVersion;
  const apart = deps.statusSubresource && !deps.annotationsWithStatus;
  const first = apart ? main : (main || status) && { ...main, ...(status ? { status } : {}) };
  if (first) {
    deps.killPoint(main ? "metadata" : "status");
    const written = await deps.client.patch(deps.resource, keyOf(object), locked(first, version), {
      ...options,
      ...(deps.annotationsWithStatus ? { subresource: "status" } : {}),
    });
    version = written.metadata.resourceVersion;
  }
  if (status && apart) {
    deps.killPoint("status");
    await deps.client.patch(deps.resource, keyOf(object), locked({ status }, version), {
      ...options,
      subresource: "status",
    });
  }
}

/** `<stream>/<namespace>/<name>`; cluster-scoped objects have no namespace part. */
export const subjectOf = (name: string, key: string): string => `${name}/${key}`;

async function record<State, Action, Fact>(
  object: KubeObject,
  deps: PassDeps<State, Action, Fact>,
  state: State,
  plan: Plan<Action>,
): Promise<void> {
  const { reconciler, journal, clock, name } = deps;
  const change = changeOf(object)?.id;
  await journal.record({
    subject: subjectOf(name, keyText(keyOf(object))),
    at: clock.now(),
    kind: "decision",
    state: reconciler.digestOf ? reconciler.digestOf(state) : redacted({ spec: object.spec, status: object.status }),
    decision: { actions: plan.actions.map((action) => reconciler.describe(action)) },
    reasons: plan.reasons,
    ...(change ? { change } : {}),
  });
}

/** A pass that failed is a decision too: `explain` has to say why nothing happens. */
export async function recordFailure(
  object: KubeObject,
  deps: Pick<PassDeps<never, never, never>, "name" | "clock" | "journal">,
  error: unknown,
): Promise<void> {
  const change = changeOf(object)?.id;
  await deps.journal.record({
    subject: subjectOf(deps.name, keyText(keyOf(object))),
    at: deps.clock.now(),
    kind: "decision",
    decision: { actions: [] },
    reasons: [{ code: codeOf(error), message: messageOf(error) }],
    ...(change ? { change } : {}),
  });
}
