import type { Duplex } from "node:stream";
import { deepEqual } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import { UnavailableError } from "@tiphys/errors";
import { clusterAdmin, type Principal, type RandomBytes } from "@tiphys/identity";
import { isAlreadyExists, type KubeClient } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import type { Logger } from "@tiphys/telemetry";
import { Access } from "./access/access.js";
import { applyBootstrapPolicy } from "./access/bootstrap.js";
import { CertificateSigner } from "./access/certificate-signer.js";
import { LegacyTokens } from "./access/legacy-tokens.js";
import { completeNamespaces } from "./access/namespace-defaults.js";
import { RoleAggregator } from "./access/role-aggregator.js";
import { tokenKey } from "./access/token-key.js";
import { TokenSecrets } from "./access/token-secrets.js";
import { Tokens } from "./access/tokens.js";

import { CRDS } from "./api/crds.js";
import type { HandlerParts, LogSource, NodeConnection } from "./api/handle.js";
import { Kinds } from "./api/kinds.js";
import { systemPriorityClasses } from "./api/priority.js";
import { ServiceAddresses } from "./api/services.js";
import { memoryClient } from "./client.js";
import { CrdCleaner } from "./crd-cleaner.js";
import { EventExpiry } from "./event-expiry.js";
import { GarbageCollector } from "./garbage-collector.js";
import { credentials } from "./pki/credentials.js";
import { Store } from "./store/store.js";
import { SystemConditions } from "./system-conditions.js";

export interface EmbeddedKubeOptions {
  /** Where objects are kept; absent: in memory only. */
  readonly dir?: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** CustomResourceDefinitions that are there, in this form, before anything else happens. */
  readonly crds?: readonly KubeObject[];
}

export interface ListenOptions {
  readonly host: "127.0.0.1";
  /** 0: a free one. */
  readonly port: number;
}

export interface Listening {
  readonly url: string;
  /** A kubeconfig with the CA and an administrator's client certificate. */
  readonly kubeconfig: string;
  close(): Promise<void>;
}

export interface EmbeddedKube {
  /** The API in this process: copies in, frozen objects out, all else as over HTTPS. */
  client(principal: Principal): KubeClient;
  listen(options: ListenOptions): Promise<Listening>;
  /** How logs of pods on `node` are read ("": of every node without its own); the returned function takes that back. */
  registerLogSource(node: string, source: LogSource): () => void;
  /** How the kubelet of `node` is asked ("": of every node without its own); the returned function takes that back. */
  registerNode(node: string, connection: NodeConnection | ((node: string) => NodeConnection)): () => void;
  /** How addresses of pods are reached, for the proxies of pods and Services. */
  registerNetwork(reach: (ip: string, port: number) => Promise<Duplex>): void;
  /** PEM of the authority that signs the certificates of the API server and of its clients. */
  readonly rootCa: string;
  stop(): Promise<void>;
}

const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** A Kubernetes API server in this process, with its store. */
export async function createEmbeddedKube(options: EmbeddedKubeOptions): Promise<EmbeddedKube> {
  const { dir, clock, random, log, crds = [] } = options;
  const store = await Store.open({ log, ...(dir === undefined ? {} : { dir }) });
  try {
    const kinds = new Kinds();
    const addresses = new ServiceAddresses(random);
    const keys = await credentials({ now: clock.now(), random, ...(dir === undefined ? {} : { dir }) });
    const access = new Access(store);
    const tokens = new Tokens({ store, clock, random }, await tokenKey(dir));
    const logSources = new Map<string, LogSource>();
    const nodes = new Map<string, NodeConnection | ((node: string) => NodeConnection)>();
    let reach: HandlerParts["reach"] = (ip) =>
      Promise.reject(
        new UnavailableError(`no network of pods is connected to this API server: ${ip} cannot be reached`),
      );
    const parts: HandlerParts = {
      store,
      kinds,
      clock,
      random,
      log,
      addresses,
      access,
      rootCa: keys.ca,
      authenticate: tokens.authenticate,
      tokens,
      nodeConnection(node) {
        const found = nodes.get(node) ?? nodes.get("");
        return typeof found === "function" ? found(node) : found;
      },
      reach: (ip, port) => reach(ip, port),
      logSource: (node) => logSources.get(node) ?? logSources.get(""),
    };
    for (const key of store.keys(CRDS)) kinds.setCustom(store.byKey(CRDS, key) as KubeObject);
    for (const key of store.keys("/services")) addresses.hold(store.byKey("/services", key) as KubeObject);
    const unobserve = store.observe(({ type, collection, object, previous }) => {
      if (collection === CRDS) {
        if (type === "DELETED") kinds.removeCustom(object.metadata.name);
        else kinds.setCustom(object);
      } else if (collection === "/services") {
        if (previous) addresses.release(previous);
        if (type !== "DELETED") addresses.hold(object);
      }
    });
    const system = memoryClient(parts, { username: "system:apiserver", groups: ["system:masters"] });
    await bootstrap(
      system,
      crds.filter((crd) => !isStored(crd, store.get(CRDS, undefined, crd.metadata.name), kinds)),
    );
    completeNamespaces(parts);
    await applyBootstrapPolicy(parts);
    const aggregator = new RoleAggregator(parts, clock);
    await aggregator.settle();
    const signer = new CertificateSigner(parts, keys, clock);
    const secrets = new TokenSecrets(parts, tokens, clock);
    const legacyTokens = new LegacyTokens(parts, clock);
    tokens.onSecretUsed = legacyTokens.used;
    const collector = new GarbageCollector(parts, clock);
    const expiry = new EventExpiry(store, clock);
    const cleaner = new CrdCleaner(parts, clock);
    const conditions = new SystemConditions(parts, clock);
    const open = new Set<Listening>();
    let stopping: Promise<void> | undefined;
    return {
      rootCa: keys.ca,
      client: (principal) => memoryClient(parts, principal),
      async listen(where) {
        // TLS and HTTP parts are loaded only by those who need the socket.
        const { listen } = await import("./http/server.js");
        const listening = await listen(parts, {
          ...where,
          keys,
          admin: clusterAdmin,
        });
        open.add(listening);
        return listening;
      },
      registerLogSource(node, source) {
        logSources.set(node, source);
        return () => {
          if (logSources.get(node) === source) logSources.delete(node);
        };
      },
      registerNode(node, connection) {
        nodes.set(node, connection);
        return () => {
          if (nodes.get(node) === connection) nodes.delete(node);
        };
      },
      registerNetwork(way) {
        reach = way;
      },
      stop() {
        stopping ??= (async () => {
          for (const listening of open) await listening.close();
          expiry.stop();
          legacyTokens.stop();
          await collector.stop();
          await cleaner.stop();
          await conditions.stop();
          await aggregator.stop();
          await signer.stop();
          await secrets.stop();
          unobserve();
          access.stop();
          await store.close();
        })();
        return stopping;
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/**
 * Whether an apply of the definition would change nothing. Each start brings the same ones, and to apply large ones again
 * takes as long as all else that the API does at its start.
 */
function isStored(crd: KubeObject, stored: KubeObject | undefined, kinds: Kinds): boolean {
  const kind = kinds.find("apiextensions.k8s.io", "v1", "customresourcedefinitions");
  if (!stored || !kind || stored.metadata.deletionTimestamp) return false;
  const owned = stored.metadata.managedFields?.some(
    ({ manager, operation, subresource }) => manager === "tiphys" && operation === "Apply" && !subresource,
  );
  const meets = (["labels", "annotations", "finalizers", "ownerReferences"] as const).every((field) =>
    deepEqual(crd.metadata[field] ?? undefined, stored.metadata[field]),
  );
  return owned === true && meets && deepEqual(kind.applyDefaults(crd)["spec"], stored["spec"]);
}

/** What every cluster has from its first moment on. */
async function bootstrap(client: KubeClient, crds: readonly KubeObject[]): Promise<void> {
  const ensure = async (work: Promise<unknown>) => {
    try {
      await work;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  };
  const writes = NAMESPACES.map((name) =>
    ensure(
      client.create(
        types.namespaces,
        { apiVersion: "v1", kind: "Namespace", metadata: { name } },
        { fieldManager: "kube-apiserver" },
      ),
    ),
  );
  await Promise.all(writes);
  await Promise.all(
    systemPriorityClasses.map(({ name, ...rest }) =>
      ensure(
        client.create(types.priorityClasses, {
          apiVersion: "scheduling.k8s.io/v1",
          kind: "PriorityClass",
          metadata: { name },
          ...rest,
        }),
      ),
    ),
  );
  const apiService = { name: "kubernetes", namespace: "default" };
  // Asked first: creating it again would be refused for its address, as on the real server, not for its name.
  const isThere = await client.get(types.services, apiService).then(
    () => true,
    () => false,
  );
  if (!isThere)
    await ensure(
      client.create(types.services, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { ...apiService, labels: { component: "apiserver", provider: "kubernetes" } },
        spec: { clusterIP: "10.96.0.1", ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 6443 }] },
      }),
    );
  const type = types.customResourceDefinitions;
  await Promise.all(
    crds.map((crd) =>
      client.patch(
        type,
        { name: crd.metadata.name },
        { type: "apply", body: crd },
        { fieldManager: "tiphys", force: true },
      ),
    ),
  );
}
