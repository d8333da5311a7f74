import type { WorkflowNodeStatus } from "@tiphys/resources";
import type { Nodes } from "./nodes.js";

/** Writes `done/all` pods into every node above a pod, and gives that of the whole run. */
export function progressOf(nodes: Nodes): string {
  const parents = new Map<string, string>();
  for (const node of nodes.all()) {
    if (!["Retry", "TaskGroup", "StepGroup"].includes(node.type)) continue;
    // A group holds what lies in its boundary; what follows it is linked to it as well.
    for (const child of node.children ?? [])
      if (nodes.byId(child)?.name.startsWith(node.name)) parents.set(child, node.id);
  }
  const sums = new Map<string, [number, number]>();
  const total: [number, number] = [0, 0];
  for (const node of nodes.all()) {
    if (node.type !== "Pod") continue;
    const [done, all] = (node.progress ?? "0/1").split("/").map(Number) as [number, number];
    total[0] += done;
    total[1] += all;
    for (const above of ancestors(nodes, parents, node)) {
      const sum = sums.get(above) ?? [0, 0];
      sums.set(above, [sum[0] + done, sum[1] + all]);
    }
  }
  for (const [id, [done, all]] of sums) {
    const node = nodes.byId(id);
    if (node) nodes.update(node, { progress: `${done}/${all}` });
  }
  return `${total[0]}/${total[1]}`;
}

function ancestors(nodes: Nodes, parents: ReadonlyMap<string, string>, node: WorkflowNodeStatus): Set<string> {
  const found = new Set<string>();
  const open = [node];
  for (let next = open.pop(); next; next = open.pop()) {
    for (const id of [parents.get(next.id), next.boundaryID]) {
      const above = id && !found.has(id) ? nodes.byId(id) : undefined;
      if (!above) continue;
      found.add(above.id);
      open.push(above);
    }
  }
  return found;
}
