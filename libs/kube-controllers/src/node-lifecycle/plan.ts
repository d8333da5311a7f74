import type { Plan, Reason } from "@tiphys/controller";
import { type Condition, type KubeObject, keyText, types } from "@tiphys/resources";
import { type Taint, tolerates, tolerationsOf } from "../scheduler/selectors.js";
import { isPodFinished, isPodReady, timeText } from "../shared.js";
import type { Write } from "../writes.js";
import { wantedTaints } from "./taints.js";

export interface NodeState {
  readonly node: KubeObject;
  readonly lease: KubeObject | undefined;
  readonly pods: readonly KubeObject[];
  /** When we last saw a sign of life of it, on our own clock. */
  readonly seenAt: Date;
  /** Since when we watch: no time counts against a pod while nobody could have renewed anything. */
  readonly since: Date;
}

/** How long a node may say nothing, unless its lease promises less often. */
const GRACE_MS = 50_000;
const reported = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/** A silent node is not known to be ready; what that means for its pods is in taints and their tolerations. */
export function planNode(state: NodeState, now: Date): Plan<Write> {
  const { node, lease, pods, seenAt, since } = state;
  if (node.metadata.deletionTimestamp) return { actions: [], reasons: [] };
  const grace = Math.max(GRACE_MS, (lease?.spec?.leaseDurationSeconds ?? 0) * 1000);
  const silentAt = new Date(seenAt.getTime() + grace);
  const before = (node.status?.conditions ?? []) as Condition[];
  const conditions = silentAt <= now ? unknown(before, node, now) : before;
  const ready = (list: readonly Condition[]) => list.find(({ type }) => type === "Ready")?.status;
  const actions: Write[] = [];
  const reasons: Reason[] = [];
  if (conditions !== before) {
    reasons.push({
      code: "NodeStatusUnknown",
      message: "Kubelet stopped posting node status.",
      about: node.metadata.name,
    });
    if (ready(before) === "True") {
      const message = `Node ${node.metadata.name} status is now: NodeNotReady`;
      actions.push({ do: "tell", tell: { about: node, type: "Normal", reason: "NodeNotReady", message } });
    }
  }
  if (ready(conditions) !== undefined && ready(conditions) !== "True") {
    actions.push(...pods.filter(isPodReady).map((pod) => markNotReady(pod, now)));
  }
  const taints = wantedTaints(node, conditions, now);
  const eviction = evictions(pods, taints ?? node.spec?.taints ?? [], since, now);
  actions.push(...eviction.writes);
  const times = [silentAt > now ? silentAt : undefined, eviction.next].filter((time) => time !== undefined);
  const first = times.sort((a, b) => a.getTime() - b.getTime())[0];
  return {
    status: { ...node.status, ...(conditions.length > 0 ? { conditions } : {}) },
    ...(taints ? { patch: { spec: { taints: taints.length > 0 ? taints : null } } } : {}),
    actions,
    reasons,
    ...(first ? { lookAgainAt: first } : {}),
  };
}

function unknown(conditions: readonly Condition[], node: KubeObject, now: Date): readonly Condition[] {
  const time = timeText(now);
  const known = new Map(conditions.map((condition) => [condition.type, condition]));
  let changed = false;
  for (const type of reported) {
    const current = known.get(type);
    if (current?.status === "Unknown") continue;
    changed = true;
    const stopped = { reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." };
    const never = { reason: "NodeStatusNeverUpdated", message: "Kubelet never posted node status." };
    const heartbeat = { lastHeartbeatTime: node.metadata.creationTimestamp };
    const next: Condition = current
      ? { ...current, status: "Unknown", ...stopped, lastTransitionTime: time }
      : ({ type, status: "Unknown", ...never, ...heartbeat, lastTransitionTime: time } as Condition);
    known.set(type, next);
  }
  return changed ? [...known.values()] : conditions;
}

/** Nobody answers for the pods of a node that is not ready: Services leave them out. */
function markNotReady(pod: KubeObject, now: Date): Write {
  const conditions = ((pod.status?.conditions ?? []) as Condition[]).map((condition) =>
    condition.type === "Ready" ? { ...condition, status: "False", lastTransitionTime: timeText(now) } : condition,
  );
  return {
    do: "patch",
    type: types.pods,
    object: pod,
    body: { status: { conditions } },
    subresource: "status",
    tell: { about: pod, type: "Warning", reason: "NodeNotReady", message: "Node is not ready" },
  };
}

/** Pods that a NoExecute taint drives out: at once, or when their toleration of it ends. */
function evictions(
  pods: readonly KubeObject[],
  all: readonly Taint[],
  watched: Date,
  now: Date,
): { writes: Write[]; next?: Date } {
  const taints = all.filter(({ effect }) => effect === "NoExecute");
  const writes: Write[] = [];
  let next: Date | undefined;
  if (taints.length === 0) return { writes };
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp || isPodFinished(pod)) continue;
    const at = evictedAt(pod, taints, watched, now);
    if (at === undefined) continue;
    if (at <= now) writes.push(...evict(pod, now));
    else if (!next || at < next) next = at;
  }
  return { writes, ...(next ? { next } : {}) };
}

function evictedAt(pod: KubeObject, taints: readonly Taint[], watched: Date, now: Date): Date | undefined {
  let first: number | undefined;
  for (const taint of taints) {
    const tolerations = tolerationsOf(pod).filter((toleration) => tolerates(toleration, taint));
    if (tolerations.length === 0) return now;
    const limits = tolerations.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
    if (limits.length === 0) continue;
    const since = Math.max(
      watched.getTime(),
      taint.timeAdded ? Date.parse(taint.timeAdded) : now.getTime(),
      Date.parse(pod.metadata.creationTimestamp ?? "") || 0,
    );
    const at = since + Math.max(0, Math.min(...limits)) * 1000;
    first = first === undefined ? at : Math.min(first, at);
  }
  return first === undefined ? undefined : new Date(first);
}

/** `object` with the condition that says why it is disrupted. */
export function disrupted(pod: KubeObject, reason: string, message: string, now: Date): Record<string, unknown>[] {
  const conditions = (pod.status?.conditions ?? []) as { type: string }[];
  const { generation } = pod.metadata;
  return [
    ...conditions.filter(({ type }) => type !== "DisruptionTarget"),
    {
      type: "DisruptionTarget",
      status: "True",
      lastTransitionTime: timeText(now),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      reason,
      message,
    },
  ];
}

function evict(pod: KubeObject, now: Date): Write[] {
  const conditions = disrupted(pod, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", now);
  return [
    {
      do: "patch",
      type: types.pods,
      object: pod,
      body: { status: { conditions } },
      subresource: "status",
      unlocked: true,
    },
    {
      do: "delete",
      type: types.pods,
      object: pod,
      tell: {
        about: pod,
        type: "Normal",
        reason: "TaintManagerEviction",
        message: `Marking for deletion Pod ${keyText(pod.metadata)}`,
      },
    },
  ];
}
