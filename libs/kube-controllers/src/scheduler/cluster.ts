import { type Amounts, add, amountsOf, requestsOf } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { isPodFinished } from "../shared.js";
import { scoredRequestsOf } from "./requests.js";
import { hasPodAffinity, type NamespaceLabels } from "./selectors.js";

interface HostPort {
  readonly ip: string;
  readonly port: number;
  readonly protocol: string;
}

/** A node with the sums over its pods, kept up to date by what changes. */
export class NodeRoom {
  node: KubeObject | undefined;
  allocatable: Amounts = {};
  readonly pods = new Map<string, KubeObject>();
  readonly requested: Record<string, number> = {};
  readonly scored = { cpu: 0, memory: 0 };
  /** Pods of it with rules about other pods. */
  readonly withAffinity = new Map<string, KubeObject>();

  put(pod: KubeObject): void {
    const uid = pod.metadata.uid ?? "";
    this.take(uid);
    this.pods.set(uid, pod);
    if (hasPodAffinity(pod)) this.withAffinity.set(uid, pod);
    this.count(pod, 1);
  }

  take(uid: string): void {
    const pod = this.pods.get(uid);
    if (!pod) return;
    this.pods.delete(uid);
    this.withAffinity.delete(uid);
    this.count(pod, -1);
  }

  private count(pod: KubeObject, sign: 1 | -1): void {
    add(this.requested, requestsOf(pod), sign);
    const { cpu, memory } = scoredRequestsOf(pod);
    this.scored.cpu += sign * cpu;
    this.scored.memory += sign * memory;
  }

  hostPorts(): HostPort[] {
    return [...this.pods.values()].flatMap(hostPortsOf);
  }
}

export function hostPortsOf(pod: KubeObject): HostPort[] {
  type Container = { ports?: { hostPort?: number; hostIP?: string; protocol?: string }[]; restartPolicy?: string };
  const sidecars = ((pod.spec?.initContainers ?? []) as Container[]).filter((one) => one.restartPolicy === "Always");
  return [...((pod.spec?.containers ?? []) as Container[]), ...sidecars].flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, hostIP = "0.0.0.0", protocol = "TCP" }) =>
      hostPort ? [{ ip: hostIP || "0.0.0.0", port: hostPort, protocol }] : [],
    ),
  );
}

/**
 * All nodes with their sums. What the scheduler has bound counts from that moment on, before the cluster says so. Changes
 * cost what has changed, never a look at all pods.
 */
export class SchedulingCluster {
  private readonly rooms = new Map<string, NodeRoom>();
  private readonly placeOf = new Map<string, string>();
  private ready: NodeRoom[] | undefined;
  /** Pods with rules about other pods, anywhere. */
  affinityPods = 0;

  constructor(readonly namespaceLabels: NamespaceLabels) {}

  /** Nodes that exist, by name. */
  nodes(): readonly NodeRoom[] {
    this.ready ??= [...this.rooms.values()]
      .filter((room) => room.node !== undefined)
      .sort((a, b) => ((a.node as KubeObject).metadata.name < (b.node as KubeObject).metadata.name ? -1 : 1));
    return this.ready;
  }

  putNode(node: KubeObject): void {
    const room = this.room(node.metadata.name);
    if (room.node?.status?.allocatable !== node.status?.allocatable) {
      room.allocatable = amountsOf(node.status?.allocatable);
    }
    room.node = node;
    this.ready = undefined;
  }

  dropNode(name: string): void {
    const room = this.rooms.get(name);
    if (!room) return;
    room.node = undefined;
    if (room.pods.size === 0) this.rooms.delete(name);
    this.ready = undefined;
  }

  /** Takes over what is known of `pod`: where it is, or that it is nowhere. */
  putPod(pod: KubeObject): void {
    const uid = pod.metadata.uid ?? "";
    const node: string | undefined = isPodFinished(pod) ? undefined : pod.spec?.nodeName;
    // The cluster has not heard of our binding yet.
    if (node === undefined && !isPodFinished(pod) && this.placeOf.has(uid)) return;
    this.place(pod, node);
  }

  dropPod(pod: KubeObject): void {
    this.place(pod, undefined);
  }

  assume(pod: KubeObject, node: string): void {
    this.place(pod, node);
  }

  isPlaced(pod: KubeObject): boolean {
    return this.placeOf.has(pod.metadata.uid ?? "");
  }

  private place(pod: KubeObject, node: string | undefined): void {
    const uid = pod.metadata.uid ?? "";
    const before = this.placeOf.get(uid);
    if (before !== undefined) {
      const room = this.room(before);
      const old = room.pods.get(uid);
      if (old && hasPodAffinity(old)) this.affinityPods--;
      room.take(uid);
      this.placeOf.delete(uid);
      if (!room.node && room.pods.size === 0) this.rooms.delete(before);
    }
    if (node === undefined) return;
    this.room(node).put(pod);
    if (hasPodAffinity(pod)) this.affinityPods++;
    this.placeOf.set(uid, node);
  }

  private room(name: string): NodeRoom {
    let room = this.rooms.get(name);
    if (!room) {
      room = new NodeRoom();
      this.rooms.set(name, room);
    }
    return room;
  }
}
