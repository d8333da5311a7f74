import type { WorkflowNodeStatus } from "@tiphys/resources";
import type { Nodes } from "./nodes.js";
import { type ResourcesDuration, sumDurations } from "./usage.js";

export interface Totals {
  /** `done/all`. */
  readonly progress: string;
  readonly resourcesDuration?: ResourcesDuration;
}

/** Writes the progress of pods, and what they took, into every node above them; gives that of the whole run. */
export function sumUp(nodes: Nodes): Totals {
  const parents = new Map<string, string>();
  for (const node of nodes.all()) {
    if (!["Retry", "TaskGroup", "StepGroup"].includes(node.type)) continue;
    // A group holds what lies in its boundary; what follows it is linked to it as well.
    for (const child of node.children ?? [])
      if (nodes.byId(child)?.name.startsWith(node.name)) parents.set(child, node.id);
  }
  const sums = new Map<string, [number, number]>();
  const total: [number, number] = [0, 0];
  const durations = new Map<string, ResourcesDuration>();
  let duration: ResourcesDuration | undefined;
  for (const node of nodes.all()) {
    if (node.type !== "Pod") continue;
    const [done, all] = (node.progress ?? "0/1").split("/").map(Number) as [number, number];
    total[0] += done;
    total[1] += all;
    const { resourcesDuration: own } = node;
    if (own) duration = sumDurations(duration, own);
    for (const above of ancestors(nodes, parents, node)) {
      if (own) durations.set(above, sumDurations(durations.get(above), own));
      const sum = sums.get(above) ?? [0, 0];
      sums.set(above, [sum[0] + done, sum[1] + all]);
    }
  }
  for (const [id, [done, all]] of sums) {
    const node = nodes.byId(id);
    const taken = durations.get(id);
    if (node) nodes.update(node, { progress: `${done}/${all}`, ...(taken ? { resourcesDuration: taken } : {}) });
  }
  return { progress: `${total[0]}/${total[1]}`, ...(duration ? { resourcesDuration: duration } : {}) };
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
