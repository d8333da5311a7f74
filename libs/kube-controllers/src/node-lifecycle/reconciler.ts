import type { Clock } from "@tiphys/clock";
import type { Plan, Reconciler, Watch } from "@tiphys/controller";
import type { CacheChange, EventRecorder, Informers } from "@tiphys/kube";
import { type KubeObject, keyOf, types } from "@tiphys/resources";
import { isPodFinished } from "../shared.js";
import { describeWrite, perform, type Write } from "../writes.js";
import { disrupted, type NodeState, planNode } from "./plan.js";

const LEASES = "kube-node-lease";
/** How long pods of a node that is gone are left alone: it may come back. */
const QUARANTINE_MS = 40_000;

const byNode = { node: (pod: KubeObject) => (pod.spec?.nodeName ? [pod.spec.nodeName as string] : []) };

interface Parts {
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly clock: Clock;
}

/** Watches over nodes: their signs of life, their taints, and the pods that have to leave. */
export function nodeLifecycle({ informers, events, clock }: Parts): {
  readonly reconciler: Reconciler<NodeState, Write, KubeObject | undefined>;
  readonly watches: readonly Watch[];
} {
  const pods = informers.informer(types.pods, { indexes: byNode });
  const nodes = informers.informer(types.nodes);
  const leases = informers.informer(types.leases, { namespace: LEASES });
  const writing = { client: informers.client, events, manager: "kube-controller-manager" };
  const since = clock.now();
  /** What a node last said and when we heard it: clocks of nodes are not ours. */
  const heard = new Map<string, { said: string; at: Date }>();
  const hear = (name: string): Date => {
    const conditions = (nodes.get({ name })?.status?.conditions ?? []) as { lastHeartbeatTime?: string }[];
    const renewed: string = leases.get({ namespace: LEASES, name })?.spec?.renewTime ?? "";
    const said = `${renewed} ${conditions.map(({ lastHeartbeatTime = "" }) => lastHeartbeatTime).join()}`;
    const known = heard.get(name);
    if (known?.said === said) return known.at;
    const at = clock.now();
    heard.set(name, { said, at });
    return at;
  };
  leases.onChange(({ object }) => void hear(object.metadata.name));
  nodes.onChange(({ type, object }) => {
    if (type === "deleted") heard.delete(object.metadata.name);
    else hear(object.metadata.name);
  });
  const isTainted = (name: string) =>
    (nodes.get({ name })?.spec?.taints ?? []).some(({ effect }: { effect: string }) => effect === "NoExecute");
  return {
    reconciler: {
      async observe(node) {
        const { name } = node.metadata;
        return {
          node,
          lease: leases.get({ namespace: LEASES, name }),
          pods: pods.byIndex("node", name),
          seenAt: hear(name),
          since,
        };
      },
      plan: planNode,
      act: (write, signal) => perform(write, writing, signal),
      describe: describeWrite,
      digestOf: ({ node }) => ({ conditions: node.status?.conditions, taints: node.spec?.taints }),
    },
    watches: [
      {
        resource: types.pods,
        keys: ({ object, previous }: CacheChange) => {
          const name: string | undefined = object.spec?.nodeName;
          // A pod that stays where it is changes nothing for its node.
          if (!name || previous?.spec?.nodeName === name || !isTainted(name)) return [];
          return [{ name }];
        },
      },
      {
        resource: types.leases,
        namespace: LEASES,
        // A node that was taken for dead lives.
        keys: ({ object: { metadata } }) => {
          const conditions = (nodes.get({ name: metadata.name })?.status?.conditions ?? []) as { status: string }[];
          return conditions.some(({ status }) => status === "Unknown") ? [{ name: metadata.name }] : [];
        },
      },
    ],
  };
}

interface Orphan {
  readonly pod: KubeObject;
  readonly goneAt: Date;
}

/** Removes pods whose node does not exist any more: nobody else could. Keyed by pod. */
export function orphanedPods({ informers, events, clock }: Parts): {
  readonly reconciler: Reconciler<Orphan, Write, KubeObject | undefined>;
  readonly watches: readonly Watch[];
  concerns(pod: KubeObject): boolean;
} {
  const pods = informers.informer(types.pods, { indexes: byNode });
  const nodes = informers.informer(types.nodes);
  const writing = { client: informers.client, events, manager: "kube-controller-manager" };
  const gone = new Map<string, Date>();
  const isOrphan = (pod: KubeObject): boolean =>
    Boolean(pod.spec?.nodeName) && nodes.get({ name: pod.spec.nodeName }) === undefined;
  return {
    concerns: isOrphan,
    reconciler: {
      async observe(pod) {
        const name: string = pod.spec?.nodeName ?? "";
        if (!isOrphan(pod)) {
          gone.delete(name);
          return undefined;
        }
        const goneAt = gone.get(name) ?? clock.now();
        gone.set(name, goneAt);
        return { pod, goneAt };
      },
      plan: planOrphan,
      act: (write, signal) => perform(write, writing, signal),
      describe: describeWrite,
      digestOf: ({ pod }) => ({ node: pod.spec?.nodeName }),
    },
    watches: [
      {
        resource: types.nodes,
        keys: ({ type, object }) => (type === "deleted" ? pods.byIndex("node", object.metadata.name).map(keyOf) : []),
      },
    ],
  };
}

function planOrphan({ pod, goneAt }: Orphan, now: Date): Plan<Write> {
  const reasons = [{ code: "NodeGone", message: `node ${pod.spec.nodeName} no longer exists` }];
  const at = new Date(goneAt.getTime() + QUARANTINE_MS);
  if (at > now) return { actions: [], reasons, lookAgainAt: at };
  const conditions = disrupted(pod, "DeletionByPodGC", "PodGC: node no longer exists", now);
  const body = { status: { phase: "Failed", conditions } };
  const mark: Write = { do: "patch", type: types.pods, object: pod, body, subresource: "status", unlocked: true };
  return {
    actions: [
      ...(isPodFinished(pod) ? [] : [mark]),
      { do: "delete", type: types.pods, object: pod, gracePeriodSeconds: 0 },
    ],
    reasons,
  };
}
