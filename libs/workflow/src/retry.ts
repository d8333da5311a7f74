import { evaluateBoolean, parseDuration } from "@tiphys/expressions";
import type { WorkflowNodeStatus, WorkflowRetryStrategy } from "@tiphys/resources";
import type { Engine, Request } from "./engine.js";
import { isDone } from "./nodes.js";
import { parameterText } from "./parameters.js";
import { Scope } from "./scope.js";

/** Runs the attempts of a Retry node: the first, or the next one when the strategy allows it and its time has come. */
export function nextAttempt(
  engine: Engine,
  request: Request,
  node: WorkflowNodeStatus,
  strategy: WorkflowRetryStrategy,
): WorkflowNodeStatus {
  const attempts = engine.nodes.attempts(node);
  let last = attempts.at(-1);
  if (last && !isDone(last)) last = attempt(engine, request, node, attempts.length - 1, attempts.at(-2));
  if (last && !isDone(last)) return engine.nodes.get(node.name) ?? node;
  if (last) {
    if (last.phase === "Succeeded" || last.phase === "Skipped") {
      return engine.nodes.update(node, {
        phase: last.phase,
        ...(last.outputs ? { outputs: last.outputs } : {}),
        message: undefined,
      });
    }
    const verdict = judge(engine, node, attempts, last, strategy);
    if ("end" in verdict) {
      return engine.nodes.update(node, {
        phase: last.phase as "Failed",
        message: verdict.end,
        ...(last.outputs ? { outputs: last.outputs } : {}),
      });
    }
    if (verdict.at > engine.input.now.getTime()) {
      engine.lookAgain(verdict.at);
      return engine.nodes.update(node, { message: verdict.wait });
    }
  }
  attempt(engine, request, node, attempts.length, last);
  return engine.nodes.update(engine.nodes.get(node.name) ?? node, { message: undefined });
}

function attempt(
  engine: Engine,
  request: Request,
  node: WorkflowNodeStatus,
  index: number,
  previous: WorkflowNodeStatus | undefined,
): WorkflowNodeStatus | undefined {
  const child = engine.execute({
    ...request,
    name: `${node.name}(${index})`,
    displayName: `${node.displayName}(${index})`,
    args: () => node.inputs,
    flag: { ...request.flag, retried: true },
    attempt: true,
    extra: new Map([["retries", String(index)], ...lastRetry(previous)]),
  });
  if (child) engine.nodes.link(node.id, child.id);
  return child;
}

function lastRetry(last: WorkflowNodeStatus | undefined): [string, string][] {
  const seconds = last ? Math.round((Date.parse(last.finishedAt ?? "") - Date.parse(last.startedAt ?? "")) / 1000) : 0;
  return [
    ["lastRetry.exitCode", last?.outputs?.exitCode ?? (last ? "-1" : "0")],
    ["lastRetry.status", last?.phase ?? ""],
    ["lastRetry.duration", String(Number.isNaN(seconds) ? 0 : seconds)],
    ["lastRetry.message", last?.message ?? ""],
  ];
}

type Verdict = { readonly end: string | undefined } | { readonly at: number; readonly wait: string };

/** Whether and when a failed attempt is followed by another. The messages are ones that clients search for. */
function judge(
  engine: Engine,
  node: WorkflowNodeStatus,
  attempts: readonly WorkflowNodeStatus[],
  last: WorkflowNodeStatus,
  strategy: WorkflowRetryStrategy,
): Verdict {
  const { shutdown, now, globals } = engine.input;
  if (shutdown) return { end: `Stopped with strategy '${shutdown}'` };
  const scope = new Scope({
    globals,
    inputs: node.inputs ?? {},
    extra: new Map([["retries", String(attempts.length - 1)], ...lastRetry(last)]),
  });
  const wait = backoff(attempts, last, strategy, (raw) => scope.text(raw));
  if (wait.end !== undefined && now.getTime() > wait.end) return { end: "Max duration limit exceeded" };
  const policy = strategy.retryPolicy || (strategy.expression ? "Always" : "OnFailure");
  const fits =
    policy === "Always" ||
    (policy === "OnFailure" && last.phase === "Failed") ||
    (policy === "OnError" && last.phase === "Error");
  if (!fits) return { end: last.message };
  if (strategy.limit !== undefined && strategy.limit !== null) {
    const limit = Number(scope.text(parameterText(strategy.limit) ?? ""));
    if (attempts.length > limit) return { end: "No more retries left" };
  }
  if (strategy.expression) {
    const env = scope.env();
    if (!evaluateBoolean(strategy.expression, env)) return { end: "retryStrategy.expression evaluated to false" };
  }
  if (wait.end !== undefined && wait.at > wait.end) return { end: "Backoff would exceed max duration limit" };
  return { at: wait.at, wait: `Backoff for ${Math.round(wait.length / 1000)} seconds` };
}

function backoff(
  attempts: readonly WorkflowNodeStatus[],
  last: WorkflowNodeStatus,
  strategy: WorkflowRetryStrategy,
  text: (raw: string) => string,
): { at: number; length: number; end?: number } {
  const spec = strategy.backoff;
  const finished = Date.parse(last.finishedAt ?? "") || 0;
  if (!spec) return { at: finished, length: 0 };
  const first = milliseconds(text(parameterText(spec.duration) ?? "0"));
  const factor =
    spec.factor === undefined || spec.factor === null ? 1 : Number(text(parameterText(spec.factor) ?? "1"));
  let length = first * (factor > 0 ? factor : 1) ** (attempts.length - 1);
  if (spec.cap) length = Math.min(length, milliseconds(text(spec.cap)));
  const longest = spec.maxDuration ? milliseconds(text(spec.maxDuration)) : undefined;
  const start = Date.parse(attempts[0]?.startedAt ?? "") || 0;
  return { at: finished + length, length, ...(longest === undefined ? {} : { end: start + longest }) };
}

/** A number is seconds. */
const milliseconds = (text: string): number =>
  /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : (parseDuration(text)?.milliseconds ?? 0);
