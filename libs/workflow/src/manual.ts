import type { Workflow, WorkflowNodeStatus } from "@tiphys/resources";
import { isDone, stamp } from "./nodes.js";

/** JSON merge patches of the manual operations; every client of the Kubernetes API may send the same. */
export const stopWorkflow = (): object => ({ spec: { shutdown: "Stop" } });
export const terminateWorkflow = (): object => ({ spec: { shutdown: "Terminate" } });
export const suspendWorkflow = (): object => ({ spec: { suspend: true } });

/** Clears the suspension and ends every Suspend node that waits. */
export function resumeWorkflow(workflow: Workflow, now: Date): object {
  const nodes: Record<string, Partial<WorkflowNodeStatus>> = {};
  for (const node of Object.values(workflow.status?.nodes ?? {})) {
    if (node.type === "Suspend" && !isDone(node)) nodes[node.id] = { phase: "Succeeded", finishedAt: stamp(now) };
  }
  return {
    spec: { suspend: null },
    ...(Object.keys(nodes).length > 0 ? { status: { nodes } } : {}),
  };
}
