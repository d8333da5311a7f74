import { type Clock, sleep } from "@tiphys/clock";
import { messageOf, UnavailableError } from "@tiphys/errors";
import {
  type ClusterFacts,
  createHttpKubeClient,
  createInformers,
  type HttpKubeClient,
  type Informer,
  type Informers,
  type KubeClient,
} from "@tiphys/kube";
import { type ApplicationDestination, type KubeObject, types } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import { clusterOf, type KnownCluster, SECRET_TYPE_LABEL, serverUrl } from "./cluster-secret.js";
import { createLiveState, type LiveState } from "./live-state.js";

/** The cluster that the controller itself lives in. */
export const IN_CLUSTER = "https://kubernetes.default.svc";
const IN_CLUSTER_NAME = "in-cluster";

/** A destination's cluster, or why there is none. */
export type FoundCluster =
  | { readonly ok: true; readonly name: string; readonly server: string }
  | { readonly ok: false; readonly problem: string };

/** What is needed to deliver to a cluster. */
export interface Destination {
  readonly name: string;
  readonly client: KubeClient;
  readonly live: LiveState;
  readonly namespaces: Informer;
  /** What the server says about itself, not older than a minute. */
  readonly facts: () => Promise<ClusterFacts>;
}

/** The clusters that applications can be delivered to: our own, and those of Argo CD's cluster Secrets. */
export interface Clusters {
  find(destination: ApplicationDestination): FoundCluster;
  /** Throws Unavailable where it cannot be reached, and by name where its Secret asks for what we cannot do. */
  open(found: Extract<FoundCluster, { ok: true }>, signal: AbortSignal): Promise<Destination>;
  /** Calls `handler` when a cluster comes, goes or changes; the returned function ends that. */
  onChange(handler: () => void): () => void;
  stop(): Promise<void>;
}

export interface ClustersDeps {
  /** Of our own cluster. */
  readonly informers: Informers;
  readonly namespace: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told the application whose object has changed, in whatever cluster. */
  readonly onChange: (app: string) => void;
}

/** A pass waits so long for a cluster's first answer; the passes after it do not wait, until there is one. */
const FIRST_ANSWER_MS = 5_000;

const FACTS_MS = 60_000;

function factsOf(client: KubeClient, clock: Clock): () => Promise<ClusterFacts> {
  let asked: { readonly at: number; readonly facts: Promise<ClusterFacts> } | undefined;
  return () => {
    const now = clock.monotonic();
    if (asked && now - asked.at < FACTS_MS) return asked.facts;
    const entry = { at: now, facts: client.cluster() };
    asked = entry;
    entry.facts.catch(() => {
      if (asked === entry) asked = undefined;
    });
    return entry.facts;
  };
}

interface Opened {
  readonly version: string;
  /** No answer came in time, and none has come since. */
  slow: boolean;
  readonly destination: Promise<Destination>;
  close(): Promise<void>;
}

export function createClusters({
  informers,
  namespace,
  clock,
  log,
  onChange,
}: ClustersDeps): Clusters & { readonly synced: Promise<unknown> } {
  const secrets = informers.informer(types.secrets, { namespace, labelSelector: SECRET_TYPE_LABEL });
  const namespaces = informers.informer(types.namespaces);
  const own: Destination = {
    name: IN_CLUSTER_NAME,
    client: informers.client,
    live: createLiveState(informers, onChange),
    namespaces,
    facts: factsOf(informers.client, clock),
  };
  const opened = new Map<string, Opened>();
  const handlers = new Set<() => void>();

  const known = (): { cluster: KnownCluster; version: string }[] =>
    secrets.list(namespace).flatMap((secret) => {
      const cluster = clusterOf(secret);
      return cluster ? [{ cluster, version: `${secret.metadata.uid}/${secret.metadata.resourceVersion}` }] : [];
    });

  const unsubscribe = secrets.onChange(({ object, previous }) => {
    const isCluster = (secret: KubeObject | undefined) => secret?.metadata.labels?.[SECRET_TYPE_LABEL] === "cluster";
    if (!isCluster(object) && !isCluster(previous)) return;
    const versions = new Map(known().map(({ cluster, version }) => [cluster.server, version]));
    for (const [server, { version }] of opened) if (versions.get(server) !== version) drop(server);
    for (const handler of handlers) handler();
  });

  function drop(server: string): void {
    const entry = opened.get(server);
    opened.delete(server);
    entry?.close().catch((error) => log.warn("a cluster was not left in order", { server, problem: messageOf(error) }));
  }

  function connect({ server, name, connection }: KnownCluster, version: string): Opened {
    let client: HttpKubeClient | undefined;
    let theirs: Informers | undefined;
    const close = async () => {
      client?.close();
      await theirs?.stop();
    };
    const destination = (async (): Promise<Destination> => {
      client = createHttpKubeClient({ connection: connection(), log, clock });
      // Asked first: informers try again for ever, and would not say what is wrong.
      await client.list(types.namespaces, { limit: 1 });
      theirs = createInformers({ client, clock, log: log.with({ cluster: name }) });
      const spaces = theirs.informer(types.namespaces);
      await spaces.synced;
      return {
        name,
        client: theirs.client,
        live: createLiveState(theirs, onChange),
        namespaces: spaces,
        facts: factsOf(theirs.client, clock),
      };
    })();
    const entry: Opened = { version, slow: false, destination, close };
    destination.then(
      () => {
        const late = entry.slow;
        entry.slow = false;
        if (late) for (const handler of handlers) handler();
      },
      () => {
        if (opened.get(server) === entry) drop(server);
      },
    );
    return entry;
  }

  async function answered(entry: Opened, name: string, signal: AbortSignal): Promise<Destination> {
    const silent = () => new UnavailableError(`cluster ${name} does not answer`);
    if (entry.slow) throw silent();
    const enough = new AbortController();
    const late = sleep(clock, FIRST_ANSWER_MS, AbortSignal.any([signal, enough.signal])).then(() => {
      entry.slow = true;
      throw silent();
    });
    try {
      return await Promise.race([entry.destination, late]);
    } finally {
      enough.abort();
      late.catch(() => undefined);
    }
  }

  return {
    synced: Promise.all([secrets.synced, namespaces.synced]),

    find({ server, name }) {
      const all = known().map(({ cluster }) => cluster);
      if (server) {
        const wanted = serverUrl(server);
        const found = all.find((cluster) => cluster.server === wanted);
        if (found) return { ok: true, name: found.name, server: found.server };
        if (wanted === IN_CLUSTER) return { ok: true, name: IN_CLUSTER_NAME, server: IN_CLUSTER };
        return {
          ok: false,
          problem: `spec.destination.server: cluster "${server}" not found: there is no cluster Secret for it`,
        };
      }
      const named = all.filter((cluster) => cluster.name === name);
      if (named.length > 1)
        return {
          ok: false,
          problem: `spec.destination.name: there are ${named.length} clusters with the same name: ${name} (Secrets ${named
            .map(({ secret }) => secret)
            .sort()
            .join(", ")})`,
        };
      const [found] = named;
      if (found) return { ok: true, name: found.name, server: found.server };
      if (name === IN_CLUSTER_NAME) return { ok: true, name, server: IN_CLUSTER };
      return { ok: false, problem: `spec.destination.name: there are no clusters with this name: ${name}` };
    },

    async open({ server, name }, signal) {
      if (server === IN_CLUSTER) return own;
      const entry = known().find(({ cluster }) => cluster.server === server);
      if (!entry) throw new UnavailableError(`cluster ${name} is not known any more`);
      let connected = opened.get(server);
      if (!connected || connected.version !== entry.version) {
        if (connected) drop(server);
        connected = connect(entry.cluster, entry.version);
        opened.set(server, connected);
      }
      return await answered(connected, name, signal);
    },

    onChange(handler) {
      handlers.add(handler);
      return () => handlers.delete(handler);
    },

    async stop() {
      unsubscribe();
      const entries = [...opened.values()];
      opened.clear();
      await Promise.all(entries.map((entry) => entry.close()));
    },
  };
}
