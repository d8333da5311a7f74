import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createAppController } from "@tiphys/app-controller";
import { createLocalCache } from "@tiphys/cache";
import { createSpawner } from "@tiphys/child-process";
import { servicePrincipal } from "@tiphys/identity";
import { tiphysRepoV1Repo } from "@tiphys/proto";
import { createRenderPool, manifestsOver, serveManifests } from "@tiphys/render";
import { createRepoServer } from "@tiphys/repo-server";
import { type Application, type KubeObject, types } from "@tiphys/resources";
import { memoryClient } from "@tiphys/rpc";
import { createTestRepository } from "@tiphys/testing";
import { bench, inParallel, seconds } from "./harness.js";
import {
  clock,
  createNamespace,
  embeddedWorld,
  inTemporaryFolder,
  log,
  reached,
  realKubeconfig,
  realWorld,
  type World,
  writeLimit,
} from "./world.js";

const APPS = 100;
const OBJECTS = 3;
const WIDTH = 32;

const plain = (app: number, n: number): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: `app-${app}-${n}` },
  data: { app: String(app), text: "x".repeat(100) },
});

const application = (namespace: string, app: number, repoURL: string, destination: string): Application => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Application",
  metadata: { name: `app-${app}`, namespace },
  spec: {
    project: "default",
    source: { repoURL, path: `apps/${app}`, targetRevision: "main" },
    destination: { server: "https://kubernetes.default.svc", namespace: destination },
    syncPolicy: { automated: { prune: true, selfHeal: true } },
  },
});

const isDone = (namespace: string) => (objects: readonly KubeObject[]) =>
  (objects as readonly Application[]).filter(
    ({ metadata, status }) =>
      metadata.namespace === namespace && status?.sync?.status === "Synced" && status.health?.status === "Healthy",
  ).length === APPS;

const revision = async ({ client }: World) => Number((await client.list(types.nodes)).resourceVersion);

/** 100 new Applications of three ConfigMaps each, until all are Synced and Healthy. */
async function deliver(world: World, dir: string, prefix: string): Promise<Record<string, number>> {
  const { client, informers, parts } = world;
  const id = randomBytes(4).toString("hex");
  const [control, destination, ideal] = [`argocd-${id}`, `shop-${id}`, `ideal-${id}`];
  for (const name of [control, destination, ideal]) await createNamespace(client, name);
  const limit = await writeLimit(client);
  // The same objects from a script that knows them beforehand: every Application once, every ConfigMap once.
  const idealSeconds = await seconds(() =>
    inParallel(APPS * (OBJECTS + 1), WIDTH, (index) => {
      const app = index % APPS;
      const n = Math.floor(index / APPS);
      if (n === OBJECTS) return client.create(types.applications, application(ideal, app, "file:///none", ideal));
      const object = plain(app, n);
      return client.create(types.configMaps, { ...object, metadata: { ...object.metadata, namespace: ideal } });
    }),
  );

  const repository = createTestRepository(join(dir, "config"));
  const files = Array.from({ length: APPS * OBJECTS }, (_, index) => {
    const app = index % APPS;
    const n = Math.floor(index / APPS);
    return [`apps/${app}/${n}.yaml`, JSON.stringify(plain(app, n))] as const;
  });
  repository.commit(Object.fromEntries(files));
  const spawner = createSpawner({ log });
  const pool = createRenderPool({
    worker: join(process.cwd(), "apps/repo-server/dist/render-worker.mjs"),
    size: 1,
    log,
  });
  const cache = await createLocalCache({ clock, log });
  const repoServer = createRepoServer({
    ...parts,
    directory: join(dir, "mirrors"),
    searchPath: process.env["PATH"] ?? "",
    cache,
    pool,
    namespace: control,
  });
  const principal = servicePrincipal("app-controller");
  const service = memoryClient(tiphysRepoV1Repo.ManifestServiceDefinition, serveManifests(repoServer.api), {
    principal,
    encoded: false,
  });
  const controller = createAppController({ ...parts, manifests: manifestsOver(service), namespace: control });
  await repoServer.start();
  await controller.start();
  try {
    const before = await revision(world);
    const cpu = process.cpuUsage();
    const taken = await seconds(async () => {
      await inParallel(APPS, WIDTH, (app) =>
        client.create(types.applications, application(control, app, repository.url, destination)),
      );
      await reached(informers, types.applications, isDone(control), () =>
        (informers.informer(types.applications).list(control) as Application[])
          .filter(({ status }) => status?.health?.status !== "Healthy" || status.sync?.status !== "Synced")
          .slice(0, 2)
          .map(({ status }) => status),
      );
    });
    const used = process.cpuUsage(cpu);
    const writes = (await revision(world)) - before;
    return {
      [`${prefix}write_limit_per_second`]: limit,
      [`${prefix}seconds`]: taken,
      [`${prefix}ideal_driver_seconds`]: idealSeconds,
      [`${prefix}to_ideal_driver_ratio`]: taken / idealSeconds,
      [`${prefix}cpu_ms_per_app`]: (used.user + used.system) / 1000 / APPS,
      [`${prefix}writes_per_app`]: writes / APPS,
      [`${prefix}rss_mb`]: process.memoryUsage().rss / 1024 / 1024,
    };
  } finally {
    await controller.stop();
    await repoServer.stop();
    await pool.stop();
    await spawner.stop();
    await cache.close();
    for (const name of [control, destination, ideal]) await client.delete(types.namespaces, { name });
  }
}

const on = (open: (dir: string) => Promise<World>, prefix: string) =>
  inTemporaryFolder(async (dir) => {
    const world = await open(dir);
    try {
      return await deliver(world, dir, prefix);
    } finally {
      await world.close();
    }
  });

await bench({
  name: "apps-100",
  isolated: true,
  run: async () => ({
    // The real one first: its memory is then that of controllers and client alone.
    ...(realKubeconfig ? await on(() => realWorld(realKubeconfig ?? ""), "real_") : {}),
    ...(await on((dir) => embeddedWorld(dir), "embedded_")),
  }),
});
