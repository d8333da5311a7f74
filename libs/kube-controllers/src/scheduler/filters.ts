import { requestsOf } from "@tiphys/kube-values";
import type { KubeObject } from "@tiphys/resources";
import { hostPortsOf, type NodeRoom, type SchedulingCluster } from "./cluster.js";
import { taintsOf, tolerated, wantsNode } from "./selectors.js";
import { affinityCheck, spreadCheck } from "./topology.js";

/** Which rule a node broke; changes in the cluster are told apart by what they may cure. */
export type Rule =
  | "unschedulable"
  | "name"
  | "taints"
  | "node-affinity"
  | "ports"
  | "resources"
  | "spread"
  | "pod-affinity";

/** Why a pod cannot go to a node, in the original's words. */
export interface Obstacle {
  readonly rule: Rule;
  readonly reasons: readonly string[];
  /** Removing pods from the node cannot help. */
  readonly forGood: boolean;
}

/** The rules for one pod, with everything precomputed that does not depend on the node. The first obstacle counts. */
export function obstaclesFor(pod: KubeObject, cluster: SchedulingCluster): (room: NodeRoom) => Obstacle | undefined {
  const spread = spreadCheck(pod, cluster);
  const affinity = affinityCheck(pod, cluster);
  const ports = hostPortsOf(pod);
  const requests = Object.entries(requestsOf(pod)).filter(([, value]) => value > 0);
  return (room) => {
    const node = room.node as KubeObject;
    const local = atNode(pod, node);
    if (local) return local;
    if (ports.length > 0 && clashes(ports, room.hostPorts())) {
      return obstacle("ports", "node(s) didn't have free ports for the requested pod ports", false);
    }
    const short = shortages(requests, room);
    if (short) return short;
    const uneven = spread?.(room);
    if (uneven) {
      const words = "node(s) didn't match pod topology spread constraints";
      const missing = uneven === "missing";
      return obstacle("spread", missing ? `${words} (missing required label)` : words, missing);
    }
    switch (affinity?.(room)) {
      case "affinity":
        return obstacle("pod-affinity", "node(s) didn't match pod affinity rules", true);
      case "anti":
        return obstacle("pod-affinity", "node(s) didn't match pod anti-affinity rules", false);
      case "existing":
        return obstacle("pod-affinity", "node(s) didn't satisfy existing pods anti-affinity rules", false);
      default:
        return undefined;
    }
  };
}

const obstacle = (rule: Rule, reason: string, forGood: boolean): Obstacle => ({ rule, reasons: [reason], forGood });

/** What a node's own fields say, whatever else runs there. */
export function atNode(pod: KubeObject, node: KubeObject): Obstacle | undefined {
  const cordon = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };
  if (node.spec?.unschedulable && !tolerated(pod, cordon)) {
    return obstacle("unschedulable", "node(s) were unschedulable", true);
  }
  for (const taint of taintsOf(node)) {
    if (taint.effect === "PreferNoSchedule" || tolerated(pod, taint)) continue;
    return obstacle("taints", "node(s) had untolerated taint(s)", true);
  }
  if (wantsNode(pod, node)) return undefined;
  return obstacle("node-affinity", "node(s) didn't match Pod's node affinity/selector", true);
}

type Ports = ReturnType<typeof hostPortsOf>;
const ANY = "0.0.0.0";
const clashes = (wanted: Ports, taken: Ports): boolean =>
  wanted.some(({ ip, port, protocol }) =>
    taken.some(
      (other) =>
        other.port === port && other.protocol === protocol && (other.ip === ip || ip === ANY || other.ip === ANY),
    ),
  );

function shortages(requests: readonly (readonly [string, number])[], room: NodeRoom): Obstacle | undefined {
  const { allocatable, requested, pods } = room;
  const reasons: string[] = [];
  let forGood = false;
  if (pods.size + 1 > (allocatable["pods"] ?? 0)) reasons.push("Too many pods");
  for (const [name, value] of requests) {
    const has = allocatable[name] ?? 0;
    if (value <= has - (requested[name] ?? 0)) continue;
    reasons.push(`Insufficient ${name}`);
    if (value > has) forGood = true;
  }
  return reasons.length > 0 ? { rule: "resources", reasons, forGood } : undefined;
}
