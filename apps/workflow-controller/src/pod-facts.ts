import type { KubeObject, WorkflowTaskResult } from "@tiphys/resources";
import { type ContainerFact, LABEL, type PodFact, type TaskResultFact } from "@tiphys/workflow";
import { RESULT_LABELS } from "./task-results.js";

export const NODE_ID = "workflows.argoproj.io/node-id";
const PROGRESS = "workflows.argoproj.io/progress";

interface ContainerStatus {
  name: string;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { exitCode: number; reason?: string; message?: string; startedAt?: string; finishedAt?: string };
  };
}

/** A pod as the engine sees it. */
export function podFact(pod: KubeObject): PodFact {
  const status = pod["status"] ?? {};
  const unscheduled = (status.conditions ?? []).find(
    (condition: { type: string; status: string }) => condition.type === "PodScheduled" && condition.status === "False",
  );
  const message =
    status.message ??
    (unscheduled ? `${unscheduled.reason ?? "Unschedulable"}: ${unscheduled.message ?? ""}` : undefined);
  return {
    name: pod.metadata.name,
    nodeId: pod.metadata.annotations?.[NODE_ID] ?? "",
    phase: status.phase ?? "Pending",
    ...(message ? { message } : {}),
    ...(status.podIP ? { ip: status.podIP } : {}),
    ...(pod["spec"]?.nodeName ? { node: pod["spec"].nodeName } : {}),
    ...(pod.metadata.deletionTimestamp ? { deleting: true } : {}),
    ...(pod.metadata.annotations?.[PROGRESS] ? { progress: pod.metadata.annotations[PROGRESS] } : {}),
    ...(pod.metadata.labels?.[LABEL.completed] === "true" ? { labelledCompleted: true } : {}),
    containers: [
      ...containers(status.initContainerStatuses, pod["spec"]?.initContainers, () => "init"),
      ...containers(status.containerStatuses, pod["spec"]?.containers, (name) =>
        name === "main" ? "main" : "sidecar",
      ),
    ],
  };
}

interface ContainerSpec {
  name: string;
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
}

function containers(
  statuses: ContainerStatus[] | undefined,
  specs: ContainerSpec[] | undefined,
  kind: (name: string) => ContainerFact["kind"],
): ContainerFact[] {
  return (statuses ?? []).map(({ name, state }) => {
    const resources = state?.terminated && specs?.find((spec) => spec.name === name)?.resources;
    return {
      name,
      kind: kind(name),
      ...(state?.waiting ? { waiting: state.waiting } : {}),
      ...(state?.terminated ? { terminated: state.terminated } : {}),
      ...(resources ? { resources: { ...resources.limits, ...resources.requests } } : {}),
    };
  });
}

/** A WorkflowTaskResult as the engine sees it. */
export function resultFact(result: WorkflowTaskResult | KubeObject): TaskResultFact {
  return {
    nodeId: result.metadata.name,
    completed: result.metadata.labels?.[RESULT_LABELS.completed] === "true",
    ...(result["phase"] ? { phase: result["phase"] } : {}),
    ...(result["message"] ? { message: result["message"] } : {}),
    ...(result["outputs"] ? { outputs: result["outputs"] } : {}),
    ...(result["progress"] ? { progress: result["progress"] } : {}),
  };
}
