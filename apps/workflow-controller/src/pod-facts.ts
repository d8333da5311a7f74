import type { KubeObject, WorkflowTaskResult } from "@tiphys/resources";
import type { ContainerFact, PodFact, TaskResultFact } from "@tiphys/workflow";
import { RESULT_LABELS } from "./task-results.js";

export const NODE_ID = "workflows.argoproj.io/node-id";

interface ContainerStatus {
  name: string;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { exitCode: number; reason?: string; message?: string };
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
    containers: [
      ...containers(status.initContainerStatuses, () => "init"),
      ...containers(status.containerStatuses, (name) => (name === "main" ? "main" : "sidecar")),
    ],
  };
}

function containers(
  statuses: ContainerStatus[] | undefined,
  kind: (name: string) => ContainerFact["kind"],
): ContainerFact[] {
  return (statuses ?? []).map(({ name, state }) => ({
    name,
    kind: kind(name),
    ...(state?.waiting ? { waiting: state.waiting } : {}),
    ...(state?.terminated ? { terminated: state.terminated } : {}),
  }));
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
