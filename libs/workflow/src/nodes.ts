import { deepEqual } from "@tiphys/canonical-json";
import type { WorkflowNodeStatus, WorkflowStatus } from "@tiphys/resources";
import type { Baseline } from "./baseline.js";
import { nodeId, wideNodeId } from "./names.js";

/** Seconds in RFC 3339, as Kubernetes writes times. */
export const stamp = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, "Z");

const DONE: ReadonlySet<string> = new Set(["Succeeded", "Failed", "Error", "Skipped", "Omitted"]);
export const isDone = (node: Pick<WorkflowNodeStatus, "phase"> | undefined): boolean => DONE.has(node?.phase ?? "");
export const hasFailed = (node: WorkflowNodeStatus | undefined): boolean =>
  node?.phase === "Failed" || node?.phase === "Error";

/** The nodes of a run as a draft: what is not touched stays the object of the status it came from. */
export class Nodes {
  private readonly ids = new Map<string, string>();
  private readonly drafts = new Set<string>();
  private readonly childSets = new Map<string, Set<string>>();
  private readonly table: Record<string, WorkflowNodeStatus>;
  /** Pods that are pending or running, per boundary and in all. */
  readonly active = new Map<string, number>();

  constructor(
    private readonly workflow: string,
    status: WorkflowStatus | undefined,
    private readonly now: Date,
    private readonly baseline?: Baseline,
  ) {
    this.table = { ...status?.nodes };
    for (const node of Object.values(this.table)) {
      this.ids.set(node.name, node.id);
      if (node.type === "Pod" && !isDone(node)) this.count(node, 1);
    }
  }

  get(name: string): WorkflowNodeStatus | undefined {
    const id = this.ids.get(name);
    return id === undefined ? undefined : this.table[id];
  }

  byId(id: string): WorkflowNodeStatus | undefined {
    return this.table[id];
  }

  all(): WorkflowNodeStatus[] {
    return Object.values(this.table);
  }

  /** The id that `name` has or would get; a taken 32-bit id gives way to the 64-bit form. */
  idOf(name: string): string {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    const id = nodeId(this.workflow, name);
    return this.table[id] ? wideNodeId(this.workflow, name) : id;
  }

  create(node: Omit<WorkflowNodeStatus, "id" | "startedAt">): WorkflowNodeStatus {
    const id = this.idOf(node.name);
    const estimate = this.baseline?.nodes.get(node.name.slice(this.workflow.length));
    const created: WorkflowNodeStatus = {
      id,
      ...node,
      startedAt: stamp(this.now),
      ...(estimate ? { estimatedDuration: estimate } : {}),
    };
    if (isDone(created)) created.finishedAt = stamp(this.now);
    this.ids.set(node.name, id);
    this.table[id] = created;
    this.drafts.add(id);
    if (created.type === "Pod" && !isDone(created)) this.count(created, 1);
    return created;
  }

  /** Applies changes; a change to a final phase sets the end time. */
  update(node: WorkflowNodeStatus, changes: Partial<WorkflowNodeStatus>): WorkflowNodeStatus {
    const current = this.table[node.id] ?? node;
    const same = Object.entries(changes).every(([key, value]) =>
      deepEqual(current[key as keyof WorkflowNodeStatus], value),
    );
    if (same) return current;
    const draft = this.draft(node.id);
    const wasDone = isDone(draft);
    Object.assign(draft, changes);
    for (const key of Object.keys(changes) as (keyof WorkflowNodeStatus)[]) {
      if (draft[key] === undefined) delete draft[key];
    }
    if (!wasDone && isDone(draft)) {
      draft.finishedAt ??= stamp(this.now);
      if (draft.type === "Pod") this.count(draft, -1);
    }
    return draft;
  }

  link(parent: string, child: string): void {
    let known = this.childSets.get(parent);
    if (!known) {
      known = new Set(this.table[parent]?.children ?? []);
      this.childSets.set(parent, known);
    }
    if (known.has(child) || !this.table[parent]) return;
    known.add(child);
    const draft = this.draft(parent);
    if (!draft.children || Object.isFrozen(draft.children)) draft.children = [...(draft.children ?? [])];
    draft.children.push(child);
  }

  children(node: WorkflowNodeStatus): WorkflowNodeStatus[] {
    return (this.table[node.id]?.children ?? []).flatMap((id) => this.table[id] ?? []);
  }

  /** The nodes at the end of `node`, to which what follows is linked. */
  outbound(node: WorkflowNodeStatus): string[] {
    const current = this.table[node.id] ?? node;
    switch (current.type) {
      case "Retry": {
        const last = this.attempts(current).at(-1);
        return last ? this.outbound(last) : [current.id];
      }
      case "Steps":
      case "DAG":
        return current.outboundNodes?.length ? [...current.outboundNodes] : [current.id];
      case "TaskGroup": {
        const ends = this.children(current).flatMap((child) => this.outbound(child));
        return ends.length > 0 ? ends : [current.id];
      }
      default:
        return [current.id];
    }
  }

  /** Attempts of a Retry node, first to last. */
  attempts(node: WorkflowNodeStatus): WorkflowNodeStatus[] {
    const attempts: WorkflowNodeStatus[] = [];
    for (let index = 0; ; index++) {
      const attempt = this.get(`${node.name}(${index})`);
      if (!attempt) return attempts;
      attempts.push(attempt);
    }
  }

  result(): Record<string, WorkflowNodeStatus> {
    return this.table;
  }

  private draft(id: string): WorkflowNodeStatus {
    if (!this.drafts.has(id)) {
      const copy = { ...(this.table[id] as WorkflowNodeStatus) };
      if (copy.children) copy.children = [...copy.children];
      this.table[id] = copy;
      this.drafts.add(id);
    }
    return this.table[id] as WorkflowNodeStatus;
  }

  private count(node: WorkflowNodeStatus, by: number): void {
    this.active.set("", (this.active.get("") ?? 0) + by);
    if (node.boundaryID) this.active.set(node.boundaryID, (this.active.get(node.boundaryID) ?? 0) + by);
  }
}
