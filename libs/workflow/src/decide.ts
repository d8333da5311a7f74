import { messageOf, TiphysError } from "@tiphys/errors";
import type {
  Workflow,
  WorkflowNodeStatus,
  WorkflowParameter,
  WorkflowSpec,
  WorkflowStatus,
  WorkflowTemplateSpec,
} from "@tiphys/resources";
import type { Baseline } from "./baseline.js";
import { Engine, type WorkflowAction } from "./engine.js";
import type { PodFact, TaskResultFact, TemplateSource } from "./facts.js";
import { globalsOf } from "./globals.js";
import { effectiveSpec, type Library, type TemplateHolder } from "./library.js";
import { hasFailed, isDone, Nodes, stamp } from "./nodes.js";
import { parameterText } from "./parameters.js";
import type { ExecutorSettings } from "./pod.js";
import { sumUp } from "./progress.js";
import { Scope } from "./scope.js";
import { validateWorkflow, type WorkflowProblem } from "./validate.js";

export const LABEL = {
  workflow: "workflows.argoproj.io/workflow",
  completed: "workflows.argoproj.io/completed",
  phase: "workflows.argoproj.io/phase",
  archiving: "workflows.argoproj.io/workflow-archiving-status",
} as const;

export interface DecideInput {
  readonly workflow: Workflow;
  readonly templates: TemplateSource;
  readonly pods: readonly PodFact[];
  readonly taskResults: readonly TaskResultFact[];
  readonly executor: ExecutorSettings;
  readonly archive: boolean;
  /** The last successful run of the same template, when there is one. */
  readonly baseline?: Baseline;
  readonly now: Date;
}

export interface Decision {
  readonly status: WorkflowStatus;
  /** Labels the workflow has to carry. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly actions: readonly WorkflowAction[];
  readonly reasons: readonly { readonly code: string; readonly message: string; readonly about?: string }[];
  readonly lookAgainAt?: Date;
}

const FINAL: ReadonlySet<string> = new Set(["Succeeded", "Failed", "Error"]);
export const isFinal = (status: WorkflowStatus | undefined): boolean => FINAL.has(status?.phase ?? "");

/** The next states of a run: pure, from what is stored and what is seen, whatever was known before. Never throws. */
export function decide(input: DecideInput): Decision {
  try {
    return next(input);
  } catch (error) {
    // One workflow that cannot be understood must not be tried for ever, nor stop the others.
    const problem = error instanceof TiphysError ? messageOf(error) : `internal error: ${messageOf(error)}`;
    return refused(input, { ...input.workflow.status }, [{ code: "InvalidArgument", field: "spec", message: problem }]);
  }
}

function next(input: DecideInput): Decision {
  const { workflow, now } = input;
  if (isFinal(workflow.status)) return afterEnd(input, workflow.status as WorkflowStatus);
  const status: WorkflowStatus = { ...workflow.status };
  const stored = libraryOf(workflow, status, input.templates);
  if (stored.problem) return refused(input, status, [stored.problem]);
  const spec = effectiveSpec(workflow.spec, stored.spec);
  const templates = withStored(input.templates, status);
  if (!status.phase) {
    const problems = validateWorkflow(workflow, templates, { spec });
    if (problems.length > 0) return refused(input, status, problems);
    status.startedAt = stamp(now);
    status.phase = "Running";
    if (input.baseline && input.baseline.seconds > 0) status.estimatedDuration = input.baseline.seconds;
  } else if (status.phase === "Pending") status.phase = "Running";
  return run(input, status, spec, templates);
}

function run(input: DecideInput, status: WorkflowStatus, spec: WorkflowSpec, templates: TemplateSource): Decision {
  const { workflow, now } = input;
  const name = workflow.metadata.name;
  const nodes = new Nodes(name, status, now, input.baseline);
  const library: Library = { scope: "local", resource: name, spec };
  const globals = globalsOf(workflow, spec, status, now);
  const started = Date.parse(status.startedAt ?? "");
  const deadline =
    typeof spec.activeDeadlineSeconds === "number" ? started + spec.activeDeadlineSeconds * 1000 : undefined;
  const overdue = deadline !== undefined && now.getTime() >= deadline;
  const shutdown = spec.shutdown || (overdue ? "Stop" : undefined);
  const engine = new Engine({
    workflow,
    spec,
    nodes,
    globals,
    pods: new Map(input.pods.map((pod) => [pod.nodeId, pod])),
    results: new Map(input.taskResults.map((result) => [result.nodeId, result])),
    templates,
    executor: input.executor,
    now,
    suspended: spec.suspend === true,
    ...(shutdown ? { shutdown } : {}),
    ...(deadline === undefined ? {} : { deadline }),
  });
  if (deadline !== undefined && !overdue) engine.lookAgain(deadline);
  const message = overdue ? "Step exceeded its deadline" : `workflow shutdown with strategy:  ${spec.shutdown}`;
  if (shutdown) stopNodes(engine, spec.shutdown === "Terminate", message);

  const request = (
    nodeName: string,
    holder: TemplateHolder,
    onExit: boolean,
    args: () => WorkflowSpec["arguments"],
  ) => ({
    name: nodeName,
    displayName: nodeName,
    holder,
    library,
    args,
    onExit,
    depth: 0,
    includeResult: onExit ? false : JSON.stringify(spec.hooks ?? {}).includes("outputs.result"),
    ...(onExit ? { flag: { hooked: true } } : {}),
  });
  const parameters = () => ({
    parameters: (spec.arguments?.parameters ?? []).map((parameter) => {
      const value = globals.get(`workflow.parameters.${parameter.name}`);
      return { ...parameter, ...(value === undefined ? {} : { value }) };
    }),
  });
  const main = engine.execute(request(name, { template: spec.entrypoint ?? "" }, false, parameters));
  collectOutputs(status, nodes, spec, globals);
  const mainOver = isDone(main) || (main === undefined && shutdown !== undefined);
  let over = mainOver;
  let exit: WorkflowNodeStatus | undefined;
  const handler = spec.hooks?.["exit"] ?? (spec.onExit ? { template: spec.onExit } : undefined);
  if (mainOver && handler && spec.shutdown !== "Terminate") {
    globals.set("workflow.status", mainPhase(main, shutdown));
    globals.set("workflow.failures", JSON.stringify(JSON.stringify(failures(nodes))));
    const args = () => (handler.arguments ? new Scope({ globals }).json(handler.arguments) : parameters());
    exit = engine.execute(request(`${name}.onExit`, handler, true, args));
    over = isDone(exit);
    if (exit) collectOutputs(status, nodes, spec, globals);
  }
  if (engine.stored.size > 0) {
    status.storedTemplates = { ...status.storedTemplates, ...newTemplates(status, engine.stored) };
  }
  status.nodes = nodes.result();
  const { progress, resourcesDuration } = sumUp(nodes);
  status.progress = progress;
  if (resourcesDuration) status.resourcesDuration = resourcesDuration;
  const running = nodes.active.get("") ?? 0;
  status.conditions = [{ type: "PodRunning", status: running > 0 ? "True" : "False" }];
  const reasons = [...engine.waitingFor].map((text) => ({ code: "Waiting", message: text }));
  if (!over) {
    delete status.message;
    return {
      status,
      labels: { [LABEL.completed]: "false", [LABEL.phase]: status.phase ?? "", ...spec.workflowMetadata?.labels },
      annotations: { "workflows.argoproj.io/pod-name-format": "v2", ...spec.workflowMetadata?.annotations },
      actions: [...engine.actions, ...afterPods(spec, nodes, input.pods, false)],
      reasons,
      ...(engine.lookAgainAt ? { lookAgainAt: engine.lookAgainAt } : {}),
    };
  }
  return finish(input, status, spec, nodes, engine, { main, exit, shutdown: spec.shutdown, overdue });
}

interface Ending {
  readonly main: WorkflowNodeStatus | undefined;
  readonly exit: WorkflowNodeStatus | undefined;
  readonly shutdown: string | undefined;
  readonly overdue: boolean;
}

function finish(
  input: DecideInput,
  status: WorkflowStatus,
  spec: WorkflowSpec,
  nodes: Nodes,
  engine: Engine,
  ending: Ending,
): Decision {
  const { main, exit, shutdown, overdue } = ending;
  let phase = mainPhase(main, shutdown || (overdue ? "Stop" : undefined));
  let message = main?.message;
  if (shutdown) {
    phase = phase === "Succeeded" ? phase : "Failed";
    if (phase === "Failed") message = `Stopped with strategy '${shutdown}'`;
  } else if (overdue && phase !== "Succeeded") message = "Max duration limit exceeded";
  if (phase === "Succeeded" && exit && hasFailed(exit)) {
    phase = exit.phase as "Failed";
    message = exit.message;
  }
  status.phase = phase;
  status.finishedAt = stamp(input.now);
  if (message) status.message = message;
  else delete status.message;
  status.conditions = [
    { type: "PodRunning", status: "False" },
    { type: "Completed", status: "True" },
  ];
  status.nodes = nodes.result();
  const ttl = timeToLive(spec, status);
  return {
    status,
    labels: {
      ...spec.workflowMetadata?.labels,
      [LABEL.completed]: "true",
      [LABEL.phase]: phase,
      ...(input.archive ? { [LABEL.archiving]: "Pending" } : {}),
    },
    annotations: { ...spec.workflowMetadata?.annotations },
    actions: [...engine.actions, ...afterPods(spec, nodes, input.pods, true)],
    reasons: [{ code: phase, message: message ?? "the workflow is over" }],
    ...(ttl === undefined ? {} : { lookAgainAt: new Date(ttl) }),
  };
}

/** A finished run: archive it, drop its task results, and at last the workflow itself. */
function afterEnd(input: DecideInput, status: WorkflowStatus): Decision {
  const { workflow, now } = input;
  const spec = effectiveSpec(workflow.spec, status.storedWorkflowTemplateSpec);
  const actions: WorkflowAction[] = [];
  const labels: Record<string, string> = { [LABEL.completed]: "true", [LABEL.phase]: status.phase ?? "" };
  if (input.archive) {
    if (workflow.metadata.labels?.[LABEL.archiving] !== "Archived") actions.push({ type: "archive" });
    labels[LABEL.archiving] = "Archived";
  }
  if (input.taskResults.length > 0) actions.push({ type: "deleteTaskResults" });
  const nodes = new Nodes(workflow.metadata.name, status, now);
  actions.push(...afterPods(spec, nodes, input.pods, true));
  const ttl = timeToLive(spec, status);
  const due = ttl !== undefined && now.getTime() >= ttl;
  if (due && !workflow.metadata.deletionTimestamp) actions.push({ type: "deleteWorkflow" });
  return {
    status,
    labels,
    annotations: {},
    actions,
    reasons: [{ code: status.phase ?? "", message: status.message ?? "the workflow is over" }],
    ...(ttl !== undefined && !due ? { lookAgainAt: new Date(ttl) } : {}),
  };
}

function refused(input: DecideInput, status: WorkflowStatus, problems: readonly WorkflowProblem[]): Decision {
  const message = `invalid spec: ${problems
    .slice(0, 5)
    .map((problem) => `${problem.field}: ${problem.message}`)
    .join("; ")}`;
  const time = stamp(input.now);
  return {
    status: {
      ...status,
      phase: "Error",
      startedAt: status.startedAt ?? time,
      finishedAt: time,
      message,
      conditions: [
        { type: "SpecError", status: "True", message },
        { type: "Completed", status: "True" },
      ],
    },
    labels: { [LABEL.completed]: "true", [LABEL.phase]: "Error" },
    annotations: {},
    actions: [],
    reasons: problems.map((problem) => ({ code: problem.code, message: problem.message, about: problem.field })),
  };
}

/** The spec behind workflowTemplateRef: frozen in the status at the first pass. */
function libraryOf(
  workflow: Workflow,
  status: WorkflowStatus,
  templates: TemplateSource,
): { spec?: WorkflowSpec; problem?: WorkflowProblem } {
  const reference = workflow.spec.workflowTemplateRef;
  if (!reference) return {};
  if (!status.storedWorkflowTemplateSpec) {
    const name = reference.name ?? "";
    const found = reference.clusterScope ? templates.clusterWorkflowTemplate(name) : templates.workflowTemplate(name);
    if (!found) {
      const kind = reference.clusterScope ? "ClusterWorkflowTemplate" : "WorkflowTemplate";
      return {
        problem: {
          code: "InvalidArgument",
          field: "spec.workflowTemplateRef.name",
          message: `${kind} "${name}" not found`,
        },
      };
    }
    status.storedWorkflowTemplateSpec = effectiveSpec(workflow.spec, found);
  }
  return { spec: status.storedWorkflowTemplateSpec };
}

/** Templates that this run has used already stay as they were. */
function withStored(source: TemplateSource, status: WorkflowStatus): TemplateSource {
  const byResource = new Map<string, WorkflowTemplateSpec[]>();
  for (const [key, template] of Object.entries(status.storedTemplates ?? {})) {
    const resource = key.slice(0, key.lastIndexOf("/"));
    byResource.set(resource, [...(byResource.get(resource) ?? []), template]);
  }
  const cache = new Map<string, WorkflowSpec>();
  const look = (resource: string, live: () => WorkflowSpec | undefined): WorkflowSpec | undefined => {
    const known = cache.get(resource);
    if (known) return known;
    const kept = byResource.get(resource);
    const spec = live();
    if (!kept) return spec;
    const names = new Set(kept.map((template) => template.name));
    const merged = {
      ...spec,
      templates: [...kept, ...(spec?.templates ?? []).filter((template) => !names.has(template.name))],
    };
    cache.set(resource, merged);
    return merged;
  };
  return {
    workflowTemplate: (name) => look(`namespaced/${name}`, () => source.workflowTemplate(name)),
    clusterWorkflowTemplate: (name) => look(`cluster/${name}`, () => source.clusterWorkflowTemplate(name)),
  };
}

function newTemplates(
  status: WorkflowStatus,
  used: ReadonlyMap<string, WorkflowTemplateSpec>,
): Record<string, WorkflowTemplateSpec> {
  return Object.fromEntries([...used].filter(([key]) => !status.storedTemplates?.[key]));
}

/** Ends what runs after a shutdown or past the deadline; exit handlers survive a Stop. */
function stopNodes(engine: Engine, terminate: boolean, message: string): void {
  for (const node of engine.nodes.all()) {
    if (isDone(node) || !["Pod", "Suspend", "Retry"].includes(node.type)) continue;
    if (!terminate && /\.onExit(\(|\.|\[|$)/.test(node.name)) continue;
    if (node.type === "Pod") {
      const pod = engine.input.pods.get(node.id);
      if (pod && (pod.phase === "Succeeded" || pod.phase === "Failed")) continue;
      engine.kill(node);
    }
    if (node.type !== "Retry") engine.nodes.update(node, { phase: "Failed", message });
  }
  for (const node of engine.nodes.all().reverse()) {
    if (isDone(node) || ["Pod", "Suspend", "Retry"].includes(node.type)) continue;
    if (!terminate && /\.onExit(\(|\.|\[|$)/.test(node.name)) continue;
    const open = engine.nodes.children(node).some((child) => !isDone(child));
    const waits =
      node.type === "StepGroup" || node.type === "TaskGroup"
        ? open
        : inside(engine, node).some((child) => !isDone(child));
    if (!waits) engine.nodes.update(node, { phase: "Failed", message });
  }
}

const inside = (engine: Engine, node: WorkflowNodeStatus) =>
  engine.nodes.all().filter((other) => other.boundaryID === node.id);

function mainPhase(
  main: WorkflowNodeStatus | undefined,
  shutdown: string | undefined,
): "Succeeded" | "Failed" | "Error" {
  if (!main) return shutdown ? "Failed" : "Error";
  if (main.phase === "Skipped" || main.phase === "Omitted") return "Succeeded";
  return main.phase as "Succeeded" | "Failed" | "Error";
}

function failures(nodes: Nodes): object[] {
  return nodes
    .all()
    .filter((node) => hasFailed(node) && node.type === "Pod")
    .map((node) => ({
      displayName: node.displayName,
      message: node.message ?? "",
      templateName: node.templateName ?? "",
      phase: node.phase,
      podName: node.id,
      finishedAt: node.finishedAt ?? null,
    }));
}

/** Parameters with a globalName become outputs of the workflow. */
function collectOutputs(
  status: WorkflowStatus,
  nodes: Nodes,
  _spec: WorkflowSpec,
  globals: { set(name: string, value: string): void },
): void {
  const found = new Map<string, WorkflowParameter>();
  for (const node of nodes.all()) {
    for (const parameter of node.outputs?.parameters ?? []) {
      if (!parameter.globalName || !isDone(node)) continue;
      const value = parameterText(parameter.value) ?? "";
      found.set(parameter.globalName, { name: parameter.globalName, value });
      globals.set(`workflow.outputs.parameters.${parameter.globalName}`, value);
    }
  }
  if (found.size > 0) status.outputs = { ...status.outputs, parameters: [...found.values()] };
}

function timeToLive(spec: WorkflowSpec, status: WorkflowStatus): number | undefined {
  const { ttlStrategy } = spec;
  const finished = Date.parse(status.finishedAt ?? "");
  const own = status.phase === "Succeeded" ? ttlStrategy?.secondsAfterSuccess : ttlStrategy?.secondsAfterFailure;
  const seconds = own ?? ttlStrategy?.secondsAfterCompletion;
  return seconds === undefined || Number.isNaN(finished) ? undefined : finished + seconds * 1000 + 1000;
}

/** Pods whose nodes are done: those that are not wanted any more go, the others say that nobody waits for them. */
function afterPods(spec: WorkflowSpec, nodes: Nodes, pods: readonly PodFact[], over: boolean): WorkflowAction[] {
  const garbage = podGarbage(spec, nodes, pods, over);
  const going = new Set(garbage.map((action) => (action.type === "deletePod" ? action.name : "")));
  const names = pods.flatMap((pod) => {
    const open = pod.labelledCompleted || pod.deleting || going.has(pod.name);
    const ended = pod.phase === "Succeeded" || pod.phase === "Failed";
    return !open && ended && isDone(nodes.byId(pod.nodeId)) ? [pod.name] : [];
  });
  return names.length > 0 ? [...garbage, { type: "labelPods", names }] : garbage;
}

function podGarbage(spec: WorkflowSpec, nodes: Nodes, pods: readonly PodFact[], over: boolean): WorkflowAction[] {
  const strategy = spec.podGC?.strategy;
  if (!strategy) return [];
  const success = !nodes.all().some(hasFailed);
  return pods.flatMap((pod): WorkflowAction[] => {
    const node = nodes.byId(pod.nodeId);
    if (!node || !isDone(node) || pod.deleting) return [];
    if (pod.phase !== "Succeeded" && pod.phase !== "Failed") return [];
    const drop =
      strategy === "OnPodCompletion" ||
      (strategy === "OnPodSuccess" && node.phase === "Succeeded") ||
      (over && strategy === "OnWorkflowCompletion") ||
      (over && strategy === "OnWorkflowSuccess" && success);
    return drop ? [{ type: "deletePod", name: pod.name }] : [];
  });
}
