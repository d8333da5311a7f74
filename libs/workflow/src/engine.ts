import { messageOf, TiphysError } from "@tiphys/errors";
import { compileGovaluate, parseDuration, UnresolvedTagError } from "@tiphys/expressions";
import { limits } from "@tiphys/limits";
import type {
  KubeObject,
  Workflow,
  WorkflowArguments,
  WorkflowNodeStatus,
  WorkflowOutputs,
  WorkflowParameter,
  WorkflowSpec,
  WorkflowTemplateSpec,
} from "@tiphys/resources";
import { assessPod, CREATING_FAILED } from "./assess.js";
import { runDag } from "./dag.js";
import type { PodFact, TaskResultFact, TemplateSource } from "./facts.js";
import { type Library, resolveTemplate, scopeText, type TemplateHolder } from "./library.js";
import { podName } from "./names.js";
import { isDone, type Nodes } from "./nodes.js";
import { fillInputs, parameterText } from "./parameters.js";
import { buildPod, type ExecutorSettings } from "./pod.js";
import { nextAttempt } from "./retry.js";
import { type Globals, Scope } from "./scope.js";
import { runSteps } from "./steps.js";

/** One write that a pass asks for. */
export type WorkflowAction =
  | { readonly type: "createPod"; readonly nodeId: string; readonly pod: KubeObject }
  | { readonly type: "deletePod"; readonly name: string }
  /** Marks pods as completed: nobody waits for them any more. */
  | { readonly type: "labelPods"; readonly names: readonly string[] }
  | { readonly type: "deleteTaskResults" }
  | { readonly type: "archive" }
  | { readonly type: "deleteWorkflow" };

/** Something to be run under a node name. */
export interface Request {
  readonly name: string;
  readonly displayName: string;
  readonly holder: TemplateHolder;
  readonly library: Library;
  /** With resolved values; asked for only when the node is new. */
  readonly args: () => WorkflowArguments | undefined;
  readonly boundary?: string;
  readonly flag?: { hooked?: boolean; retried?: boolean };
  /** Exit handlers run although the workflow is stopped. */
  readonly onExit: boolean;
  readonly depth: number;
  /** Somebody refers to `outputs.result` of this node. */
  readonly includeResult: boolean;
  readonly extra?: ReadonlyMap<string, string>;
  /** This is one attempt of a Retry node. */
  readonly attempt?: boolean;
}

export interface EngineInput {
  readonly workflow: Workflow;
  readonly spec: WorkflowSpec;
  readonly nodes: Nodes;
  readonly globals: Globals;
  readonly pods: ReadonlyMap<string, PodFact>;
  readonly results: ReadonlyMap<string, TaskResultFact>;
  readonly templates: TemplateSource;
  readonly executor: ExecutorSettings;
  readonly now: Date;
  /** No new nodes, except exit handlers when the strategy is Stop. */
  readonly shutdown?: string;
  readonly suspended: boolean;
  /** Milliseconds since 1970 at which the whole run has to be over. */
  readonly deadline?: number;
}

/** Runs the tree of a workflow from its entrypoint; every pass starts from the stored nodes alone. */
export class Engine {
  readonly actions: WorkflowAction[] = [];
  readonly stored = new Map<string, WorkflowTemplateSpec>();
  readonly waitingFor = new Set<string>();
  private readonly creating = new Set<string>();
  private wake: number | undefined;

  constructor(readonly input: EngineInput) {}

  get nodes(): Nodes {
    return this.input.nodes;
  }

  /** Asks for a pass at `time` even if nothing happens. */
  lookAgain(time: number): void {
    this.wake = Math.min(this.wake ?? Number.POSITIVE_INFINITY, time);
  }

  get lookAgainAt(): Date | undefined {
    return this.wake === undefined ? undefined : new Date(this.wake);
  }

  /** Runs or continues a node; undefined while it may not start yet. */
  execute(request: Request): WorkflowNodeStatus | undefined {
    const existing = this.nodes.get(request.name);
    if (isDone(existing)) return existing;
    const resolved = resolveTemplate(request.holder, request.library, this.input.templates);
    if ("problem" in resolved) return this.fail(request, existing, resolved.problem);
    const { template, library } = resolved;
    if (library.scope !== "local" && template.name) this.stored.set(`${scopeText(library)}/${template.name}`, template);
    const isPod = template.container !== undefined || template.script !== undefined;
    const retry = request.attempt
      ? undefined
      : (template.retryStrategy ?? (isPod ? this.input.spec.retryStrategy : undefined));
    let node = existing;
    try {
      if (!node) {
        if (!this.mayStart(request)) return undefined;
        if (request.depth > limits.templateDepth) {
          return this.fail(
            request,
            undefined,
            `Maximum recursion depth exceeded: templates are nested deeper than ${limits.templateDepth}`,
          );
        }
        const filled = fillInputs(template.inputs, request.args(), (raw) =>
          new Scope({ globals: this.input.globals }).text(raw),
        );
        if ("problem" in filled) return this.fail(request, undefined, filled.problem);
        if (!retry && isPod) {
          if (this.atPodLimit()) return undefined;
          return this.startPod(request, template, library, filled.inputs);
        }
        node = this.nodes.create({
          ...this.base(request, library),
          type: retry ? "Retry" : template.steps ? "Steps" : template.dag ? "DAG" : "Suspend",
          phase: "Running",
          ...(filled.inputs.parameters ? { inputs: filled.inputs } : {}),
        });
      }
      if (retry) return nextAttempt(this, request, node, retry);
      if (isPod) return this.continuePod(request, template, node);
      const scope = new Scope({
        globals: this.input.globals,
        inputs: node.inputs ?? {},
        ...(request.extra ? { extra: request.extra } : {}),
      });
      if (template.steps) return runSteps(this, { request, node, template, library, scope });
      if (template.dag) return runDag(this, { request, node, template, library, scope });
      return this.waitSuspended(node, template, scope);
    } catch (error) {
      if (!(error instanceof TiphysError)) throw error;
      return this.fail(request, this.nodes.get(request.name), messageOf(error));
    }
  }

  /** The node failed before its work could; a node that is not there yet is made to say so. */
  fail(request: Request, node: WorkflowNodeStatus | undefined, message: string): WorkflowNodeStatus {
    if (node) return this.nodes.update(node, { phase: "Error", message });
    return this.nodes.create({ ...this.base(request, request.library), type: "Skipped", phase: "Error", message });
  }

  base(request: Request, library: Library): Omit<WorkflowNodeStatus, "id" | "type" | "phase"> {
    const { holder } = request;
    return {
      name: request.name,
      displayName: request.displayName,
      ...(holder.templateRef
        ? { templateRef: holder.templateRef }
        : holder.template
          ? { templateName: holder.template }
          : {}),
      templateScope: scopeText(holder.templateRef ? request.library : library),
      ...(request.boundary ? { boundaryID: request.boundary } : {}),
      ...(request.flag ? { nodeFlag: request.flag } : {}),
    };
  }

  /** New nodes are not made while suspended, after a shutdown, or past the deadline. */
  mayStart(request: Pick<Request, "onExit">): boolean {
    const { shutdown, suspended } = this.input;
    if (shutdown && !(shutdown === "Stop" && request.onExit)) return false;
    if (suspended) {
      this.waitingFor.add("the workflow is suspended");
      return false;
    }
    return true;
  }

  /** True when `when` allows the step; its text has its tags resolved. */
  allowed(when: string): boolean {
    const value = compileGovaluate(when, { bareWordsAreStrings: true })({});
    if (typeof value !== "boolean") {
      throw new UnresolvedTagError(when, {
        problem: `Expected boolean evaluation for '${when}'. Got ${String(value)}`,
      });
    }
    return value;
  }

  /** The exit handler of a finished node; true once there is nothing to wait for. */
  exitHandled(
    owner: WorkflowNodeStatus,
    holder: { onExit?: string; hooks?: Record<string, TemplateHolder & { arguments?: WorkflowArguments }> },
    library: Library,
    scope: Scope,
    depth: number,
  ): boolean {
    const hook = holder.hooks?.["exit"];
    const exit: (TemplateHolder & { arguments?: WorkflowArguments }) | undefined =
      hook ?? (holder.onExit ? { template: holder.onExit } : undefined);
    if (!exit || owner.phase === "Skipped" || owner.phase === "Omitted") return true;
    const name = `${owner.name}.onExit`;
    const node = this.execute({
      name,
      displayName: `${owner.displayName}.onExit`,
      holder: exit,
      library,
      args: () => (exit.arguments ? scope.json(exit.arguments) : undefined),
      ...(owner.boundaryID ? { boundary: owner.boundaryID } : {}),
      flag: { hooked: true },
      onExit: true,
      depth: depth + 1,
      includeResult: false,
    });
    if (!node) return this.input.shutdown === "Terminate";
    this.nodes.link(owner.id, node.id);
    return isDone(node);
  }

  /** Outputs of a Steps or DAG template from its scope. */
  outputs(template: WorkflowTemplateSpec, scope: Scope): WorkflowOutputs | undefined {
    const parameters: WorkflowParameter[] = [];
    for (const parameter of template.outputs?.parameters ?? []) {
      const { valueFrom } = parameter;
      const fallback = parameterText(valueFrom?.default ?? parameter.default);
      const wanted =
        valueFrom?.parameter ??
        (valueFrom?.expression === undefined ? parameterText(parameter.value) : `{{=${valueFrom.expression}}}`);
      let value: string | undefined;
      try {
        value = wanted === undefined ? undefined : scope.text(wanted);
      } catch (error) {
        if (!(error instanceof UnresolvedTagError) || fallback === undefined) throw error;
      }
      value ??= fallback;
      if (value === undefined)
        throw new UnresolvedTagError("", { problem: `outputs.parameters.${parameter.name} has no value` });
      const { valueFrom: _, ...rest } = parameter;
      parameters.push({ ...rest, value });
    }
    return parameters.length > 0 ? { parameters } : undefined;
  }

  private create(nodeId: string, pod: KubeObject): void {
    this.creating.add(nodeId);
    this.actions.push({ type: "createPod", nodeId, pod });
  }

  private atPodLimit(): boolean {
    const { parallelism } = this.input.spec;
    if (!parallelism || (this.nodes.active.get("") ?? 0) < parallelism) return false;
    this.waitingFor.add(`spec.parallelism ${parallelism} is reached`);
    return true;
  }

  private startPod(
    request: Request,
    template: WorkflowTemplateSpec,
    library: Library,
    inputs: WorkflowArguments,
  ): WorkflowNodeStatus {
    const id = this.nodes.idOf(request.name);
    const pod = this.input.pods.has(id) ? undefined : this.podOf(request, template, inputs, id);
    const node = this.nodes.create({
      ...this.base(request, library),
      type: "Pod",
      phase: "Pending",
      progress: "0/1",
      ...(inputs.parameters ? { inputs } : {}),
    });
    if (!pod) return this.continuePod(request, template, node);
    this.create(id, pod);
    return node;
  }

  private podOf(request: Request, template: WorkflowTemplateSpec, inputs: WorkflowArguments, id: string): KubeObject {
    const { workflow, spec, executor, now } = this.input;
    const name = podName(workflow.metadata.name, request.name, template.name ?? "", id);
    const extra = new Map([...(request.extra ?? []), ["pod.name", name], ["node.name", request.name]]);
    const paths = new Scope({ globals: this.input.globals, inputs, extra });
    for (const parameter of template.outputs?.parameters ?? []) {
      const path = parameter.valueFrom?.path;
      if (path) extra.set(`outputs.parameters.${parameter.name}.path`, paths.text(path));
    }
    const { inputs: _, retryStrategy: __, ...rest } = template;
    const resolved = new Scope({ globals: this.input.globals, inputs, extra }).json(rest);
    const seconds = Number(resolved.activeDeadlineSeconds ?? Number.NaN);
    const deadline = Math.min(
      Number.isNaN(seconds) ? Number.POSITIVE_INFINITY : now.getTime() / 1000 + seconds,
      (this.input.deadline ?? Number.POSITIVE_INFINITY) / 1000,
    );
    return buildPod({
      workflow,
      spec,
      executor,
      name,
      nodeId: id,
      nodeName: request.name,
      template: resolved,
      inputs,
      includeResult: request.includeResult,
      onExit: request.onExit,
      ...(Number.isFinite(deadline) ? { deadline } : {}),
    });
  }

  private continuePod(request: Request, template: WorkflowTemplateSpec, node: WorkflowNodeStatus): WorkflowNodeStatus {
    // A node may be reached more than once in a pass; its pod is not missing because it is just being made.
    if (this.creating.has(node.id)) return node;
    const pod = this.input.pods.get(node.id);
    if (!pod && node.phase === "Pending" && node.message?.startsWith(CREATING_FAILED)) {
      const wanted = this.podOf(request, template, node.inputs ?? {}, node.id);
      this.create(node.id, wanted);
      return this.nodes.update(node, { message: undefined });
    }
    const result = this.input.results.get(node.id);
    let assessed = assessPod(node, pod, result);
    if (
      assessed.phase === "Succeeded" &&
      !result?.completed &&
      template.outputs?.parameters?.some((p) => p.valueFrom?.path)
    ) {
      assessed = { ...assessed, phase: "Error", message: "the pod ended without reporting its output parameters" };
    }
    let next = this.nodes.update(node, assessed);
    if (isDone(next)) return next;
    next = this.overdue(next, template) ?? next;
    return next;
  }

  private overdue(node: WorkflowNodeStatus, template: WorkflowTemplateSpec): WorkflowNodeStatus | undefined {
    const timeout = template.timeout ? parseDuration(template.timeout) : undefined;
    if (!timeout) return undefined;
    const end = Date.parse(node.startedAt ?? "") + timeout.milliseconds;
    if (this.input.now.getTime() < end) {
      this.lookAgain(end);
      return undefined;
    }
    this.kill(node);
    return this.nodes.update(node, { phase: "Failed", message: "Step exceeded its deadline" });
  }

  /** Ends the pod of a node. */
  kill(node: WorkflowNodeStatus): void {
    const pod = this.input.pods.get(node.id);
    if (pod && pod.phase !== "Succeeded" && pod.phase !== "Failed")
      this.actions.push({ type: "deletePod", name: pod.name });
  }

  private waitSuspended(node: WorkflowNodeStatus, template: WorkflowTemplateSpec, scope: Scope): WorkflowNodeStatus {
    const raw = template.suspend?.duration;
    const parameters = (template.outputs?.parameters ?? []).map((parameter) => ({ ...parameter }));
    const current =
      parameters.length > 0 && !node.outputs ? this.nodes.update(node, { outputs: { parameters } }) : node;
    if (raw === undefined || raw === null) return current;
    const text = scope.text(String(raw));
    const length = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : parseDuration(text)?.milliseconds;
    if (length === undefined)
      return this.nodes.update(current, { phase: "Error", message: `suspend.duration "${text}" is not a duration` });
    const end = Date.parse(node.startedAt ?? "") + length;
    if (this.input.now.getTime() >= end) return this.nodes.update(current, { phase: "Succeeded" });
    this.lookAgain(end);
    return current;
  }
}
