import { readFile, statfs } from "node:fs/promises";
import { arch, cpus, hostname, release, totalmem } from "node:os";
import { type Clock, sleep } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { isAlreadyExists, isNotFound, type KubeClient } from "@tiphys/kube";
import { type Condition, type KubeObject, types } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";

/** The kubelet version that the node reports. */
export const KUBELET_VERSION = "v1.36.0-tiphys";

const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;
const RENEW_MS = 10_000;
/** How often a healthy node repeats its conditions' heartbeat, as a kubelet does. */
const HEARTBEAT_MS = 300_000;
const MAX_PODS = 250;
/** Images that the status names, the largest, as kubelets do. */
const MAX_IMAGES = 50;

const firstLine = (file: string): Promise<string> =>
  readFile(file, "utf8").then(
    (text) => text.split("\n")[0] ?? "",
    () => "",
  );

export interface NodeFacts {
  readonly nodeName: string;
  readonly hostIP: string;
  readonly kubeletPort?: number;
  readonly sandbox: string;
  readonly taints: readonly object[];
  /** Where pods are kept: its file system is the node's ephemeral storage. */
  readonly dir: string;
  readonly images: () => Promise<readonly { readonly names: readonly string[]; readonly size: number }[]>;
}

/** Registers the node, keeps its lease, and says NotReady at the end. */
export function createNodeObject(
  client: KubeClient,
  facts: NodeFacts,
  clock: Clock,
  log: Logger,
): {
  start(): Promise<void>;
  stop(): Promise<void>;
} {
  const { nodeName } = facts;
  const ending = new AbortController();
  let loop: Promise<void> | undefined;
  const iso = () =>
    clock
      .now()
      .toISOString()
      .replace(/\.\d+Z$/, "Z");

  const conditions = (ready: boolean, before: readonly Condition[]): Condition[] => {
    const wanted: Condition[] = [
      {
        type: "MemoryPressure",
        status: "False",
        reason: "KubeletHasSufficientMemory",
        message: "kubelet has sufficient memory available",
      },
      {
        type: "DiskPressure",
        status: "False",
        reason: "KubeletHasNoDiskPressure",
        message: "kubelet has no disk pressure",
      },
      {
        type: "PIDPressure",
        status: "False",
        reason: "KubeletHasSufficientPID",
        message: "kubelet has sufficient PID available",
      },
      ready
        ? { type: "Ready", status: "True", reason: "KubeletReady", message: `process node, sandbox ${facts.sandbox}` }
        : { type: "Ready", status: "False", reason: "KubeletStopped", message: "the process node was stopped" },
    ];
    return wanted.map((condition) => {
      const old = before.find(({ type }) => type === condition.type);
      const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? iso()) : iso();
      return { ...condition, lastHeartbeatTime: iso(), lastTransitionTime };
    });
  };

  async function report(ready: boolean): Promise<void> {
    const key = { name: nodeName };
    const node = await client.get(types.nodes, key);
    const memory = `${Math.floor(totalmem() / 1024)}Ki`;
    const disk = await statfs(facts.dir).then(
      ({ blocks, bsize }) => `${Math.floor((blocks * bsize) / 1024)}Ki`,
      () => "10Gi",
    );
    const resources = { cpu: String(cpus().length), memory, pods: String(MAX_PODS), "ephemeral-storage": disk };
    const images = [...(await facts.images())].sort((a, b) => b.size - a.size).slice(0, MAX_IMAGES);
    const architecture = { x64: "amd64" }[arch()] ?? arch();
    const status = {
      capacity: resources,
      allocatable: resources,
      images: images.map(({ names, size }) => ({ names, sizeBytes: size })),
      conditions: conditions(ready, node["status"]?.conditions ?? []),
      // No Hostname: an API server would prefer it, and no DNS knows the names of process nodes.
      addresses: [{ type: "InternalIP", address: facts.hostIP }],
      ...(facts.kubeletPort ? { daemonEndpoints: { kubeletEndpoint: { Port: facts.kubeletPort } } } : {}),
      nodeInfo: {
        architecture,
        bootID: await firstLine("/proc/sys/kernel/random/boot_id"),
        containerRuntimeVersion: "tiphys://0.1.0",
        kernelVersion: release(),
        kubeProxyVersion: "",
        kubeletVersion: KUBELET_VERSION,
        machineID: await firstLine("/etc/machine-id"),
        operatingSystem: process.platform,
        osImage: `Tiphys process node (${facts.sandbox})`,
        systemUUID: "",
      },
    };
    await client.patch(types.nodes, key, { type: "merge", body: { status } }, { subresource: "status" });
  }

  async function register(): Promise<void> {
    const os = process.platform;
    const architecture = { x64: "amd64" }[arch()] ?? arch();
    const node: KubeObject = {
      apiVersion: "v1",
      kind: "Node",
      metadata: {
        name: nodeName,
        labels: {
          "kubernetes.io/hostname": nodeName,
          "kubernetes.io/os": os,
          "kubernetes.io/arch": architecture,
          "tiphys.dev/runtime": "process",
        },
        annotations: { "tiphys.dev/host": hostname() },
      },
      spec: facts.taints.length > 0 ? { taints: facts.taints } : {},
    };
    await client.create(types.nodes, node).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
    await report(true);
    await renew();
  }

  async function renew(): Promise<void> {
    const key = { namespace: LEASE_NAMESPACE, name: nodeName };
    const renewTime = clock.now().toISOString().replace("Z", "000Z");
    const spec = { holderIdentity: nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime };
    try {
      await client.patch(types.leases, key, { type: "merge", body: { spec } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: key, spec };
      await client.create(types.leases, lease);
    }
  }

  return {
    async start() {
      await register();
      loop = (async () => {
        for (let reported = clock.monotonic(); ; ) {
          await sleep(clock, RENEW_MS, ending.signal);
          try {
            await renew();
            if (clock.monotonic() - reported >= HEARTBEAT_MS) {
              await report(true);
              reported = clock.monotonic();
            }
          } catch (error) {
            log.warn("node lease is not renewed", { node: nodeName, error: messageOf(error) });
            // The node object may be gone with its server's data: come back.
            if (isNotFound(error)) await register().catch(() => {});
          }
        }
      })().catch(() => {});
    },
    async stop() {
      ending.abort();
      await loop;
      await report(false).catch(() => {});
    },
  };
}
