import type { Workflow, WorkflowSpec } from "@tiphys/resources";
import { type Decision, decide, noTemplates, type PodFact, type TaskResultFact } from "./index.js";

const finished = new Date("2026-01-01T00:10:00Z");

function after(
  spec: Partial<WorkflowSpec>,
  options: {
    phase?: "Succeeded" | "Failed";
    seconds?: number;
    archive?: boolean;
    labels?: Record<string, string>;
    results?: TaskResultFact[];
    unlabelled?: boolean;
  } = {},
): Decision {
  const phase = options.phase ?? "Succeeded";
  const workflow: Workflow = {
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Workflow",
    metadata: { name: "wf", namespace: "default", uid: "u", labels: { ...options.labels } },
    spec: { entrypoint: "sh", templates: [{ name: "sh", container: { image: "a", command: ["b"] } }], ...spec },
    status: {
      phase,
      startedAt: "2026-01-01T00:00:00Z",
      finishedAt: "2026-01-01T00:10:00Z",
      nodes: { wf: { id: "wf", name: "wf", displayName: "wf", type: "Pod", phase } },
    },
  };
  const pods: PodFact[] = [{ name: "wf", nodeId: "wf", phase, containers: [], labelledCompleted: !options.unlabelled }];
  const now = new Date(finished.getTime() + (options.seconds ?? 0) * 1000);
  return decide({
    workflow,
    templates: noTemplates,
    pods,
    taskResults: options.results ?? [],
    executor: { volume: {}, reportUrl: "" },
    archive: options.archive ?? false,
    now,
  });
}

const actions = (decision: Decision) => decision.actions.map(({ type }) => type);

it.each([
  {
    why: "the success time wins",
    spec: { ttlStrategy: { secondsAfterCompletion: 10, secondsAfterSuccess: 60 } },
    phase: "Succeeded" as const,
    at: 61,
  },
  {
    why: "a failure falls back to completion",
    spec: { ttlStrategy: { secondsAfterCompletion: 10, secondsAfterSuccess: 60 } },
    phase: "Failed" as const,
    at: 11,
  },
  { why: "zero means at once", spec: { ttlStrategy: { secondsAfterFailure: 0 } }, phase: "Failed" as const, at: 1 },
])("deletes the workflow after its time to live: $why", ({ spec, phase, at }) => {
  const before = after(spec, { phase, seconds: at - 1 });
  expect(actions(before)).toEqual([]);
  expect(before.lookAgainAt).toEqual(new Date(finished.getTime() + at * 1000));
  expect(actions(after(spec, { phase, seconds: at }))).toEqual(["deleteWorkflow"]);
});

it.each([
  ["OnPodCompletion", "Failed", true],
  ["OnPodSuccess", "Succeeded", true],
  ["OnPodSuccess", "Failed", false],
  ["OnWorkflowCompletion", "Failed", true],
  ["OnWorkflowSuccess", "Failed", false],
  ["OnWorkflowSuccess", "Succeeded", true],
] as const)("podGC %s after %s: %s", (strategy, phase, drops) => {
  expect(actions(after({ podGC: { strategy } }, { phase }))).toEqual(drops ? ["deletePod"] : []);
});

it("keeps pods when nobody asked for their deletion", () => expect(actions(after({}))).toEqual([]));

it("archives once, and drops the task results", () => {
  const first = after({}, { archive: true, results: [{ nodeId: "wf", completed: true }] });
  expect(actions(first)).toEqual(["archive", "deleteTaskResults"]);
  expect(first.labels["workflows.argoproj.io/workflow-archiving-status"]).toBe("Archived");
  const again = after({}, { archive: true, labels: { "workflows.argoproj.io/workflow-archiving-status": "Archived" } });
  expect(actions(again)).toEqual([]);
});

it("says on pods that nobody waits for them, unless they go anyway", () => {
  expect(after({}, { unlabelled: true }).actions).toEqual([{ type: "labelPods", names: ["wf"] }]);
  expect(actions(after({ podGC: { strategy: "OnPodCompletion" } }, { unlabelled: true }))).toEqual(["deletePod"]);
});
