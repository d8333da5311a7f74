import type { Plan, Reason } from "@tiphys/controller";
import type { LabelSelector } from "@tiphys/kube";
import type { Condition, KubeObject } from "@tiphys/resources";
import { timeText } from "../shared.js";
import type { NodeRoom, SchedulingCluster } from "./cluster.js";
import { type Obstacle, obstaclesFor, type Rule } from "./filters.js";
import { findPreemption, histogram } from "./preemption.js";
import { scoresOf } from "./scores.js";

export interface SchedulerState {
  readonly pod: KubeObject;
  readonly cluster: SchedulingCluster;
  /** What a Service or owner that selects the pod selects by: such pods are spread. */
  readonly selectedBy?: LabelSelector;
  /** Tried before, and nothing has changed that could help: until then. */
  readonly idle?: { readonly until: Date; readonly reasons: readonly Reason[] };
}

export type SchedulerAction =
  | { readonly do: "bind"; readonly pod: KubeObject; readonly node: string }
  | {
      readonly do: "wait";
      readonly pod: KubeObject;
      readonly problem: string;
      readonly isNews: boolean;
      readonly rules: readonly Rule[];
    }
  | { readonly do: "preempt"; readonly pod: KubeObject; readonly node: string; readonly victim: KubeObject };

/** Looked at again although nothing seems to have changed, as the original does. */
const AGAIN_MS = 5 * 60_000;

export function planBinding(state: SchedulerState, now: Date): Plan<SchedulerAction> {
  const { pod, cluster, idle } = state;
  if (idle) return { actions: [], reasons: idle.reasons, lookAgainAt: idle.until };
  if (pod.spec?.schedulingGates?.length > 0) {
    const message = "Scheduling is blocked due to non-empty scheduling gates";
    return { actions: [], reasons: [{ code: "SchedulingGated", message, about: "spec.schedulingGates" }] };
  }
  if (pod.spec?.resourceClaims?.length > 0) {
    return unschedulable(pod, "not implemented by this scheduler: spec.resourceClaims", [], undefined, now);
  }
  const rooms = cluster.nodes();
  if (rooms.length === 0) return unschedulable(pod, "no nodes available to schedule pods", [], undefined, now);
  const obstacleAt = obstaclesFor(pod, cluster);
  const obstacles = new Map<NodeRoom, Obstacle>();
  const fitting: NodeRoom[] = [];
  for (const room of rooms) {
    const obstacle = obstacleAt(room);
    if (obstacle) obstacles.set(room, obstacle);
    else fitting.push(room);
  }
  if (fitting.length > 0) {
    const node = best(state, fitting);
    return { actions: [{ do: "bind", pod, node }], reasons: [] };
  }
  const found = [...obstacles.values()];
  const rules = [...new Set(found.map(({ rule }) => rule))];
  const why = `0/${rooms.length} nodes are available: ${histogram(found.flatMap(({ reasons }) => reasons))}.`;
  const preemption = findPreemption(pod, cluster, obstacles);
  if ("problem" in preemption) {
    // The words between are of the original's plugin for resource claims, which has a say in every failure.
    const message = `${why} no new claims to deallocate, preemption: ${preemption.problem}`;
    return unschedulable(pod, message, rules, undefined, now);
  }
  const { node, victims } = preemption;
  const waiting = unschedulable(pod, why, rules, node, now);
  const actions = victims
    .filter((victim) => !victim.metadata.deletionTimestamp)
    .map((victim) => ({ do: "preempt" as const, pod, node, victim }));
  return { ...waiting, actions: [...actions, ...waiting.actions] };
}

function best({ pod, cluster, selectedBy }: SchedulerState, fitting: readonly NodeRoom[]): string {
  const name = ({ node }: NodeRoom) => (node as KubeObject).metadata.name;
  const [first] = fitting as readonly [NodeRoom];
  if (fitting.length === 1) return name(first);
  const nominated = fitting.find((room) => name(room) === pod.status?.nominatedNodeName);
  if (nominated) return name(nominated);
  const scores = scoresOf(pod, fitting, cluster, selectedBy);
  // Equal nodes take turns: the one with fewer pods.
  let at = 0;
  for (let other = 1; other < fitting.length; other++) {
    const difference = (scores[other] as number) - (scores[at] as number);
    const fewer = (fitting[other] as NodeRoom).pods.size < (fitting[at] as NodeRoom).pods.size;
    if (difference > 0 || (difference === 0 && fewer)) at = other;
  }
  return name(fitting[at] as NodeRoom);
}

function unschedulable(
  pod: KubeObject,
  message: string,
  rules: readonly Rule[],
  nominated: string | undefined,
  now: Date,
): Plan<SchedulerAction> {
  const conditions = (pod.status?.conditions ?? []) as Condition[];
  const current = conditions.find((condition) => condition.type === "PodScheduled");
  const { nominatedNodeName: _nominated, ...status } = pod.status ?? {};
  const next: Condition = {
    type: "PodScheduled",
    status: "False",
    lastTransitionTime: current?.status === "False" ? (current.lastTransitionTime as string) : timeText(now),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    reason: "Unschedulable",
    message,
  };
  const stays = nominated ?? (message.includes("terminating pod on the nominated node") ? _nominated : undefined);
  return {
    status: {
      ...status,
      phase: status.phase ?? "Pending",
      conditions: [...conditions.filter((condition) => condition !== current), next],
      ...(stays ? { nominatedNodeName: stays } : {}),
    },
    actions: [{ do: "wait", pod, problem: message, isNews: current?.message !== message, rules }],
    reasons: [{ code: "Unschedulable", message }],
    lookAgainAt: new Date(now.getTime() + AGAIN_MS),
  };
}
