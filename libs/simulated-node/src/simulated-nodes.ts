import type { Clock } from "@tiphys/clock";
import { createController } from "@tiphys/controller";
import { messageOf } from "@tiphys/errors";
import { createMemoryJournal } from "@tiphys/journal";
import { type Informers, isAlreadyExists, isNotFound } from "@tiphys/kube";
import { type KubeObject, keyOf, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import { type Logger, noMetrics } from "@tiphys/telemetry";
import { podStatus, type SimulatedFate, timeText } from "./pod-status.js";

/** Nodes with this label (and taint) are played, not run: nobody may take their pods for real ones. */
export const SIMULATED_LABEL = "tiphys.dev/simulated";
/** On a pod: its {@link SimulatedFate} as JSON. */
export const FATE_ANNOTATION = "tiphys.dev/fate";

/** The toleration a pod needs to be played. */
export const toleratesSimulation = { key: SIMULATED_LABEL, operator: "Exists", effect: "NoSchedule" } as const;

export interface SimulatedNodesDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Nodes it makes at its start. */
  readonly names?: readonly string[];
  /** Further labels, allocatable resources and taints of a node. */
  readonly shape?: (name: string) => {
    readonly labels?: Readonly<Record<string, string>>;
    readonly allocatable?: Readonly<Record<string, string>>;
    readonly taints?: readonly object[];
  };
  /** True: no taint, so that every pod may be played. For clusters that are simulated as a whole. */
  readonly open?: boolean;
  /** Absent, and no annotation: a pod is ready at once and runs until it is deleted. */
  readonly fate?: (pod: KubeObject) => SimulatedFate;
  /** Seconds between two signs of life of each node; a cluster takes one that is silent for four of them for dead. */
  readonly renewSeconds?: number;
}

type Step = { readonly do: "remove" };

const RENEW_SECONDS = 10;
const ROOM = { cpu: "64", memory: "256Gi", "ephemeral-storage": "1Ti", pods: "10000" };

/** Plays the kubelets of simulated nodes. */
export function createSimulatedNodes(deps: SimulatedNodesDeps): Service {
  const { informers, clock } = deps;
  const { client } = informers;
  const nodes = informers.informer(types.nodes);
  const renewSeconds = deps.renewSeconds ?? RENEW_SECONDS;
  const addresses = new Map<string, string>();
  let renewal = () => {};
  let stopped = false;
  const address = (uid: string) => {
    const known = addresses.get(uid) ?? `10.244.${addresses.size >> 8}.${(addresses.size & 255) + 1}`;
    addresses.set(uid, known);
    return known;
  };
  const isOurs = (pod: KubeObject): boolean => {
    const node = pod.spec?.nodeName ? nodes.get({ name: pod.spec.nodeName }) : undefined;
    return node?.metadata.labels?.[SIMULATED_LABEL] === "true";
  };
  const controller = createController<KubeObject, { pod: KubeObject; step: Step }, void>({
    name: "simulated-kubelet",
    resource: types.pods,
    statusSubresource: true,
    informers,
    clock,
    journal: createMemoryJournal(),
    log: deps.log,
    metrics: noMetrics,
    watches: [],
    concerns: (pod) => Boolean(pod.spec?.nodeName),
    reconciler: {
      async observe(pod) {
        return isOurs(pod) ? pod : undefined;
      },
      plan(pod, now) {
        const dying = pod.metadata.deletionTimestamp !== undefined;
        const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
        if (dying && (ended || !pod.metadata.finalizers?.length)) {
          return { actions: [{ pod, step: { do: "remove" } }], reasons: [] };
        }
        const startTime = pod.status?.startTime ?? now.toISOString();
        const start = Date.parse(startTime);
        const { readyAfter = 0, exitCode, endAfter = 0 } = fateOf(pod, deps.fate);
        const ends = exitCode === undefined ? undefined : start + endAfter;
        const finished = ends !== undefined && ends <= now.getTime();
        const ready = !finished && readyAfter >= 0 && start + readyAfter <= now.getTime();
        const times = [ends, readyAfter < 0 ? undefined : start + readyAfter].filter(
          (time): time is number => time !== undefined && time > now.getTime(),
        );
        return {
          status: ended
            ? pod.status
            : podStatus(pod, {
                now,
                startTime,
                ready,
                address: pod.status?.podIP ?? address(pod.metadata.uid ?? ""),
                killed: dying,
                ...(finished ? { exitCode } : {}),
              }),
          actions: [],
          reasons: [],
          ...(times.length > 0 && !ended ? { lookAgainAt: new Date(Math.min(...times)) } : {}),
        };
      },
      async act({ pod }, signal) {
        addresses.delete(pod.metadata.uid ?? "");
        // Held by a finalizer: asked once, the rest is its owner's.
        if (pod.metadata.deletionGracePeriodSeconds === 0 && pod.metadata.finalizers?.length) return;
        try {
          const preconditions = { uid: pod.metadata.uid ?? "" };
          await client.delete(types.pods, keyOf(pod), { gracePeriodSeconds: 0, preconditions, signal });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      },
      describe: ({ step }) => step.do,
    },
  });

  async function renew(name: string): Promise<void> {
    const spec = {
      holderIdentity: name,
      leaseDurationSeconds: renewSeconds * 4,
      renewTime: clock.now().toISOString().replace("Z", "000Z"),
    };
    const key = { namespace: "kube-node-lease", name };
    try {
      await client.patch(types.leases, key, { type: "merge", body: { spec } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: key, spec };
      await client.create(types.leases, lease);
    }
  }

  async function renewAll(): Promise<void> {
    await Promise.all(
      (deps.names ?? []).map((name) =>
        renew(name).catch((problem: unknown) =>
          deps.log.warn("simulated node not renewed", { node: name, problem: messageOf(problem) }),
        ),
      ),
    );
    if (stopped) return;
    const next = new Date(clock.now().getTime() + renewSeconds * 1000);
    renewal = clock.at(next, () => void clock.track(renewAll()));
  }

  return {
    name: "simulated-nodes",
    async start() {
      for (const name of deps.names ?? []) {
        const node = simulatedNode(name, clock.now(), deps);
        await client.create(types.nodes, node).catch((error: unknown) => {
          if (!isAlreadyExists(error)) throw error;
        });
        const body = { status: node.status };
        await client.patch(types.nodes, { name }, { type: "merge", body }, { subresource: "status" });
      }
      await renewAll();
      await nodes.synced;
      await controller.start();
    },
    async stop() {
      stopped = true;
      renewal();
      await controller.stop();
    },
    ready: async () => controller.ready(),
  };
}

function fateOf(pod: KubeObject, given: SimulatedNodesDeps["fate"]): SimulatedFate {
  const text = pod.metadata.annotations?.[FATE_ANNOTATION];
  if (text === undefined) return given?.(pod) ?? {};
  try {
    const { readyAfter, exitCode, endAfter } = JSON.parse(text) as Record<string, unknown>;
    const fate: { readyAfter?: number; exitCode?: number; endAfter?: number } = {};
    if (Number.isFinite(readyAfter)) fate.readyAfter = readyAfter as number;
    if (Number.isInteger(exitCode)) fate.exitCode = exitCode as number;
    if (Number.isFinite(endAfter)) fate.endAfter = endAfter as number;
    return fate;
  } catch {
    // Not JSON: as if nothing was said.
    return {};
  }
}

function simulatedNode(name: string, now: Date, { shape, open }: SimulatedNodesDeps): KubeObject {
  const time = timeText(now);
  const { labels, allocatable, taints = [] } = shape?.(name) ?? {};
  const room = { ...ROOM, ...allocatable };
  const own = open ? [] : [{ key: SIMULATED_LABEL, value: "true", effect: "NoSchedule" }];
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: { [SIMULATED_LABEL]: "true", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", ...labels },
    },
    spec: own.length + taints.length > 0 ? { taints: [...own, ...taints] } : {},
    status: {
      capacity: room,
      allocatable: room,
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "KubeletReady",
          message: "simulated node is ready",
          lastHeartbeatTime: time,
          lastTransitionTime: time,
        },
      ],
    },
  };
}
