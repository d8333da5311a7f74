import { clone } from "@tiphys/canonical-json";
import { InvalidArgumentError, messageOf } from "@tiphys/errors";
import type { AnalysisRun, AnalysisRunStatus, Measurement, Metric, MetricResult, RunSummary } from "@tiphys/resources";
import { RE2JS } from "re2js";
import { argsUsed, substituteArgs } from "./args.js";
import { assessMetric, assessValue, isCompleted, valueText, worse } from "./assess.js";
import { later, timeText } from "./duration.js";
import { type MetricNumbers, metricNumbers } from "./metric-numbers.js";
import type { ProviderResult } from "./provider.js";
import { validateMetrics } from "./validate.js";

/** After an Error measurement the next one comes this much later, whatever the interval. */
const ERROR_RETRY_MS = 10_000;
/** Measurements kept per metric unless measurementRetention says otherwise. */
const KEPT_MEASUREMENTS = 10;

/** One call of a provider. `metric` is the metric's name; its args are not substituted yet. */
export interface MeasurementTask {
  readonly kind: "run" | "resume" | "terminate";
  readonly metric: string;
  /** Counts the metric's measurements from 1. */
  readonly number: number;
}

export type TaskOutcome =
  | { readonly ok: true; readonly result?: ProviderResult }
  | { readonly ok: false; readonly error: unknown };

export interface AnalysisPlan {
  readonly status: AnalysisRunStatus;
  readonly tasks: readonly MeasurementTask[];
  /** True when the run has outlived its ttlStrategy. */
  readonly expired: boolean;
  readonly lookAgainAt?: Date;
}

/** Argument values of a run; Secret ones get a placeholder, since checks need a value but plans must not hold secrets. */
function checkValues(run: AnalysisRun): Record<string, string> {
  return Object.fromEntries((run.spec.args ?? []).map((arg) => [arg.name, arg.value ?? "secret"]));
}

/** The metrics with plain args substituted, for schedules and limits; throws InvalidArgument when the run cannot work. */
export function checkedMetrics(run: AnalysisRun): Metric[] {
  for (const arg of run.spec.args ?? []) {
    if (arg.value === undefined && !arg.valueFrom?.secretKeyRef) {
      throw new InvalidArgumentError(`args.${arg.name}`, "has no value: give value or valueFrom.secretKeyRef");
    }
  }
  const values = checkValues(run);
  const metrics = run.spec.metrics.map((metric) => substituteArgs(metric, values));
  validateMetrics(metrics, "spec.metrics");
  return metrics;
}

/** Names of Secret-backed args that any metric uses. */
export const secretArgs = (run: AnalysisRun): readonly { name: string; secret: string; key: string }[] => {
  const used = new Set(run.spec.metrics.flatMap(argsUsed));
  return (run.spec.args ?? []).flatMap((arg) => {
    const ref = arg.valueFrom?.secretKeyRef;
    return ref && used.has(arg.name) ? [{ name: arg.name, secret: ref.name, key: ref.key }] : [];
  });
};

const matches = (pattern: string, name: string): boolean => {
  if (pattern === name) return true;
  try {
    return RE2JS.compile(pattern).matches(name);
  } catch {
    return false;
  }
};

const isDryRun = (run: AnalysisRun, metric: string): boolean =>
  (run.spec.dryRun ?? []).some((rule) => matches(rule.metricName, metric));

const retention = (run: AnalysisRun, metric: string): number =>
  run.spec.measurementRetention?.find((rule) => matches(rule.metricName, metric))?.limit ?? KEPT_MEASUREMENTS;

const measured = (result: MetricResult): number => (result.count ?? 0) + (result.error ?? 0);

const running = (result: MetricResult): Measurement | undefined => {
  const last = result.measurements?.at(-1);
  return last && !last.finishedAt ? last : undefined;
};

/** Decides which measurements to make now. The status it returns is written as it is when there is nothing to measure. */
export function planAnalysisRun(run: AnalysisRun, now: Date): AnalysisPlan {
  const status: AnalysisRunStatus = run.status ? clone(run.status) : { phase: "" };
  if (isCompleted(status.phase)) return { status, tasks: [], ...expiry(run, now) };
  let metrics: Metric[];
  try {
    metrics = checkedMetrics(run);
  } catch (error) {
    const message = `Analysis spec invalid: ${messageOf(error)}`;
    return { status: { ...status, phase: "Error", message, completedAt: timeText(now) }, tasks: [], expired: false };
  }
  status.startedAt ??= timeText(now);
  status.metricResults ??= [];
  for (const metric of metrics) resultOf(run, status, metric.name);
  const ending = run.spec.terminate === true || failedEarly(status);
  const tasks: MeasurementTask[] = [];
  let look: Date | undefined;
  for (const metric of metrics) {
    const next = nextMeasurement(metric, status, ending, now);
    if (!next) continue;
    if (next instanceof Date) look = look && look < next ? look : next;
    else tasks.push(next);
  }
  assess(run, status, metrics, now);
  return { status, tasks, expired: false, ...(look ? { lookAgainAt: look } : {}) };
}

function resultOf(run: AnalysisRun, status: AnalysisRunStatus, name: string): MetricResult {
  status.metricResults ??= [];
  const known = status.metricResults.find((result) => result.name === name);
  if (known) return known;
  const fresh: MetricResult = { name, phase: "Pending", ...(isDryRun(run, name) ? { dryRun: true } : {}) };
  status.metricResults.push(fresh);
  return fresh;
}

const failedEarly = (status: AnalysisRunStatus): boolean =>
  (status.metricResults ?? []).some(
    (result) => !result.dryRun && isCompleted(result.phase) && result.phase !== "Successful",
  );

/** The task that is due, the time of the next one, or undefined when the metric needs none. */
function nextMeasurement(
  metric: Metric,
  status: AnalysisRunStatus,
  ending: boolean,
  now: Date,
): MeasurementTask | Date | undefined {
  const result = status.metricResults?.find((known) => known.name === metric.name) as MetricResult;
  const numbers = metricNumbers(metric, `metrics.${metric.name}`);
  const current = running(result);
  const number = measured(result) + 1;
  if (current) {
    if (ending) return { kind: "terminate", metric: metric.name, number };
    if (current.resumeAt && Date.parse(current.resumeAt) > now.getTime()) return new Date(current.resumeAt);
    return { kind: "resume", metric: metric.name, number };
  }
  if (ending || isCompleted(result.phase)) return undefined;
  const due = dueAt(result, numbers, status.startedAt as string);
  if (!due) return undefined;
  return due.getTime() > now.getTime() ? due : { kind: "run", metric: metric.name, number };
}

function dueAt(result: MetricResult, numbers: MetricNumbers, startedAt: string): Date | undefined {
  const last = result.measurements?.at(-1);
  if (!last) return later(startedAt, numbers.initialDelay);
  if (numbers.count !== undefined && (result.count ?? 0) >= numbers.count) return undefined;
  if (last.phase === "Error") return later(last.finishedAt as string, ERROR_RETRY_MS);
  return numbers.interval === undefined ? undefined : later(last.finishedAt as string, numbers.interval);
}

/** Folds what the providers answered into the status; `outcomes` is parallel to `plan.tasks`. */
export function foldOutcomes(
  run: AnalysisRun,
  plan: AnalysisPlan,
  outcomes: readonly TaskOutcome[],
  startedAt: Date,
  now: Date,
): { status: AnalysisRunStatus; lookAgainAt?: Date } {
  const status = clone(plan.status);
  const metrics = checkedMetrics(run);
  plan.tasks.forEach((task, index) => {
    const metric = metrics.find((candidate) => candidate.name === task.metric) as Metric;
    const outcome = outcomes[index];
    if (outcome) record(run, resultOf(run, status, task.metric), metric, task, outcome, startedAt, now);
  });
  assess(run, status, metrics, now);
  if (isCompleted(status.phase)) return { status };
  const ending = run.spec.terminate === true || failedEarly(status);
  let look: Date | undefined;
  for (const metric of metrics) {
    const next = nextMeasurement(metric, status, ending, now);
    // A running measurement without a resume time is looked at when what it waits for changes.
    const at = next instanceof Date ? next : next?.kind === "resume" ? undefined : next ? now : undefined;
    if (at && (!look || at < look)) look = at;
  }
  return { status, ...(look ? { lookAgainAt: look } : {}) };
}

function record(
  run: AnalysisRun,
  result: MetricResult,
  metric: Metric,
  task: MeasurementTask,
  outcome: TaskOutcome,
  startedAt: Date,
  now: Date,
): void {
  const measurement = takeMeasurement(result, startedAt);
  if (task.kind === "terminate") {
    // A measurement that was cut short counts as a good one: nobody asked for its verdict any more.
    Object.assign(measurement, { phase: "Successful", message: "metric terminated", finishedAt: timeText(now) });
    count(result, "Successful");
  } else if (!outcome.ok) {
    Object.assign(measurement, { phase: "Error", message: messageOf(outcome.error), finishedAt: timeText(now) });
    count(result, "Error");
  } else if (outcome.result) {
    settle(result, metric, measurement, outcome.result, now);
  }
  result.measurements = result.measurements?.slice(-Math.max(1, retention(run, result.name)));
}

function takeMeasurement(result: MetricResult, startedAt: Date): Measurement {
  result.measurements ??= [];
  const current = running(result);
  if (current) return current;
  const fresh: Measurement = { phase: "Running", startedAt: timeText(startedAt) };
  result.measurements.push(fresh);
  return fresh;
}

function settle(
  result: MetricResult,
  metric: Metric,
  measurement: Measurement,
  answer: ProviderResult,
  now: Date,
): void {
  if (answer.metadata) measurement.metadata = { ...measurement.metadata, ...answer.metadata };
  if (answer.kind === "running") {
    measurement.phase = "Running";
    if (answer.resumeAt) measurement.resumeAt = timeText(answer.resumeAt);
    else delete measurement.resumeAt;
    return;
  }
  delete measurement.resumeAt;
  measurement.finishedAt = timeText(now);
  if (answer.kind === "verdict") {
    measurement.phase = answer.phase;
    if (answer.message) measurement.message = answer.message;
  } else {
    measurement.value = valueText(answer.value);
    try {
      measurement.phase = assessValue(metric, answer.value);
    } catch (error) {
      measurement.phase = "Error";
      measurement.message = messageOf(error);
    }
  }
  count(result, measurement.phase as "Successful" | "Failed" | "Error" | "Inconclusive");
}

function count(result: MetricResult, phase: "Successful" | "Failed" | "Error" | "Inconclusive"): void {
  if (phase === "Error") {
    result.error = (result.error ?? 0) + 1;
    result.consecutiveError = (result.consecutiveError ?? 0) + 1;
    delete result.consecutiveSuccess;
    return;
  }
  const field = phase.toLowerCase() as "successful" | "failed" | "inconclusive";
  result[field] = (result[field] ?? 0) + 1;
  result.count = (result.count ?? 0) + 1;
  delete result.consecutiveError;
  if (phase === "Successful") result.consecutiveSuccess = (result.consecutiveSuccess ?? 0) + 1;
  else delete result.consecutiveSuccess;
}

/** Brings the phases of all metrics and of the run up to date. */
function assess(run: AnalysisRun, status: AnalysisRunStatus, metrics: readonly Metric[], now: Date): void {
  const results = status.metricResults as MetricResult[];
  const judge = (terminating: boolean) => {
    for (const result of results) {
      if (isCompleted(result.phase)) continue;
      const metric = metrics.find((candidate) => candidate.name === result.name);
      if (!metric) continue;
      const verdict = assessMetric(result, metricNumbers(metric, `metrics.${metric.name}`), terminating);
      result.phase = verdict.phase;
      if (verdict.message) result.message = verdict.message;
      else delete result.message;
    }
  };
  judge(run.spec.terminate === true);
  if (failedEarly(status)) judge(true);
  summarize(status, results);
  const deciding = results.filter((result) => !result.dryRun);
  if (!results.every((result) => isCompleted(result.phase))) {
    status.phase = "Running";
    return;
  }
  const phase = deciding.reduce<AnalysisRunStatus["phase"]>(
    (worst, result) => worse(worst, result.phase),
    "Successful",
  );
  const reason = deciding.find((result) => result.phase === phase)?.message;
  status.phase = phase;
  if (reason) status.message = reason;
  else if (run.spec.terminate === true) status.message = "Run Terminated";
  status.completedAt ??= timeText(now);
}

function summarize(status: AnalysisRunStatus, results: readonly MetricResult[]): void {
  const sum = (dry: boolean): RunSummary => {
    const summary: RunSummary = {};
    for (const result of results) {
      if ((result.dryRun === true) !== dry) continue;
      summary.count = (summary.count ?? 0) + 1;
      if (!isCompleted(result.phase)) continue;
      const field = result.phase.toLowerCase() as "successful" | "failed" | "inconclusive" | "error";
      summary[field] = (summary[field] ?? 0) + 1;
    }
    return summary;
  };
  status.runSummary = sum(false);
  const dry = sum(true);
  if (dry.count) status.dryRunSummary = dry;
}

/** Whether, or when, a finished run has outlived its ttlStrategy. */
function expiry(run: AnalysisRun, now: Date): { expired: boolean; lookAgainAt?: Date } {
  const ttl = run.spec.ttlStrategy;
  const seconds =
    (run.status?.phase === "Successful" ? ttl?.secondsAfterSuccess : ttl?.secondsAfterFailure) ??
    ttl?.secondsAfterCompletion;
  if (seconds === undefined || !run.status?.completedAt) return { expired: false };
  const at = later(run.status.completedAt, seconds * 1000);
  return at.getTime() <= now.getTime() ? { expired: true } : { expired: false, lookAgainAt: at };
}
