import { deepEqual } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import type { Reason, Reconciler, Watch } from "@tiphys/controller";
import {
  type CacheChange,
  type EventRecorder,
  type Informers,
  isNotFound,
  type LabelSelector,
  matchesSelector,
} from "@tiphys/kube";
import { requestsOf } from "@tiphys/kube-values";
import { controllerOf, type KubeObject, keyOf, keyText, type ObjectKey, types } from "@tiphys/resources";
import { isPodFinished, timeText } from "../shared.js";
import { SchedulingCluster } from "./cluster.js";
import type { Rule } from "./filters.js";
import { planBinding, type SchedulerAction, type SchedulerState } from "./plan.js";

const NAME = "default-scheduler";
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 10_000;
const AGAIN_MS = 5 * 60_000;

/** True for pods that this scheduler has to find a node for. */
export const waitsForNode = (pod: KubeObject): boolean =>
  !pod.spec?.nodeName &&
  !pod.metadata.deletionTimestamp &&
  !isPodFinished(pod) &&
  (pod.spec?.schedulerName ?? NAME) === NAME;

/** A pod that has been tried in vain. */
interface Waiting {
  readonly key: ObjectKey;
  readonly generation: number | undefined;
  readonly labels: unknown;
  readonly rules: ReadonlySet<Rule>;
  readonly reasons: readonly Reason[];
  readonly attempts: number;
  readonly at: number;
  /** Something has happened that may help. */
  woken: boolean;
}

const left: readonly Rule[] = ["resources", "ports", "spread", "pod-affinity"];
const joined: readonly Rule[] = ["spread", "pod-affinity"];

/**
 * Finds a node for every pod that has none; to be run with one worker: two decisions at once could fill a node twice. Sums
 * over nodes follow the changes, and a pod that found no node is tried again only when something changes that could help it.
 */
export function createScheduler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly clock: Clock;
}): {
  readonly reconciler: Reconciler<SchedulerState, SchedulerAction, void>;
  readonly watches: readonly Watch[];
  rank(key: ObjectKey): number;
} {
  const { informers, events, clock } = deps;
  const { client } = informers;
  const nodes = informers.informer(types.nodes);
  const pods = informers.informer(types.pods);
  const namespaces = informers.informer(types.namespaces);
  const services = informers.informer(types.services);
  const replicaSets = informers.informer(types.replicaSets);
  const cluster = new SchedulingCluster((name) => namespaces.get({ name })?.metadata.labels);
  const waiting = new Map<string, Waiting>();
  nodes.onChange(({ type, object }) => {
    if (type === "deleted") cluster.dropNode(object.metadata.name);
    else cluster.putNode(object);
  });
  pods.onChange(({ type, object }) => {
    if (type === "deleted") cluster.dropPod(object);
    else cluster.putPod(object);
    if (type === "deleted" || !waitsForNode(object)) waiting.delete(object.metadata.uid ?? "");
  });
  for (const node of nodes.list()) cluster.putNode(node);
  for (const pod of pods.list()) cluster.putPod(pod);

  /** Pods that broke one of `rules` and may be better off now. */
  const wake = (rules: readonly Rule[]): ObjectKey[] => {
    const keys: ObjectKey[] = [];
    for (const entry of waiting.values()) {
      if (entry.rules.size > 0 && !rules.some((rule) => entry.rules.has(rule))) continue;
      entry.woken = true;
      keys.push(entry.key);
    }
    return keys;
  };

  function nodeChanged({ type, object, previous }: CacheChange): ObjectKey[] {
    if (type === "deleted") return [];
    if (!previous) return wake(["unschedulable", "name", "taints", "node-affinity", ...left]);
    const rules: Rule[] = [];
    if (!deepEqual(object.status?.allocatable, previous.status?.allocatable)) rules.push("resources");
    if (!deepEqual(object.spec?.taints, previous.spec?.taints)) rules.push("taints");
    if (object.spec?.unschedulable !== previous.spec?.unschedulable) rules.push("unschedulable");
    if (!deepEqual(object.metadata.labels, previous.metadata.labels)) rules.push("node-affinity", ...joined);
    return rules.length > 0 ? wake(rules) : [];
  }

  function podChanged({ type, object, previous }: CacheChange): ObjectKey[] {
    if (!object.spec?.nodeName) return [];
    if (type === "deleted" || (isPodFinished(object) && previous && !isPodFinished(previous))) return wake(left);
    const moved = !previous?.spec?.nodeName || !deepEqual(object.metadata.labels, previous.metadata.labels);
    return moved ? wake(joined) : [];
  }

  /** The original spreads pods that a Service or their owner selects. */
  function selectedBy(pod: KubeObject): LabelSelector | undefined {
    const namespace = pod.metadata.namespace ?? "";
    const matchLabels: Record<string, string> = {};
    for (const { spec } of services.list(namespace)) {
      if (spec?.selector && matchesSelector({ matchLabels: spec.selector }, pod.metadata.labels)) {
        Object.assign(matchLabels, spec.selector);
      }
    }
    const owner = controllerOf(pod);
    const selector =
      owner?.kind === "ReplicaSet" ? replicaSets.get({ namespace, name: owner.name })?.spec.selector : undefined;
    if (!selector && Object.keys(matchLabels).length === 0) return undefined;
    return { ...selector, matchLabels: { ...matchLabels, ...selector?.matchLabels } };
  }

  function idleOf(pod: KubeObject): SchedulerState["idle"] {
    const entry = waiting.get(pod.metadata.uid ?? "");
    if (!entry) return undefined;
    const isSame = entry.generation === pod.metadata.generation && deepEqual(entry.labels, pod.metadata.labels);
    if (!isSame) return undefined;
    // The first hope is followed at once; a pod that goes on failing must not take the time of others.
    const patience = entry.attempts < 2 ? 0 : FIRST_WAIT_MS * 2 ** Math.min(entry.attempts - 2, 10);
    const wait = entry.woken ? Math.min(LONGEST_WAIT_MS, patience) : AGAIN_MS;
    const until = entry.at + wait;
    return until > clock.now().getTime() ? { until: new Date(until), reasons: entry.reasons } : undefined;
  }

  const reconciler: Reconciler<SchedulerState, SchedulerAction, void> = {
    async observe(pod) {
      if (!waitsForNode(pod) || cluster.isPlaced(pod)) return undefined;
      const idle = idleOf(pod);
      const selector = idle ? undefined : selectedBy(pod);
      return { pod, cluster, ...(idle ? { idle } : {}), ...(selector ? { selectedBy: selector } : {}) };
    },
    plan: planBinding,
    async act(action, signal) {
      const { pod } = action;
      const uid = pod.metadata.uid ?? "";
      if (action.do === "wait") {
        const before = waiting.get(uid);
        waiting.set(uid, {
          key: keyOf(pod),
          generation: pod.metadata.generation,
          labels: pod.metadata.labels,
          rules: new Set(action.rules),
          reasons: [{ code: "Unschedulable", message: action.problem }],
          attempts: (before?.attempts ?? 0) + 1,
          at: clock.now().getTime(),
          woken: false,
        });
        if (action.isNews) events.event(pod, "Warning", "FailedScheduling", action.problem);
        return;
      }
      if (action.do === "preempt") return preempt(action, signal);
      const { node } = action;
      const { name, namespace = "" } = pod.metadata;
      const binding: KubeObject = {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name, namespace, ...(uid ? { uid } : {}) },
        target: { apiVersion: "v1", kind: "Node", name: node },
      };
      // Its room is taken from now on: the next decision does not wait for the cluster to say so.
      cluster.assume(pod, node);
      try {
        await client.create(types.pods, binding, { subresource: "binding", signal });
      } catch (error) {
        cluster.dropPod(pod);
        throw error;
      }
      waiting.delete(uid);
      const message = `Successfully assigned ${keyText(keyOf(pod))} to ${node}`;
      events.event(pod, "Normal", "Scheduled", message);
    },
    describe(action) {
      if (action.do === "bind") return `bind Pod ${keyText(keyOf(action.pod))} to ${action.node}`;
      return action.do === "preempt" ? `preempt Pod ${keyText(keyOf(action.victim))}` : "wait";
    },
    digestOf: ({ pod, cluster: { nodes: all } }) => ({
      spec: { nodeSelector: pod.spec?.nodeSelector, requests: requestsOf(pod), affinity: pod.spec?.affinity },
      nodes: all.call(cluster).length,
    }),
  };

  async function preempt(
    { pod, node, victim }: Extract<SchedulerAction, { do: "preempt" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: "PreemptionByScheduler",
      message: `${NAME}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: timeText(clock.now()),
      ...(victim.metadata.generation === undefined ? {} : { observedGeneration: victim.metadata.generation }),
    };
    const others = ((victim.status?.conditions ?? []) as { type: string }[]).filter(
      ({ type }) => type !== condition.type,
    );
    const body = { status: { conditions: [...others, condition] } };
    try {
      await client.patch(types.pods, keyOf(victim), { type: "merge", body }, { subresource: "status", signal });
      const preconditions = { uid: victim.metadata.uid ?? "" };
      await client.delete(types.pods, keyOf(victim), { preconditions, signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return;
    }
    events.event(victim, "Normal", "Preempted", `Preempted by pod ${pod.metadata.uid} on node ${node}`);
  }

  return {
    reconciler,
    watches: [
      { resource: types.nodes, keys: nodeChanged },
      { resource: types.pods, keys: podChanged },
      { resource: types.namespaces, keys: () => [] },
      { resource: types.services, keys: () => [] },
      { resource: types.replicaSets, keys: () => [] },
    ],
    rank: (key) => pods.get(key)?.spec?.priority ?? 0,
  };
}
