import { InvalidArgumentError } from "@tiphys/errors";
import { analysisFunctions, type CompiledExpression, compileExpression } from "@tiphys/expressions";
import type { AnalysisPhase, Metric, MetricResult } from "@tiphys/resources";
import type { MetricNumbers } from "./metric-numbers.js";

const asFloat = (value: unknown): number => {
  const number =
    typeof value === "number" ? value : typeof value === "string" && value.trim() ? Number(value) : Number.NaN;
  if (Number.isNaN(number) && !/^nan$/i.test(String(value)))
    throw new Error(`asFloat: ${JSON.stringify(value)} is no number`);
  return number;
};
const asInt = (value: unknown): number => {
  if (typeof value === "string" && !/^[+-]?\d+$/.test(value)) throw new Error(`asInt: "${value}" is no whole number`);
  return Math.trunc(asFloat(value));
};
const functions = { ...analysisFunctions, asFloat, asInt };

const compiled = new Map<string, CompiledExpression>();
const KEPT = 500;

function condition(source: string, result: unknown): boolean {
  let run = compiled.get(source);
  if (!run) {
    run = compileExpression(source, { functions });
    if (compiled.size >= KEPT) compiled.delete(compiled.keys().next().value as string);
    compiled.set(source, run);
  }
  const value = run({ result });
  if (typeof value !== "boolean") throw new InvalidArgumentError("", `"${source}" must give true or false`);
  return value;
}

/** The verdict of a measured value. Throws when a condition cannot be evaluated: that is an Error measurement. */
export function assessValue(metric: Metric, value: unknown): "Successful" | "Failed" | "Inconclusive" {
  const { successCondition: success, failureCondition: failure } = metric;
  if (!success && !failure) return "Successful";
  const good = success ? condition(success, value) : undefined;
  const bad = failure ? condition(failure, value) : undefined;
  if (bad === undefined) return good ? "Successful" : "Failed";
  if (good === undefined) return bad ? "Failed" : "Successful";
  if (good === bad) return "Inconclusive";
  return good ? "Successful" : "Failed";
}

/** A measured value as the status shows it. */
export const valueText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "");

export const isCompleted = (phase: AnalysisPhase | undefined): boolean =>
  phase === "Successful" || phase === "Failed" || phase === "Error" || phase === "Inconclusive";

const severity: readonly AnalysisPhase[] = ["Successful", "Running", "Pending", "Inconclusive", "Error", "Failed"];

/** The more severe of two phases. */
export const worse = (a: AnalysisPhase, b: AnalysisPhase): AnalysisPhase =>
  severity.indexOf(a) >= severity.indexOf(b) ? a : b;

/** The phase of a metric after its measurements so far, with the sentence that goes with it. */
export function assessMetric(
  result: MetricResult,
  numbers: MetricNumbers,
  terminating: boolean,
): { phase: AnalysisPhase; message?: string } {
  const { failed = 0, inconclusive = 0, consecutiveError = 0, consecutiveSuccess = 0, count = 0 } = result;
  const say = (phase: AnalysisPhase, what: string, have: number, limit: string, most: number, detail = "") => ({
    phase,
    message: `Metric "${result.name}" assessed ${phase} due to ${what} (${have}) > ${limit} (${most})${detail}`,
  });
  if (numbers.failureLimit >= 0 && failed > numbers.failureLimit) {
    return say("Failed", "failed", failed, "failureLimit", numbers.failureLimit);
  }
  if (inconclusive > numbers.inconclusiveLimit) {
    return say("Inconclusive", "inconclusive", inconclusive, "inconclusiveLimit", numbers.inconclusiveLimit);
  }
  if (consecutiveError > numbers.consecutiveErrorLimit) {
    const last = result.measurements?.at(-1)?.message;
    const detail = last ? `: "Error Message: ${last}"` : "";
    return say(
      "Error",
      "consecutiveErrors",
      consecutiveError,
      "consecutiveErrorLimit",
      numbers.consecutiveErrorLimit,
      detail,
    );
  }
  const inFlight = result.measurements?.at(-1)?.phase === "Running";
  if (numbers.consecutiveSuccessLimit > 0 && consecutiveSuccess >= numbers.consecutiveSuccessLimit) {
    return { phase: "Successful" };
  }
  if (inFlight) return { phase: "Running" };
  if (numbers.count !== undefined && count >= numbers.count) {
    // Every measurement was made, yet the wanted run of successes did not come.
    if (numbers.consecutiveSuccessLimit > 0) {
      return {
        phase: "Inconclusive",
        message: `Metric "${result.name}" assessed Inconclusive due to consecutiveSuccess (${consecutiveSuccess}) < consecutiveSuccessLimit (${numbers.consecutiveSuccessLimit})`,
      };
    }
    return { phase: "Successful" };
  }
  if (terminating) return { phase: "Successful" };
  return { phase: (result.measurements?.length ?? 0) > 0 ? "Running" : "Pending" };
}
