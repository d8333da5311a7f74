import { canonicalJson } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import {
  ConflictError,
  codeOf,
  FailedPreconditionError,
  InvalidArgumentError,
  UnimplementedError,
} from "@tiphys/errors";
import { changeAnnotations, newChange, type Principal, type RandomBytes } from "@tiphys/identity";
import type { KubeClient, KubeList, WatchEvent } from "@tiphys/kube";
import { type KubeObject, type ObjectKey, types, type Workflow, type WorkflowSpec } from "@tiphys/resources";
import {
  abortPatch,
  pausePatch,
  promotePatch,
  type RolloutPatch,
  restartPatch,
  resumePatch,
  retryPatch,
  undoPatch,
} from "@tiphys/rollout";
import {
  resumeWorkflow,
  stopWorkflow,
  suspendWorkflow,
  terminateWorkflow,
  unpacked,
  validateWorkflow,
} from "@tiphys/workflow";
import { servedKind, servedResource } from "./resources.js";
import { createWorkflowLogs } from "./workflow-logs.js";

/** Field manager of objects that users send through the API. */
const MANAGER = "tiphys-api";

export interface OperationsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** The control namespace, where applications live. */
  readonly namespace: string;
}

export interface Selection {
  readonly resource: string;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly name?: string;
}

export type Operations = ReturnType<typeof createOperations>;

/** Readers see the nodes of a workflow however they are stored; what cannot be read is shown as it lies. */
function shown(object: KubeObject): KubeObject {
  if (object.kind !== "Workflow") return object;
  try {
    return unpacked(object as KubeObject & { status?: unknown });
  } catch {
    return object;
  }
}

/** What users can do, independent of how they asked: gRPC, REST and the console all call these. */
export function createOperations({ client, clock, random, namespace: controlNamespace }: OperationsOptions) {
  const keyIn = (resource: string, namespace: string | undefined, name: string | undefined): ObjectKey => {
    if (!name) throw new InvalidArgumentError("name", "must not be empty");
    const { type } = servedResource(resource);
    if (!type.namespaced) return { name };
    return { namespace: namespace || (type === types.applications ? controlNamespace : "default"), name };
  };
  const born = () => changeAnnotations(newChange(clock.now(), random));

  async function get(resource: string, namespace: string | undefined, name: string | undefined): Promise<KubeObject> {
    return shown(await client.get(servedResource(resource).type, keyIn(resource, namespace, name)));
  }

  async function list({ resource, namespace, labelSelector, limit, continue: token }: Selection): Promise<KubeList> {
    const found = await client.list(servedResource(resource).type, {
      ...(namespace ? { namespace } : {}),
      ...(labelSelector ? { labelSelector } : {}),
      ...(limit ? { limit } : {}),
      ...(token ? { continue: token } : {}),
    });
    return { ...found, items: found.items.map(shown) };
  }

  /** The present objects as ADDED, then every change; what cannot be watched is refused before the stream begins. */
  async function watch(
    selection: Selection,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Exclude<WatchEvent, { type: "BOOKMARK" }>>> {
    const { type } = servedResource(selection.resource);
    const common = {
      ...(selection.namespace ? { namespace: selection.namespace } : {}),
      ...(selection.labelSelector ? { labelSelector: selection.labelSelector } : {}),
      ...(selection.name ? { fieldSelector: `metadata.name=${selection.name}` } : {}),
    };
    const { items, resourceVersion } = await client.list(type, common);
    return (async function* () {
      for (const object of items) yield { type: "ADDED", object: shown(object) } as const;
      let from = resourceVersion;
      // The server may close a watch at any time; it goes on from the last version seen.
      while (!signal.aborted) {
        for await (const event of client.watch(type, { ...common, resourceVersion: from }, signal)) {
          from = event.type === "BOOKMARK" ? event.resourceVersion : (event.object.metadata.resourceVersion ?? from);
          if (event.type !== "BOOKMARK") yield { ...event, object: shown(event.object) };
        }
      }
    })();
  }

  async function apply(object: KubeObject, { dryRun = false } = {}): Promise<KubeObject> {
    const { type } = servedKind(object?.apiVersion, object?.kind);
    const metadata = object.metadata;
    if (typeof metadata?.name !== "string" || metadata.name === "")
      throw new InvalidArgumentError("metadata.name", "must be a text that is not empty");
    const namespace = type.namespaced
      ? (metadata.namespace ?? (type === types.applications ? controlNamespace : "default"))
      : undefined;
    const key = namespace ? { namespace, name: metadata.name } : { name: metadata.name };
    const body = { ...object, metadata: { ...metadata, ...(namespace ? { namespace } : {}) } };
    return await client.patch(
      type,
      key,
      { type: "apply", body },
      { fieldManager: MANAGER, force: true, fieldValidation: "Strict", dryRun },
    );
  }

  /** Argo CD's create: an application that is there already may only be sent again unchanged, unless `upsert` is said. */
  async function createApplication(object: KubeObject, { upsert }: { upsert: boolean }): Promise<KubeObject> {
    const { name, namespace } = object.metadata ?? {};
    if (!upsert && name) {
      const existing = await client.get(types.applications, keyIn("applications", namespace, name)).catch((error) => {
        if (codeOf(error) === "NotFound") return undefined;
        throw error;
      });
      if (existing && canonicalJson(existing["spec"]) !== canonicalJson(object["spec"])) {
        throw new InvalidArgumentError(
          "spec",
          `application ${name} exists with another spec; send it with upsert=true to replace that`,
        );
      }
      if (existing) return existing;
    }
    return await apply(object);
  }

  async function remove(
    resource: string,
    namespace: string | undefined,
    name: string | undefined,
    cascade: boolean,
  ): Promise<void> {
    const { type } = servedResource(resource);
    const key = keyIn(resource, namespace, name);
    if (type === types.applications && cascade) {
      const finalizer = "resources-finalizer.argocd.argoproj.io";
      const app = await client.get(type, key);
      const finalizers = app.metadata.finalizers ?? [];
      if (!finalizers.some((present) => present.startsWith(finalizer))) {
        await client.patch(type, key, {
          type: "merge",
          body: { metadata: { finalizers: [...finalizers, finalizer] } },
        });
      }
    }
    await client.delete(type, key);
  }

  /** Argo CD's way to start a sync: the `operation` field, which the controller moves into the status. */
  async function syncApplication(
    request: { namespace?: string; name?: string; revision?: string; prune?: boolean; dryRun?: boolean },
    principal: Principal,
  ): Promise<KubeObject> {
    const key = keyIn("applications", request.namespace, request.name);
    const app = await client.get(types.applications, key);
    if (app["operation"] || app["status"]?.operationState?.phase === "Running") {
      throw new FailedPreconditionError(`another operation is already in progress for application ${key.name}`);
    }
    const operation = {
      initiatedBy: { username: principal.username },
      sync: {
        ...(request.revision ? { revision: request.revision } : {}),
        prune: request.prune ?? false,
        ...(request.dryRun ? { dryRun: true } : {}),
        syncStrategy: { hook: {} },
        ...(app["spec"]?.syncPolicy?.syncOptions ? { syncOptions: app["spec"].syncPolicy.syncOptions } : {}),
      },
      ...(app["spec"]?.syncPolicy?.retry ? { retry: app["spec"].syncPolicy.retry } : {}),
    };
    const body = { metadata: { resourceVersion: app.metadata.resourceVersion, annotations: born() }, operation };
    return await client.patch(types.applications, key, { type: "merge", body });
  }

  /** Asks the controller to compare again, at once. */
  async function refreshApplication(
    namespace: string | undefined,
    name: string | undefined,
    level: "normal" | "hard",
  ): Promise<KubeObject> {
    const body = { metadata: { annotations: { "argocd.argoproj.io/refresh": level } } };
    return await client.patch(types.applications, keyIn("applications", namespace, name), { type: "merge", body });
  }

  async function submitWorkflow(request: {
    namespace?: string;
    workflow?: KubeObject;
    template?: string;
    parameters?: Readonly<Record<string, string>>;
  }): Promise<KubeObject> {
    const parameters = Object.entries(request.parameters ?? {}).map(([name, value]) => ({ name, value }));
    const workflow: KubeObject | undefined =
      request.workflow ??
      (request.template
        ? {
            apiVersion: "argoproj.io/v1alpha1",
            kind: "Workflow",
            metadata: { name: "", generateName: `${request.template}-` },
            spec: { workflowTemplateRef: { name: request.template } },
          }
        : undefined);
    if (workflow?.kind !== "Workflow" || typeof workflow["spec"] !== "object") {
      throw new InvalidArgumentError("workflow", "send a Workflow, or name a WorkflowTemplate");
    }
    const { name, ...metadata } = workflow.metadata ?? {};
    const given: { name: string; value?: unknown }[] = workflow["spec"].arguments?.parameters ?? [];
    const body = {
      ...workflow,
      metadata: {
        ...metadata,
        ...(name ? { name } : {}),
        namespace: request.namespace || metadata.namespace || "default",
        annotations: { ...born(), ...metadata.annotations },
      },
      spec: {
        ...workflow["spec"],
        ...(parameters.length > 0
          ? {
              arguments: {
                ...workflow["spec"].arguments,
                parameters: [...given.filter((p) => !parameters.some((q) => q.name === p.name)), ...parameters],
              },
            }
          : {}),
      },
    } as KubeObject;
    await refuseInvalid(body);
    return await client.create(types.workflows, body, { fieldManager: MANAGER, fieldValidation: "Strict" });
  }

  /** A workflow that could only fail is not stored. */
  async function refuseInvalid(workflow: KubeObject): Promise<void> {
    const [local, cluster] = await Promise.all([
      client.list(types.workflowTemplates, { namespace: workflow.metadata.namespace ?? "default" }),
      client.list(types.clusterWorkflowTemplates),
    ]);
    const specIn = (page: KubeList) => (name: string) =>
      page.items.find(({ metadata }) => metadata.name === name)?.["spec"] as WorkflowSpec | undefined;
    const [problem, ...more] = validateWorkflow(workflow as unknown as Workflow, {
      workflowTemplate: specIn(local),
      clusterWorkflowTemplate: specIn(cluster),
    });
    if (!problem) return;
    const others = more.length > 0 ? ` (and ${more.length} more)` : "";
    if (problem.code === "Unimplemented") throw new UnimplementedError(`workflow field ${problem.field}`);
    throw new InvalidArgumentError(problem.field, `${problem.message}${others}`);
  }

  const workflowActions: Readonly<Record<string, (workflow: Workflow) => object>> = {
    stop: stopWorkflow,
    terminate: terminateWorkflow,
    suspend: suspendWorkflow,
    resume: (workflow) => resumeWorkflow(workflow, clock.now()),
  };

  async function actOnWorkflow(
    namespace: string | undefined,
    name: string | undefined,
    action: string,
  ): Promise<KubeObject> {
    const patch = Object.hasOwn(workflowActions, action) ? workflowActions[action] : undefined;
    if (!patch) throw new UnimplementedError(`workflow action "${action}"`);
    const key = keyIn("workflows", namespace, name);
    return await withConflictRetry(async () => {
      const workflow = await client.get(types.workflows, key);
      if (workflow["status"]?.finishedAt)
        throw new FailedPreconditionError(`workflow ${key.name} has already finished`);
      const body: { metadata?: object } = patch(workflow as unknown as Workflow);
      const metadata = { ...body.metadata, resourceVersion: workflow.metadata.resourceVersion };
      return await client.patch(types.workflows, key, { type: "merge", body: { ...body, metadata } });
    });
  }

  async function actOnRollout(
    namespace: string | undefined,
    name: string | undefined,
    action: string,
    revision = 0,
  ): Promise<KubeObject> {
    const key = keyIn("rollouts", namespace, name);
    let rollout = await client.get(types.rollouts, key);
    for (const patch of await rolloutPatches(rollout, action, revision)) rollout = await send(key, patch);
    return rollout;
  }

  async function rolloutPatches(
    rollout: KubeObject,
    action: string,
    revision: number,
  ): Promise<readonly RolloutPatch[]> {
    switch (action) {
      case "promote":
        return promotePatch(rollout as never, {});
      case "promote-full":
        return promotePatch(rollout as never, { full: true });
      case "abort":
        return abortPatch();
      case "retry":
        return retryPatch();
      case "pause":
        return pausePatch();
      case "resume":
        return resumePatch(rollout as never);
      case "restart":
        return restartPatch(clock.now());
      case "undo": {
        const { items } = await client.list(types.replicaSets, { namespace: rollout.metadata.namespace ?? "default" });
        const own = items.filter((set) =>
          set.metadata.ownerReferences?.some((owner) => owner.uid === rollout.metadata.uid),
        );
        return undoPatch(rollout as never, own as never, revision || undefined);
      }
      default:
        throw new UnimplementedError(`rollout action "${action}"`);
    }
  }

  async function send(key: ObjectKey, { subresource, type, body }: RolloutPatch): Promise<KubeObject> {
    const patch = { type, body } as Parameters<KubeClient["patch"]>[2];
    try {
      return await client.patch(types.rollouts, key, patch, subresource ? { subresource } : {});
    } catch (error) {
      // CRDs without the status subresource take the status with the object.
      if (!subresource || codeOf(error) !== "NotFound") throw error;
      return await client.patch(types.rollouts, key, patch);
    }
  }

  return {
    get,
    list,
    watch,
    apply,
    remove,
    syncApplication,
    refreshApplication,
    submitWorkflow,
    actOnWorkflow,
    actOnRollout,
    createApplication,
    workflowLogs: createWorkflowLogs(client),
  };
}

const CONFLICT_TRIES = 5;

async function withConflictRetry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) !== "Aborted" || attempt === CONFLICT_TRIES)
        throw error instanceof Error ? error : new ConflictError(String(error));
    }
  }
}
