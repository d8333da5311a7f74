import { gzipSync } from "node:zlib";
import { limits } from "@tiphys/limits";
import type { Workflow, WorkflowNodeStatus, WorkflowStatus } from "@tiphys/resources";
import { baselineOf, origin, packed, packNodes, resumeWorkflow, unpacked } from "./index.js";

const node = (name: string, more: Partial<WorkflowNodeStatus> = {}): WorkflowNodeStatus => ({
  id: name,
  name,
  displayName: name,
  type: "Pod",
  phase: "Succeeded",
  ...more,
});
const table = (count: number, text: (index: number) => string) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`n${index}`, node(`n${index}`, { outputs: { result: text(index) } })]),
  );
const workflow = (status: WorkflowStatus): Workflow => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Workflow",
  metadata: { name: "wf", namespace: "default" },
  spec: {},
  status,
});

it("leaves the nodes of a small workflow readable", () => {
  const status = { phase: "Running" as const, nodes: table(10, () => "x") };
  expect(packed(workflow(status), status)).toEqual({ ok: true, status });
});

it("compresses the nodes of a workflow beyond 1 MiB, always to the same text, and reads them back", () => {
  const status = { phase: "Running" as const, nodes: table(400, () => "x".repeat(3_000)) };
  const result = packed(workflow(status), status);
  if (!result.ok) throw new Error("does not fit");
  expect(result.status).toEqual({ phase: "Running", compressedNodes: expect.any(String) });
  expect(packed(workflow(status), structuredClone(status))).toEqual(result);
  expect(unpacked(workflow(result.status)).status).toEqual(status);
});

it("writes nodes out again once they fit", () => {
  const small = { phase: "Succeeded" as const, nodes: table(2, () => "x") };
  const stored = workflow({ phase: "Running", compressedNodes: packNodes(small.nodes) });
  expect(packed(stored, { ...unpacked(stored).status, phase: "Succeeded" })).toEqual({ ok: true, status: small });
});

it("says how large a workflow is that does not fit either way", () => {
  let state = 1;
  const noise = () =>
    Array.from({ length: 3_000 }, () => {
      state = (state * 48271) % 2147483647;
      return String.fromCharCode(33 + (state % 90));
    }).join("");
  const status = { nodes: table(700, noise) };
  const result = packed(workflow(status), status);
  expect(result).toEqual({ ok: false, bytes: expect.any(Number) });
  expect(!result.ok && result.bytes).toBeGreaterThan(limits.workflowBytes);
});

it.each([
  { name: "text that is none", compressedNodes: "not base64 !" },
  { name: "something else than JSON", compressedNodes: gzipSync("{").toString("base64") },
  { name: "a bomb", compressedNodes: gzipSync(Buffer.alloc(limits.workflowNodesBytes + 1)).toString("base64") },
])("refuses $name by name", ({ compressedNodes }) => {
  expect(() => unpacked(workflow({ compressedNodes }))).toThrow(/workflow wf: status.compressedNodes cannot be read/);
});

it("refuses nodes that lie in another controller's database", () => {
  expect(() => unpacked(workflow({ phase: "Running", offloadNodeStatusVersion: "fnv:1" }))).toThrow(
    /offloadNodeStatusVersion.*not implemented/,
  );
});

it("resumes a workflow whose nodes are compressed", () => {
  const nodes = { gate: node("gate", { type: "Suspend", phase: "Running" }), n: node("n") };
  const patch = resumeWorkflow(workflow({ compressedNodes: packNodes(nodes) }), new Date("2026-01-01T00:00:00Z"));
  const { compressedNodes } = (patch as { status: WorkflowStatus }).status;
  expect(unpacked(workflow({ compressedNodes: compressedNodes ?? "" })).status?.nodes).toEqual({
    ...nodes,
    gate: { ...nodes.gate, phase: "Succeeded", finishedAt: "2026-01-01T00:00:00Z" },
  });
});

it.each<{ why: string; change: Partial<Workflow>; want: string | undefined }>([
  { why: "a workflow of its own is a run of nothing", change: {}, want: undefined },
  {
    why: "a reference names the template",
    change: { spec: { workflowTemplateRef: { name: "t" } } },
    want: "default/workflows.argoproj.io/workflow-template/t",
  },
  {
    why: "a reference to the whole cluster's is another one",
    change: { spec: { workflowTemplateRef: { name: "t", clusterScope: true } } },
    want: "default/workflows.argoproj.io/cluster-workflow-template/t",
  },
  {
    why: "labels say it of submitted copies",
    change: { metadata: { name: "w", namespace: "default", labels: { "workflows.argoproj.io/cron-workflow": "c" } } },
    want: "default/workflows.argoproj.io/cron-workflow/c",
  },
])("$why", ({ change, want }) => expect(origin({ ...workflow({}), ...change })).toBe(want));

it("makes no estimate of a run without times", () => {
  expect(baselineOf(workflow({ nodes: { wf: node("wf") } }))).toEqual({ seconds: 0, nodes: new Map() });
});
