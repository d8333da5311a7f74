import type { NodePhase, Workflow, WorkflowNodeStatus, WorkflowStatus } from "@tiphys/resources";
import { load } from "js-yaml";
import {
  type Baseline,
  baselineOf,
  type Decision,
  decide,
  isFinal,
  noTemplates,
  type PodFact,
  type TaskResultFact,
  type TemplateSource,
} from "./index.js";

/** How the pod of a node ends. */
interface End {
  readonly exitCode?: number;
  readonly result?: string;
  readonly parameters?: Record<string, string>;
  readonly phase?: "Running";
  readonly progress?: string;
}
type Ends = (node: string, pod: { command: string[]; env: Record<string, string> }) => End;

const start = new Date("2026-01-01T00:00:00Z");
const executor = { volume: { emptyDir: {} }, reportUrl: "http://report" };

/** A world in which pods end as told; the workflow goes through JSON at every pass, as if each pass were a restart. */
class World {
  workflow: Workflow;
  now = start;
  pods = new Map<string, PodFact>();
  results = new Map<string, TaskResultFact>();
  specs = new Map<
    string,
    { metadata: { name: string; annotations: Record<string, string> }; spec: Record<string, unknown> }
  >();
  passes = 0;
  decisions: Decision[] = [];
  baseline?: Baseline;

  constructor(
    yaml: string,
    readonly ends: Ends = () => ({}),
    readonly templates: TemplateSource = noTemplates,
  ) {
    const spec = load(yaml) as Workflow["spec"];
    this.workflow = {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Workflow",
      metadata: { name: "wf", namespace: "default", uid: "u1", creationTimestamp: "2026-01-01T00:00:00Z" },
      spec,
    };
  }

  pass(): Decision {
    this.passes++;
    const decision = decide({
      workflow: JSON.parse(JSON.stringify(this.workflow)),
      templates: this.templates,
      pods: [...this.pods.values()],
      taskResults: [...this.results.values()],
      executor,
      archive: false,
      ...(this.baseline ? { baseline: this.baseline } : {}),
      now: this.now,
    });
    for (const action of decision.actions) {
      if (action.type === "createPod") {
        const { name, annotations } = action.pod.metadata;
        expect(this.pods.has(action.nodeId)).toBe(false);
        this.specs.set(annotations?.["workflows.argoproj.io/node-name"] ?? "", action.pod as never);
        this.pods.set(action.nodeId, { name, nodeId: action.nodeId, phase: "Pending", containers: [] });
      }
      if (action.type === "labelPods")
        for (const [id, pod] of this.pods)
          if (action.names.includes(pod.name)) this.pods.set(id, { ...pod, labelledCompleted: true });
      if (action.type === "deletePod")
        for (const [id, pod] of this.pods) if (pod.name === action.name) this.pods.delete(id);
    }
    this.workflow = { ...this.workflow, status: JSON.parse(JSON.stringify(decision.status)) as WorkflowStatus };
    this.decisions.push(decision);
    return decision;
  }

  /** Ends every pod that runs. */
  finishPods(): boolean {
    let moved = false;
    for (const [id, pod] of this.pods) {
      if (pod.phase !== "Pending" && pod.phase !== "Running") continue;
      const node = this.workflow.status?.nodes?.[id] as WorkflowNodeStatus;
      const spec = this.specs.get(node.name)?.spec as {
        containers: { command: string[]; args?: string[]; env: { name: string; value: string }[] }[];
      };
      const main = spec.containers[0]!;
      const end = this.ends(node.name, {
        command: [...main.command, ...(main.args ?? [])],
        env: Object.fromEntries(main.env.map(({ name, value }) => [name, value])),
      });
      if (end.phase === "Running") {
        if (end.progress) this.results.set(id, { nodeId: id, completed: false, progress: end.progress });
        this.pods.set(id, { ...pod, phase: "Running" });
        continue;
      }
      const exitCode = end.exitCode ?? 0;
      moved = true;
      this.pods.set(id, {
        ...pod,
        phase: exitCode === 0 ? "Succeeded" : "Failed",
        containers: [
          {
            name: "main",
            kind: "main",
            terminated: {
              exitCode,
              reason: "Error",
              startedAt: "2026-01-01T00:00:00Z",
              finishedAt: "2026-01-01T00:00:20Z",
            },
          },
        ],
      });
      this.results.set(id, {
        nodeId: id,
        completed: true,
        outputs: {
          exitCode: String(exitCode),
          ...(end.result === undefined ? {} : { result: end.result }),
          ...(end.parameters
            ? { parameters: Object.entries(end.parameters).map(([name, value]) => ({ name, value })) }
            : {}),
        },
      });
    }
    return moved;
  }

  run(limit = 100): WorkflowStatus {
    for (let i = 0; i < limit && !isFinal(this.workflow.status); i++) {
      const decision = this.pass();
      if (isFinal(this.workflow.status)) break;
      if (!this.finishPods() && decision.actions.length === 0) {
        if (!decision.lookAgainAt) break;
        this.now = new Date(Math.max(this.now.getTime(), decision.lookAgainAt.getTime()));
      }
    }
    return this.workflow.status as WorkflowStatus;
  }

  phases(): Record<string, string> {
    return Object.fromEntries(
      Object.values(this.workflow.status?.nodes ?? {}).map((node) => [node.name, `${node.type} ${node.phase}`]),
    );
  }

  node(name: string): WorkflowNodeStatus {
    const found = Object.values(this.workflow.status?.nodes ?? {}).find((node) => node.name === name);
    if (!found) throw new Error(`there is no node ${name}; there are ${Object.keys(this.phases()).join(", ")}`);
    return found;
  }

  args(name: string): string[] {
    const containers = this.specs.get(name)?.spec["containers"] as { args?: string[] }[];
    return containers[0]?.args ?? [];
  }
}

const echo = `{name: echo, inputs: {parameters: [{name: m}]}, container: {image: alpine, command: [echo], args: ["{{inputs.parameters.m}}"]}}`;
const sh = "{name: sh, container: {image: alpine, command: [sh]}}";

it("runs one container", () => {
  const world = new World(`{entrypoint: sh, templates: [${sh}]}`);
  expect(world.run()).toMatchObject({ phase: "Succeeded", progress: "1/1", startedAt: "2026-01-01T00:00:00Z" });
  expect(world.phases()).toEqual({ wf: "Pod Succeeded" });
  expect(world.node("wf")).toMatchObject({ id: "wf", templateName: "sh", templateScope: "local/wf" });
  expect(world.decisions.at(-1)?.labels).toMatchObject({
    "workflows.argoproj.io/completed": "true",
    "workflows.argoproj.io/phase": "Succeeded",
  });
});

it("passes results from step to step, with the ids and names that clients know", () => {
  const world = new World(
    `
entrypoint: main
arguments: {parameters: [{name: who, value: 7}]}
templates:
  - name: main
    steps:
      - - {name: a, template: gen}
      - - {name: b, template: echo, arguments: {parameters: [{name: m, value: "{{steps.a.outputs.result}} of {{workflow.parameters.who}}"}]}}
  - {name: gen, script: {image: alpine, command: [sh], source: "echo {{workflow.name}}"}}
  - ${echo}`,
    (node) => ({ result: node.includes(".a") ? 'say "hi"' : "" }),
  );
  expect(world.run().phase).toBe("Succeeded");
  expect(world.phases()).toEqual({
    wf: "Steps Succeeded",
    "wf[0]": "StepGroup Succeeded",
    "wf[0].a": "Pod Succeeded",
    "wf[1]": "StepGroup Succeeded",
    "wf[1].b": "Pod Succeeded",
  });
  expect(world.args("wf[1].b")).toEqual(['say "hi" of 7']);
  const a = world.node("wf[0].a");
  expect(a.id).toMatch(/^wf-\d+$/);
  expect(world.specs.get("wf[0].a")?.metadata.name).toBe(`wf-gen-${a.id.slice(3)}`);
  expect(world.node("wf[0]").children).toEqual([a.id]);
  expect(a.children).toEqual([world.node("wf[1]").id]);
  expect(world.node("wf").outboundNodes).toEqual([world.node("wf[1].b").id]);
  const pod = world.specs.get("wf[0].a")?.spec as { containers: { env: { name: string; value?: string }[] }[] };
  const env = Object.fromEntries((pod.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));
  expect(env["ARGO_INCLUDE_SCRIPT_OUTPUT"]).toBe("true");
  expect(JSON.parse(env["ARGO_TEMPLATE"] ?? "").script.source).toBe("echo wf");
});

it("runs a diamond, and orders it", () => {
  const seen: string[] = [];
  const world = new World(
    `
entrypoint: main
templates:
  - name: main
    dag:
      tasks:
        - {name: d, template: sh, depends: "b && c"}
        - {name: b, template: sh, depends: a}
        - {name: c, template: sh, depends: a.Succeeded}
        - {name: a, template: sh}
  - ${sh}`,
    (node) => {
      seen.push(node);
      return {};
    },
  );
  expect(world.run().phase).toBe("Succeeded");
  expect(seen).toEqual(["wf.a", "wf.b", "wf.c", "wf.d"]);
  expect(world.node("wf.b").children).toEqual([world.node("wf.d").id]);
  expect(world.node("wf").children).toEqual([world.node("wf.a").id]);
});

it.each<{ name: string; tasks: string; fails: string[]; want: Record<string, string>; phase: string }>([
  {
    name: "a failure leaves out what depends on it",
    tasks:
      "[{name: a, template: sh}, {name: b, template: sh, dependencies: [a]}, {name: c, template: sh, dependencies: [b]}]",
    fails: ["wf.a"],
    want: { "wf.a": "Pod Failed", "wf.b": "Skipped Omitted", "wf.c": "Skipped Omitted" },
    phase: "Failed",
  },
  {
    name: "a handler of the failure saves the run",
    tasks: "[{name: a, template: sh}, {name: b, template: sh, depends: a.Failed}]",
    fails: ["wf.a"],
    want: { "wf.a": "Pod Failed", "wf.b": "Pod Succeeded" },
    phase: "Succeeded",
  },
  {
    name: "continueOn goes on",
    tasks: "[{name: a, template: sh, continueOn: {failed: true}}, {name: b, template: sh, dependencies: [a]}]",
    fails: ["wf.a"],
    want: { "wf.a": "Pod Failed", "wf.b": "Pod Succeeded" },
    phase: "Succeeded",
  },
  {
    name: "the result of a loop decides",
    tasks:
      "[{name: a, template: sh, withItems: [1, 2]}, {name: b, template: sh, depends: a.AnySucceeded}, {name: c, template: sh, depends: a.AllFailed}]",
    fails: ["wf.a(0:1)"],
    want: { "wf.a": "TaskGroup Failed", "wf.b": "Pod Succeeded", "wf.c": "Skipped Omitted" },
    phase: "Failed",
  },
])("dag: $name", ({ tasks, fails, want, phase }) => {
  const world = new World(`{entrypoint: main, templates: [{name: main, dag: {tasks: ${tasks}}}, ${sh}]}`, (node) => ({
    exitCode: fails.includes(node) ? 1 : 0,
  }));
  expect(world.run().phase).toBe(phase);
  expect(world.phases()).toMatchObject(want);
});

it("stops scheduling after a failed target, unless failFast is off", () => {
  const spec = (failFast: boolean) => `
entrypoint: main
templates:
  - name: main
    dag:
      failFast: ${failFast}
      tasks: [{name: bad, template: sh}, {name: a, template: sh}, {name: b, template: sh, dependencies: [a]}]
  - ${sh}`;
  const ends: Ends = (node) => ({ exitCode: node === "wf.bad" ? 2 : 0 });
  const fast = new World(spec(true), ends);
  expect(fast.run().phase).toBe("Failed");
  expect(Object.keys(fast.phases())).not.toContain("wf.b");
  const slow = new World(spec(false), ends);
  expect(slow.run().phase).toBe("Failed");
  expect(slow.phases()).toMatchObject({ "wf.b": "Pod Succeeded" });
});

it("skips by when, loops over items, and joins their results", () => {
  const world = new World(
    `
entrypoint: main
templates:
  - name: main
    steps:
      - - {name: no, template: sh, when: "{{workflow.name}} != wf"}
        - {name: each, template: echo, arguments: {parameters: [{name: m, value: "{{item.k}}"}]}, withItems: [{k: x}, {k: "y (z)"}]}
        - {name: none, template: sh, withParam: "[]"}
        - {name: seq, template: echo, arguments: {parameters: [{name: m, value: "{{item}}"}]}, withSequence: {count: "2", start: "4", format: "n%03d"}}
      - - {name: all, template: echo, arguments: {parameters: [{name: m, value: "{{steps.each.outputs.result}} {{=steps.no.status}}"}]}}
  - ${echo}
  - ${sh}`,
    (node, pod) => ({ result: pod.command.at(-1) ?? node }),
  );
  const status = world.run();
  expect(status.phase).toBe("Succeeded");
  expect(world.phases()).toMatchObject({
    "wf[0].no": "Skipped Skipped",
    "wf[0].each(0:k:x)": "Pod Succeeded",
    "wf[0].each(1:k:y z)": "Pod Succeeded",
    "wf[0].none": "Skipped Skipped",
    "wf[0].seq(0:n004)": "Pod Succeeded",
    "wf[0].seq(1:n005)": "Pod Succeeded",
  });
  expect(world.node("wf[0].no").message).toBe("when 'wf != wf' evaluated false");
  expect(world.args("wf[1].all")).toEqual(['["x","y (z)"] Skipped']);
});

it("goes through the outputs of nested templates", () => {
  const world = new World(
    `
entrypoint: main
templates:
  - name: main
    steps:
      - - {name: inner, template: inner}
      - - {name: use, template: echo, arguments: {parameters: [{name: m, value: "{{steps.inner.outputs.parameters.p}}/{{steps.inner.outputs.parameters.e}}"}]}}
  - name: inner
    outputs:
      parameters:
        - {name: p, valueFrom: {parameter: "{{tasks.make.outputs.parameters.file}}"}}
        - {name: e, valueFrom: {expression: "upper(tasks.make.outputs.parameters.file)"}}
    dag: {tasks: [{name: make, template: make}]}
  - name: make
    outputs: {parameters: [{name: file, globalName: g, valueFrom: {path: /tmp/f}}]}
    container: {image: alpine, command: [touch, "{{outputs.parameters.file.path}}"]}
  - ${echo}`,
    (node) => (node.endsWith("make") ? { parameters: { file: "v1" } } : {}),
  );
  expect(world.run()).toMatchObject({ phase: "Succeeded", progress: "2/2" });
  expect(world.args("wf[1].use")).toEqual(["v1/V1"]);
  expect(world.node("wf[0].inner").progress).toBe("1/1");
});

it("retries up to its limit with back-off, then says so", () => {
  const yaml = `
entrypoint: main
templates:
  - name: main
    retryStrategy: {limit: 2, backoff: {duration: "10s", factor: 2}}
    container: {image: alpine, command: [sh], args: ["{{retries}}"]}`;
  const world = new World(yaml, () => ({ exitCode: 1 }));
  expect(world.run()).toMatchObject({ phase: "Failed", message: "No more retries left" });
  expect(world.phases()).toEqual({
    wf: "Retry Failed",
    "wf(0)": "Pod Failed",
    "wf(1)": "Pod Failed",
    "wf(2)": "Pod Failed",
  });
  expect(world.now.getTime() - start.getTime()).toBe(30_000);
  expect(world.args("wf(2)")).toEqual(["2"]);
  const lucky = new World(yaml, (node) => ({ exitCode: node === "wf(1)" ? 0 : 1, result: "ok" }));
  expect(lucky.run().phase).toBe("Succeeded");
  expect(lucky.node("wf").children).toHaveLength(2);
  expect(lucky.node("wf(1)").nodeFlag).toEqual({ retried: true });
});

it("ends retries by the expression", () => {
  const world = new World(
    `{entrypoint: main, templates: [{name: main, retryStrategy: {limit: 5, expression: "asInt(lastRetry.exitCode) != 3"}, container: {image: alpine, command: [sh]}}]}`,
    (node) => ({ exitCode: node === "wf(1)" ? 3 : 1 }),
  );
  expect(world.run()).toMatchObject({ phase: "Failed", message: "retryStrategy.expression evaluated to false" });
});

it("runs the exit handler with the status of the run", () => {
  const world = new World(
    `{entrypoint: sh, onExit: bye, templates: [${sh}, {name: bye, container: {image: alpine, command: [echo], args: ["{{workflow.status}}", "{{workflow.failures}}"]}}]}`,
    (node) => ({ exitCode: node === "wf" ? 4 : 0 }),
  );
  expect(world.run()).toMatchObject({ phase: "Failed", message: "Error (exit code 4)" });
  expect(world.args("wf.onExit")[0]).toBe("Failed");
  expect(JSON.parse(JSON.parse(world.args("wf.onExit")[1] ?? ""))).toMatchObject([
    { displayName: "wf", phase: "Failed" },
  ]);
});

it("runs exit hooks of steps and tasks", () => {
  const world = new World(
    `
entrypoint: main
templates:
  - name: main
    steps: [[{name: a, template: sh, hooks: {exit: {template: echo, arguments: {parameters: [{name: m, value: done}]}}}}], [{name: d, template: dag}]]
  - {name: dag, dag: {tasks: [{name: t, template: sh, onExit: sh}, {name: u, template: sh, depends: t}]}}
  - ${echo}
  - ${sh}`,
  );
  expect(world.run().phase).toBe("Succeeded");
  expect(world.phases()).toMatchObject({
    "wf[0].a.onExit": "Pod Succeeded",
    "wf[1].d.t.onExit": "Pod Succeeded",
    "wf[1].d.u": "Pod Succeeded",
  });
});

it("keeps the limit of pods at a time", () => {
  let most = 0;
  const world = new World(
    `{entrypoint: main, parallelism: 2, templates: [{name: main, steps: [[{name: a, template: sh, withSequence: {count: 7}}]]}, ${sh}]}`,
  );
  for (let i = 0; i < 20 && !isFinal(world.workflow.status); i++) {
    world.pass();
    most = Math.max(most, [...world.pods.values()].filter((pod) => pod.phase === "Pending").length);
    world.finishPods();
  }
  expect(world.workflow.status?.phase).toBe("Succeeded");
  expect(most).toBe(2);
});

it("waits at a suspend template until its time, or until it is resumed", () => {
  const yaml = `{entrypoint: main, templates: [{name: main, steps: [[{name: wait, template: wait}], [{name: a, template: sh}]]}, {name: wait, suspend: {duration: "90"}}, ${sh}]}`;
  const timed = new World(yaml);
  expect(timed.run().phase).toBe("Succeeded");
  expect(timed.now.getTime() - start.getTime()).toBe(90_000);
  const manual = new World(yaml.replace('{duration: "90"}', "{}"));
  manual.run();
  expect(manual.phases()["wf[0].wait"]).toBe("Suspend Running");
  manual.node("wf[0].wait").phase = "Succeeded" as NodePhase;
  expect(manual.run().phase).toBe("Succeeded");
});

it("starts nothing while the spec is suspended", () => {
  const world = new World(`{entrypoint: sh, suspend: true, templates: [${sh}]}`);
  expect(world.run()).toMatchObject({ phase: "Running" });
  expect(world.pods.size).toBe(0);
  world.workflow.spec.suspend = false;
  expect(world.run().phase).toBe("Succeeded");
});

it.each([
  ["Stop", { wf: "Pod Failed", "wf.onExit": "Pod Succeeded" }],
  ["Terminate", { wf: "Pod Failed" }],
])("shutdown %s ends what runs", (shutdown, want) => {
  const world = new World(
    `{entrypoint: sh, onExit: bye, templates: [${sh}, {name: bye, container: {image: alpine, command: [sh]}}]}`,
  );
  world.pass();
  world.workflow.spec.shutdown = shutdown;
  expect(world.run()).toMatchObject({ phase: "Failed", message: `Stopped with strategy '${shutdown}'` });
  expect(world.phases()).toEqual(want);
});

it("ends at its deadline", () => {
  const world = new World(`{entrypoint: sh, activeDeadlineSeconds: 60, templates: [${sh}]}`, () => ({
    phase: "Running",
  }));
  expect(world.run()).toMatchObject({ phase: "Failed", message: "Max duration limit exceeded" });
  expect(world.now.getTime() - start.getTime()).toBe(60_000);
  expect(world.pods.size).toBe(0);
});

it("takes a lost pod for an error, unless its executor had reported success", () => {
  const lost = new World(`{entrypoint: sh, templates: [${sh}]}`);
  lost.pass();
  lost.pods.clear();
  expect(lost.run()).toMatchObject({ phase: "Error", message: "pod deleted" });
  const reported = new World(`{entrypoint: sh, templates: [${sh}]}`);
  reported.pass();
  reported.finishPods();
  reported.pods.clear();
  expect(reported.run().phase).toBe("Succeeded");
});

it("adopts a pod that was created before a crash", () => {
  const world = new World(`{entrypoint: sh, templates: [${sh}]}`);
  world.pass();
  world.workflow = { ...world.workflow, status: { phase: "Running", startedAt: "2026-01-01T00:00:00Z" } };
  expect(world.pass().actions).toEqual([]);
  expect(world.run().phase).toBe("Succeeded");
});

it("uses stored templates, frozen at the first use", () => {
  const library = { templates: [{ name: "sh", container: { image: "alpine", command: ["sh"] } }] };
  let spec: typeof library | undefined = library;
  const templates: TemplateSource = {
    workflowTemplate: (name) => (name === "lib" ? spec : undefined),
    clusterWorkflowTemplate: () => undefined,
  };
  const world = new World(
    `{entrypoint: main, templates: [{name: main, steps: [[{name: a, templateRef: {name: lib, template: sh}}], [{name: b, templateRef: {name: lib, template: sh}}]]}]}`,
    undefined,
    templates,
  );
  world.pass();
  spec = undefined;
  expect(world.run().phase).toBe("Succeeded");
  expect(Object.keys(world.workflow.status?.storedTemplates ?? {})).toEqual(["namespaced/lib/sh"]);
  spec = { entrypoint: "sh", arguments: { parameters: [{ name: "p", value: "1" }] }, ...library } as typeof library;
  const whole = new World("{workflowTemplateRef: {name: lib}}", undefined, templates);
  expect(whole.run().phase).toBe("Succeeded");
  expect(whole.workflow.status?.["storedWorkflowTemplateSpec"]).toBeDefined();
});

it("fails a step whose reference leads nowhere at run time, with its name", () => {
  const world = new World(
    `{entrypoint: main, templates: [{name: main, steps: [[{name: a, template: sh, when: "false"}], [{name: b, template: echo, arguments: {parameters: [{name: m, value: "{{steps.a.outputs.result}}"}]}}]]}, ${echo}, ${sh}]}`,
  );
  expect(world.run().phase).toBe("Failed");
  expect(world.node("wf[1].b")).toMatchObject({
    phase: "Error",
    message: "failed to resolve {{steps.a.outputs.result}}",
  });
});

it("never takes data for a template, wherever it comes from", () => {
  const world = new World(
    `
entrypoint: main
arguments: {parameters: [{name: evil, value: "{{=1 + 1}} {{inputs.parameters.m}}"}, {name: own, value: "of {{workflow.name}}"}]}
templates:
  - name: main
    steps:
      - - {name: gen, template: sh}
      - - {name: use, template: echo, arguments: {parameters: [{name: m, value: "{{workflow.parameters.evil}}|{{steps.gen.outputs.result}}|{{workflow.parameters.own}}"}]}}
  - ${echo}
  - ${sh}`,
    () => ({ result: "{{=workflow.uid}} {{workflow.uid}}" }),
  );
  expect(world.run().phase).toBe("Succeeded");
  expect(world.args("wf[1].use")).toEqual([
    "{{=1 + 1}} {{inputs.parameters.m}}|{{=workflow.uid}} {{workflow.uid}}|of wf",
  ]);
});

it("says so when a template is too large for the environment of its pod", () => {
  const world = new World(
    `{entrypoint: main, templates: [{name: main, script: {image: a, command: [sh], source: "${"x".repeat(140_000)}"}}]}`,
  );
  const status = world.run();
  expect(status.phase).toBe("Error");
  expect(status.message).toContain("template main with its inputs is larger than 128 KiB");
});

it("decides 200 pods at a time within milliseconds", () => {
  const world = new World(
    `{entrypoint: main, templates: [{name: main, dag: {tasks: [{name: a, template: sh, withSequence: {count: 200}}, {name: b, template: sh, depends: a}]}}, ${sh}]}`,
  );
  expect(world.run().phase).toBe("Succeeded");
  expect(world.passes).toBeLessThan(6);
});

const NESTED = `{entrypoint: main, templates: [{name: main, steps: [[{name: a, template: sh}, {name: b, template: sh}]]}, {name: sh, container: {image: i, command: [c]}}]}`;

it("sums up what pods took, for every node above them and the whole run", () => {
  const world = new World(NESTED);
  // 20 seconds of 100m CPU and 100Mi, which is what a container counts for that asks for nothing.
  const one = { cpu: 2, memory: 20 };
  expect(world.run().resourcesDuration).toEqual({ cpu: 4, memory: 40 });
  expect(world.node("wf[0].a").resourcesDuration).toEqual(one);
  expect(world.node("wf[0]").resourcesDuration).toEqual({ cpu: 4, memory: 40 });
  expect([...world.pods.values()].every((pod) => pod.labelledCompleted)).toBe(true);
});

it("shows the progress that a step reports, and completes it", () => {
  let over = false;
  const world = new World(NESTED, (name) =>
    name.endsWith("a") && !over ? { phase: "Running", progress: "3/10" } : {},
  );
  world.pass();
  world.finishPods();
  world.pass();
  expect(world.node("wf[0].a").progress).toBe("3/10");
  expect(world.workflow.status?.progress).toBe("4/11");
  over = true;
  expect(world.run().progress).toBe("11/11");
});

it("expects of a run what the last one took", () => {
  const world = new World(NESTED);
  const before = new World(NESTED);
  before.run();
  before.workflow.metadata.name = "wf";
  const done: Workflow = {
    ...before.workflow,
    status: {
      ...before.workflow.status,
      startedAt: "2026-01-01T00:00:00Z",
      finishedAt: "2026-01-01T00:01:30Z",
      nodes: Object.fromEntries(
        Object.entries(before.workflow.status?.nodes ?? {}).map(([id, node]) => [
          id,
          {
            ...node,
            startedAt: "2026-01-01T00:00:00Z",
            finishedAt: node.type === "Pod" ? "2026-01-01T00:00:40Z" : null,
          },
        ]),
      ),
    },
  };
  world.baseline = baselineOf(done);
  world.run();
  expect(world.workflow.status?.estimatedDuration).toBe(90);
  expect(world.node("wf[0].b").estimatedDuration).toBe(40);
  expect(world.node("wf").estimatedDuration).toBeUndefined();
});
