import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSqliteArchive } from "@tiphys/archive";
import { createLocalArtifacts } from "@tiphys/artifacts";
import { createLocalBus, openDurableMap } from "@tiphys/bus";
import { createLocalCache } from "@tiphys/cache";
import { createSpawner } from "@tiphys/child-process";
import type { Clock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { clusterAdmin, type RandomBytes } from "@tiphys/identity";
import { createFileJournal } from "@tiphys/journal";
import { createInformers, type Informers, isAlreadyExists, type KubeClient } from "@tiphys/kube";
import { createIngressStatusController, createKubeControllers } from "@tiphys/kube-controllers";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import {
  type BackendStats,
  createClusterProxy,
  createClusterResolver,
  createNodeRuntime,
  reachThrough,
} from "@tiphys/node-runtime";
import { createLocalQueue } from "@tiphys/queue";
import { createRenderPool } from "@tiphys/render";
import { allCrds, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics } from "@tiphys/telemetry";
import type { ArchiveJob } from "@tiphys/workflow-controller";
import { internalKey } from "./internal-key.js";
import { requireFree, stablePorts } from "./ports.js";
import { createSuite, type Suite } from "./suite.js";
import { serveTrafficStats } from "./traffic-stats.js";

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
  /** Encoded messages between services, for tests. */
  readonly encoded?: boolean;
}

export interface Embedded {
  readonly suite: Suite;
  readonly informers: Informers;
  readonly kubeconfig: string;
  readonly ingressUrl: string;
  stop(): Promise<void>;
}

/** Names under which pods and analyses find the measured traffic. */
const TRAFFIC_HOST = /^traffic\.tiphys(\.svc(\.cluster\.local)?)?$/;
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
    const kube = await createEmbeddedKube({
      dir: join(data, "cluster"),
      clock,
      random,
      log: log.with({ service: "kube" }),
      crds: allCrds,
    });
    stops.push(() => kube.stop());
    const ports = await stablePorts(data);
    const key = await internalKey(data, random);
    const client = kube.client(clusterAdmin);
    const listener = await kube.listen({ host: "127.0.0.1", port: ports.kube });
    stops.push(() => listener.close());
    await writeFile(join(data, "kubeconfig"), listener.kubeconfig, { mode: 0o600 });

    await ensureNamespace(client, CONTROL_NAMESPACE);

    const informers = createInformers({ client, clock, log });
    stops.push(() => informers.stop());
    const [journal, bus, cache, archive, archiveJobs, eventState] = await Promise.all([
      createFileJournal({ dir: join(data, "journal"), clock, log }),
      createLocalBus({ dir: join(data, "bus"), clock, log }),
      createLocalCache({ dir: join(data, "cache"), clock, log }),
      createSqliteArchive({ path: join(data, "archive.db") }),
      createLocalQueue<ArchiveJob>({ name: "archive", dir: join(data, "queue"), clock, log }),
      openDurableMap({ dir: join(data, "events"), name: "events", log }),
    ]);
    stops.push(async () => {
      await Promise.all([journal.close(), bus.close(), cache.close(), archive.close(), eventState.close()]);
    });
    await run(
      createKubeControllers({
        informers,
        clock,
        log: log.with({ service: "kube-controllers" }),
        metrics,
        journal,
        random,
        rootCa: kube.rootCa,
      }),
    );

    const resolver = createClusterResolver({ informers });
    let traffic: () => readonly BackendStats[] = () => [];
    const stats = await serveTrafficStats(() => traffic(), informers.informer(types.pods));
    stops.push(() => stats.close());
    const withTraffic = {
      ...resolver,
      resolve: async (host: string, port: number, namespace?: string) =>
        TRAFFIC_HOST.test(host)
          ? { host: "127.0.0.1", port: stats.port }
          : await resolver.resolve(host, port, namespace),
    };
    const dialer = createDialer({ resolver: withTraffic, clock, log, metrics });
    const proxy = createClusterProxy({
      informers,
      resolver: withTraffic,
      outside: dialer,
      clock,
      log,
      metrics,
      listen: { forward: ports.forward, ingress: ports.ingress },
    });
    await run(proxy);
    traffic = () => proxy.stats();
    await run(createIngressStatusController({ informers, clock, journal, log, metrics, hostname: "localhost" }));

    const spawner = createSpawner({ log });
    stops.push(() => spawner.stop());
    const node = createNodeRuntime({
      client,
      informers,
      nodeName: "tiphys-local",
      dir: join(data, "node"),
      clock,
      random,
      log: log.with({ service: "node-runtime" }),
      metrics,
      spawner,
      podEnv: (pod) => proxy.podEnv(pod),
      apiServer: { host: "127.0.0.1", port: ports.kube },
      // Ctrl-C ends what serves; a workflow's step is not lost to it, and the next start adopts what still runs.
      onStop: "keep-jobs",
    });
    stops.push(
      kube.registerLogSource("", (pod, logOptions, signal) =>
        node.logs({ namespace: pod.metadata.namespace ?? "", name: pod.metadata.name }, logOptions, signal),
      ),
    );
    stops.push(kube.registerNode("", node.kubelet));
    kube.registerNetwork(reachThrough(resolver));
    await run(node);

    const renderPool = createRenderPool({
      worker: join(bundles, "repo-server/dist/render-worker.mjs"),
      size: RENDER_CHILDREN,
      log,
    });
    stops.push(() => renderPool.stop());
    const suite = createSuite({
      informers,
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
      internalKey: key,
      executor: {
        bundle: await readFile(join(bundles, "executor/dist/executor.mjs"), "utf8"),
        node: process.execPath,
        signingKey: key,
        listen: { host: "127.0.0.1", port: ports.report },
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
    return { suite, informers, kubeconfig: join(data, "kubeconfig"), ingressUrl: proxy.ingressUrl, stop };
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
