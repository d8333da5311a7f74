import type { DagTask, Workflow, WorkflowStatus } from "@tiphys/resources";
import { decide, isFinal, noTemplates, type PodFact, type TaskResultFact } from "./index.js";

/** Numbers that are the same in every run of the test. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000);

it.each(Array.from({ length: 60 }, (_, seed) => [seed]))(
  "random graph %i ends, and no task starts before what it needs",
  (seed) => {
    const random = numbers(seed);
    const size = 1 + Math.floor(random() * 14);
    const tasks: DagTask[] = Array.from({ length: size }, (_, index) => {
      const dependencies = Array.from({ length: index }, (_, other) => `t${other}`).filter(() => random() < 0.25);
      return {
        name: `t${index}`,
        template: "sh",
        ...(dependencies.length > 0 ? { dependencies } : {}),
        ...(random() < 0.2 ? { withItems: ["x", "y"] } : {}),
        ...(random() < 0.1 ? { when: "a == b" } : {}),
        ...(random() < 0.2 ? { continueOn: { failed: true } } : {}),
      };
    });
    // The order of the list must not matter.
    const shuffled = tasks
      .map((task) => ({ task, key: random() }))
      .sort((a, b) => a.key - b.key)
      .map(({ task }) => task);
    let workflow: Workflow = {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Workflow",
      metadata: { name: "wf", namespace: "default", uid: "u", creationTimestamp: at(0).toISOString() },
      spec: {
        entrypoint: "main",
        templates: [
          { name: "main", dag: { tasks: shuffled, failFast: random() < 0.5 } },
          { name: "sh", container: { image: "alpine", command: ["sh"] } },
        ],
      },
    };
    const pods = new Map<string, PodFact>();
    const results: TaskResultFact[] = [];
    const done = ["Succeeded", "Failed", "Error", "Skipped", "Omitted"];
    for (let pass = 0; pass < 200 && !isFinal(workflow.status); pass++) {
      const input = {
        templates: noTemplates,
        pods: [...pods.values()],
        taskResults: results,
        executor: { volume: {}, reportUrl: "" },
        archive: false,
        now: at(pass),
      };
      const decision = decide({ ...input, workflow });
      // Deciding twice from the same facts gives the same.
      expect(decide({ ...input, workflow: JSON.parse(JSON.stringify(workflow)) }).status).toEqual(decision.status);
      // A crash before the status is written leaves pods that the next pass must not make again, nor lose.
      const crash = random() < 0.3;
      for (const action of decision.actions) {
        if (action.type !== "createPod") continue;
        const name = (action.pod.metadata.annotations?.["workflows.argoproj.io/node-name"] ?? "")
          .slice(3)
          .replace(/\(.*/, "");
        for (const need of tasks.find((task) => task.name === name)?.dependencies ?? [])
          expect(done).toContain(phaseOf(decision.status, need));
        expect(pods.has(action.nodeId)).toBe(false);
        pods.set(action.nodeId, {
          name: action.pod.metadata.name,
          nodeId: action.nodeId,
          phase: "Pending",
          containers: [],
        });
      }
      if (!crash) workflow = { ...workflow, status: JSON.parse(JSON.stringify(decision.status)) };
      for (const [id, pod] of pods) {
        if (pod.phase !== "Pending" || random() < 0.5) continue;
        const exitCode = random() < 0.2 ? 1 : 0;
        pods.set(id, {
          ...pod,
          phase: exitCode ? "Failed" : "Succeeded",
          containers: [{ name: "main", kind: "main", terminated: { exitCode } }],
        });
      }
    }
    expect(isFinal(workflow.status)).toBe(true);
    expect([...pods.values()].every((pod) => pod.phase !== "Pending")).toBe(true);
    for (const node of Object.values(workflow.status?.nodes ?? {})) expect(done).toContain(node.phase);
  },
);

const phaseOf = (status: WorkflowStatus, name: string) =>
  Object.values(status.nodes ?? {}).find((node) => node.name === `wf.${name}`)?.phase ?? "none";
