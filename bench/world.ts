import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createHttpKubeClient, createInformers, type Informers, type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { createKubeControllers } from "@tiphys/kube-controllers";
import { createEmbeddedKube, type EmbeddedKube } from "@tiphys/kube-embedded";
import { allCrds, type KubeObject, types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createSimulatedKubelet } from "@tiphys/testing";
import { inParallel, seconds } from "./harness.js";

export const log = silentLogger;
export const clock = systemClock();
const LIMIT_WRITES = 1000;
const WIDTH = 64;
/** Silence of the watched kind for this long means that the last wave of passes is over. */
const PATIENCE_MS = 120_000;

/** A private folder that is gone after `work`. */
export async function inTemporaryFolder<T>(work: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "bench-"));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** A ConfigMap of about 1 kB. */
export const configMap = (namespace: string, name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace, name },
  data: { text: "x".repeat(900) },
});

export async function createNamespace(client: KubeClient, name: string): Promise<void> {
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
}

/** Creates per second that the control plane takes from `client`: the wall that figures are put in proportion to. */
export async function writeLimit(client: KubeClient, writes = LIMIT_WRITES): Promise<number> {
  const namespace = `limit-${randomBytes(4).toString("hex")}`;
  await createNamespace(client, namespace);
  const taken = await seconds(() =>
    inParallel(writes, WIDTH, (n) => client.create(types.configMaps, configMap(namespace, `c${n}`))),
  );
  await client.delete(types.namespaces, { name: namespace });
  return writes / taken;
}

/** Resolves when `check` holds for what the cluster has of one kind; asked at every change. */
export async function reached(
  informers: Informers,
  type: (typeof types)[keyof typeof types],
  check: (objects: readonly KubeObject[]) => boolean,
  describe: () => unknown = () => "",
): Promise<void> {
  const informer = informers.informer(type);
  await informer.synced;
  await new Promise<void>((resolve, reject) => {
    const limit = setTimeout(() => {
      end();
      reject(new Error(`${type.kind}: not reached within ${PATIENCE_MS} ms ${JSON.stringify(describe())}`));
    }, PATIENCE_MS);
    let looking = false;
    const look = () => {
      // Many changes of one turn are looked at once.
      if (looking) return;
      looking = true;
      setImmediate(() => {
        looking = false;
        if (!check(informer.list())) return;
        end();
        resolve();
      });
    };
    const unsubscribe = informer.onChange(look);
    const end = () => {
      clearTimeout(limit);
      unsubscribe();
    };
    look();
  });
}

export interface World {
  readonly client: KubeClient;
  readonly informers: Informers;
  readonly kube?: EmbeddedKube;
  /** What controllers are made of. */
  readonly parts: ReturnType<typeof partsOf>;
  close(): Promise<void>;
}

const partsOf = (informers: Informers) => ({
  informers,
  clock,
  log,
  metrics: noMetrics,
  journal: createMemoryJournal(),
  random: randomBytes,
});

/** The embedded control plane with its controllers and a simulated kubelet, durable in `dir`. */
export async function embeddedWorld(dir: string, exitCode?: number): Promise<World> {
  const kube = await createEmbeddedKube({ dir: join(dir, "cluster"), clock, random: randomBytes, log, crds: allCrds });
  const client = kube.client(clusterAdmin);
  const informers = createInformers({ client, clock, log });
  const parts = partsOf(informers);
  const controllers = createKubeControllers(parts);
  await controllers.start();
  const fate = () => (exitCode === undefined ? {} : { exitCode, endAfter: 0 });
  const kubelet = createSimulatedKubelet({ informers, clock, log, nodes: ["simulated-1"], fate });
  await kubelet.start();
  return {
    client,
    informers,
    kube,
    parts,
    async close() {
      await kubelet.stop();
      await controllers.stop();
      await informers.stop();
      await kube.stop();
    },
  };
}

/** Kubeconfig of a real control plane, where one is named. */
export const realKubeconfig = process.env["TIPHYS_REAL_KUBECONFIG"];

/** The real control plane of TIPHYS_REAL_KUBECONFIG, with our CRDs. */
export async function realWorld(path: string): Promise<World> {
  const client = createHttpKubeClient({ connection: await loadKubeconfig({ path }), log });
  for (const crd of allCrds) {
    const key = { name: crd.metadata.name };
    const patch = { type: "apply", body: crd } as const;
    await client.patch(types.customResourceDefinitions, key, patch, { fieldManager: "bench", force: true });
  }
  const informers = createInformers({ client, clock, log });
  return {
    client,
    informers,
    parts: partsOf(informers),
    async close() {
      await informers.stop();
      client.close();
    },
  };
}
