import {
  type AnalysisPlan,
  foldOutcomes,
  type MeasurementTask,
  type MetricProvider,
  type ProviderResult,
  planAnalysisRun,
  providerName,
  secretArgs,
  substituteArgs,
  type TaskOutcome,
} from "@tiphys/analysis";
import type { Clock } from "@tiphys/clock";
import type { Outcome, Plan, Reconciler } from "@tiphys/controller";
import { codeOf, messageOf, NotFoundError, TiphysError, UnimplementedError } from "@tiphys/errors";
import type { KubeClient } from "@tiphys/kube";
import { type AnalysisRun, type Measurement, types } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";

interface State {
  readonly run: AnalysisRun;
}

/** All measurements of a pass are one action, so that a slow provider does not hold up the others. */
type Action =
  | { readonly kind: "measure"; readonly run: AnalysisRun; readonly tasks: readonly MeasurementTask[] }
  | { readonly kind: "delete"; readonly run: AnalysisRun };

interface Measured {
  readonly startedAt: Date;
  readonly outcomes: readonly TaskOutcome[];
}

export interface AnalysisReconcilerDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly providers: Readonly<Record<string, MetricProvider>>;
}

/** Drives one AnalysisRun: measures what is due, folds the answers into the status. */
export function analysisReconciler(deps: AnalysisReconcilerDeps): Reconciler<State, Action, Measured | undefined> {
  const { client, clock, providers } = deps;
  // Plans are made of the run alone, so the plan of a pass can be found again when its outcomes are folded in.
  const plans = new WeakMap<AnalysisRun, AnalysisPlan>();

  async function secretsOf(run: AnalysisRun, signal: AbortSignal): Promise<Map<string, Secret>> {
    const values = new Map<string, Secret>();
    for (const { name, secret, key } of secretArgs(run)) {
      const found = await client.get(
        types.secrets,
        { namespace: run.metadata.namespace ?? "default", name: secret },
        { signal },
      );
      const encoded: string | undefined = found["data"]?.[key];
      if (encoded === undefined) throw new NotFoundError(`args.${name}: Secret "${secret}" has no key "${key}"`);
      values.set(name, new Secret(Buffer.from(encoded, "base64").toString("utf8")));
    }
    return values;
  }

  async function measure(run: AnalysisRun, task: MeasurementTask, secrets: Map<string, Secret>, signal: AbortSignal) {
    const spec = run.spec.metrics.find((metric) => metric.name === task.metric);
    if (!spec) throw new NotFoundError(`metric "${task.metric}" is not in the spec`);
    const values = Object.fromEntries(
      (run.spec.args ?? []).map((arg) => [arg.name, secrets.get(arg.name)?.reveal() ?? arg.value ?? ""]),
    );
    const metric = substituteArgs(spec, values);
    const name = providerName(metric, `metrics.${metric.name}`);
    const provider = providers[name];
    if (!provider) throw new UnimplementedError(`the ${name} metric provider`);
    const context = { run, metric, number: task.number };
    if (task.kind === "run") return await provider.run(context, signal);
    const current = run.status?.metricResults?.find((result) => result.name === task.metric)?.measurements?.at(-1);
    if (task.kind === "terminate") {
      await provider.terminate?.(context, current as Measurement, signal);
      return undefined;
    }
    // A provider that answers at once has nothing to resume: a crash left the measurement open, so it is made again.
    return provider.resume
      ? await provider.resume(context, current as Measurement, signal)
      : await provider.run(context, signal);
  }

  async function outcomeOf(
    run: AnalysisRun,
    task: MeasurementTask,
    secrets: () => Promise<Map<string, Secret>>,
    signal: AbortSignal,
  ): Promise<TaskOutcome> {
    const known: Secret[] = [];
    try {
      const values = await secrets();
      known.push(...values.values());
      const result: ProviderResult | undefined = await measure(run, task, values, signal);
      return { ok: true, ...(result ? { result: hidden(result, known) } : {}) };
    } catch (error) {
      // The pass itself was ended: nothing has been measured.
      if (signal.aborted) throw error;
      return { ok: false, error: new TiphysError(hide(messageOf(error), known)) };
    }
  }

  return {
    async observe(object) {
      return object.metadata.deletionTimestamp ? undefined : { run: object as AnalysisRun };
    },

    plan({ run }, now): Plan<Action> {
      const plan = planAnalysisRun(run, now);
      plans.set(run, plan);
      const actions: Action[] = plan.expired
        ? [{ kind: "delete", run }]
        : plan.tasks.length > 0
          ? [{ kind: "measure", run, tasks: plan.tasks }]
          : [];
      return {
        ...(plan.expired ? {} : { status: { ...plan.status } }),
        actions,
        reasons: reasonsOf(plan.status),
        ...(plan.lookAgainAt ? { lookAgainAt: plan.lookAgainAt } : {}),
      };
    },

    async act(action, signal) {
      const { run } = action;
      if (action.kind === "delete") {
        const key = { namespace: run.metadata.namespace ?? "", name: run.metadata.name };
        await client.delete(types.analysisRuns, key, { signal, propagation: "Background" }).catch((error) => {
          if (codeOf(error) !== "NotFound") throw error;
        });
        return undefined;
      }
      const startedAt = clock.now();
      let values: Promise<Map<string, Secret>> | undefined;
      const secrets = () => {
        values ??= secretsOf(run, signal);
        return values;
      };
      const outcomes = await Promise.all(action.tasks.map((task) => outcomeOf(run, task, secrets, signal)));
      return { startedAt, outcomes };
    },

    report({ run }, plan, outcomes: readonly Outcome<Measured | undefined>[], now): Plan<Action> {
      const [outcome] = outcomes;
      if (!outcome) return plan;
      if (!outcome.ok) throw outcome.error;
      const decided = plans.get(run);
      if (!outcome.fact || !decided) return plan;
      const { status, lookAgainAt } = foldOutcomes(run, decided, outcome.fact.outcomes, outcome.fact.startedAt, now);
      return {
        ...plan,
        status: { ...status },
        reasons: reasonsOf(status),
        ...(lookAgainAt ? { lookAgainAt } : { lookAgainAt: undefined }),
      } as Plan<Action>;
    },

    describe: (action) =>
      action.kind === "delete"
        ? `delete AnalysisRun ${action.run.metadata.name}`
        : `measure ${action.tasks.map((task) => `${task.metric} (${task.kind} ${task.number})`).join(", ")}`,
  };
}

const MASK = "*****";
const SHORTEST_HIDDEN = 4;

/** Secret values do not come back out of a provider: not in errors, values or metadata. */
function hide(text: string, secrets: readonly Secret[]): string {
  return secrets.reduce((safe, secret) => {
    const value = secret.reveal();
    return value.length < SHORTEST_HIDDEN ? safe : safe.split(value).join(MASK);
  }, text);
}

function hidden(result: ProviderResult, secrets: readonly Secret[]): ProviderResult {
  if (secrets.length === 0) return result;
  return JSON.parse(
    JSON.stringify(result, (_key, value) => (typeof value === "string" ? hide(value, secrets) : value)),
    (key, value) => (key === "resumeAt" && typeof value === "string" ? new Date(value) : value),
  );
}

const reasonsOf = (status: { phase: string; message?: string }) => [
  { code: status.phase || "Pending", message: status.message ?? `the analysis is ${status.phase || "Pending"}` },
];
