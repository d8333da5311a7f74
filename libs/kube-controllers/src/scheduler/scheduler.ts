import type { Plan, Reconciler, Watch } from "@tiphys/controller";
import type { EventRecorder, Informers } from "@tiphys/kube";
import { type Condition, type KubeObject, keyOf, keyText, types } from "@tiphys/resources";
import { isPodFinished, sum, timeText, withCondition } from "../shared.js";
import { type Candidate, obstacles, requestsOf, unknownRules } from "./fit.js";

const NAME = "default-scheduler";
const UNSCHEDULED = "unscheduled";

export interface SchedulerState {
  readonly pod: KubeObject;
  readonly candidates: readonly Candidate[];
}

export type SchedulerAction =
  | { readonly do: "bind"; readonly pod: KubeObject; readonly node: string }
  | { readonly do: "tell"; readonly pod: KubeObject; readonly problem: string };

const waits = (pod: KubeObject): boolean =>
  !pod.spec?.nodeName &&
  !pod.metadata.deletionTimestamp &&
  !isPodFinished(pod) &&
  (pod.spec?.schedulerName ?? NAME) === NAME;

/** Finds a node for every pod that has none. To be run with one worker: two decisions at once could fill a node twice. */
export function schedulerReconciler(deps: {
  readonly informers: Informers;
  readonly events: EventRecorder;
}): Reconciler<SchedulerState, SchedulerAction, void> {
  const { client } = deps.informers;
  const nodes = deps.informers.informer(types.nodes);
  const pods = podsByNode(deps.informers);
  return {
    async observe(pod) {
      if (!waits(pod)) return undefined;
      const candidates = nodes.list().map((node) => ({
        node,
        pods: pods.byIndex("node", node.metadata.name).filter((other) => !isPodFinished(other)),
      }));
      return { pod, candidates };
    },
    plan: planBinding,
    async act(action, signal) {
      const { pod } = action;
      if (action.do === "tell") {
        deps.events.event(pod, "Warning", "FailedScheduling", action.problem);
        return;
      }
      const { node } = action;
      const { name, uid, namespace = "" } = pod.metadata;
      const binding: KubeObject = {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name, namespace, ...(uid ? { uid } : {}) },
        target: { apiVersion: "v1", kind: "Node", name: node },
      };
      await client.create(types.pods, binding, { subresource: "binding", signal });
      // A binding does not answer the pod, and the next decision has to know that its room is taken.
      await client.get(types.pods, keyOf(pod), { signal });
      const message = `Successfully assigned ${keyText(keyOf(pod))} to ${node}`;
      deps.events.event(pod, "Normal", "Scheduled", message);
    },
    describe: (action) =>
      action.do === "bind" ? `bind Pod ${keyText(keyOf(action.pod))} to ${action.node}` : "tell FailedScheduling",
    digestOf: ({ pod, candidates }) => ({
      spec: { nodeSelector: pod.spec?.nodeSelector, requests: requestsOf(pod) },
      nodes: candidates.map(({ node, pods: there }) => ({ name: node.metadata.name, pods: there.length })),
    }),
  };
}

const podsByNode = (informers: Informers) =>
  informers.informer(types.pods, {
    indexes: {
      node: (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []),
      [UNSCHEDULED]: (pod) => (waits(pod) ? [""] : []),
    },
  });

/** Every waiting pod gets another chance when a node changes, or a pod leaves one. */
export function schedulingWatches(informers: Informers): Watch[] {
  const pods = podsByNode(informers);
  const waiting = () => pods.byIndex(UNSCHEDULED, "").map(keyOf);
  return [
    { resource: types.nodes, keys: waiting },
    {
      resource: types.pods,
      keys: ({ type, object, previous }) => {
        const leaves = type === "deleted" || (isPodFinished(object) && previous && !isPodFinished(previous));
        return leaves && object.spec?.nodeName ? waiting() : [];
      },
    },
  ];
}

export function planBinding({ pod, candidates }: SchedulerState, now: Date): Plan<SchedulerAction> {
  const unknown = unknownRules(pod);
  if (unknown.length > 0) return unschedulable(pod, `not implemented by this scheduler: ${unknown.join(", ")}`, now);
  if (candidates.length === 0) return unschedulable(pod, "no nodes available to schedule pods", now);
  const problems = new Map<string, number>();
  const fitting: Candidate[] = [];
  for (const candidate of candidates) {
    const found = obstacles(pod, candidate);
    if (found.length === 0) fitting.push(candidate);
    for (const problem of found) problems.set(problem, (problems.get(problem) ?? 0) + 1);
  }
  const best = fitting.sort((a, b) => load(a) - load(b) || a.node.metadata.name.localeCompare(b.node.metadata.name))[0];
  if (best) return { actions: [{ do: "bind", pod, node: best.node.metadata.name }], reasons: [] };
  const listed = [...problems].map(([problem, count]) => `${count} ${problem}`).sort();
  return unschedulable(pod, `0/${candidates.length} nodes are available: ${listed.join(", ")}.`, now);
}

/** The emptier node wins; pods weigh alike when they ask for nothing. */
const load = ({ pods }: Candidate): number => sum(pods.map((pod) => 1 + (requestsOf(pod)["cpu"] ?? 0)));

function unschedulable(pod: KubeObject, message: string, now: Date): Plan<SchedulerAction> {
  const conditions = (pod.status?.conditions ?? []) as Condition[];
  const current = conditions.find((condition) => condition.type === "PodScheduled");
  const next: Condition = {
    type: "PodScheduled",
    status: "False",
    reason: "Unschedulable",
    message,
    lastTransitionTime: timeText(now),
  };
  const shown =
    current?.reason === "Unschedulable" && current.message !== message
      ? conditions.map((condition) => (condition === current ? { ...current, message } : condition))
      : withCondition(conditions, next);
  return {
    status: { ...pod.status, phase: pod.status?.phase ?? "Pending", conditions: shown },
    actions: current?.message === message ? [] : [{ do: "tell", pod, problem: message }],
    reasons: [{ code: "Unschedulable", message }],
  };
}
