import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Cache, createLocalCache } from "@tiphys/cache";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createInformers, type KubeClient } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { renderInProcess } from "@tiphys/render";
import { types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createRepoServer, type RepoServer, type RepoServerDeps } from "../create.js";

/** A repo-server over an embedded cluster whose Secrets and ConfigMaps it reads from `namespace`. */
export interface RepoServerLine {
  readonly client: KubeClient;
  readonly server: RepoServer;
  close(): Promise<void>;
}

export interface RepoServerLineOptions {
  readonly folder: string;
  readonly namespace: string;
  readonly plugins?: RepoServerDeps["plugins"];
  /** Looks at what the cache is given. */
  readonly cacheOver?: (below: Cache) => Cache;
}

export async function openRepoServerLine(options: RepoServerLineOptions): Promise<RepoServerLine> {
  const { folder, namespace, plugins, cacheOver = (below) => below } = options;
  const clock = systemClock();
  const log = silentLogger;
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log });
  const client = kube.client(clusterAdmin);
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  const informers = createInformers({ client, clock, log });
  const cache = cacheOver(await createLocalCache({ clock, log }));
  const server = createRepoServer({
    directory: join(folder, "mirrors"),
    searchPath: process.env["PATH"] ?? "",
    clock,
    log,
    metrics: noMetrics,
    cache,
    pool: renderInProcess,
    informers,
    namespace,
    random: randomBytes,
    ...(plugins ? { plugins } : {}),
  });
  await server.start();
  return {
    client,
    server,
    async close() {
      await server.stop();
      await informers.stop();
      await cache.close();
      await kube.stop();
    },
  };
}
