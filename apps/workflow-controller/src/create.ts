import type { Server } from "node:http";
import type { Archive } from "@tiphys/archive";
import type { Bus } from "@tiphys/bus";
import { deepEqual } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import { createController, type RunningController } from "@tiphys/controller";
import type { RandomBytes } from "@tiphys/identity";
import type { Journal } from "@tiphys/journal";
import type { CacheChange, Informers } from "@tiphys/kube";
import { type KubeObject, type ObjectKey, types } from "@tiphys/resources";
import type { Secret } from "@tiphys/secret";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics, Tracer } from "@tiphys/telemetry";
import { executorFiles } from "./executor-files.js";
import { factPublisher } from "./facts.js";
import { podFact } from "./pod-facts.js";
import { BY_ORIGIN, BY_WORKFLOW, originIndex, workflowIndex, workflowReconciler } from "./reconciler.js";
import { createReportServer, listen } from "./report-server.js";
import { createTaskResultService, type TaskResultService } from "./task-results.js";

export interface WorkflowControllerDeps {
  readonly informers: Informers;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Spans of what controllers do, exported where it says. */
  readonly tracer?: Tracer;
  readonly random: RandomBytes;
  readonly archive?: Archive;
  /** Where facts for viewers go. */
  readonly bus?: Pick<Bus, "publish">;
  readonly executor: ExecutorOptions;
  readonly owns?: (key: ObjectKey) => boolean;
  readonly workers?: number;
  readonly killPoint?: (name: string) => void;
}

export interface ExecutorOptions {
  /** Text of the executor's bundle (`executor.mjs`). */
  readonly bundle: string;
  /** Path of Node.js on the nodes; `node` on the container's PATH is tried as well. */
  readonly node: string;
  /** Signs the tokens with which pods report; the same after a restart. */
  readonly signingKey: Secret;
  /** Where to listen for reports. The port must be the same after a restart: pods that run keep the address. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Base URL of that listener as pods reach it; absent: `http://HOST:PORT`. */
  readonly reportUrl?: string;
}

export interface WorkflowController extends Service {
  readonly controller: RunningController;
  /** The RPC that executors call, for hosts that serve it over another transport too. */
  readonly taskResults: TaskResultService;
  /** Known after start. */
  reportUrl(): string;
}

const seen = (pod: KubeObject) => {
  const { labelledCompleted: _, ...fact } = podFact(pod);
  return fact;
};

const POD_SELECTOR = "workflows.argoproj.io/workflow";

/** The workflow controller: runs Workflows as pods, takes their executors' reports, archives what is over. */
export function createWorkflowController(deps: WorkflowControllerDeps): WorkflowController {
  const { informers, clock, log, executor } = deps;
  const indexes = { [BY_WORKFLOW]: workflowIndex };
  const taskResults = createTaskResultService({ client: informers.client, signingKey: executor.signingKey });
  let url = executor.reportUrl ?? "";
  let server: Server | undefined;
  let started = false;
  let unsubscribe = () => {};
  const caches = {
    pods: informers.informer(types.pods, { labelSelector: POD_SELECTOR, indexes }),
    results: informers.informer(types.workflowTaskResults, { indexes }),
    workflows: informers.informer(types.workflows, { indexes: { [BY_ORIGIN]: originIndex } }),
    workflowTemplates: informers.informer(types.workflowTemplates),
    clusterWorkflowTemplates: informers.informer(types.clusterWorkflowTemplates),
  };
  const reconciler = workflowReconciler({
    informers,
    clock,
    random: deps.random,
    ...caches,
    files: executorFiles({ client: informers.client, bundle: executor.bundle, node: executor.node }),
    signingKey: executor.signingKey,
    reportUrl: () => url,
    ...(deps.archive ? { archive: deps.archive } : {}),
  });
  const ofWorkflow = ({ object }: Pick<CacheChange, "object">): ObjectKey[] =>
    workflowIndex(object).map((key) => {
      const [namespace, name] = key.split("/") as [string, string];
      return { namespace, name };
    });
  /** A pod changes more often than what a workflow knows of it; our own label on it calls for no pass. */
  const ofPod = (change: CacheChange): ObjectKey[] => {
    const { type, object, previous } = change;
    const same = type === "modified" && previous && deepEqual(seen(previous), seen(object));
    return same ? [] : ofWorkflow(change);
  };
  const controller = createController({
    name: "workflows",
    resource: types.workflows,
    statusSubresource: false,
    reconciler,
    informers,
    watches: [
      { resource: types.pods, labelSelector: POD_SELECTOR, keys: ofPod },
      { resource: types.workflowTaskResults, keys: ofWorkflow },
    ],
    clock,
    journal: deps.journal,
    log,
    metrics: deps.metrics,
    ...(deps.tracer ? { tracer: deps.tracer } : {}),
    ...(deps.workers === undefined ? {} : { workers: deps.workers }),
    ...(deps.owns ? { owns: deps.owns } : {}),
    ...(deps.killPoint ? { killPoint: deps.killPoint } : {}),
  });
  return {
    name: "workflow-controller",
    controller,
    taskResults,
    reportUrl: () => url,
    async start() {
      server = createReportServer(taskResults, log, deps.metrics);
      const port = await listen(server, executor.listen);
      if (!executor.reportUrl) url = `http://${executor.listen.host}:${port}`;
      await Promise.all(Object.values(caches).map((cache) => cache.synced));
      if (deps.bus) unsubscribe = informers.informer(types.workflows).onChange(factPublisher(deps.bus, clock));
      await controller.start();
      started = true;
    },
    async stop() {
      started = false;
      unsubscribe();
      await controller.stop();
      const closing = server;
      server = undefined;
      if (!closing) return;
      closing.closeAllConnections();
      await new Promise<void>((resolve) => closing.close(() => resolve()));
    },
    async ready() {
      return started ? controller.ready() : "the workflow controller is not started";
    },
  };
}
