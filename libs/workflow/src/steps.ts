import { messageOf, TiphysError } from "@tiphys/errors";
import type { WorkflowNodeStatus, WorkflowStep } from "@tiphys/resources";
import { type Body, continuesAfter, faulty, runMember } from "./body.js";
import type { Engine } from "./engine.js";
import { isLoop, LoopError, loopItems } from "./loops.js";
import { loopChildName } from "./names.js";
import { hasFailed, isDone } from "./nodes.js";
import { type Scope, variablesOf, variablesOfLoop } from "./scope.js";

/** Runs a Steps template: groups one after the other, the members of a group at the same time. */
export function runSteps(engine: Engine, body: Body): WorkflowNodeStatus {
  const { node, template } = body;
  const groups = template.steps ?? [];
  const scope = stepsScope(engine, body, groups);
  let ends: string[] = [];
  for (const [index, group] of groups.entries()) {
    const name = `${node.name}[${index}]`;
    let groupNode = engine.nodes.get(name);
    if (!groupNode) {
      if (!engine.mayStart(body.request)) return current(engine, node);
      groupNode = engine.nodes.create({
        name,
        displayName: `[${index}]`,
        type: "StepGroup",
        phase: "Running",
        templateScope: node.templateScope ?? "",
        boundaryID: node.id,
      });
      for (const parent of index === 0 ? [node.id] : ends) engine.nodes.link(parent, groupNode.id);
    }
    if (!isDone(groupNode)) groupNode = runGroup(engine, body, group, groupNode, scope);
    if (!isDone(groupNode)) return current(engine, node);
    if (hasFailed(groupNode)) {
      return engine.nodes.update(node, { phase: "Failed", message: groupNode.message });
    }
    const members = engine.nodes.children(groupNode);
    ends = members.filter((child) => !child.nodeFlag?.hooked).flatMap((child) => engine.nodes.outbound(child));
    if (ends.length === 0) ends = [groupNode.id];
  }
  const outputs = engine.outputs(template, scope);
  return engine.nodes.update(node, { phase: "Succeeded", outboundNodes: ends, ...(outputs ? { outputs } : {}) });
}

const current = (engine: Engine, node: WorkflowNodeStatus) => engine.nodes.byId(node.id) ?? node;

function runGroup(
  engine: Engine,
  body: Body,
  group: readonly WorkflowStep[],
  groupNode: WorkflowNodeStatus,
  scope: Scope,
): WorkflowNodeStatus {
  let complete = true;
  const members: { step: WorkflowStep; node: WorkflowNodeStatus }[] = [];
  for (const step of group) {
    const name = `${groupNode.name}.${step.name}`;
    try {
      for (const member of expand(engine, body, step, name, scope)) {
        const started = runMember(engine, body, member.step, member.name, member.displayName, member.scope);
        if (started) {
          engine.nodes.link(groupNode.id, started.id);
          members.push({ step, node: started });
        }
        if (!started || !isDone(started)) complete = false;
        else if (!engine.exitHandled(started, member.step, body.library, member.scope, body.request.depth))
          complete = false;
      }
    } catch (error) {
      if (!(error instanceof TiphysError) && !(error instanceof LoopError)) throw error;
      const failed = faulty(engine, body, step, name, step.name ?? "", messageOf(error));
      engine.nodes.link(groupNode.id, failed.id);
      members.push({ step, node: failed });
    }
  }
  if (!complete) return engine.nodes.byId(groupNode.id) ?? groupNode;
  for (const { step, node } of members) {
    if (hasFailed(node) && !continuesAfter(step, node)) {
      return engine.nodes.update(groupNode, { phase: "Failed", message: `child '${node.id}' failed` });
    }
  }
  return engine.nodes.update(groupNode, { phase: "Succeeded" });
}

interface Member {
  readonly step: WorkflowStep;
  readonly name: string;
  readonly displayName: string;
  readonly scope: Scope;
}

function expand(engine: Engine, body: Body, step: WorkflowStep, name: string, scope: Scope): Member[] {
  const displayName = step.name ?? "";
  if (!isLoop(step)) return [{ step, name, displayName, scope }];
  const items = loopItems(step, (raw) => scope.text(raw));
  if (items.length === 0) {
    if (!engine.nodes.get(name)) {
      const skipped = engine.nodes.create({
        ...engine.base({ ...body.request, name, displayName, holder: step, boundary: body.node.id }, body.library),
        type: "Skipped",
        phase: "Skipped",
        message: "Skipped, empty params",
      });
      engine.nodes.link(engine.nodes.get(name.slice(0, name.lastIndexOf("]") + 1))?.id ?? "", skipped.id);
    }
    return [];
  }
  return items.map((value, index) => ({
    step,
    name: loopChildName(name, index, value),
    displayName: loopChildName(displayName, index, value),
    scope: scope.with({ item: { value } }),
  }));
}

/** `steps.NAME.…` of the groups that are over. */
function stepsScope(engine: Engine, body: Body, groups: readonly (readonly WorkflowStep[])[]): Scope {
  const places = new Map<string, { step: WorkflowStep; group: string }>();
  groups.forEach((group, index) => {
    for (const step of group) places.set(step.name ?? "", { step, group: `${body.node.name}[${index}]` });
  });
  const cache = new Map<string, ReadonlyMap<string, string>>();
  const producer = (name: string) => {
    const known = cache.get(name);
    if (known) return known;
    const place = places.get(name);
    const group = place && engine.nodes.get(place.group);
    if (!place || !group || !isDone(group)) return undefined;
    const full = `${place.group}.${name}`;
    const own = engine.nodes.get(full);
    const variables = own
      ? variablesOf(own)
      : variablesOfLoop(
          engine.nodes.children(group).filter((child) => child.name.startsWith(`${full}(`) && !child.nodeFlag?.hooked),
        );
    cache.set(name, variables);
    return variables;
  };
  return body.scope.with({ family: "steps", producer, producers: () => places.keys() });
}
