import type { Archive } from "@tiphys/archive";
import type { Clock } from "@tiphys/clock";
import type { Outcome, Plan, Reconciler } from "@tiphys/controller";
import { isTerminal, messageOf } from "@tiphys/errors";
import { changeAnnotations, changeOf, newChange, type RandomBytes } from "@tiphys/identity";
import { type Informer, type Informers, isAlreadyExists, isNotFound } from "@tiphys/kube";
import { limits } from "@tiphys/limits";
import { type KubeObject, types, type Workflow, type WorkflowNodeStatus, type WorkflowStatus } from "@tiphys/resources";
import type { Secret } from "@tiphys/secret";
import {
  type Baseline,
  baselineOf,
  CREATING_FAILED,
  type Decision,
  decide,
  isDone,
  isFinal,
  LABEL,
  origin,
  type PodFact,
  packed,
  podName,
  REPORT_TOKEN_ENV,
  stamp,
  type TaskResultFact,
  type TemplateSource,
  unpacked,
  type WorkflowAction,
} from "@tiphys/workflow";
import type { ExecutorFiles } from "./executor-files.js";
import { podFact, resultFact } from "./pod-facts.js";
import { reportToken } from "./report-token.js";

/** Everything one pass over a workflow knows. */
export interface WorkflowState {
  readonly workflow: Workflow;
  readonly pods: readonly PodFact[];
  readonly taskResults: readonly TaskResultFact[];
  readonly templates: TemplateSource;
  /** The last successful run of the same template. */
  readonly baseline?: Baseline;
  readonly reportUrl: string;
  /** Set when the workflow carries no change yet: the one it gets. */
  readonly newChange?: Readonly<Record<string, string>>;
}

/** An action with the names that `act` needs. */
export interface WorkflowWrite {
  readonly action: WorkflowAction;
  readonly workflow: Workflow;
}

export interface ReconcilerParts {
  readonly informers: Informers;
  readonly pods: Informer;
  readonly results: Informer;
  /** Workflows, indexed by what they are runs of. */
  readonly workflows: Informer;
  readonly workflowTemplates: Informer;
  readonly clusterWorkflowTemplates: Informer;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly files: ExecutorFiles;
  readonly signingKey: Secret;
  readonly reportUrl: () => string;
  readonly archive?: Archive;
}

export const BY_WORKFLOW = "workflow";
export const workflowIndex = (object: KubeObject): readonly string[] => {
  const name = object.metadata.labels?.[LABEL.workflow];
  return name ? [`${object.metadata.namespace}/${name}`] : [];
};

export const BY_ORIGIN = "origin";
/** What workflows are runs of; only of those that succeeded. */
export const originIndex = (object: KubeObject): readonly string[] => {
  const from = object["status"]?.phase === "Succeeded" ? origin(object as Workflow) : undefined;
  return from === undefined ? [] : [from];
};

const RETRY_MS = 5_000;
/** Label patches under way at the same time. */
const LABELLING = 10;

/** Workflows: what the engine decides, read from and written to Kubernetes. */
export function workflowReconciler(parts: ReconcilerParts): Reconciler<WorkflowState, WorkflowWrite> {
  const { informers } = parts;
  const { client } = informers;
  const baselines = new WeakMap<KubeObject, Baseline>();
  const writes = (workflow: Workflow, decision: Decision): Plan<WorkflowWrite> => ({
    status: decision.status as Record<string, unknown>,
    ...metadataPatch(workflow, decision),
    actions: decision.actions.map((action) => ({ action, workflow })),
    reasons: decision.reasons,
    ...(decision.lookAgainAt ? { lookAgainAt: decision.lookAgainAt } : {}),
  });
  return {
    async observe(object, signal) {
      if (object.metadata.deletionTimestamp) return undefined;
      const workflow = unpacked(object as Workflow);
      const key = `${object.metadata.namespace}/${object.metadata.name}`;
      const mine = (other: KubeObject) =>
        !other.metadata.ownerReferences?.length ||
        other.metadata.ownerReferences.some(({ uid }) => uid === object.metadata.uid);
      const taskResults = parts.results.byIndex(BY_WORKFLOW, key).filter(mine).map(resultFact);
      const pods = parts.pods.byIndex(BY_WORKFLOW, key).filter(mine).map(podFact);
      await addUnseenPods(workflow, pods, signal);
      await recoverResults(workflow, pods, taskResults, signal);
      const { namespace } = object.metadata;
      return {
        workflow,
        pods,
        taskResults,
        reportUrl: parts.reportUrl(),
        ...baselineFor(workflow),
        templates: {
          workflowTemplate: (name) =>
            parts.workflowTemplates.get({ ...(namespace ? { namespace } : {}), name })?.["spec"],
          clusterWorkflowTemplate: (name) => parts.clusterWorkflowTemplates.get({ name })?.["spec"],
        },
        ...(changeOf(object) || object["status"]?.phase
          ? {}
          : { newChange: changeAnnotations(newChange(parts.clock.now(), parts.random)) }),
      };
    },

    plan(state, now) {
      const { workflow } = state;
      if (state.newChange) {
        // The change is stored before anything is made that carries it.
        return {
          patch: { metadata: { annotations: { ...state.newChange } } },
          actions: [],
          reasons: [{ code: "NewChange", message: "the workflow starts a change of its own" }],
        };
      }
      const decision = decide({
        workflow,
        templates: state.templates,
        pods: state.pods,
        taskResults: state.taskResults,
        executor: { volume: parts.files.volume, reportUrl: state.reportUrl },
        archive: parts.archive !== undefined,
        ...(state.baseline ? { baseline: state.baseline } : {}),
        now,
      });
      return writes(workflow, decision);
    },

    async act({ action, workflow }, signal) {
      const namespace = workflow.metadata.namespace ?? "default";
      switch (action.type) {
        case "createPod":
          await parts.files.ensure(namespace, signal);
          try {
            return await client.create(types.pods, withToken(action.pod, workflow, action.nodeId), { signal });
          } catch (error) {
            if (isAlreadyExists(error)) return undefined;
            throw error;
          }
        case "deletePod":
          return ignoreMissing(client.delete(types.pods, { namespace, name: action.name }, { signal }));
        case "labelPods":
          return labelPods(namespace, action.names, signal);
        case "deleteTaskResults": {
          const key = `${namespace}/${workflow.metadata.name}`;
          for (const result of parts.results.byIndex(BY_WORKFLOW, key)) {
            await ignoreMissing(
              client.delete(types.workflowTaskResults, { namespace, name: result.metadata.name }, { signal }),
            );
          }
          return undefined;
        }
        case "archive":
          return parts.archive?.put(record(workflow));
        case "deleteWorkflow":
          return ignoreMissing(
            client.delete(
              types.workflows,
              { namespace, name: workflow.metadata.name },
              { signal, propagation: "Background" },
            ),
          );
      }
    },

    report(state, plan, outcomes, now) {
      return fitted(state.workflow, fold(plan, outcomes, now), now);
    },

    describe({ action }) {
      switch (action.type) {
        case "createPod":
          return `create Pod ${action.pod.metadata.name}`;
        case "deletePod":
          return `delete Pod ${action.name}`;
        case "labelPods":
          return `label ${action.names.length} pods as completed`;
        case "deleteTaskResults":
          return "delete the WorkflowTaskResults";
        case "archive":
          return "archive the workflow";
        case "deleteWorkflow":
          return "delete the workflow: its time to live is over";
      }
    },

    digestOf({ workflow, pods, taskResults }) {
      // Counts, not lists: every pod of a wide run changes several times, and the decision names what it does.
      const count: Record<string, number> = {};
      for (const { phase } of pods) count[phase] = (count[phase] ?? 0) + 1;
      return { spec: workflow.spec, phase: workflow.status?.phase ?? "", pods: count, results: taskResults.length };
    },
  };

  function baselineFor(workflow: Workflow): { baseline?: Baseline } {
    const from = isFinal(workflow.status) ? undefined : origin(workflow);
    let newest: KubeObject | undefined;
    for (const other of from === undefined ? [] : parts.workflows.byIndex(BY_ORIGIN, from)) {
      if ((other["status"]?.startedAt ?? "") > (newest?.["status"]?.startedAt ?? "")) newest = other;
    }
    if (!newest) return {};
    let baseline = baselines.get(newest);
    if (!baseline) {
      baseline = baselineOf(unpacked(newest as Workflow));
      baselines.set(newest, baseline);
    }
    return { baseline };
  }

  async function labelPods(namespace: string, names: readonly string[], signal: AbortSignal): Promise<void> {
    const open = [...names];
    const body = { metadata: { labels: { [LABEL.completed]: "true" } } };
    const work = async () => {
      for (let name = open.pop(); name !== undefined; name = open.pop()) {
        const patched = client.patch(types.pods, { namespace, name }, { type: "merge", body }, { signal });
        await ignoreMissing(patched.then(() => {}));
      }
    };
    await Promise.all(Array.from({ length: LABELLING }, work));
  }

  /** A pod that the caches lack is asked for once more before it counts as gone. */
  async function addUnseenPods(workflow: Workflow, pods: PodFact[], signal: AbortSignal): Promise<void> {
    const seen = new Set(pods.map((pod) => pod.nodeId));
    for (const node of openPods(workflow)) {
      if (seen.has(node.id) || node.message?.startsWith(CREATING_FAILED)) continue;
      const key = { namespace: workflow.metadata.namespace ?? "default", name: nameOfPod(workflow, node) };
      try {
        const pod = await client.get(types.pods, key, { signal });
        if (pod.metadata.ownerReferences?.some(({ uid }) => uid === workflow.metadata.uid)) pods.push(podFact(pod));
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }

  /** A result that was never reported (the executor could not reach us) is read from the pod's log. */
  async function recoverResults(
    workflow: Workflow,
    pods: readonly PodFact[],
    results: TaskResultFact[],
    signal: AbortSignal,
  ): Promise<void> {
    const reported = new Set(results.flatMap((result) => (result.completed ? [result.nodeId] : [])));
    const open = new Set(openPods(workflow).map((node) => node.id));
    const namespace = workflow.metadata.namespace ?? "default";
    for (const pod of pods) {
      if (!open.has(pod.nodeId) || pod.phase !== "Succeeded" || reported.has(pod.nodeId)) continue;
      const spec = parts.pods.get({ namespace, name: pod.name });
      const env: { name: string; value?: string }[] =
        spec?.["spec"]?.containers?.find((container: { name: string }) => container.name === "main")?.env ?? [];
      if (env.find(({ name }) => name === "ARGO_INCLUDE_SCRIPT_OUTPUT")?.value !== "true") continue;
      const found = await client
        .get(types.workflowTaskResults, { namespace, name: pod.nodeId }, { signal })
        .catch(() => undefined);
      if (found && resultFact(found).completed) {
        results.push(resultFact(found));
        continue;
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of client.logs({ namespace, name: pod.name }, { container: "main" }, signal))
        chunks.push(chunk);
      const text = Buffer.concat(chunks).subarray(-limits.taskResultBytes).toString("utf8");
      const wantsParameters =
        JSON.parse(env.find(({ name }) => name === "ARGO_TEMPLATE")?.value ?? "{}").outputs?.parameters?.length > 0;
      results.push({
        nodeId: pod.nodeId,
        completed: !wantsParameters,
        outputs: { result: text.replace(/\n$/, ""), exitCode: "0" },
      });
    }
  }

  function withToken(pod: KubeObject, workflow: Workflow, node: string): KubeObject {
    const token = reportToken(parts.signingKey, {
      namespace: workflow.metadata.namespace ?? "default",
      workflow: workflow.metadata.name,
      uid: workflow.metadata.uid ?? "",
      node,
    });
    const [main, ...others] = pod["spec"].containers;
    const env = [...main.env, { name: REPORT_TOKEN_ENV, value: token }];
    return { ...pod, spec: { ...pod["spec"], containers: [{ ...main, env }, ...others] } };
  }
}

const openPods = (workflow: Workflow): WorkflowNodeStatus[] =>
  isFinal(workflow.status)
    ? []
    : Object.values(workflow.status?.nodes ?? {}).filter((node) => node.type === "Pod" && !isDone(node));

function nameOfPod(workflow: Workflow, node: WorkflowNodeStatus): string {
  return podName(workflow.metadata.name, node.name, node.templateName ?? node.templateRef?.template ?? "", node.id);
}

function metadataPatch(workflow: Workflow, decision: Decision): { patch?: Record<string, unknown> } {
  const missing = (have: Record<string, string> | undefined, want: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(want).filter(([key, value]) => have?.[key] !== value));
  const labels = missing(workflow.metadata.labels, decision.labels);
  const annotations = missing(workflow.metadata.annotations, decision.annotations);
  const metadata = {
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
  return Object.keys(metadata).length > 0 ? { patch: { metadata } } : {};
}

/** Failed writes become part of the status: a pod that is refused fails its node, anything else is tried again. */
function fold(plan: Plan<WorkflowWrite>, outcomes: readonly Outcome<unknown>[], now: Date): Plan<WorkflowWrite> {
  let status = plan.status as WorkflowStatus | undefined;
  let { patch, lookAgainAt } = plan;
  const again = new Date(now.getTime() + RETRY_MS);
  const sooner = (time: Date) => (lookAgainAt && lookAgainAt < time ? lookAgainAt : time);
  plan.actions.forEach(({ action }, index) => {
    const outcome = outcomes[index];
    if (!outcome || outcome.ok) return;
    lookAgainAt = sooner(again);
    if (action.type === "archive") {
      const labels = { ...(patch?.["metadata"] as { labels?: Record<string, string> } | undefined)?.labels };
      delete labels[LABEL.archiving];
      patch = { ...patch, metadata: { ...(patch?.["metadata"] as object | undefined), labels } };
    }
    if (action.type !== "createPod" || !status?.nodes?.[action.nodeId]) return;
    const node = status.nodes[action.nodeId] as WorkflowNodeStatus;
    const refused = isTerminal(outcome.error) || refusedByApi(outcome.error);
    const message = messageOf(outcome.error);
    const changed: WorkflowNodeStatus = refused
      ? { ...node, phase: "Error", message, finishedAt: now.toISOString().replace(/\.\d+Z$/, "Z") }
      : { ...node, phase: "Pending", message: `${CREATING_FAILED}${message}` };
    status = { ...status, nodes: { ...status.nodes, [action.nodeId]: changed } };
    if (refused) lookAgainAt = sooner(now);
  });
  return {
    ...plan,
    ...(status ? { status: status as Record<string, unknown> } : {}),
    ...(patch ? { patch } : {}),
    ...(lookAgainAt ? { lookAgainAt } : {}),
  };
}

/** The plan with its status in the form in which it is stored; a run that has become too large for that ends. */
function fitted(workflow: Workflow, plan: Plan<WorkflowWrite>, now: Date): Plan<WorkflowWrite> {
  if (!plan.status) return plan;
  const result = packed(workflow, plan.status as WorkflowStatus);
  if (result.ok) return { ...plan, status: result.status as Record<string, unknown> };
  const message = `the workflow is too large: ${result.bytes} bytes with its nodes compressed, ${limits.workflowBytes} at most; keeping nodes in a database (offloading) is not implemented yet: see docs/compatibility.md`;
  const before = packed(workflow, workflow.status ?? {});
  const metadata = plan.patch?.["metadata"] as { labels?: Record<string, unknown> } | undefined;
  return {
    status: {
      ...(before.ok ? before.status : {}),
      phase: "Error",
      message,
      startedAt: workflow.status?.startedAt ?? stamp(now),
      finishedAt: stamp(now),
      conditions: [
        { type: "PodRunning", status: "False" },
        { type: "Completed", status: "True" },
      ],
    },
    patch: {
      ...plan.patch,
      metadata: { ...metadata, labels: { ...metadata?.labels, [LABEL.completed]: "true", [LABEL.phase]: "Error" } },
    },
    actions: plan.actions,
    reasons: [{ code: "LimitExceeded", message }],
  };
}

const refusedByApi = (error: unknown): boolean =>
  ["InvalidArgument", "PermissionDenied"].includes((error as { code?: string }).code ?? "");

function record(workflow: Workflow): Parameters<Archive["put"]>[0] {
  const { status, metadata } = workflow;
  const change = changeOf(workflow)?.id;
  return {
    uid: metadata.uid ?? "",
    kind: "Workflow",
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    phase: status?.phase ?? "",
    ...(status?.startedAt ? { startedAt: new Date(status.startedAt) } : {}),
    ...(status?.finishedAt ? { finishedAt: new Date(status.finishedAt) } : {}),
    labels: metadata.labels ?? {},
    ...(change ? { change } : {}),
    object: workflow,
  };
}

async function ignoreMissing(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
