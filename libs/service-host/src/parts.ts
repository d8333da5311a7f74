import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Archive, createPostgresArchive, createSqliteArchive } from "@tiphys/archive";
import { type ArtifactStore, createLocalArtifacts, createS3Artifacts } from "@tiphys/artifacts";
import { type Bus, createLocalBus, createNatsBus } from "@tiphys/bus";
import { type Cache, createLocalCache, createRedisCache } from "@tiphys/cache";
import type { Clock } from "@tiphys/clock";
import { type ClusterResolver, createDialer, type Dialer } from "@tiphys/dialer";
import { InvalidArgumentError } from "@tiphys/errors";
import type { RandomBytes } from "@tiphys/identity";
import { createFileJournal, createJetStreamJournal, type Journal } from "@tiphys/journal";
import { createHttpKubeClient, createInformers, type Informers, type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { createClusterResolver } from "@tiphys/node-runtime";
import { createBullQueue, createLocalQueue, type Queue } from "@tiphys/queue";
import { createServiceTokens, type GrpcChannel, grpcChannel, type ServiceTokens } from "@tiphys/rpc";
import { Secret } from "@tiphys/secret";
import {
  createLogger,
  createMetrics,
  createOtlpTracer,
  type Logger,
  type Metrics,
  noTracer,
  type Tracer,
} from "@tiphys/telemetry";
import type { Peer, ServiceSettings } from "./settings.js";

/** The outside world of a service in a process of its own. */
export interface Parts {
  readonly settings: ServiceSettings;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly client: KubeClient;
  readonly informers: Informers;
  readonly bus: Bus;
  readonly cache: Cache;
  readonly journal: Journal;
  readonly dialer: Dialer;
  readonly tokens: ServiceTokens;
  readonly internalKey: Secret;
  /** PEM texts of the certificate between services. */
  readonly tls?: { cert: string; key: string; ca: string };
  /** Opened on first use: not every service has an archive, artifacts or jobs. */
  archive(): Promise<Archive>;
  artifacts(): Promise<ArtifactStore>;
  queue<Job>(name: string): Promise<Queue<Job>>;
  /** The connection to another service; throws InvalidArgument naming the variable when its address is not set. */
  peer(name: Peer): GrpcChannel;
  stop(): Promise<void>;
}

/** Kubeconfig that a pod's own service account amounts to. */
const IN_CLUSTER = "/var/run/secrets/kubernetes.io/serviceaccount";

export async function openParts(
  service: Peer,
  settings: ServiceSettings,
  outside: { clock: Clock; random: RandomBytes },
): Promise<Parts> {
  const { clock, random } = outside;
  const log = createLogger({ service, level: settings.logLevel });
  const metrics = createMetrics({ processMetrics: true });
  const tracer = settings.otlp ? await createOtlpTracer({ service, endpoint: settings.otlp }) : noTracer;
  const internalKey = new Secret((await readFile(settings.internalKeyFile, "utf8")).trim());
  const tokens = createServiceTokens({ key: internalKey, clock });
  const pem = (path: string) => readFile(path, "utf8");
  const tls = settings.tls && {
    cert: await pem(settings.tls.cert),
    key: await pem(settings.tls.key),
    ca: await pem(settings.tls.ca),
  };
  const connection = settings.kubeconfig
    ? await loadKubeconfig({ path: settings.kubeconfig })
    : await inClusterConnection();
  const kube = createHttpKubeClient({ connection, log, clock });
  const informers = createInformers({ client: kube, clock, log });
  const folder = join(settings.data, service);
  const bus = settings.nats
    ? await createNatsBus({ servers: settings.nats.split(","), clock, log })
    : await createLocalBus({ dir: join(folder, "bus"), clock, log });
  const cache = settings.redis
    ? await createRedisCache({ redis: settings.redis, key: internalKey, prefix: "tiphys:cache:", log })
    : await createLocalCache({ dir: join(folder, "cache"), key: internalKey, clock, log });
  const journal = await openJournal(settings, folder, { clock, log });
  const dialer = createDialer({ resolver: resolverWith(settings.clusterHosts, informers), clock, log, metrics });
  const channels = new Map<Peer, GrpcChannel>();
  const closing: (() => Promise<void> | void)[] = [];
  const opened = async <T>(made: Promise<T> | T, close: (value: T) => Promise<void> | void): Promise<T> => {
    const value = await made;
    closing.push(() => close(value));
    return value;
  };
  let archive: Promise<Archive> | undefined;
  let artifacts: Promise<ArtifactStore> | undefined;
  return {
    settings,
    clock,
    random,
    log,
    metrics,
    tracer,
    client: informers.client,
    informers,
    bus,
    cache,
    journal,
    dialer,
    tokens,
    internalKey,
    ...(tls ? { tls } : {}),
    archive: () => {
      archive ??= opened(
        settings.postgres
          ? createPostgresArchive({ url: new Secret(settings.postgres), log })
          : createSqliteArchive({ path: join(folder, "archive.db") }),
        (a) => a.close(),
      );
      return archive;
    },
    artifacts: () => {
      artifacts ??= openArtifacts(settings, folder, dialer, clock);
      return artifacts;
    },
    queue: <Job>(name: string): Promise<Queue<Job>> =>
      opened(
        settings.redis
          ? createBullQueue<Job>({ name, redis: settings.redis, prefix: "tiphys", clock, log })
          : createLocalQueue<Job>({ name, dir: join(folder, "queue"), clock, log }),
        (q) => q.close(),
      ),
    peer(name) {
      const known = channels.get(name);
      if (known) return known;
      const target = settings.peers[name];
      if (!target)
        throw new InvalidArgumentError(
          `TIPHYS_${name.toUpperCase().replaceAll("-", "_")}`,
          `must be set: ${service} calls ${name}`,
        );
      const channel = grpcChannel({ target, ...(tls ?? {}), token: () => tokens.issue(service) });
      channels.set(name, channel);
      return channel;
    },
    async stop() {
      for (const close of closing.reverse()) await close();
      for (const channel of channels.values()) channel.close();
      await informers.stop();
      await Promise.all([bus.close(), cache.close(), journal.close()]);
      kube.close();
      await tracer.stop();
    },
  };
}

/** The journal where the settings say; a stream's connection is closed with it. */
async function openJournal(
  settings: ServiceSettings,
  folder: string,
  more: { clock: Clock; log: Logger },
): Promise<Journal> {
  if (settings.journal !== "nats") return await createFileJournal({ dir: join(folder, "journal"), ...more });
  const { connect } = await import("@nats-io/transport-node");
  const connection = await connect({ servers: settings.nats?.split(",") ?? [] });
  const journal = await createJetStreamJournal({ connection });
  return {
    ...journal,
    async close() {
      await journal.close();
      await connection.drain();
    },
  };
}

/** The cluster's names, and those that a setting says are elsewhere. */
function resolverWith(hosts: Readonly<Record<string, string>>, informers: Informers): ClusterResolver {
  const cluster = createClusterResolver({ informers });
  return {
    async resolve(host, port, namespace) {
      const fixed = Object.hasOwn(hosts, host) ? hosts[host] : undefined;
      if (fixed === undefined) return await cluster.resolve(host, port, namespace);
      const at = fixed.lastIndexOf(":");
      return { host: fixed.slice(0, at), port: Number(fixed.slice(at + 1)) };
    },
  };
}

async function openArtifacts(
  settings: ServiceSettings,
  folder: string,
  dialer: Dialer,
  clock: Clock,
): Promise<ArtifactStore> {
  if (!settings.s3) return createLocalArtifacts({ dir: join(folder, "artifacts") });
  const { secretKeyFile, ...s3 } = settings.s3;
  return createS3Artifacts({
    ...s3,
    secretKey: new Secret((await readFile(secretKeyFile, "utf8")).trim()),
    dialer,
    clock,
  });
}

async function inClusterConnection() {
  const [token, ca] = await Promise.all([
    readFile(join(IN_CLUSTER, "token"), "utf8"),
    readFile(join(IN_CLUSTER, "ca.crt"), "utf8"),
  ]).catch((cause) => {
    throw new InvalidArgumentError("TIPHYS_KUBECONFIG", "must be set outside of a cluster", { cause });
  });
  return { server: "https://kubernetes.default.svc", ca, token: new Secret(token.trim()) };
}
