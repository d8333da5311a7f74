import { type ApiServer, createApiServer, eventRecord } from "@tiphys/api-server";
import { createAppController, deliveryService } from "@tiphys/app-controller";
import type { Archive } from "@tiphys/archive";
import type { ArtifactStore } from "@tiphys/artifacts";
import type { Bus, DurableMap } from "@tiphys/bus";
import type { Cache } from "@tiphys/cache";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { createEventsGateway, publishFacts, serveEvents } from "@tiphys/events-gateway";
import { type RandomBytes, servicePrincipal } from "@tiphys/identity";
import type { Journal } from "@tiphys/journal";
import type { Informers } from "@tiphys/kube";
import {
  tiphysControllerV1Controller as controller,
  tiphysDeliveryV1Delivery as delivery,
  tiphysEventsV1Events as events,
  tiphysRepoV1Repo as repo,
} from "@tiphys/proto";
import type { Queue } from "@tiphys/queue";
import { manifestsOver, type RenderPool, serveManifests } from "@tiphys/render";
import { createRepoServer, type RepoServerDeps } from "@tiphys/repo-server";
import type { AccountName } from "@tiphys/resources";
import { createRolloutsController } from "@tiphys/rollouts-controller";
import { memoryClient } from "@tiphys/rpc";
import type { Secret } from "@tiphys/secret";
import { explainService, type Service } from "@tiphys/service-host";
import type { Logger, Metrics } from "@tiphys/telemetry";
import {
  type ArchiveJob,
  createArchiver,
  createWorkflowController,
  type ExecutorOptions,
} from "@tiphys/workflow-controller";

/** The outside world of the whole suite in one process. */
export interface SuiteParts {
  /** The cluster as each service may see and change it, by the account of that service. */
  readonly informersOf: (service: AccountName) => Informers;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly journal: Journal;
  readonly bus: Bus;
  readonly cache: Cache;
  readonly archive: Archive;
  readonly artifacts: ArtifactStore;
  readonly archiveJobs: Queue<ArchiveJob>;
  readonly eventState: DurableMap;
  readonly dialer: Dialer;
  readonly renderPool: RenderPool;
  readonly plugins?: NonNullable<RepoServerDeps["plugins"]>;
  readonly internalKey: Secret;
  readonly executor: ExecutorOptions;
  /** Folder of repository mirrors. */
  readonly gitFolder: string;
  /** PATH where git is found. */
  readonly searchPath: string;
  readonly namespace: string;
  readonly host: string;
  readonly port: number;
  readonly consoleFolder?: string;
  /** Milliseconds between two looks at a repository without a reason; absent: as the app-controller has it. */
  readonly pollMilliseconds?: number;
  /** Encodes every message between services, so that tests find what only bytes show. */
  readonly encoded?: boolean;
}

export interface Suite {
  /** In the order of their start. */
  readonly services: readonly Service[];
  readonly api: ApiServer;
}

/** All services over one set of parts, speaking to each other in memory. */
export function createSuite(parts: SuiteParts): Suite {
  const { informersOf, log, bus, encoded = false } = parts;
  const of = (service: AccountName) => ({ ...parts, informers: informersOf(service), log: log.with({ service }) });
  const as = (service: string) => ({ principal: servicePrincipal(service), encoded });

  const repoServer = createRepoServer({ ...of("repo-server"), directory: parts.gitFolder, pool: parts.renderPool });
  const manifests = manifestsOver(
    memoryClient(repo.ManifestServiceDefinition, serveManifests(repoServer.api), as("app-controller")),
  );
  const apps = createAppController({ ...of("app-controller"), manifests });
  const archiver = createArchiver({
    client: informersOf("workflow-controller").client,
    archive: parts.archive,
    artifacts: parts.artifacts,
    queue: parts.archiveJobs,
    log,
  });
  const workflows = createWorkflowController({ ...of("workflow-controller"), archive: archiver.archive });
  const rollouts = createRolloutsController(of("rollouts-controller"));
  const gateway = createEventsGateway({ ...of("events-gateway"), state: parts.eventState, onFact: publishFacts(bus) });

  const explain = (resources: readonly string[]) =>
    memoryClient(controller.ControllerServiceDefinition, explainService(parts.journal, resources), as("api-server"));
  const eventClient = memoryClient(events.EventsServiceDefinition, serveEvents(gateway.api), as("api-server"));
  const deliveryClient = memoryClient(delivery.DeliveryServiceDefinition, deliveryService(apps), as("api-server"));
  const api = createApiServer({
    ...of("api-server"),
    client: informersOf("api-server").client,
    reflection: false,
    history: {
      controllers: {
        delivery: explain(["applications"]),
        workflows: explain(["workflows"]),
        rollouts: explain(["rollouts", "analysisruns"]),
        events: explain(["eventsources", "sensors", "eventbuses"]),
      },
      events: async (query) => ((await eventClient.listEvents(query)).events ?? []).map(eventRecord),
    },
    refreshRepository: async (request) => (await deliveryClient.refreshRepository(request)).applications ?? [],
  });
  return { services: [repoServer, apps, archiver, workflows, rollouts, gateway, api], api };
}
