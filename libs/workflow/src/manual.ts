import type { Workflow, WorkflowNodeStatus } from "@tiphys/resources";
import { isDone, stamp } from "./nodes.js";
import { packNodes, unpacked } from "./packed.js";

/** JSON merge patches of the manual operations; every client of the Kubernetes API may send the same. */
export const stopWorkflow = (): object => ({ spec: { shutdown: "Stop" } });
export const terminateWorkflow = (): object => ({ spec: { shutdown: "Terminate" } });
export const suspendWorkflow = (): object => ({ spec: { suspend: true } });

/** Clears the suspension and ends every Suspend node that waits. */
export function resumeWorkflow(workflow: Workflow, now: Date): object {
  const nodes: Record<string, Partial<WorkflowNodeStatus>> = {};
  const all = unpacked(workflow).status?.nodes ?? {};
  for (const node of Object.values(all)) {
    if (node.type === "Suspend" && !isDone(node)) nodes[node.id] = { phase: "Succeeded", finishedAt: stamp(now) };
  }
  if (Object.keys(nodes).length === 0) return { spec: { suspend: null } };
  if (!workflow.status?.["compressedNodes"]) return { spec: { suspend: null }, status: { nodes } };
  const changed = Object.entries(all).map(([id, node]) => [id, { ...node, ...nodes[id] }] as const);
  return { spec: { suspend: null }, status: { compressedNodes: packNodes(Object.fromEntries(changed)) } };
}
