import type { Clock } from "@tiphys/clock";
import { createController } from "@tiphys/controller";
import { createMemoryJournal } from "@tiphys/journal";
import { type Informers, isAlreadyExists, isNotFound } from "@tiphys/kube";
import { type Condition, type KubeObject, keyOf, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import { type Logger, noMetrics } from "@tiphys/telemetry";

/** Nodes with this label are played, not run: nobody may take their pods for real ones. */
export const SIMULATED_LABEL = "tiphys.dev/simulated";

/** What becomes of a pod after it has started. */
export interface SimulatedFate {
  /** Milliseconds from its start until it is ready; never when negative. */
  readonly readyAfter?: number;
  /** Given: its containers end with this code, `endAfter` milliseconds after its start. */
  readonly exitCode?: number;
  readonly endAfter?: number;
}

export interface SimulatedKubeletDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly log: Logger;
  /** Nodes it makes at its start. */
  readonly nodes?: readonly string[];
  /** Absent: every pod is ready at once and runs until it is deleted. */
  readonly fate?: (pod: KubeObject) => SimulatedFate;
}

type Step = { readonly do: "status"; readonly status: Record<string, unknown> } | { readonly do: "remove" };

/** A kubelet that only says what a kubelet would say, for tests of controllers on any clock. */
export function createSimulatedKubelet(deps: SimulatedKubeletDeps): Service {
  const { informers, clock } = deps;
  const nodes = informers.informer(types.nodes);
  const addresses = new Map<string, string>();
  const address = (uid: string) => {
    const known = addresses.get(uid) ?? `10.244.${addresses.size >> 8}.${(addresses.size & 255) + 1}`;
    addresses.set(uid, known);
    return known;
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
    reconciler: {
      async observe(pod) {
        const node = pod.spec?.nodeName ? nodes.get({ name: pod.spec.nodeName }) : undefined;
        return node?.metadata.labels?.[SIMULATED_LABEL] === "true" ? pod : undefined;
      },
      plan(pod, now) {
        if (pod.metadata.deletionTimestamp) return { actions: [{ pod, step: { do: "remove" } }], reasons: [] };
        const startTime = pod.status?.startTime ?? now.toISOString();
        const start = Date.parse(startTime);
        const { readyAfter = 0, exitCode, endAfter = 0 } = deps.fate?.(pod) ?? {};
        const ends = exitCode === undefined ? undefined : start + endAfter;
        const finished = ends !== undefined && ends <= now.getTime();
        const ready = !finished && readyAfter >= 0 && start + readyAfter <= now.getTime();
        const times = [ends, readyAfter < 0 ? undefined : start + readyAfter].filter(
          (time): time is number => time !== undefined && time > now.getTime(),
        );
        return {
          status: podStatus(pod, {
            now,
            startTime,
            ready,
            address: address(pod.metadata.uid ?? ""),
            ...(finished ? { exitCode } : {}),
          }),
          actions: [],
          reasons: [],
          ...(times.length > 0 ? { lookAgainAt: new Date(Math.min(...times)) } : {}),
        };
      },
      async act({ pod }, signal) {
        try {
          const preconditions = { uid: pod.metadata.uid ?? "" };
          await informers.client.delete(types.pods, keyOf(pod), { gracePeriodSeconds: 0, preconditions, signal });
        } catch (error) {
          if (!isNotFound(error)) throw error;
        }
      },
      describe: ({ step }) => step.do,
    },
  });
  return {
    name: "simulated-kubelet",
    async start() {
      for (const name of deps.nodes ?? ["simulated-1"]) {
        await informers.client.create(types.nodes, simulatedNode(name, clock.now())).catch((error: unknown) => {
          if (!isAlreadyExists(error)) throw error;
        });
        const status = simulatedNode(name, clock.now()).status;
        const body = { status };
        await informers.client.patch(types.nodes, { name }, { type: "merge", body }, { subresource: "status" });
      }
      await nodes.synced;
      await controller.start();
    },
    stop: () => controller.stop(),
    ready: async () => controller.ready(),
  };
}

function simulatedNode(name: string, now: Date): KubeObject {
  const time = now.toISOString().replace(/\.\d+Z$/, "Z");
  const room = { cpu: "64", memory: "256Gi", pods: "10000" };
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { [SIMULATED_LABEL]: "true", "kubernetes.io/hostname": name } },
    spec: {},
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

interface Look {
  readonly now: Date;
  readonly startTime: string;
  readonly ready: boolean;
  readonly address: string;
  readonly exitCode?: number | undefined;
}

function podStatus(pod: KubeObject, { now, startTime, ready, address, exitCode }: Look): Record<string, unknown> {
  const time = now.toISOString().replace(/\.\d+Z$/, "Z");
  const before = (pod.status?.conditions ?? []) as Condition[];
  const condition = (type: string, status: "True" | "False"): Condition => {
    const current = before.find((item) => item.type === type);
    return current?.status === status ? current : { type, status, lastTransitionTime: time };
  };
  const finished = exitCode !== undefined;
  const phase = !finished ? "Running" : exitCode === 0 ? "Succeeded" : "Failed";
  const states = (pod.status?.containerStatuses ?? []) as { name: string; state?: { terminated?: object } }[];
  return {
    ...pod.status,
    phase,
    startTime: startTime.replace(/\.\d+Z$/, "Z"),
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [
      condition("PodScheduled", "True"),
      condition("Initialized", "True"),
      condition("ContainersReady", ready ? "True" : "False"),
      condition("Ready", ready ? "True" : "False"),
    ],
    containerStatuses: (pod.spec.containers as { name: string; image: string }[]).map(({ name, image }) => {
      const ended = states.find((state) => state.name === name)?.state?.terminated;
      const state = finished
        ? {
            terminated: ended ?? {
              exitCode,
              reason: exitCode === 0 ? "Completed" : "Error",
              startedAt: startTime,
              finishedAt: time,
            },
          }
        : { running: { startedAt: startTime.replace(/\.\d+Z$/, "Z") } };
      return { name, image, imageID: `simulated://${image}`, ready, started: !finished, restartCount: 0, state };
    }),
  };
}
