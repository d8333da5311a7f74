import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSqliteArchive } from "@tiphys/archive";
import { createLocalArtifacts } from "@tiphys/artifacts";
import { createLocalBus, openDurableMap } from "@tiphys/bus";
import { createLocalCache } from "@tiphys/cache";
import { createSpawner } from "@tiphys/child-process";
import type { Clock } from "@tiphys/clock";
import { accountPrincipal, type RandomBytes } from "@tiphys/identity";
import { type Informers, isAlreadyExists, type KubeClient } from "@tiphys/kube";
import { ensureRoles } from "@tiphys/kube-controllers";
import { createLocalQueue } from "@tiphys/queue";
import { createRenderPool } from "@tiphys/render";
import { type AccountName, accountName, allCrds, gatewayCrds, serviceRoles, types } from "@tiphys/resources";
import { findSandbox } from "@tiphys/sandbox";
import type { Service } from "@tiphys/service-host";
import { type Logger, type Metrics, noMetrics } from "@tiphys/telemetry";
import type { ArchiveJob } from "@tiphys/workflow-controller";
import { clusterFolder, clusterName } from "./cluster-folders.js";
import { type RunningCluster, startCluster } from "./embedded-cluster.js";
import { clustersIn, kubeconfigOf, register } from "./further-clusters.js";
import { internalKey } from "./internal-key.js";
import { requireFree } from "./ports.js";
import { createSuite, type Suite } from "./suite.js";

export interface EmbeddedOptions {
  readonly data: string;
  readonly port: number;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Folder of the bundles of all apps (`apps`). */
  readonly bundles: string;
  readonly searchPath: string;
  /** How many clusters; absent: as many as the data folder has. */
  readonly clusters?: number;
  /** Settings of the node runtimes (see `nodeSettings`); none by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Encoded messages between services, for tests. */
  readonly encoded?: boolean;
}

export interface Embedded {
  readonly suite: Suite;
  /** Of the demo's account. */
  readonly informers: Informers;
  readonly kubeconfig: string;
  readonly ingressUrl: string;
  /** The suite's own cluster first. */
  readonly clusters: readonly RunningCluster[];
  stop(): Promise<void>;
}

const RENDER_CHILDREN = 1;
const CONTROL_NAMESPACE = "argocd";

/** Starts the whole suite on the embedded cluster; what it has started is stopped again when a later part fails. */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { data, clock, random, log, metrics, bundles } = options;
  await requireFree(options.port, "stop the other program, or choose another port with --port");
  await mkdir(data, { recursive: true });
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const step of stops.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        log.error("stop failed", { error });
      }
    }
  };
  const run = async (service: Pick<Service, "start" | "stop">) => {
    stops.push(() => service.stop());
    await service.start();
  };
  try {
    const key = await internalKey(data, random);
    const home = await startCluster({ ...options, name: clusterName(1), folder: data, crds: allCrds }, { run, stops });
    const { informers, journal, dialer } = home;
    await ensureNamespace(informers.client, CONTROL_NAMESPACE);
    await ensureRoles(informers.client, serviceRoles(CONTROL_NAMESPACE));
    const accounts = new Map<AccountName, Informers>();
    const informersOf = (service: AccountName): Informers => {
      const own = accounts.get(service) ?? home.informersOf(accountPrincipal(CONTROL_NAMESPACE, accountName(service)));
      accounts.set(service, own);
      return own;
    };
    const wanted = options.clusters ?? (await clustersIn(data));
    const others = await Promise.all(
      Array.from({ length: wanted - 1 }, async (_, index) => {
        const name = clusterName(index + 2);
        const folder = clusterFolder(data, name) as string;
        // What the suite's controllers act upon is in the first cluster; the others have no such kinds.
        const more = { name, folder, crds: gatewayCrds, metrics: noMetrics };
        return await startCluster({ ...options, ...more }, { run, stops });
      }),
    );
    await writeFile(join(data, "kubeconfig"), kubeconfigOf(home, others), { mode: 0o600 });
    for (const other of others) await register(informers.client, CONTROL_NAMESPACE, other);
    const [bus, cache, archive, archiveJobs, eventState] = await Promise.all([
      createLocalBus({ dir: join(data, "bus"), clock, log }),
      createLocalCache({ dir: join(data, "cache"), key, clock, log }),
      createSqliteArchive({ path: join(data, "archive.db") }),
      createLocalQueue<ArchiveJob>({ name: "archive", dir: join(data, "queue"), clock, log }),
      openDurableMap({ dir: join(data, "events"), name: "events", log }),
    ]);
    stops.push(async () => {
      await Promise.all([bus.close(), cache.close(), archive.close(), eventState.close()]);
    });

    const renderPool = createRenderPool({
      worker: join(bundles, "repo-server/dist/render-worker.mjs"),
      size: RENDER_CHILDREN,
      log,
    });
    stops.push(() => renderPool.stop());
    // The helper that starts programs begins with the first plugin's command.
    const sandbox = async () => {
      const spawner = createSpawner({ log });
      stops.push(() => spawner.stop());
      return await findSandbox({ spawner, searchPath: options.searchPath });
    };
    const suite = createSuite({
      informersOf,
      clock,
      random,
      log,
      metrics,
      journal,
      bus,
      cache,
      archive,
      artifacts: createLocalArtifacts({ dir: join(data, "artifacts") }),
      archiveJobs,
      eventState,
      dialer,
      renderPool,
      plugins: { socketFolder: join(data, "plugins"), sandbox },
      internalKey: key,
      executor: {
        bundle: await readFile(join(bundles, "executor/dist/executor.mjs"), "utf8"),
        node: process.execPath,
        signingKey: key,
        listen: { host: "127.0.0.1", port: home.ports.report },
      },
      gitFolder: join(data, "git"),
      searchPath: options.searchPath,
      namespace: CONTROL_NAMESPACE,
      host: "127.0.0.1",
      port: options.port,
      consoleFolder: join(bundles, "console/dist"),
      encoded: options.encoded ?? false,
    });
    for (const service of suite.services) await run(service);
    const kubeconfig = join(data, "kubeconfig");
    return {
      suite,
      informers: informersOf("demo"),
      kubeconfig,
      ingressUrl: home.ingressUrl,
      clusters: [home, ...others],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Creates a namespace unless it is there. */
async function ensureNamespace(client: KubeClient, name: string): Promise<void> {
  try {
    await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
