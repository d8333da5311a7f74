import type { KubeObject } from "@tiphys/resources";
import type { ResourceLimits } from "./cgroups.js";
import { allContainers, type PodContainer } from "./plan.js";
import { quantity } from "./quantity.js";

/** What a container asks for and may have, as its spec says it. */
export interface ContainerResources {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

/** A change of running containers' sizes that is not done. */
export interface ResizeState {
  readonly type: "PodResizePending" | "PodResizeInProgress";
  readonly reason: "Infeasible" | "Deferred" | "Error";
  readonly message: string;
}

/** Processors and bytes. */
export interface NodeSize {
  readonly cpu: number;
  readonly memory: number;
}

const SIZES = ["cpu", "memory"] as const;
export const resourcesOf = (container: PodContainer): ContainerResources => container["resources"] ?? {};

/** Sizes in which `wanted` differs from what a container has. */
export function changedSizes(wanted: ContainerResources, has: ContainerResources): readonly ("cpu" | "memory")[] {
  return SIZES.filter((size) =>
    (["requests", "limits"] as const).some((kind) => quantity(wanted[kind]?.[size]) !== quantity(has[kind]?.[size])),
  );
}

/** True when a container has to be started anew for these sizes to change. */
export const needsRestart = (container: PodContainer, sizes: readonly string[]): boolean =>
  (container["resizePolicy"] ?? []).some(
    (policy: { resourceName: string; restartPolicy: string }) =>
      policy.restartPolicy === "RestartContainer" && sizes.includes(policy.resourceName),
  );

export const limitsOf = ({ limits }: ContainerResources): ResourceLimits => ({
  ...(limits?.["memory"] === undefined ? {} : { memory: quantity(limits["memory"]) }),
  ...(limits?.["cpu"] === undefined ? {} : { cpu: quantity(limits["cpu"]) }),
});

/** What all containers of a pod that run side by side ask for. */
export function requestsOf(pod: KubeObject): NodeSize {
  const total = { cpu: 0, memory: 0 };
  for (const container of allContainers(pod)) {
    for (const size of SIZES) total[size] += quantity(resourcesOf(container).requests?.[size]);
  }
  return total;
}

/** Why the sizes that a pod asks for cannot be given to it now; undefined when they can. */
export function resizeProblem(
  wanted: NodeSize,
  node: NodeSize,
  others: NodeSize,
): Omit<ResizeState, "type"> | undefined {
  const shown = (size: "cpu" | "memory", value: number) => (size === "cpu" ? Math.round(value * 1000) : value);
  for (const size of SIZES) {
    if (wanted[size] <= node[size]) continue;
    const message = `Node didn't have enough capacity: ${size}, requested: ${shown(size, wanted[size])}, capacity: ${shown(size, node[size])}`;
    return { reason: "Infeasible", message };
  }
  for (const size of SIZES) {
    if (wanted[size] + others[size] <= node[size]) continue;
    const message = `Node didn't have enough resource: ${size}, requested: ${shown(size, wanted[size])}, used: ${shown(size, others[size])}, capacity: ${shown(size, node[size])}`;
    return { reason: "Deferred", message };
  }
  return undefined;
}

export const NO_LIMITS =
  "limits of running containers cannot be changed on this node: it cannot make control groups (its runtime is not root)";
