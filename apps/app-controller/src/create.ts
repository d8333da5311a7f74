import type { Bus } from "@tiphys/bus";
import type { Clock } from "@tiphys/clock";
import { createController, type Explanation } from "@tiphys/controller";
import { canonicalRepositoryUrl } from "@tiphys/git";
import type { RandomBytes } from "@tiphys/identity";
import type { Journal } from "@tiphys/journal";
import { type Informers, isAlreadyExists } from "@tiphys/kube";
import type { ManifestService } from "@tiphys/render";
import { type Application, type AppProject, keyOf, keyText, type ObjectKey, types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics, Tracer } from "@tiphys/telemetry";
import { createClusters } from "./clusters.js";
import { factPublisher } from "./facts.js";
import { reportOutside } from "./outside.js";
import { pollPeriod } from "./poll-period.js";
import { reportProjectRoles } from "./project-roles.js";
import { createDeliveryReconciler } from "./reconciler.js";
import { builtinSchemas } from "./schemas.js";
import { reportSettings } from "./settings-report.js";
import { sourcesOf } from "./sources.js";
import { createTargets } from "./targets.js";

export interface AppControllerDeps {
  readonly informers: Informers;
  readonly manifests: ManifestService;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Spans of what controllers do, exported where it says. */
  readonly tracer?: Tracer;
  readonly random: RandomBytes;
  /** Facts for viewers are published here. */
  readonly bus?: Bus;
  /** Control namespace: Applications and AppProjects live here. */
  readonly namespace: string;
  /** How often repositories are asked when argocd-cm does not say; default 120,000, plus up to the jitter (60,000). */
  readonly pollMilliseconds?: number;
  readonly pollJitterMilliseconds?: number;
  readonly workers?: number;
  readonly owns?: (key: ObjectKey) => boolean;
  readonly killPoint?: (name: string) => void;
}

export interface AppController extends Service {
  /** Compares every application of a repository again, at once; answers their keys. Any spelling of the URL will do. */
  refreshRepository(url: string): readonly string[];
  explain(key: ObjectKey): Promise<Explanation>;
}

/** Key of argocd-cmd-params-cm: "false" keeps the health of each resource out of the Application's status. */
const PERSIST_HEALTH = "controller.resource.health.persist";

/** The default project, which every installation has. */
const defaultProject = (namespace: string): AppProject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "AppProject",
  metadata: { name: "default", namespace },
  spec: {
    sourceRepos: ["*"],
    destinations: [{ server: "*", namespace: "*" }],
    clusterResourceWhitelist: [{ group: "*", kind: "*" }],
  },
});

/** Compares applications with their repositories and brings the cluster to what they want. */
export function createAppController(deps: AppControllerDeps): AppController {
  const { informers, clock, log, metrics, namespace } = deps;
  const applications = informers.informer(types.applications);
  const projects = informers.informer(types.appProjects);
  const configMaps = informers.informer(types.configMaps, { namespace });
  const clusters = createClusters({
    informers,
    namespace,
    clock,
    log,
    onChange: (app) => controller.enqueue({ namespace, name: app }),
  });
  const targets = createTargets(deps.manifests, clock);
  const reconciler = createDeliveryReconciler({
    clusters,
    targets,
    projects,
    schemas: builtinSchemas,
    clock,
    random: deps.random,
    controlNamespace: namespace,
    healthInResources: () =>
      configMaps.get({ namespace, name: "argocd-cmd-params-cm" })?.["data"]?.[PERSIST_HEALTH]?.trim() !== "false",
    poll: () =>
      pollPeriod(configMaps.get({ namespace, name: "argocd-cm" }), {
        milliseconds: deps.pollMilliseconds ?? 120_000,
        jitterMilliseconds: deps.pollJitterMilliseconds ?? 60_000,
      }),
  });
  const controller = createController({
    name: "applications",
    resource: types.applications,
    statusSubresource: false,
    reconciler,
    informers,
    watches: [
      {
        resource: types.appProjects,
        keys: ({ object }) =>
          applications
            .list(namespace)
            .filter((app) => ((app as Application).spec.project || "default") === object.metadata.name)
            .map(keyOf),
      },
    ],
    clock,
    journal: deps.journal,
    log,
    metrics,
    ...(deps.tracer ? { tracer: deps.tracer } : {}),
    workers: deps.workers ?? 10,
    owns: (key) => key.namespace === namespace && (deps.owns?.(key) ?? true),
    ...(deps.killPoint ? { killPoint: deps.killPoint } : {}),
  });
  const info = metrics.gauge("argocd_app_info", "Information about applications", [
    "namespace",
    "name",
    "project",
    "sync_status",
    "health_status",
  ]);
  const syncs = metrics.counter("argocd_app_sync_total", "Number of application syncs", ["namespace", "name", "phase"]);
  const labelsOf = (app: Application) => ({
    namespace: app.metadata.namespace ?? "",
    name: app.metadata.name,
    project: app.spec.project || "default",
    sync_status: app.status?.sync?.status ?? "Unknown",
    health_status: app.status?.health?.status ?? "Unknown",
  });
  const unsubscribe: (() => void)[] = [];
  let running = false;

  return {
    name: "app-controller",
    async start() {
      try {
        await informers.client.create(types.appProjects, defaultProject(namespace), { fieldManager: "tiphys" });
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
      await Promise.all([applications.synced, projects.synced, clusters.synced, configMaps.synced]);
      unsubscribe.push(reportSettings({ configMaps, namespace }, { log, metrics }));
      unsubscribe.push(reportOutside(applications, namespace, { log, metrics }));
      unsubscribe.push(reportProjectRoles(projects, namespace, { log, metrics }));
      unsubscribe.push(
        applications.onChange(({ type, object, previous }) => {
          const app = object as Application;
          const before = previous as Application | undefined;
          if (before) info.remove(labelsOf(before));
          if (type === "deleted") {
            info.remove(labelsOf(app));
            targets.forget(app.metadata.name);
          } else info.set(1, labelsOf(app));
          const phase = app.status?.operationState?.phase;
          if (phase && phase !== "Running" && before?.status?.operationState?.phase === "Running") {
            syncs.add({ namespace: app.metadata.namespace ?? "", name: app.metadata.name, phase });
          }
        }),
      );
      if (deps.bus) unsubscribe.push(applications.onChange(factPublisher(deps.bus, clock)));
      unsubscribe.push(
        clusters.onChange(() => {
          for (const app of applications.list(namespace)) controller.enqueue(keyOf(app));
        }),
      );
      await controller.start();
      running = true;
    },
    async stop() {
      running = false;
      for (const end of unsubscribe.splice(0)) end();
      await controller.stop();
      await clusters.stop();
    },
    ready: async () => (running ? controller.ready() : "the app-controller has not started"),
    refreshRepository(url) {
      const wanted = canonicalRepositoryUrl(url);
      const keys: string[] = [];
      for (const object of applications.list(namespace)) {
        const { list } = sourcesOf((object as Application).spec);
        if (!list.some(({ repoURL }) => canonicalRepositoryUrl(repoURL) === wanted)) continue;
        const key = keyText(keyOf(object));
        reconciler.invalidate(key);
        controller.enqueue(keyOf(object));
        keys.push(key);
      }
      return keys;
    },
    explain: (key) => controller.explain(key),
  };
}
