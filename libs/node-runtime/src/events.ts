import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { KubeClient } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";

/** Different events that are remembered for counting. */
const REMEMBERED = 500;
const MESSAGE_LENGTH = 1024;

/** Writes pod events as a kubelet does; the same one again raises its count. Never fails its caller. */
export function createEvents(client: KubeClient, nodeName: string, clock: Clock, log: Logger) {
  const known = new Map<string, { name: string; count: number }>();
  let queue: Promise<void> = Promise.resolve();

  async function write(pod: KubeObject, type: "Normal" | "Warning", reason: string, message: string): Promise<void> {
    const namespace = pod.metadata.namespace ?? "default";
    const text = message.slice(0, MESSAGE_LENGTH);
    const id = `${pod.metadata.uid}/${reason}/${text}`;
    const at = clock
      .now()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");
    const old = known.get(id);
    if (old) {
      old.count++;
      const body = { count: old.count, lastTimestamp: at };
      await client.patch(types.events, { namespace, name: old.name }, { type: "merge", body });
      return;
    }
    const name = `${pod.metadata.name}.${clock.now().getTime().toString(16)}${known.size.toString(16)}`;
    known.set(id, { name, count: 1 });
    if (known.size > REMEMBERED) known.delete(known.keys().next().value!);
    await client.create(types.events, {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: {
        apiVersion: "v1",
        kind: "Pod",
        name: pod.metadata.name,
        namespace,
        uid: pod.metadata.uid,
        resourceVersion: pod.metadata.resourceVersion,
      },
      type,
      reason,
      message: text,
      source: { component: "kubelet", host: nodeName },
      reportingComponent: "kubelet",
      reportingInstance: nodeName,
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
    });
  }

  return {
    write(pod: KubeObject, type: "Normal" | "Warning", reason: string, message: string): void {
      queue = queue
        .then(() => clock.track(write(pod, type, reason, message)))
        .catch((error) => log.debug("event is not written", { reason, error: messageOf(error) }));
    },
    flush: (): Promise<void> => queue,
  };
}
