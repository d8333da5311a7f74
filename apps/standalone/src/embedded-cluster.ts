import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSpawner } from "@tiphys/child-process";
import type { Clock } from "@tiphys/clock";
import { createDialer, type Dialer } from "@tiphys/dialer";
import { clusterAdmin, nodePrincipal, type Principal, type RandomBytes } from "@tiphys/identity";
import { createFileJournal, type Journal } from "@tiphys/journal";
import { createInformers, type Informers } from "@tiphys/kube";
import {
  actingAs,
  controllerPrincipal,
  controllerRoles,
  createGatewayStatusController,
  createIngressStatusController,
  createKubeControllers,
  ensureRoles,
  sharedReader,
} from "@tiphys/kube-controllers";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import {
  type BackendStats,
  createClusterProxy,
  createClusterResolver,
  createNodeRuntime,
  GATEWAY_CONTROLLER,
  reachThrough,
} from "@tiphys/node-runtime";
import { type KubeObject, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics } from "@tiphys/telemetry";
import { ensureProxyClasses } from "./classes.js";
import { clusterName } from "./cluster-folders.js";
import { nodeSettings } from "./node-settings.js";
import { type StablePorts, stablePorts } from "./ports.js";
import { serveTrafficStats } from "./traffic-stats.js";

export interface ClusterOptions {
  readonly name: string;
  /** Keeps everything of this cluster. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly crds: readonly KubeObject[];
  /** Settings of the node runtime (see `nodeSettings`); none by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** An embedded cluster at work: its API, controllers, proxy and node. */
export interface RunningCluster {
  readonly name: string;
  readonly url: string;
  readonly ingressUrl: string;
  /** Text of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** The administrator's. */
  readonly informers: Informers;
  /** The cluster as an account sees it: reads and writes are what its roles allow, refused like those of other processes. */
  informersOf(principal: Principal): Informers;
  readonly journal: Journal;
  readonly dialer: Dialer;
  readonly ports: StablePorts;
}

/** How parts are started and, in reverse order, stopped. */
export interface Running {
  run(service: Pick<Service, "start" | "stop">): Promise<void>;
  readonly stops: (() => Promise<void> | void)[];
}

/** Names under which pods and analyses find the measured traffic. */
const TRAFFIC_HOST = /^traffic\.tiphys(\.svc(\.cluster\.local)?)?$/;

/** Starts one embedded cluster with its node, in this process. */
export async function startCluster(options: ClusterOptions, { run, stops }: Running): Promise<RunningCluster> {
  const { name, folder, clock, random, metrics } = options;
  const log = name === clusterName(1) ? options.log : options.log.with({ cluster: name });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const kube = await createEmbeddedKube({
    dir: join(folder, "cluster"),
    clock,
    random,
    log: log.with({ service: "kube" }),
    crds: options.crds,
  });
  stops.push(() => kube.stop());
  const ports = await stablePorts(folder);
  const listener = await kube.listen({ host: "127.0.0.1", port: ports.kube });
  stops.push(() => listener.close());
  await writeFile(join(folder, "kubeconfig"), listener.kubeconfig, { mode: 0o600 });

  // The administrator installs; controllers act as their own accounts over caches that one reader fills.
  const client = kube.client(clusterAdmin);
  await ensureRoles(client, controllerRoles());
  const reading = createInformers({ client: kube.client(sharedReader), clock, log });
  const informers = actingAs(reading, clusterAdmin);
  const ofProxy = actingAs(reading, controllerPrincipal("tiphys-ingress-controller"));
  stops.push(() => informers.stop());
  const journal = await createFileJournal({ dir: join(folder, "journal"), clock, log });
  stops.push(() => journal.close());
  await run(
    createKubeControllers({
      informers: reading,
      identities: true,
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
      TRAFFIC_HOST.test(host) ? { host: "127.0.0.1", port: stats.port } : await resolver.resolve(host, port, namespace),
  };
  const dialer = createDialer({ resolver: withTraffic, clock, log, metrics });
  const proxy = createClusterProxy({
    informers,
    resolver: withTraffic,
    outside: dialer,
    clock,
    log,
    metrics,
    listen: { forward: ports.forward, ingress: ports.ingress, tls: ports.tls },
  });
  await run(proxy);
  traffic = () => proxy.stats();
  await ensureProxyClasses(ofProxy.client, { gateways: proxy.gateways !== undefined });
  if (proxy.gateways) {
    const state = proxy.gateways;
    const where = { controllerName: GATEWAY_CONTROLLER, address: "127.0.0.1" };
    await run(createGatewayStatusController({ informers: ofProxy, clock, journal, log, metrics, state, ...where }));
  }
  await run(createIngressStatusController({ informers: ofProxy, clock, journal, log, metrics, hostname: "localhost" }));

  const spawner = createSpawner({ log });
  stops.push(() => spawner.stop());
  const nodeName = name === clusterName(1) ? "tiphys-local" : `tiphys-${name}`;
  const node = createNodeRuntime({
    client: kube.client(nodePrincipal(nodeName)),
    informers,
    nodeName,
    dir: join(folder, "node"),
    clock,
    random,
    log: log.with({ service: "node-runtime" }),
    metrics,
    spawner,
    podEnv: (pod) => proxy.podEnv(pod),
    ...(await nodeSettings(options.env ?? {}, dialer)),
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
  const { url, kubeconfig } = listener;
  const informersOf = (principal: Principal): Informers => {
    const own = createInformers({ client: kube.client(principal), clock, log: log.with({ as: principal.username }) });
    stops.push(() => own.stop());
    return own;
  };
  return { name, url, kubeconfig, ingressUrl: proxy.ingressUrl, informers, informersOf, journal, dialer, ports };
}
