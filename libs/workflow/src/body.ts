import type { WorkflowNodeStatus, WorkflowStep, WorkflowTemplateSpec } from "@tiphys/resources";
import type { Engine, Request } from "./engine.js";
import type { Library } from "./library.js";
import type { Scope } from "./scope.js";

/** A Steps or DAG template in the middle of its run. */
export interface Body {
  readonly request: Request;
  readonly node: WorkflowNodeStatus;
  readonly template: WorkflowTemplateSpec;
  readonly library: Library;
  readonly scope: Scope;
}

/** True when a failure of the step is one that the run continues after. */
export const continuesAfter = (step: WorkflowStep, node: WorkflowNodeStatus): boolean =>
  (node.phase === "Failed" && step.continueOn?.failed === true) ||
  (node.phase === "Error" && step.continueOn?.error === true);

/** Starts or continues one step, task or loop child; undefined while it may not start. */
export function runMember(
  engine: Engine,
  body: Body,
  step: WorkflowStep,
  name: string,
  displayName: string,
  scope: Scope,
): WorkflowNodeStatus | undefined {
  const { request, node, template, library } = body;
  const existing = engine.nodes.get(name);
  if (!existing) {
    if (!engine.mayStart(request)) return undefined;
    if (template.parallelism && (engine.nodes.active.get(node.id) ?? 0) >= template.parallelism) {
      engine.waitingFor.add(`parallelism ${template.parallelism} of template ${template.name} is reached`);
      return undefined;
    }
    if (step.when) {
      const when = scope.text(step.when);
      if (!engine.allowed(when)) {
        return engine.nodes.create({
          ...engine.base({ ...request, name, displayName, holder: step, boundary: node.id }, library),
          type: "Skipped",
          phase: "Skipped",
          message: `when '${when}' evaluated false`,
        });
      }
    }
  }
  return engine.execute({
    name,
    displayName,
    holder: resolvedHolder(step, scope),
    library,
    args: () => (step.arguments ? scope.json(step.arguments) : undefined),
    boundary: node.id,
    onExit: request.onExit,
    depth: request.depth + 1,
    includeResult: refersToResult(template, step.name ?? ""),
  });
}

/** The template name of a step may hold tags of the loop or the inputs. */
function resolvedHolder(step: WorkflowStep, scope: Scope): WorkflowStep {
  if (!step.template?.includes("{{") && !step.templateRef?.template?.includes("{{")) return step;
  return {
    ...step,
    ...(step.template ? { template: scope.text(step.template) } : {}),
    ...(step.templateRef ? { templateRef: scope.json(step.templateRef) } : {}),
  };
}

const resultUsers = new WeakMap<WorkflowTemplateSpec, string>();

/** `outputs.result` is kept only where the surrounding template speaks of it. */
function refersToResult(template: WorkflowTemplateSpec, name: string): boolean {
  let text = resultUsers.get(template);
  if (text === undefined) {
    text = JSON.stringify(template);
    resultUsers.set(template, text);
  }
  if (!text.includes("outputs.result") && !text.includes("outputs")) return false;
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(steps|tasks)(\\.${escaped}\\.|\\[\\\\?['"]${escaped}\\\\?['"]\\]\\??\\.)outputs(\\.|\\[)`).test(
    text,
  );
}

/** A step that could not be evaluated: its node says why. */
export function faulty(
  engine: Engine,
  body: Body,
  step: WorkflowStep,
  name: string,
  displayName: string,
  message: string,
): WorkflowNodeStatus {
  const request = { ...body.request, name, displayName, holder: step, library: body.library, boundary: body.node.id };
  return engine.fail(request, engine.nodes.get(name), message);
}
