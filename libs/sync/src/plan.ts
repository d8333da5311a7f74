import type { Health } from "@tiphys/health";
import { groupVersionOf, type KubeObject, type ResourceResult } from "@tiphys/resources";
import { deletePolicies } from "./hooks.js";
import { objectSyncOptions, type SyncOptions } from "./options.js";
import { type HookItem, makeTasks, resultId, type SyncItem, type SyncTask, taskId } from "./tasks.js";

/** Annotation on hook objects: the attempt of the operation that made them, so that no crash runs a hook twice. */
export const OPERATION_ANNOTATION = "tiphys.dev/sync-operation";

export interface SyncInput {
  readonly items: readonly SyncItem[];
  readonly hooks: readonly HookItem[];
  readonly options: SyncOptions;
  readonly prune: boolean;
  readonly runHooks: boolean;
  /** What has been done so far in this attempt. */
  readonly results: readonly ResourceResult[];
  /** Names this attempt of the operation. */
  readonly attempt: string;
  readonly health: (object: KubeObject) => Health | undefined;
}

/** One write. */
export type SyncStep =
  | {
      readonly type: "apply";
      readonly task: SyncTask;
      readonly object: KubeObject;
      readonly replace: boolean;
      readonly validate: boolean;
      /** False when the live object is as wanted already. */
      readonly changes: boolean;
    }
  | {
      readonly type: "delete";
      readonly task: SyncTask;
      readonly object: KubeObject;
      readonly propagation: "Foreground" | "Background" | "Orphan";
      readonly reason: "prune" | "hook";
    };

export interface SyncDecision {
  readonly steps: readonly SyncStep[];
  readonly results: readonly ResourceResult[];
  /** Present when the attempt ends once the steps are done. */
  readonly end?: { readonly phase: "Succeeded" | "Failed"; readonly message: string };
  /** What the operation waits for, or does. */
  readonly message: string;
}

const SUCCEEDED = "successfully synced (all tasks run)";

const text = (object: KubeObject): string => {
  const { group } = groupVersionOf(object.apiVersion);
  return `${group ? `${group}/` : ""}${object.kind}/${object.metadata.name}`;
};

const resultOf = (task: SyncTask, change: Partial<ResourceResult>): ResourceResult => {
  const { group, version } = groupVersionOf(task.object.apiVersion);
  return {
    group,
    version,
    kind: task.object.kind,
    namespace: task.object.metadata.namespace ?? "",
    name: task.object.metadata.name,
    syncPhase: task.phase,
    ...(task.hookType ? { hookType: task.hookType } : {}),
    ...change,
  };
};

/** The results with those of `changes` put in place, in the order in which they first appeared. */
export function mergeResults(results: readonly ResourceResult[], changes: readonly ResourceResult[]): ResourceResult[] {
  const merged = new Map(results.map((result) => [resultId(result), result]));
  for (const change of changes) merged.set(resultId(change), { ...merged.get(resultId(change)), ...change });
  return [...merged.values()];
}

const propagations: Readonly<Record<string, "Foreground" | "Background" | "Orphan">> = {
  foreground: "Foreground",
  background: "Background",
  orphan: "Orphan",
};

const propagationOf = (options: SyncOptions, object: KubeObject) =>
  propagations[
    objectSyncOptions(object)["PrunePropagationPolicy"] ?? options["PrunePropagationPolicy"] ?? "foreground"
  ] ?? "Foreground";

const deleteHook = (task: SyncTask, live: KubeObject): SyncStep => ({
  type: "delete",
  task,
  object: live,
  propagation: "Background",
  reason: "hook",
});

/** How a running task stands, from what lives in the cluster. */
function progress(task: SyncTask, attempt: string, health: SyncInput["health"]): Partial<ResourceResult> {
  const { live } = task;
  if (task.type === "hook") {
    if (!live || live.metadata.annotations?.[OPERATION_ANNOTATION] !== attempt) {
      return { hookPhase: "Error", message: "the hook was deleted before its end was seen" };
    }
    const state = health(live);
    if (!state || state.status === "Healthy")
      return { hookPhase: "Succeeded", ...(state?.message ? { message: state.message } : {}) };
    if (state.status === "Degraded") return { hookPhase: "Failed", message: state.message ?? "" };
    return { hookPhase: "Running", ...(state.message ? { message: state.message } : {}) };
  }
  if (task.type === "prune") return live ? {} : { hookPhase: "Succeeded" };
  if (!live) return {};
  const state = health(live);
  if (!state || state.status === "Healthy") return { hookPhase: "Succeeded" };
  // A resource that is degraded ends the wait as a failure; suspended ones wait for a person.
  if (state.status === "Degraded") return { hookPhase: "Failed", message: state.message ?? "" };
  return {};
}

function stepFor(task: SyncTask, input: SyncInput): { step?: SyncStep; result?: ResourceResult; wait?: string } {
  const own = objectSyncOptions(task.object);
  const option = (name: string) => own[name] ?? input.options[name];
  if (task.type === "prune") {
    if (
      !input.prune ||
      own["Prune"] === "false" ||
      (own["Prune"] === undefined && input.options["Prune"] === "false")
    ) {
      return {
        result: resultOf(task, { status: "PruneSkipped", message: "ignored (no prune)", hookPhase: "Succeeded" }),
      };
    }
    if (!task.live || task.live.metadata.deletionTimestamp)
      return { result: resultOf(task, { status: "Pruned", message: "pruned", hookPhase: "Succeeded" }) };
    const propagation = propagationOf(input.options, task.object);
    return { step: { type: "delete", task, object: task.live, propagation, reason: "prune" } };
  }
  if (task.type === "hook" && task.live) {
    if (task.live.metadata.annotations?.[OPERATION_ANNOTATION] === input.attempt) {
      return { result: resultOf(task, { hookPhase: "Running", message: `${text(task.object)} created` }) };
    }
    if (task.live.metadata.deletionTimestamp) return { wait: `waiting for deletion of hook ${text(task.object)}` };
    if (deletePolicies(task.object).includes("BeforeHookCreation")) return { step: deleteHook(task, task.live) };
  }
  const object =
    task.type === "hook"
      ? {
          ...task.object,
          metadata: {
            ...task.object.metadata,
            annotations: { ...task.object.metadata.annotations, [OPERATION_ANNOTATION]: input.attempt },
          },
        }
      : task.object;
  return {
    step: {
      type: "apply",
      task,
      object,
      replace: option("Replace") === "true",
      validate: option("Validate") !== "false",
      changes: task.outOfSync,
    },
  };
}

/** What an operation does next: the steps of one wave, a wait, or its end. Pure; any pass can be the first one. */
export function planSync(input: SyncInput): SyncDecision {
  const all = makeTasks(input);
  const tasks = all.filter((task) => task.phase !== "SyncFail");
  const failTasks = all.filter((task) => task.phase === "SyncFail");
  let results: readonly ResourceResult[] = input.results;
  const known = new Map(results.map((result) => [resultId(result), result]));
  const changes: ResourceResult[] = [];
  for (const task of all) {
    const result = known.get(task.id);
    if (result?.hookPhase !== "Running") continue;
    const change = progress(task, input.attempt, input.health);
    if (Object.keys(change).length > 0) changes.push(resultOf(task, { ...result, ...change }));
  }
  results = mergeResults(results, changes);
  const phaseOf = new Map(results.map((result) => [resultId(result), result.hookPhase]));
  const running = (list: readonly SyncTask[]) => list.filter((task) => phaseOf.get(task.id) === "Running");
  const failed = (list: readonly SyncTask[]) =>
    list.filter((task) => ["Failed", "Error"].includes(phaseOf.get(task.id) ?? ""));
  const pending = (list: readonly SyncTask[]) => list.filter((task) => !phaseOf.has(task.id));

  if (failed(tasks).length > 0) {
    const hooksRunning = running(tasks).filter((task) => task.type === "hook");
    if (hooksRunning.length > 0) return { steps: [], results, message: waitingFor(hooksRunning) };
    return endFailed(input, all, failTasks, results, phaseOf);
  }
  const waiting = running(tasks);
  const next = pending(tasks);
  const [first] = next;
  if (!first) {
    const hooks = waiting.filter((task) => task.type === "hook");
    if (hooks.length > 0) return { steps: [], results, message: waitingFor(hooks) };
    return {
      steps: hookDeletions(tasks, phaseOf),
      results,
      end: { phase: "Succeeded", message: tasks.length === 0 ? "successfully synced (no more tasks)" : SUCCEEDED },
      message: SUCCEEDED,
    };
  }
  // The rest of a wave that was begun is not held up by its own first half.
  const earlier = waiting.filter((task) => task.phase !== first.phase || task.wave !== first.wave);
  if (earlier.length > 0) return { steps: [], results, message: waitingFor(earlier) };

  const group = next.filter((task) => task.phase === first.phase && task.wave === first.wave);
  const steps: SyncStep[] = [];
  const settled: ResourceResult[] = [];
  let wait: string | undefined;
  for (const task of group) {
    const made = stepFor(task, input);
    if (made.step) steps.push(made.step);
    if (made.result) settled.push(made.result);
    wait ??= made.wait;
  }
  results = mergeResults(results, settled);
  if (steps.length === 0 && wait === undefined) return planSync({ ...input, results });
  // Success is said at apply when nothing follows that would have to wait for health.
  const last = next.length === group.length && !group.some((task) => task.type === "hook") && wait === undefined;
  const hooksWait = waiting.some((task) => task.type === "hook");
  const ends = last && !hooksWait;
  if (ends) steps.push(...hookDeletions(tasks, phaseOf));
  return {
    steps,
    results,
    ...(ends ? { end: { phase: "Succeeded" as const, message: SUCCEEDED } } : {}),
    message: wait ?? `syncing wave ${first.wave} of ${first.phase}`,
  };
}

function endFailed(
  input: SyncInput,
  all: readonly SyncTask[],
  failTasks: readonly SyncTask[],
  results: readonly ResourceResult[],
  phaseOf: ReadonlyMap<string, string | undefined>,
): SyncDecision {
  const notApplied = results.some((result) => result.status === "SyncFailed");
  const message = notApplied
    ? "one or more objects failed to apply"
    : "one or more synchronization tasks completed unsuccessfully";
  const open = failTasks.filter((task) => !phaseOf.has(task.id));
  if (open.length > 0 && input.runHooks) {
    const made = open.map((task) => stepFor(task, input));
    const steps = made.flatMap((each) => (each.step ? [each.step] : []));
    const settled = made.flatMap((each) => (each.result ? [each.result] : []));
    return { steps, results: mergeResults(results, settled), message: "running SyncFail hooks" };
  }
  const going = failTasks.filter((task) => phaseOf.get(task.id) === "Running");
  if (going.length > 0) return { steps: [], results, message: waitingFor(going) };
  return { steps: hookDeletions(all, phaseOf), results, end: { phase: "Failed", message }, message };
}

/** Hooks that go away now that the attempt ends. */
function hookDeletions(tasks: readonly SyncTask[], phaseOf: ReadonlyMap<string, string | undefined>): SyncStep[] {
  const steps: SyncStep[] = [];
  for (const task of tasks) {
    if (task.type !== "hook" || !task.live) continue;
    const policies = deletePolicies(task.object);
    const phase = phaseOf.get(task.id);
    const goes =
      (phase === "Succeeded" && policies.includes("HookSucceeded")) ||
      ((phase === "Failed" || phase === "Error") && policies.includes("HookFailed"));
    if (goes) steps.push(deleteHook(task, task.live));
  }
  return steps;
}

/** What ends an operation that is terminated: the hooks that still run go away. */
export function planTermination(input: SyncInput): SyncStep[] {
  const phaseOf = new Map(input.results.map((result) => [resultId(result), result.hookPhase]));
  return makeTasks(input).flatMap((task) => {
    const { live } = task;
    const mine = live?.metadata.annotations?.[OPERATION_ANNOTATION] === input.attempt;
    return task.type === "hook" && live && mine && phaseOf.get(task.id) === "Running" ? [deleteHook(task, live)] : [];
  });
}

function waitingFor(tasks: readonly SyncTask[]): string {
  const [first] = tasks;
  if (!first) return "";
  const more = tasks.length > 1 ? ` and ${tasks.length - 1} more ${first.type === "hook" ? "hooks" : "resources"}` : "";
  return first.type === "hook"
    ? `waiting for completion of hook ${text(first.object)}${more}`
    : `waiting for healthy state of ${text(first.object)}${more}`;
}

/** The result of a step that was tried. */
export function stepResult(step: SyncStep, error?: { message: string }): ResourceResult | undefined {
  const { task } = step;
  if (step.type === "delete") {
    if (step.reason === "hook") {
      return error
        ? resultOf(task, { hookPhase: "Error", message: `failed to delete hook: ${error.message}` })
        : undefined;
    }
    return error
      ? resultOf(task, { status: "SyncFailed", message: error.message, hookPhase: "Failed" })
      : resultOf(task, { status: "Pruned", message: "pruned", hookPhase: "Succeeded" });
  }
  if (error) return resultOf(task, { status: "SyncFailed", message: error.message, hookPhase: "Failed" });
  const { group } = groupVersionOf(task.object.apiVersion);
  const name = `${task.object.kind.toLowerCase()}${group ? `.${group}` : ""}/${task.object.metadata.name}`;
  const verb = step.replace
    ? "replaced"
    : task.type === "hook"
      ? "created"
      : step.changes
        ? "serverside-applied"
        : "unchanged";
  return resultOf(task, {
    ...(task.type === "hook" ? {} : { status: "Synced" as const }),
    message: `${name} ${verb}`,
    hookPhase: "Running",
  });
}

/** A result for a task that was refused before anything was done. */
export const refusedResult = (
  object: KubeObject,
  phase: "PreSync" | "Sync" | "PostSync" | "SyncFail",
  message: string,
): ResourceResult => {
  const { group, version } = groupVersionOf(object.apiVersion);
  return {
    group,
    version,
    kind: object.kind,
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name,
    status: "SyncFailed",
    message,
    hookPhase: "Failed",
    syncPhase: phase,
  };
};

export { taskId };
