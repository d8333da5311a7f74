import { messageOf, TiphysError } from "@tiphys/errors";
import type { DagTask, WorkflowNodeStatus } from "@tiphys/resources";
import { type Body, continuesAfter, faulty, runMember } from "./body.js";
import { conditionOf, DependsError, type DependsNode, type DependsResult, dependencyNames, holds } from "./depends.js";
import type { Engine } from "./engine.js";
import { isLoop, LoopError, loopItems } from "./loops.js";
import { loopChildName } from "./names.js";
import { hasFailed, isDone } from "./nodes.js";
import { type Scope, variablesOf, variablesOfLoop } from "./scope.js";

interface PlannedTask {
  readonly task: DagTask;
  readonly nodeName: string;
  readonly condition: DependsNode | undefined;
  readonly needs: readonly string[];
}

/** Runs a DAG template: every task once the tasks that its condition names are done. */
export function runDag(engine: Engine, body: Body): WorkflowNodeStatus {
  const { node, template } = body;
  const tasks = plan(body);
  const targets = targetsOf(body, tasks);
  const scope = dagScope(engine, body, tasks);
  const failFast = template.dag?.failFast !== false;
  const branches = new Map<string, Branch>();
  let failing = failFast && targets.some((name) => isFailure(branchOf(engine, tasks, branches, name)));
  let running = false;
  for (const planned of tasks.values()) {
    const started = advance(engine, body, planned, tasks, scope, failing);
    if (started === "running") running = true;
    if (started === "failed" && failFast) {
      branches.clear();
      failing ||= targets.some((name) => isFailure(branchOf(engine, tasks, branches, name)));
    }
  }
  branches.clear();
  const verdicts = targets.map((name) => branchOf(engine, tasks, branches, name));
  const failure = verdicts.find(isFailure);
  const open = verdicts.some((verdict) => verdict === undefined);
  if (running || (open && !(failure && failFast))) return engine.nodes.byId(node.id) ?? node;
  if (failure) return engine.nodes.update(node, { phase: failure as "Failed" });
  const outbound = targets.flatMap((name) => {
    const end = engine.nodes.get((tasks.get(name) as PlannedTask).nodeName);
    return end ? engine.nodes.outbound(end) : [];
  });
  const outputs = engine.outputs(template, scope);
  return engine.nodes.update(node, { phase: "Succeeded", outboundNodes: outbound, ...(outputs ? { outputs } : {}) });
}

/** Tasks in an order in which every task comes after those it needs. Validation has refused cycles. */
function plan(body: Body): Map<string, PlannedTask> {
  const given = new Map((body.template.dag?.tasks ?? []).map((task) => [task.name ?? "", task]));
  const planned = new Map<string, PlannedTask>();
  const visit = (task: DagTask) => {
    const name = task.name ?? "";
    if (planned.has(name)) return;
    const condition = conditionOf(task);
    const needs = dependencyNames(condition).filter((need) => given.has(need));
    planned.delete(name);
    for (const need of needs) if (need !== name) visit(given.get(need) as DagTask);
    planned.set(name, { task, nodeName: `${body.node.name}.${name}`, condition, needs });
  };
  for (const task of given.values()) visit(task);
  return planned;
}

function targetsOf(body: Body, tasks: ReadonlyMap<string, PlannedTask>): string[] {
  const wanted = body.template.dag?.target
    ? body.scope.text(body.template.dag.target).split(/\s+/).filter(Boolean)
    : undefined;
  const needed = new Set([...tasks.values()].flatMap((planned) => planned.needs));
  const targets = wanted ?? [...tasks.keys()].filter((name) => !needed.has(name));
  if (wanted) {
    // What no target needs is not run.
    const used = new Set<string>();
    const mark = (name: string) => {
      if (used.has(name)) return;
      used.add(name);
      for (const need of tasks.get(name)?.needs ?? []) mark(need);
    };
    for (const target of targets) mark(target);
    for (const name of [...tasks.keys()]) if (!used.has(name)) (tasks as Map<string, PlannedTask>).delete(name);
  }
  return targets.filter((name) => tasks.has(name));
}

function advance(
  engine: Engine,
  body: Body,
  planned: PlannedTask,
  tasks: ReadonlyMap<string, PlannedTask>,
  scope: Scope,
  failing: boolean,
): "done" | "failed" | "running" | "waiting" {
  const { task, nodeName, needs, condition } = planned;
  const existing = engine.nodes.get(nodeName);
  const parents = () =>
    needs.length === 0
      ? [body.node.id]
      : needs.flatMap((need) => {
          const parent = engine.nodes.get((tasks.get(need) as PlannedTask).nodeName);
          return parent ? engine.nodes.outbound(parent) : [];
        });
  const link = (child: WorkflowNodeStatus) => {
    for (const parent of parents()) engine.nodes.link(parent, child.id);
  };
  if (!existing) {
    const waits = needs.some((need) => !taskDone(engine, tasks.get(need) as PlannedTask, body, scope));
    if (waits || failing) return "waiting";
    if (condition && !holds(condition, (name, result) => outcome(engine, tasks.get(name), result))) {
      if (!engine.mayStart(body.request)) return "waiting";
      link(
        engine.nodes.create({
          ...engine.base(
            { ...body.request, name: nodeName, displayName: task.name ?? "", holder: task, boundary: body.node.id },
            body.library,
          ),
          type: "Skipped",
          phase: "Omitted",
          message: "omitted: depends condition not met",
        }),
      );
      return "done";
    }
  }
  let node: WorkflowNodeStatus | undefined;
  try {
    if (isLoop(task) && existing?.type !== "Skipped") node = runLoop(engine, body, planned, scope, existing);
    else if (existing && isDone(existing)) node = existing;
    else node = runMember(engine, body, task, nodeName, task.name ?? "", scope);
  } catch (error) {
    if (!(error instanceof TiphysError) && !(error instanceof LoopError) && !(error instanceof DependsError))
      throw error;
    node = faulty(engine, body, task, nodeName, task.name ?? "", messageOf(error));
  }
  if (!node) return "waiting";
  if (!existing) link(node);
  if (!isDone(node) || !taskDone(engine, planned, body, scope)) return "running";
  return hasFailed(node) ? "failed" : "done";
}

/** A task is done when its node is and its exit handler, if any, has run. */
function taskDone(engine: Engine, planned: PlannedTask, body: Body, scope: Scope): boolean {
  const node = engine.nodes.get(planned.nodeName);
  if (!node || !isDone(node)) return false;
  return engine.exitHandled(node, planned.task, body.library, scope, body.request.depth);
}

function runLoop(
  engine: Engine,
  body: Body,
  planned: PlannedTask,
  scope: Scope,
  existing: WorkflowNodeStatus | undefined,
): WorkflowNodeStatus | undefined {
  if (isDone(existing)) return existing;
  const { task, nodeName } = planned;
  const request = {
    ...body.request,
    name: nodeName,
    displayName: task.name ?? "",
    holder: task,
    boundary: body.node.id,
  };
  if (!existing && !engine.mayStart(body.request)) return undefined;
  const items = loopItems(task, (raw) => scope.text(raw));
  if (items.length === 0) {
    return engine.nodes.create({
      ...engine.base(request, body.library),
      type: "Skipped",
      phase: "Skipped",
      message: "Skipped, empty params",
    });
  }
  const group =
    existing ?? engine.nodes.create({ ...engine.base(request, body.library), type: "TaskGroup", phase: "Running" });
  let complete = true;
  let failure: WorkflowNodeStatus | undefined;
  items.forEach((value, index) => {
    const name = loopChildName(nodeName, index, value);
    const displayName = loopChildName(task.name ?? "", index, value);
    let child: WorkflowNodeStatus | undefined;
    try {
      child = runMember(engine, body, task, name, displayName, scope.with({ item: { value } }));
    } catch (error) {
      if (!(error instanceof TiphysError)) throw error;
      child = faulty(engine, body, task, name, displayName, messageOf(error));
    }
    if (child) engine.nodes.link(group.id, child.id);
    if (!child || !isDone(child)) complete = false;
    else if (hasFailed(child)) failure ??= child;
  });
  if (!complete) return engine.nodes.byId(group.id) ?? group;
  return engine.nodes.update(group, { phase: failure?.phase ?? "Succeeded" });
}

function outcome(engine: Engine, planned: PlannedTask | undefined, result: DependsResult | undefined): boolean {
  const node = planned && engine.nodes.get(planned.nodeName);
  if (!planned || !node) return false;
  const children = () => engine.nodes.children(node).filter((child) => child.name.startsWith(`${node.name}(`));
  switch (result) {
    case undefined:
      return node.phase === "Succeeded" || node.phase === "Skipped" || continuesAfter(planned.task, node);
    case "Errored":
      return node.phase === "Error";
    case "Daemoned":
      return false;
    case "AnySucceeded":
      return node.type === "TaskGroup" && children().some((child) => child.phase === "Succeeded");
    case "AllFailed":
      return node.type === "TaskGroup" && children().every((child) => child.phase === "Failed");
    default:
      return node.phase === result;
  }
}

/** How a branch of the graph ends: a failure passes through what was left out because of it; undefined while it is open. */
type Branch = "Succeeded" | "Failed" | "Error" | undefined;
const isFailure = (branch: Branch): boolean => branch === "Failed" || branch === "Error";

function branchOf(
  engine: Engine,
  tasks: ReadonlyMap<string, PlannedTask>,
  known: Map<string, Branch>,
  name: string,
): Branch {
  if (known.has(name)) return known.get(name);
  known.set(name, undefined);
  const planned = tasks.get(name) as PlannedTask;
  const node = engine.nodes.get(planned.nodeName);
  const inherited = () => planned.needs.map((need) => branchOf(engine, tasks, known, need)).find(isFailure);
  let branch: Branch;
  if (!node || !isDone(node)) branch = undefined;
  else if (node.phase === "Skipped" || node.phase === "Omitted") branch = inherited() ?? "Succeeded";
  else if (hasFailed(node) && !continuesAfter(planned.task, node)) branch = node.phase as "Failed";
  else branch = "Succeeded";
  known.set(name, branch);
  return branch;
}

/** `tasks.NAME.…` of the tasks that are done. */
function dagScope(engine: Engine, body: Body, tasks: ReadonlyMap<string, PlannedTask>): Scope {
  const producer = (name: string) => {
    const planned = tasks.get(name);
    const node = planned && engine.nodes.get(planned.nodeName);
    if (!planned || !node || !isDone(node)) return undefined;
    if (node.type !== "TaskGroup") return variablesOf(node);
    const children = engine.nodes.children(node).filter((child) => child.name.startsWith(`${node.name}(`));
    return new Map([...variablesOf(node), ...variablesOfLoop(children)]);
  };
  return body.scope.with({ family: "tasks", producer, producers: () => tasks.keys() });
}
