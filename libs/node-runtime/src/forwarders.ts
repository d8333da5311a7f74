import type { KubeObject } from "@tiphys/resources";
import { allContainers } from "./plan.js";
import type { PodRecord } from "./record.js";

/** Annotation of a pod that says where its ports really are: `{"8080":"127.0.0.1:23456"}`. */
export const FORWARDERS = "tiphys.dev/forwarders";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Name of the pod behind it, where known. */
  readonly pod?: string;
}

/** The annotation's value for a pod, or undefined when it has no ports. */
export function forwardersOf(record: PodRecord, pod: KubeObject): string | undefined {
  const table: Record<string, string> = {};
  for (const container of allContainers(pod)) {
    for (const { containerPort } of (container["ports"] ?? []) as { containerPort: number }[]) {
      const port = record.ports[`${container.name}/${containerPort}`];
      if (port !== undefined) table[containerPort] = `127.0.0.1:${port}`;
    }
  }
  return Object.keys(table).length === 0 ? undefined : JSON.stringify(table);
}

/** Where `port` of the pod really is, as its node says. */
export function forwarderOf(pod: KubeObject, port: number): Endpoint | undefined {
  const text = pod.metadata.annotations?.[FORWARDERS];
  if (!text) return undefined;
  try {
    const value = (JSON.parse(text) as Record<string, string>)[port];
    const match = /^(127\.0\.0\.1):(\d+)$/.exec(value ?? "");
    return match ? { host: match[1]!, port: Number(match[2]) } : undefined;
  } catch {
    return undefined;
  }
}
