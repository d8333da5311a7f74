import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { createLocalCache } from "@tiphys/cache";
import { type Clock, systemClock } from "@tiphys/clock";
import { servicePrincipal } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createInformers, isNotFound, type KubeClient } from "@tiphys/kube";
import { tiphysRepoV1Repo } from "@tiphys/proto";
import { type ManifestService, manifestsOver, type RenderRequest, renderInProcess, serveManifests } from "@tiphys/render";
import { createRepoServer } from "@tiphys/repo-server";
import {
  type Application,
  type ApplicationSpec,
  applicationCrd,
  appProjectCrd,
  type KubeObject,
  types,
} from "@tiphys/resources";
import { memoryClient } from "@tiphys/rpc";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createTestRepository, eventually, type TestRepository, temporaryDirectory } from "@tiphys/testing";
import { type AppController, createAppController } from "../create.js";

/** Delivery from a real Git repository into a cluster, for tests. */
export interface DeliveryLine {
  readonly client: KubeClient;
  readonly repository: TestRepository;
  readonly controller: AppController;
  /** Ends the controller and starts another one, as a crash does. */
  restart(killPoint?: (name: string) => void): Promise<void>;
  readonly control: string;
  readonly destination: string;
  /** A name for an application that no other test has. */
  readonly shop: string;
  readonly log: string[];
  /** What the controller asked the repo-server to render, so far. */
  readonly renders: readonly RenderRequest[];
  create(name: string, spec?: Partial<ApplicationSpec>, metadata?: Partial<KubeObject["metadata"]>): Promise<void>;
  app(name: string): Promise<Application>;
  /** Waits until the application is as `check` wants it. */
  reaches(name: string, check: (app: Application) => unknown): Promise<Application>;
  object(apiVersion: string, kind: string, name: string): Promise<KubeObject | undefined>;
  commit(files: Record<string, string | null>, message?: string): string;
  close(): Promise<void>;
}

export async function openDeliveryLine(client: KubeClient, options: { clock?: Clock } = {}): Promise<DeliveryLine> {
  const clock = options.clock ?? systemClock();
  const folder = temporaryDirectory();
  const repository = createTestRepository(join(folder.path, "config"));
  const id = randomBytes(4).toString("hex");
  const control = `argocd-${id}`;
  const destination = `shop-${id}`;
  for (const name of [control, destination]) {
    await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  for (const crd of [applicationCrd, appProjectCrd]) {
    await client.patch(
      types.customResourceDefinitions,
      { name: crd.metadata.name },
      { type: "apply", body: crd },
      { fieldManager: "test", force: true },
    );
  }
  await eventually(() => client.list(types.appProjects, { namespace: control }).then(() => true));
  const informers = createInformers({ client, clock, log: silentLogger });
  const cache = await createLocalCache({ clock, log: silentLogger });
  const log: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (message: string, fields?: object) => void log.push(`${message} ${JSON.stringify(fields)}`),
    error: (message: string, fields?: object) => void log.push(`${message} ${JSON.stringify(fields)}`),
    with: () => logger,
  };
  const repoServer = createRepoServer({
    directory: join(folder.path, "mirrors"),
    searchPath: process.env["PATH"] ?? "",
    clock,
    log: logger,
    metrics: noMetrics,
    cache,
    pool: renderInProcess,
    informers,
    namespace: control,
    random: randomBytes,
  });
  // Encoded, so that what only bytes show is seen here too.
  const manifests = manifestsOver(
    memoryClient(tiphysRepoV1Repo.ManifestServiceDefinition, serveManifests(repoServer.api), {
      principal: servicePrincipal("app-controller"),
      encoded: true,
    }),
  );
  const renders: RenderRequest[] = [];
  const recorded: ManifestService = {
    ...manifests,
    render(request, options) {
      renders.push(request);
      return manifests.render(request, options);
    },
  };
  const start = (killPoint?: (name: string) => void) =>
    createAppController({
      informers,
      manifests: recorded,
      clock,
      journal: createMemoryJournal(),
      log: logger,
      metrics: noMetrics,
      random: randomBytes,
      namespace: control,
      ...(killPoint ? { killPoint } : {}),
    });
  let controller = start();
  await repoServer.start();
  await controller.start();

  const line: DeliveryLine = {
    client,
    repository,
    get controller() {
      return controller;
    },
    async restart(killPoint) {
      await controller.stop();
      controller = start(killPoint);
      await controller.start();
    },
    control,
    destination,
    shop: `shop-${id}`,
    log,
    renders,
    async create(name, spec = {}, metadata = {}) {
      const app: Application = {
        apiVersion: "argoproj.io/v1alpha1",
        kind: "Application",
        metadata: { name, namespace: control, ...metadata },
        spec: {
          project: "default",
          source: { repoURL: repository.url, path: "app", targetRevision: "main" },
          destination: { server: "https://kubernetes.default.svc", namespace: destination },
          ...spec,
        },
      };
      await client.create(types.applications, app);
    },
    app: async (name) => (await client.get(types.applications, { namespace: control, name })) as Application,
    async reaches(name, check) {
      let last: Application | undefined;
      return eventually(
        async () => {
          last = await line.app(name);
          return check(last) ? last : undefined;
        },
        { limit: 25_000, describe: () => ({ status: last?.status, log: log.slice(-5) }) },
      );
    },
    async object(apiVersion, kind, name) {
      const type = await client.resourceFor(apiVersion, kind);
      try {
        return await client.get(type, type.namespaced ? { namespace: destination, name } : { name });
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },
    commit(files, message) {
      const sha = repository.commit(files, message);
      controller.refreshRepository(repository.url);
      return sha;
    },
    async close() {
      for (const app of (await client.list(types.applications, { namespace: control })).items) {
        if (!app.metadata.finalizers?.length) continue;
        const key = { namespace: control, name: app.metadata.name };
        await client
          .patch(types.applications, key, { type: "merge", body: { metadata: { finalizers: null } } })
          .catch(() => {});
      }
      await controller.stop();
      await repoServer.stop();
      await informers.stop();
      await cache.close();
      for (const name of [control, destination]) await client.delete(types.namespaces, { name }).catch(() => {});
      folder.dispose();
    },
  };
  return line;
}
