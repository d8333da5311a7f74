import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { sleep } from "@tiphys/clock";
import { DataLossError, FailedPreconditionError, messageOf } from "@tiphys/errors";
import { isNotFound, type LogOptions, statusError } from "@tiphys/kube";
import { type KubeObject, keyOf, type ObjectKey, types } from "@tiphys/resources";
import { findProgram } from "@tiphys/sandbox";
import { addressPool, portPool } from "./addresses.js";
import { openCgroups } from "./cgroups.js";
import { findContainer } from "./container-process.js";
import { hostAccounts } from "./container-setup.js";
import type { NodeRuntimeDeps, PodContext } from "./deps.js";
import { ContainerConfigError } from "./env.js";
import { createEvents } from "./events.js";
import { attachToContainer } from "./exec/attach.js";
import { execInContainer } from "./exec/exec.js";
import { podPort, streamProblem } from "./exec/target.js";
import { createFifoSupply } from "./fifo-supply.js";
import type { Endpoint } from "./forwarders.js";
import { prepareIdentityTools } from "./identity-tools.js";
import { createImageManager, ImageError } from "./image-manager.js";
import { defaultImages } from "./images.js";
import { createKubeletHandler, type KubeletHandler } from "./kubelet-handler.js";
import { createKubeletServer, type KubeletServer } from "./kubelet-server.js";
import { isLiteral } from "./literal.js";
import { readLog } from "./log-reader.js";
import { createNodeObject } from "./node-object.js";
import { createObjectWatch } from "./object-watch.js";
import { allContainers, everyContainer } from "./plan.js";
import { createPodWorker, type PodWorker } from "./pod-worker.js";
import type { PodRecord } from "./record.js";
import { requestsOf } from "./resize.js";
import { type ClusterResolver, createClusterResolver } from "./resolver.js";
import { overlayWorks } from "./rootfs.js";
import { containerPath, type SandboxKind } from "./sandbox.js";
import type { IssuedToken } from "./volume-content.js";
import { removeVolumes } from "./volumes.js";

export interface NodeRuntime {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  ready(): Promise<string | undefined>;
  /** Log of a container as a kubelet serves it; throws KubeApiError when there is none to serve. */
  logs(pod: ObjectKey, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array>;
  resolver(): ClusterResolver;
  /** What the API server asks of a kubelet, for one in this process. */
  readonly kubelet: KubeletHandler;
  /** How containers are kept apart; known after `start`. */
  readonly sandbox: SandboxKind;
}

const DEFAULT_POD_CIDR = "10.244.0.0/16";
/** Part of a token's life in which it is given again; less than after which mounted ones are renewed. */
const TOKEN_KEPT = 0.79;
/** How often images that nothing uses are looked for, as kubelets do. */
const COLLECT_MS = 300_000;
/** Pods reach the host's loopback through forwarders; this is where the API server finds the node itself. */
const HOST_IP = "127.0.0.1";
const unshareProbe = (): readonly string[] => [
  ...["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"],
  ...(process.getuid?.() === 0 ? [] : ["--map-root-user"]),
  ...["/bin/sh", "-c", "mount -t tmpfs tmpfs /tmp && mount -t proc proc /proc"],
];
const BWRAP_PROBE = ["--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"];

/** A kubelet whose containers are processes of this host. It talks to the API as a kubelet does, and to nothing else. */
export function createNodeRuntime(deps: NodeRuntimeDeps): NodeRuntime {
  const { clock, nodeName, log, informers } = deps;
  const client = informers.client;
  const node = deps.node ?? process.execPath;
  const path = deps.path ?? containerPath(node);
  const pods = join(deps.dir, "pods");
  const workers = new Map<string, PodWorker>();
  const addresses = addressPool(deps.podCidr ?? DEFAULT_POD_CIDR);
  const ports = portPool(deps.random);
  const informer = informers.informer(types.pods);
  const events = createEvents(client, nodeName, clock, log);
  const runningPods = deps.metrics.gauge("tiphys_node_pods", "Pods that this node runs");
  const creating = new Map<string, Promise<void>>();
  const drops = new Set<Promise<void>>();
  const collecting = new AbortController();
  let kind: SandboxKind = "process";
  let context: PodContext;
  let unsubscribe: (() => void) | undefined;
  let nodeObject: ReturnType<typeof createNodeObject> | undefined;
  let server: KubeletServer | undefined;
  let state: "new" | "running" | "stopped" = "new";

  const bwrap = findProgram("bwrap", path) ?? "bwrap";
  const works = (program: string, args: readonly string[]) =>
    existsSync(program)
      ? promisify(execFile)(program, [...args]).then(
          () => undefined,
          (error) => messageOf(error),
        )
      : Promise.resolve(`${program} is not installed`);

  async function chooseSandbox(): Promise<SandboxKind> {
    const wanted = deps.sandbox ?? "auto";
    if (wanted === "process") return "process";
    const problems: string[] = [];
    const kinds = [
      ["bubblewrap", bwrap, BWRAP_PROBE],
      ["unshare", findProgram("unshare", path) ?? "unshare", unshareProbe()],
    ] as const;
    for (const [name, program, probe] of kinds) {
      if (wanted !== "auto" && wanted !== name) continue;
      const problem = await works(program, probe);
      if (problem === undefined) return name;
      problems.push(problem);
    }
    const problem = problems.join("; ");
    if (wanted !== "auto") {
      throw new FailedPreconditionError(
        `sandbox "${wanted}" does not work here (${problem}): install it, or use another`,
      );
    }
    log.warn("no sandbox: pods run as plain processes of this user", { reason: problem });
    return "process";
  }

  const find = async (type: typeof types.configMaps, namespace: string, name: string) =>
    client.get(type, { namespace, name }).catch((error) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });

  const tokens = new Map<string, Map<string, Promise<IssuedToken> & { renewAt?: number }>>();
  async function requestToken(pod: KubeObject, audience: string | undefined, seconds: number): Promise<IssuedToken> {
    const name = pod["spec"]?.serviceAccountName ?? "default";
    const request = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: { name, namespace: pod.metadata.namespace ?? "default" },
      spec: {
        audiences: audience ? [audience] : [],
        expirationSeconds: seconds,
        boundObjectRef: { kind: "Pod", apiVersion: "v1", name: pod.metadata.name, uid: pod.metadata.uid },
      },
    };
    const answer = await client.create(types.serviceAccounts, request, { subresource: "token" });
    const expiresAt = Date.parse(answer["status"]?.expirationTimestamp ?? "");
    return { token: String(answer["status"]?.token ?? ""), ...(Number.isNaN(expiresAt) ? {} : { expiresAt }) };
  }

  const sources: PodContext["sources"] = (pod) => {
    const namespace = pod.metadata.namespace ?? "default";
    return {
      configMap: (name) => find(types.configMaps, namespace, name),
      secret: (name) => find(types.secrets, namespace, name),
      async imageRoot(reference) {
        const volume = { name: "image", image: reference };
        const literal = isLiteral({ deps }, pod);
        try {
          const image = await context.images.ensure(pod, volume, literal, new AbortController().signal);
          const root = image.files ?? image.entry.root;
          if (root) return root;
        } catch (error) {
          if (!(error instanceof ImageError)) throw error;
          throw new ContainerConfigError(error.message);
        }
        throw new ContainerConfigError(
          `image "${reference}" has no files of its own on this node: it cannot be a volume`,
        );
      },
      async token(audience, seconds) {
        const own = tokens.get(pod.metadata.uid!) ?? new Map<string, Promise<IssuedToken> & { renewAt?: number }>();
        tokens.set(pod.metadata.uid!, own);
        const key = `${seconds} ${audience ?? ""}`;
        const old = own.get(key);
        if (old && clock.now().getTime() < (old.renewAt ?? 0)) return old;
        const asked: Promise<IssuedToken> & { renewAt?: number } = requestToken(pod, audience, seconds);
        own.set(key, asked);
        const answer = await asked.catch((error) => {
          own.delete(key);
          throw error;
        });
        const life = (answer.expiresAt ?? 0) - clock.now().getTime();
        // Files change for many reasons; a token does when a good part of its life is over.
        asked.renewAt = clock.now().getTime() + life * TOKEN_KEPT;
        return answer;
      },
    };
  };

  async function createRecord(pod: KubeObject): Promise<PodRecord> {
    const table: Record<string, number> = {};
    for (const container of allContainers(pod)) {
      // An image of its own knows nothing of PORT: it listens where it says, on the network that it shares with the host.
      const own = context.images.hosted(container["image"] ?? "", isLiteral({ deps }, pod)) === undefined;
      const direct = pod["spec"]?.hostNetwork || own;
      for (const { containerPort } of (container["ports"] ?? []) as { containerPort: number }[]) {
        table[`${container.name}/${containerPort}`] = direct ? containerPort : await ports.take();
      }
    }
    return {
      uid: pod.metadata.uid!,
      namespace: pod.metadata.namespace!,
      name: pod.metadata.name,
      ip: addresses.take(),
      ports: table,
      startTime: clock.now().getTime(),
      containers: {},
    };
  }

  const isOver = (pod: KubeObject) => ["Succeeded", "Failed"].includes(pod["status"]?.phase);

  async function take(pod: KubeObject): Promise<void> {
    const uid = pod.metadata.uid!;
    if (workers.has(uid) || creating.has(uid) || state !== "running") return;
    if (pod.metadata.deletionTimestamp) {
      // Nothing of it runs here, so nothing keeps it.
      const options = { gracePeriodSeconds: 0, preconditions: { uid } };
      await client.delete(types.pods, keyOf(pod), options).catch((error) => {
        if (!isNotFound(error)) throw error;
      });
      return;
    }
    if (isOver(pod)) return;
    const work = (async () => {
      const record = await createRecord(pod);
      const worker = createPodWorker(context, pod, record);
      workers.set(uid, worker);
      runningPods.set(workers.size);
      const latest = informer.get(keyOf(pod));
      if (latest?.metadata.uid !== uid) return drop(uid);
      worker.update(latest);
    })();
    creating.set(uid, work);
    await work.finally(() => creating.delete(uid));
  }

  async function drop(uid: string): Promise<void> {
    const worker = workers.get(uid);
    if (!worker) return;
    await worker.destroy();
    context.images.release(uid);
    tokens.delete(uid);
    workers.delete(uid);
    runningPods.set(workers.size);
    release(worker.record);
    await removeVolumes(uid);
    await rm(join(pods, uid), { recursive: true, force: true });
  }

  function release(record: PodRecord): void {
    addresses.free(record.ip);
    for (const port of Object.values(record.ports)) ports.free(port);
  }

  /** Takes up, or clears away, what an earlier process of ours has left. */
  async function recover(): Promise<void> {
    await mkdir(pods, { recursive: true, mode: 0o700 });
    for (const uid of await readdir(pods)) {
      const text = await readFile(join(pods, uid, "state.json"), "utf8").catch(() => undefined);
      if (text === undefined) {
        await rm(join(pods, uid), { recursive: true, force: true });
        continue;
      }
      const record = parseRecord(join(pods, uid, "state.json"), text);
      const pod = informer.get({ namespace: record.namespace, name: record.name });
      if (pod?.metadata.uid !== uid) {
        await clear(record);
        continue;
      }
      addresses.reserve(record.ip);
      for (const port of Object.values(record.ports)) ports.reserve(port);
      const worker = createPodWorker(context, pod, record);
      workers.set(uid, worker);
      await worker.adopt();
      worker.wake();
    }
    runningPods.set(workers.size);
  }

  /** Ends the processes of a pod that is no longer in the API. */
  async function clear(record: PodRecord): Promise<void> {
    for (const [name, container] of Object.entries(record.containers)) {
      if (container.state.phase !== "running" && container.state.phase !== "starting") continue;
      const found = await findContainer(
        join(pods, record.uid, "containers", name, String(container.attempt)),
        kind,
        clock,
      );
      if (found.state !== "running") continue;
      log.warn("process of a deleted pod ended", { pod: `${record.namespace}/${record.name}`, container: name });
      await found.process.destroy();
      await found.process.ended;
    }
    await removeVolumes(record.uid);
    await rm(join(pods, record.uid), { recursive: true, force: true });
  }

  async function collectImages(): Promise<void> {
    while (!collecting.signal.aborted) {
      await sleep(clock, COLLECT_MS, collecting.signal).catch(() => {});
      if (collecting.signal.aborted) return;
      await context.images
        .collect()
        .catch((error) => log.warn("unused images are not removed", { error: messageOf(error) }));
    }
  }

  function onChange(type: "added" | "modified" | "deleted", pod: KubeObject): void {
    const uid = pod.metadata.uid!;
    const failed = (error: unknown) =>
      log.error("pod is not taken up", { pod: pod.metadata.name, error: messageOf(error) });
    if (type === "deleted") {
      const dropping = Promise.resolve(creating.get(uid))
        .then(() => drop(uid))
        .catch(failed);
      drops.add(dropping);
      void dropping.then(() => drops.delete(dropping));
      return;
    }
    if (pod["spec"]?.nodeName !== nodeName) return;
    const worker = workers.get(uid);
    if (worker) worker.update(pod);
    else void clock.track(take(pod)).catch(failed);
  }

  const forwarder = (ip: string, port: number): Endpoint | undefined => {
    for (const { record } of workers.values()) {
      if (record.ip !== ip) continue;
      const found = Object.entries(record.ports).find(([key]) => key.endsWith(`/${port}`));
      if (found) return { host: "127.0.0.1", port: found[1] };
    }
    return undefined;
  };
  let resolver: ClusterResolver | undefined;

  async function* logs(key: ObjectKey, options: LogOptions, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const bad = (message: string) => statusError(400, "BadRequest", message);
    const worker = [...workers.values()].find(
      ({ record }) => record.namespace === key.namespace && record.name === key.name,
    );
    if (!worker) throw statusError(404, "NotFound", `node ${nodeName} does not run pod "${key.name}"`);
    const names = everyContainer(worker.pod).map(({ name }) => name);
    const mains = (worker.pod["spec"]?.containers ?? []).map(({ name }: { name: string }) => name);
    const container = options.container ?? (mains.length === 1 ? mains[0] : undefined);
    if (container === undefined) {
      throw bad(`a container name must be specified for pod ${key.name}, choose one of: [${mains.join(" ")}]`);
    }
    if (!names.includes(container)) throw bad(`container ${container} is not valid for pod ${key.name}`);
    const own = worker.record.containers[container];
    const previous = options.previous ? own?.last?.attempt : undefined;
    if (options.previous && previous === undefined) {
      throw bad(`previous terminated container "${container}" in pod "${key.name}" not found`);
    }
    if (!own || own.attempt === 0) {
      const state = own?.state;
      const reason = state?.phase === "waiting" ? `: ${state.reason}` : "";
      throw bad(`container "${container}" in pod "${key.name}" is waiting to start${reason}`);
    }
    const recorder = options.previous ? undefined : worker.recorderOf(container);
    const { follow, tailLines, timestamps, sinceSeconds, sinceTime, limitBytes } = options;
    const since =
      sinceTime !== undefined
        ? Date.parse(sinceTime)
        : sinceSeconds !== undefined
          ? clock.now().getTime() - sinceSeconds * 1000
          : undefined;
    yield* readLog(
      worker.attemptDir(container, previous ?? own.attempt),
      {
        follow: follow === true,
        timestamps: timestamps === true,
        ...(tailLines === undefined ? {} : { tailLines }),
        ...(limitBytes === undefined ? {} : { limitBytes }),
        ...(since === undefined ? {} : { since }),
      },
      recorder,
      clock,
      signal,
    );
  }

  const workerOf = ({ namespace, name }: ObjectKey): PodWorker | undefined =>
    [...workers.values()].find(({ record }) => record.namespace === namespace && record.name === name);
  const kubelet = createKubeletHandler({
    logs,
    pods: () => [...workers.values()].map(({ pod }) => pod),
    problem: (target) => streamProblem(workerOf(target), target, nodeName),
    async exec(target, argv, tty, client) {
      const entrance = workerOf(target)?.entrance(target.container ?? "");
      return entrance
        ? execInContainer(context, entrance, argv, tty, client)
        : { error: `container ${target.container} is not running` };
    },
    async attach(target, client) {
      const attachable = workerOf(target)?.attachable(target.container ?? "");
      return attachable
        ? attachToContainer(context, attachable, client)
        : { error: `container ${target.container} is not running` };
    },
    endpoint: (target, port) => podPort(workerOf(target), port),
  });

  return {
    name: `node-runtime/${nodeName}`,
    async start() {
      kind = await chooseSandbox();
      await mkdir(deps.dir, { recursive: true });
      const cgroups = kind === "process" ? undefined : await openCgroups(nodeName, log);
      const identityTools = kind === "process" ? undefined : await prepareIdentityTools(deps.dir, deps.spawner);
      let overlay: Promise<boolean> | undefined;
      let accounts: ReturnType<typeof hostAccounts> | undefined;
      context = {
        deps,
        client,
        kind,
        bwrap,
        node,
        path,
        hostIP: HOST_IP,
        size: { cpu: cpus().length, memory: totalmem() },
        requestedBesides(uid) {
          const total = { cpu: 0, memory: 0 };
          for (const { record, pod } of workers.values()) {
            if (record.uid === uid || record.outcome) continue;
            const { cpu, memory } = requestsOf(pod);
            total.cpu += cpu;
            total.memory += memory;
          }
          return total;
        },
        images: createImageManager({
          table: [...(deps.images ?? []), ...(deps.hostPrograms === false ? [] : defaultImages)],
          has: (program) => findProgram(program, path) !== undefined,
          ...(deps.pull ? { pull: deps.pull } : {}),
          dir: join(deps.dir, "images"),
          clock,
          log,
          event: events.write,
          secret: (pod, name) => find(types.secrets, pod.metadata.namespace ?? "default", name),
          serviceAccount: (pod, name) => find(types.serviceAccounts, pod.metadata.namespace ?? "default", name),
        }),
        objects: createObjectWatch(client, clock, log),
        fifos: createFifoSupply(join(deps.dir, "pipes"), deps.spawner),
        ...(cgroups ? { cgroups } : {}),
        ...(identityTools ? { identityTools } : {}),
        overlay: () => {
          overlay ??= overlayWorks(deps.dir, deps.spawner);
          return overlay;
        },
        accounts: () => {
          accounts ??= hostAccounts();
          return accounts;
        },
        event: events.write,
        sources,
      };
      await informer.synced;
      if (deps.kubeletPort) {
        server = await createKubeletServer({
          ...deps.kubeletPort,
          nodeName,
          hostIP: HOST_IP,
          handler: kubelet,
          log,
          clock,
        });
      }
      nodeObject = createNodeObject(
        client,
        {
          nodeName,
          hostIP: HOST_IP,
          sandbox: kind,
          taints: deps.taints ?? [],
          dir: deps.dir,
          images: () => context.images.list(),
          ...(server ? { kubeletPort: server.port } : {}),
        },
        clock,
        log,
      );
      state = "running";
      void collectImages();
      await recover();
      await nodeObject.start();
      unsubscribe = informer.onChange(({ type, object }) => onChange(type, object));
      for (const pod of informer.list()) onChange("added", pod);
    },
    async stop() {
      if (state === "stopped") return;
      state = "stopped";
      unsubscribe?.();
      await Promise.allSettled(creating.values());
      await nodeObject?.stop();
      collecting.abort();
      const { onStop = "kill" } = deps;
      const ends = (pod: KubeObject) =>
        onStop === "kill" || (onStop === "keep-jobs" && (pod["spec"]?.restartPolicy ?? "Always") === "Always");
      await Promise.all([...workers.values()].map((worker) => worker.stop(ends(worker.pod))));
      await Promise.all(drops);
      context.objects.stop();
      await context.cgroups?.close();
      await events.flush();
      await server?.close();
    },
    async ready() {
      return state === "running" ? undefined : `node ${nodeName} is ${state === "new" ? "starting" : "stopped"}`;
    },
    logs,
    kubelet,
    resolver() {
      resolver ??= createClusterResolver({ informers, forwarder });
      return resolver;
    },
    get sandbox() {
      return kind;
    },
  };
}

function parseRecord(file: string, text: string): PodRecord {
  try {
    return JSON.parse(text) as PodRecord;
  } catch (error) {
    throw new DataLossError(`${file} is damaged: remove its folder to have that pod started anew`, { cause: error });
  }
}
