import type { Endpoint } from "../forwarders.js";
import type { ContainerTarget } from "../kubelet-handler.js";
import { allContainers, everyContainer } from "../plan.js";
import type { PodWorker } from "../pod-worker.js";
import { listensOn } from "./listening.js";

/** Why a stream to `target` cannot begin. */
export function streamProblem(
  worker: PodWorker | undefined,
  { name, uid, container, running }: ContainerTarget,
  nodeName: string,
): { readonly code: number; readonly message: string } | undefined {
  if (!worker || (uid !== undefined && worker.record.uid !== uid)) {
    return { code: 404, message: `pod does not exist: node ${nodeName} does not run "${name}"` };
  }
  if (!running) {
    const alive = Object.values(worker.record.containers).some(({ state }) => state.phase === "running");
    return alive
      ? undefined
      : { code: 500, message: `pod not found ("${name}_${worker.record.namespace}") or not running` };
  }
  if (!everyContainer(worker.pod).some((one) => one.name === container)) {
    return { code: 404, message: `container not found ("${container}")` };
  }
  if (!worker.entrance(container ?? "")) return { code: 500, message: `container not found ("${container}")` };
  return undefined;
}

/**
 * Where a port of a pod is on this host. Pods share the host's network: a port that the pod does not declare is its own
 * only while one of its processes listens there.
 */
export async function podPort(worker: PodWorker | undefined, port: number): Promise<Endpoint | undefined> {
  if (!worker) return undefined;
  const found = Object.entries(worker.record.ports).find(([key]) => key.endsWith(`/${port}`));
  if (found) return { host: "127.0.0.1", port: found[1] };
  const roots = allContainers(worker.pod).flatMap(({ name }) => worker.entrance(name)?.process.pid ?? []);
  return (await listensOn(roots, port)) ? { host: "127.0.0.1", port } : undefined;
}
