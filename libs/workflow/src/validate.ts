import { messageOf } from "@tiphys/errors";
import { collectTags, compileExpression, compileGovaluate } from "@tiphys/expressions";
import type {
  DagTask,
  Workflow,
  WorkflowArguments,
  WorkflowRetryStrategy,
  WorkflowSpec,
  WorkflowStep,
  WorkflowTemplateSpec,
} from "@tiphys/resources";
import { conditionOf, dependencyNames } from "./depends.js";
import { noTemplates, type TemplateSource } from "./facts.js";
import { RETRY_FIELDS, SPEC_FIELDS, STEP_FIELDS, TASK_FIELDS, TEMPLATE_FIELDS, TEMPLATE_KINDS } from "./fields.js";
import { ancestry, findCycle } from "./graph.js";
import { effectiveSpec, type Library, resolveTemplate, type TemplateHolder } from "./library.js";
import { parameterText } from "./parameters.js";
import { shapeProblems } from "./shape.js";

/** Why a workflow cannot run as it is written. */
export interface WorkflowProblem {
  readonly code: "InvalidArgument" | "Unimplemented";
  /** Path of the field, such as `spec.templates[2].dag.tasks[0].template`. */
  readonly field: string;
  readonly message: string;
}

export interface ValidateOptions {
  /** The spec with its workflowTemplateRef merged in; computed when absent. */
  readonly spec?: WorkflowSpec;
  /** A library: no entrypoint, and parameters without a value, are fine. */
  readonly template?: boolean;
}

const NAME = /^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const PARAMETER_NAME = /^[-a-zA-Z0-9_.]+$/;
const LONGEST_NAME = 128;
const LONGEST_WORKFLOW_NAME = 63;

/** All problems of a workflow, in the order of its text; none means that it may run. */
export function validateWorkflow(
  workflow: Workflow,
  templates: TemplateSource = noTemplates,
  options: ValidateOptions = {},
): WorkflowProblem[] {
  return new Validation(workflow, templates, options).run();
}

class Validation {
  private readonly problems: WorkflowProblem[] = [];
  private readonly spec: WorkflowSpec;
  private readonly library: Library;

  constructor(
    private readonly workflow: Workflow,
    private readonly templates: TemplateSource,
    private readonly options: ValidateOptions,
  ) {
    this.spec = options.spec ?? effectiveSpec(workflow.spec ?? {}, this.referenced());
    this.library = { scope: "local", resource: workflow.metadata.name, spec: this.spec };
  }

  run(): WorkflowProblem[] {
    const { spec, workflow } = this;
    if ((workflow.metadata.name ?? "").length > LONGEST_WORKFLOW_NAME) {
      this.bad("metadata.name", `must be no more than ${LONGEST_WORKFLOW_NAME} characters`);
    }
    if (!isObject(workflow.spec)) return [{ code: "InvalidArgument", field: "spec", message: "is required" }];
    this.fields(workflow.spec, SPEC_FIELDS, "spec");
    this.problems.push(...shapeProblems(spec));
    if (this.problems.some(({ message }) => message.startsWith("must be"))) return this.problems;
    const reference = workflow.spec.workflowTemplateRef;
    if (reference && (workflow.spec.templates?.length ?? 0) > 0) {
      this.bad("spec.templates", "templates must not be given together with workflowTemplateRef");
    }
    if (reference && !this.referenced())
      this.bad("spec.workflowTemplateRef.name", `"${reference.name ?? ""}" not found`);
    this.arguments(spec.arguments, "spec.arguments");
    if (!this.options.template) this.workflowParameters();
    this.entry();
    this.retry(spec.retryStrategy, "spec.retryStrategy");
    this.hooks(spec, "spec", new Set());
    if (spec.podGC?.labelSelector !== undefined) this.missing("spec.podGC.labelSelector");
    if (spec.podGC?.deleteDelayDuration !== undefined) this.missing("spec.podGC.deleteDelayDuration");
    if (spec.workflowMetadata?.labelsFrom !== undefined) this.missing("spec.workflowMetadata.labelsFrom");
    this.allTemplates();
    return this.problems;
  }

  private referenced(): WorkflowSpec | undefined {
    const reference = this.workflow.spec?.workflowTemplateRef;
    if (!reference?.name) return undefined;
    return reference.clusterScope
      ? this.templates.clusterWorkflowTemplate(reference.name)
      : this.templates.workflowTemplate(reference.name);
  }

  private bad(field: string, message: string): void {
    this.problems.push({ code: "InvalidArgument", field, message });
  }

  private missing(field: string): void {
    this.problems.push({ code: "Unimplemented", field, message: "is not implemented yet: see docs/compatibility.md" });
  }

  private fields(value: unknown, known: Readonly<Record<string, boolean>>, path: string): void {
    if (!isObject(value)) return;
    for (const field of Object.keys(value)) {
      if (value[field] === undefined || (value[field] === null && field !== "suspend")) continue;
      if (!Object.hasOwn(known, field)) this.bad(`${path}.${field}`, "unknown field");
      else if (!known[field]) this.missing(`${path}.${field}`);
    }
  }

  private entry(): void {
    const { entrypoint, onExit } = this.spec;
    if (!entrypoint) {
      if (!this.options.template) this.bad("spec.entrypoint", "is required");
    } else this.holder({ template: entrypoint }, "spec.entrypoint", this.library);
    if (onExit) this.holder({ template: onExit }, "spec.onExit", this.library);
  }

  private workflowParameters(): void {
    for (const [index, parameter] of (this.spec.arguments?.parameters ?? []).entries()) {
      const value = parameterText(parameter.value) ?? parameterText(parameter.default);
      const path = `spec.arguments.parameters[${index}]`;
      if (parameter.valueFrom?.configMapKeyRef) this.missing(`${path}.valueFrom.configMapKeyRef`);
      else if (value === undefined)
        this.bad(
          path,
          `spec.arguments.${parameter.name}.value or spec.arguments.${parameter.name}.valueFrom is required`,
        );
      else if (parameter.enum && !parameter.enum.some((allowed) => parameterText(allowed) === value)) {
        this.bad(path, `${parameter.name} "${value}" is not one of its enum values`);
      }
    }
  }

  private allTemplates(): void {
    const seen = new Set<string>();
    const templates = this.spec.templates;
    if (templates !== undefined && !Array.isArray(templates)) {
      this.bad("spec.templates", "must be a list");
      return;
    }
    for (const [index, template] of (templates ?? []).entries()) {
      const path = `spec.templates[${index}]`;
      if (!isObject(template)) {
        this.bad(path, "must be an object");
        continue;
      }
      const name = template.name ?? "";
      if (!name) this.bad(`${path}.name`, "is required");
      else if (!NAME.test(name) || name.length > LONGEST_NAME) this.bad(`${path}.name`, nameProblem(name));
      else if (seen.has(name)) this.bad(`${path}.name`, `template name '${name}' is not unique`);
      seen.add(name);
      this.template(template, path);
    }
  }

  private template(template: WorkflowTemplateSpec, path: string): void {
    this.fields(template, TEMPLATE_FIELDS, path);
    const kinds = TEMPLATE_KINDS.filter(
      (kind) => template[kind] !== undefined && (kind === "suspend" || template[kind] !== null),
    );
    if (kinds.length === 0)
      this.bad(path, `template ${template.name ?? ""} must have one of ${TEMPLATE_KINDS.join(", ")}`);
    if (kinds.length > 1) this.bad(path, `template ${template.name ?? ""} has more than one kind: ${kinds.join(", ")}`);
    this.arguments(template.inputs, `${path}.inputs`);
    this.retry(template.retryStrategy, `${path}.retryStrategy`);
    const inputs = new Set((template.inputs?.parameters ?? []).map((parameter) => parameter.name));
    for (const [index, parameter] of (template.inputs?.parameters ?? []).entries()) {
      if (parameter.valueFrom?.configMapKeyRef)
        this.missing(`${path}.inputs.parameters[${index}].valueFrom.configMapKeyRef`);
    }
    if (template.container) this.container(template.container, `${path}.container`, false);
    if (template.script) this.container(template.script, `${path}.script`, true);
    if (template.container || template.script) {
      const { inputs: _, name: __, ...rest } = template;
      this.tags(rest, path, { inputs });
    }
    if (
      (template.steps || template.dag) &&
      (template.activeDeadlineSeconds !== undefined || template.timeout !== undefined)
    ) {
      this.bad(path, "activeDeadlineSeconds and timeout are not for steps and dag templates");
    }
    if (template.steps) this.steps(template, path, inputs);
    if (template.dag) this.dag(template, path, inputs);
    this.templateOutputs(template, path);
  }

  private container(container: Record<string, unknown>, path: string, script: boolean): void {
    if (typeof container["image"] !== "string" || container["image"] === "")
      this.bad(`${path}.image`, "may not be empty");
    if (script && typeof container["source"] !== "string") this.bad(`${path}.source`, "is required");
    const command = container["command"];
    if (!Array.isArray(command) || command.length === 0) {
      this.problems.push({
        code: "Unimplemented",
        field: `${path}.command`,
        message: "is required: looking up the entrypoint of an image is not implemented yet, see docs/compatibility.md",
      });
    }
  }

  private templateOutputs(template: WorkflowTemplateSpec, path: string): void {
    if ((template.outputs?.artifacts?.length ?? 0) > 0) this.missing(`${path}.outputs.artifacts`);
    for (const [index, parameter] of (template.outputs?.parameters ?? []).entries()) {
      const at = `${path}.outputs.parameters[${index}]`;
      if (!parameter.name) this.bad(`${at}.name`, "is required");
      const from = parameter.valueFrom ?? {};
      for (const field of ["jsonPath", "jqFilter", "event", "configMapKeyRef"] as const) {
        if (from[field] !== undefined) this.missing(`${at}.valueFrom.${field}`);
      }
      const leaf = template.container !== undefined || template.script !== undefined;
      if (leaf && !from.path && parameter.value === undefined)
        this.bad(`${at}.valueFrom.path`, "is required for a container or script");
      if (
        (template.steps || template.dag) &&
        from.parameter === undefined &&
        from.expression === undefined &&
        parameter.value === undefined
      ) {
        this.bad(`${at}.valueFrom`, "needs parameter or expression");
      }
      if (from.expression !== undefined) this.expression(from.expression, `${at}.valueFrom.expression`);
    }
  }

  private steps(template: WorkflowTemplateSpec, path: string, inputs: ReadonlySet<string>): void {
    const known = new Set<string>();
    for (const [outer, group] of (template.steps ?? []).entries()) {
      const before = new Set(known);
      if (!Array.isArray(group)) {
        this.bad(`${path}.steps[${outer}]`, "must be a list of steps");
        continue;
      }
      for (const [inner, step] of group.entries()) {
        const at = `${path}.steps[${outer}][${inner}]`;
        this.step(step, at, STEP_FIELDS, known);
        this.tags(step, at, { inputs, family: "steps", producers: before, loop: true, own: step.name ?? "" });
      }
      for (const step of group) known.add(step.name ?? "");
    }
    const { steps: _, inputs: __, ...rest } = template;
    this.tags(rest.outputs ?? {}, `${path}.outputs`, { inputs, family: "steps", producers: known });
  }

  private dag(template: WorkflowTemplateSpec, path: string, inputs: ReadonlySet<string>): void {
    const tasks = new Map<string, DagTask>();
    const needs = new Map<string, string[]>();
    const list = template.dag?.tasks ?? [];
    if (list.length === 0) this.bad(`${path}.dag.tasks`, "must have at least one task");
    const usesDepends = list.some((task) => task.depends);
    const usesDependencies = list.some((task) => (task.dependencies?.length ?? 0) > 0);
    if (usesDepends && usesDependencies)
      this.bad(`${path}.dag`, "templates cannot use both 'depends' and 'dependencies' in the same DAG template");
    for (const [index, task] of list.entries()) {
      const at = `${path}.dag.tasks[${index}]`;
      this.step(task, at, TASK_FIELDS, new Set(tasks.keys()));
      const name = task.name ?? "";
      tasks.set(name, task);
      if ((usesDepends || usesDependencies) && /^\d/.test(name)) {
        this.bad(
          `${at}.name`,
          `name '${name}' cannot begin with a digit when using either 'depends' or 'dependencies'`,
        );
      }
      if (task.depends && task.continueOn) this.bad(`${at}.continueOn`, "cannot use 'continueOn' when using 'depends'");
      try {
        needs.set(name, dependencyNames(conditionOf(task)));
      } catch (error) {
        this.bad(`${at}.depends`, messageOf(error));
      }
    }
    for (const [index, task] of list.entries()) {
      for (const need of needs.get(task.name ?? "") ?? []) {
        if (!tasks.has(need))
          this.bad(
            `${path}.dag.tasks[${index}].${task.depends ? "depends" : "dependencies"}`,
            `dependency '${need}' not defined`,
          );
      }
      if (task.depends) this.loopResults(task, tasks, `${path}.dag.tasks[${index}].depends`);
    }
    for (const target of template.dag?.target?.includes("{{")
      ? []
      : (template.dag?.target ?? "").split(/\s+/).filter(Boolean)) {
      if (!tasks.has(target)) this.bad(`${path}.dag.target`, `target '${target}' is not defined`);
    }
    const cycle = findCycle(needs);
    if (cycle) {
      this.bad(`${path}.dag.tasks`, `dependency cycle detected: ${cycle.join("->")}`);
      return;
    }
    const ancestors = ancestry(needs);
    for (const [index, task] of list.entries()) {
      const producers = ancestors.get(task.name ?? "") ?? new Set();
      this.tags(task, `${path}.dag.tasks[${index}]`, {
        inputs,
        family: "tasks",
        producers,
        others: tasks,
        loop: true,
        own: task.name ?? "",
      });
    }
    this.tags(template.outputs ?? {}, `${path}.outputs`, { inputs, family: "tasks", producers: new Set(tasks.keys()) });
  }

  private loopResults(task: DagTask, tasks: ReadonlyMap<string, DagTask>, path: string): void {
    for (const [, name, result] of (task.depends ?? "").matchAll(/([A-Za-z0-9_-]+)\.(AnySucceeded|AllFailed)/g)) {
      const other = tasks.get(name as string);
      if (other && other.withItems === undefined && other.withParam === undefined && other.withSequence === undefined) {
        this.bad(path, `task '${name}' does not contain any items, '${result}' cannot be used`);
      }
    }
  }

  private step(
    step: WorkflowStep,
    path: string,
    fields: Readonly<Record<string, boolean>>,
    known: ReadonlySet<string>,
  ): void {
    if (!isObject(step as unknown)) {
      this.bad(path, "must be an object");
      return;
    }
    this.fields(step, fields, path);
    const name = step.name ?? "";
    if (!name) this.bad(`${path}.name`, "is required");
    else if (!NAME.test(name) || name.length > LONGEST_NAME) this.bad(`${path}.name`, nameProblem(name));
    if (known.has(name)) this.bad(`${path}.name`, `name '${name}' is not unique`);
    const loops = (["withItems", "withParam", "withSequence"] as const).filter((loop) => step[loop] !== undefined);
    if (loops.length > 1)
      this.bad(path, `only one of withItems, withParam and withSequence is allowed, not ${loops.join(" and ")}`);
    if (step.withSequence?.count !== undefined && step.withSequence.end !== undefined) {
      this.bad(`${path}.withSequence`, "only one of count or end can be defined");
    }
    const ways = (["template", "templateRef", "inline"] as const).filter((way) => step[way] !== undefined);
    if (ways.length !== 1) this.bad(path, "exactly one of template, templateRef and inline is required");
    else this.call(step, step.arguments, path);
    if (step.inline) this.template(step.inline, `${path}.inline`);
    if (step.when && !step.when.includes("{{")) this.condition(step.when, `${path}.when`);
    this.arguments(step.arguments, `${path}.arguments`);
    this.hooks(step, path, known);
  }

  private condition(source: string, path: string): void {
    try {
      compileGovaluate(source, { bareWordsAreStrings: true });
    } catch (error) {
      this.bad(path, messageOf(error));
    }
  }

  private expression(source: string, path: string): void {
    try {
      compileExpression(source);
    } catch (error) {
      this.bad(path, messageOf(error));
    }
  }

  private hooks(
    owner: { hooks?: Record<string, unknown>; onExit?: string },
    path: string,
    _known: ReadonlySet<string>,
  ): void {
    for (const [name, hook] of Object.entries(owner.hooks ?? {})) {
      if (name !== "exit") this.missing(`${path}.hooks.${name}`);
      else if (isObject(hook)) {
        if (hook["expression"] !== undefined) this.missing(`${path}.hooks.exit.expression`);
        this.holder(hook as TemplateHolder, `${path}.hooks.exit`, this.library);
      }
    }
    if (path !== "spec" && owner.onExit) this.holder({ template: owner.onExit }, `${path}.onExit`, this.library);
  }

  private arguments(args: WorkflowArguments | undefined, path: string): void {
    if ((args?.artifacts?.length ?? 0) > 0) this.missing(`${path}.artifacts`);
    const seen = new Set<string>();
    for (const [index, parameter] of (args?.parameters ?? []).entries()) {
      const name = parameter.name ?? "";
      if (!name) this.bad(`${path}.parameters[${index}].name`, "is required");
      else if (!PARAMETER_NAME.test(name)) this.bad(`${path}.parameters[${index}].name`, nameProblem(name));
      if (seen.has(name)) this.bad(`${path}.parameters[${index}].name`, `name '${name}' is not unique`);
      seen.add(name);
      if (path.endsWith(".arguments") && path !== "spec.arguments" && parameter.valueFrom !== undefined) {
        this.missing(`${path}.parameters[${index}].valueFrom`);
      }
    }
  }

  private retry(strategy: WorkflowRetryStrategy | undefined, path: string): void {
    if (!strategy) return;
    this.fields(strategy, RETRY_FIELDS, path);
    const policies = ["Always", "OnFailure", "OnError"];
    if (strategy.retryPolicy === "OnTransientError") this.missing(`${path}.retryPolicy OnTransientError`);
    else if (strategy.retryPolicy && !policies.includes(strategy.retryPolicy)) {
      this.bad(`${path}.retryPolicy`, `${strategy.retryPolicy} is not a valid RetryPolicy`);
    }
    const limit = parameterText(strategy.limit);
    if (limit !== undefined && !limit.includes("{{") && !/^\d+$/.test(limit))
      this.bad(`${path}.limit`, `"${limit}" is not a number`);
    if (strategy.backoff && strategy.backoff.duration === undefined)
      this.bad(`${path}.backoff.duration`, "is required");
    if (strategy.expression) this.expression(strategy.expression, `${path}.expression`);
  }

  private holder(holder: TemplateHolder, path: string, library: Library): void {
    if (holder.template?.includes("{{") || holder.templateRef?.template?.includes("{{")) return;
    const resolved = resolveTemplate(holder, library, this.templates);
    if ("problem" in resolved) this.bad(path, resolved.problem);
  }

  /** A call gives every input that has no default, and its template exists. */
  private call(step: WorkflowStep, args: WorkflowArguments | undefined, path: string): void {
    if (
      step.template?.includes("{{") ||
      step.templateRef?.template?.includes("{{") ||
      step.templateRef?.name?.includes("{{")
    )
      return;
    const resolved = resolveTemplate(step, this.library, this.templates);
    if ("problem" in resolved) {
      this.bad(`${path}.${step.templateRef ? "templateRef" : "template"}`, resolved.problem);
      return;
    }
    const given = new Set(
      (args?.parameters ?? [])
        .filter((parameter) => parameterText(parameter.value) !== undefined)
        .map((parameter) => parameter.name),
    );
    for (const parameter of resolved.template.inputs?.parameters ?? []) {
      const own =
        parameterText(parameter.value) ??
        parameterText(parameter.default) ??
        parameterText(parameter.valueFrom?.default);
      if (own === undefined && !given.has(parameter.name) && !parameter.valueFrom?.configMapKeyRef) {
        this.bad(
          `${path}.arguments`,
          `inputs.parameters.${parameter.name} was not supplied to template ${resolved.template.name}`,
        );
      }
    }
  }

  /** Every plain tag that names an input, a parameter of the workflow, or a step must lead somewhere. */
  private tags(value: unknown, path: string, scope: TagScope): void {
    if (typeof value === "string") {
      for (const { tag, expression } of collectTags(value)) {
        if (expression) this.expression(tag, path);
        else if (!tag.includes("{{")) this.tag(tag, path, scope);
      }
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) this.tags(item, `${path}[${index}]`, scope);
    } else if (isObject(value)) {
      for (const [key, member] of Object.entries(value))
        if (key !== "inline") this.tags(member, `${path}.${key}`, scope);
    }
  }

  private tag(tag: string, path: string, scope: TagScope): void {
    const unresolved = () => this.bad(path, `failed to resolve {{${tag}}}`);
    const parts = tag.split(".");
    if (tag.startsWith("inputs.parameters.")) {
      if (!scope.inputs.has(tag.slice("inputs.parameters.".length))) unresolved();
    } else if (tag.startsWith("workflow.parameters.") && tag !== "workflow.parameters.json") {
      const name = tag.slice("workflow.parameters.".length);
      if (
        !this.options.template &&
        !(this.spec.arguments?.parameters ?? []).some((parameter) => parameter.name === name)
      )
        unresolved();
    } else if (parts[0] === "steps" || parts[0] === "tasks") {
      const name = parts[1] ?? "";
      if (parts.length < 3 || name === scope.own) return;
      if (parts[0] !== scope.family) unresolved();
      else if (!scope.producers?.has(name)) {
        if (scope.others?.has(name)) this.bad(path, `missing dependency '${name}' for parameter '${tag}'`);
        else unresolved();
      }
    }
  }
}

interface TagScope {
  readonly inputs: ReadonlySet<string>;
  readonly family?: "steps" | "tasks";
  readonly producers?: ReadonlySet<string>;
  readonly others?: ReadonlyMap<string, unknown>;
  readonly loop?: boolean;
  /** The step or task itself: its exit hook may speak of it. */
  readonly own?: string;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const nameProblem = (name: string): string =>
  `'${name}' is invalid: a name has at most ${LONGEST_NAME} letters, digits and '-', and begins and ends with a letter or digit`;
