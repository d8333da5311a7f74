import type { WorkflowNodeStatus } from "@tiphys/resources";
import type { ContainerFact, PodFact, TaskResultFact } from "./facts.js";
import { isDone } from "./nodes.js";
import { resourcesDuration } from "./usage.js";

/** Start of the message of a node whose pod could not be created yet; such a pod is created, not missed. */
export const CREATING_FAILED = "creating the pod failed, will try again: ";

/** Exit code of the executor when it could not run or report the command. */
export const EXECUTOR_FAILED = 64;

/** What a pod, and what its executor reported, make of the pod's node. */
export function assessPod(
  node: WorkflowNodeStatus,
  pod: PodFact | undefined,
  result: TaskResultFact | undefined,
): Partial<WorkflowNodeStatus> {
  const assessed = assess(node, pod, result);
  const used = pod && isDone(assessed) ? resourcesDuration(pod.containers) : undefined;
  return used ? { ...assessed, resourcesDuration: used } : assessed;
}

function assess(
  node: WorkflowNodeStatus,
  pod: PodFact | undefined,
  result: TaskResultFact | undefined,
): Partial<WorkflowNodeStatus> {
  const reported = result?.completed ? outputsOf(result) : {};
  if (!pod) {
    // The executor reports before its container ends, so a report of success outlives the pod.
    if (result?.completed && result.outputs?.exitCode === "0" && !isBad(result.phase)) {
      return { phase: "Succeeded", progress: complete(node), ...reported };
    }
    return { phase: "Error", message: "pod deleted", ...reported };
  }
  const place = {
    ...(pod.ip ? { podIP: pod.ip } : {}),
    ...(pod.node ? { hostNodeName: pod.node } : {}),
    ...progressed(result?.progress ?? pod.progress),
  };
  switch (pod.phase) {
    case "Pending":
      return { ...place, phase: "Pending", message: waiting(pod) };
    case "Running":
      return { ...place, phase: "Running", message: undefined };
    case "Succeeded":
      if (isBad(result?.phase))
        return { ...place, ...reported, phase: result?.phase as "Error", message: result?.message };
      return {
        ...place,
        ...reported,
        ...exit(pod, result),
        phase: "Succeeded",
        message: undefined,
        progress: complete({ ...node, ...place }),
      };
    case "Failed": {
      const { phase, message } = isBad(result?.phase)
        ? { phase: result?.phase as "Error", message: result?.message }
        : failure(pod);
      return { ...place, ...reported, ...exit(pod, result), phase, message };
    }
    default:
      return { ...place, phase: node.phase ?? "Pending" };
  }
}

/** Progress that a step reports of itself; what is not `done/all` is nothing. */
function progressed(text: string | undefined): Partial<WorkflowNodeStatus> {
  const [, done, all] = /^(\d{1,9})\/(\d{1,9})$/.exec(text ?? "") ?? [];
  return all !== undefined && Number(all) > 0 && Number(done) <= Number(all) ? { progress: `${done}/${all}` } : {};
}

const complete = ({ progress }: WorkflowNodeStatus): string => {
  const all = progress?.split("/")[1] ?? "1";
  return `${all}/${all}`;
};

const isBad = (phase: string | undefined): boolean => phase === "Error" || phase === "Failed";

function outputsOf(result: TaskResultFact): Partial<WorkflowNodeStatus> {
  return { ...(result.outputs ? { outputs: result.outputs } : {}), taskResultSynced: true };
}

function exit(pod: PodFact, result: TaskResultFact | undefined): Partial<WorkflowNodeStatus> {
  const main = pod.containers.find((container) => container.kind === "main")?.terminated;
  const exitCode = main ? String(main.exitCode) : result?.outputs?.exitCode;
  return exitCode === undefined ? {} : { outputs: { ...result?.outputs, exitCode } };
}

function waiting(pod: PodFact): string | undefined {
  for (const { waiting: reason } of pod.containers) {
    if (!reason?.reason || reason.reason === "ContainerCreating" || reason.reason === "PodInitializing") continue;
    return reason.message ? `${reason.reason}: ${reason.message}` : reason.reason;
  }
  return pod.message;
}

function failure(pod: PodFact): { phase: "Failed" | "Error"; message: string } {
  if (pod.message) return { phase: "Failed", message: pod.message };
  const ended = (kind: ContainerFact["kind"]) =>
    pod.containers.filter((c) => c.kind === kind && (c.terminated?.exitCode ?? 0) !== 0);
  const init = ended("init")[0];
  if (init) return { phase: "Error", message: describe(init, `${init.name}: `) };
  const main = ended("main")[0];
  if (main) {
    if (main.terminated?.exitCode === EXECUTOR_FAILED) return { phase: "Error", message: describe(main, "") };
    return { phase: "Failed", message: describe(main, "") };
  }
  // A side car that was told to stop ends with 137 or 143; that is no failure of the step.
  const side = ended("sidecar").find((c) => ![137, 143].includes(c.terminated?.exitCode ?? 0));
  if (side) return { phase: "Failed", message: describe(side, `${side.name}: `) };
  return { phase: "Failed", message: "pod failed for an unknown reason" };
}

function describe(container: ContainerFact, prefix: string): string {
  const { reason, exitCode, message } = container.terminated ?? { exitCode: 0 };
  return `${prefix}${reason ?? "Error"} (exit code ${exitCode})${message ? `: ${message}` : ""}`;
}
