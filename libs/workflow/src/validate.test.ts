import type { Workflow } from "@tiphys/resources";
import { load } from "js-yaml";
import { validateWorkflow } from "./index.js";

const workflow = (spec: string, name = "wf"): Workflow => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Workflow",
  metadata: { name, namespace: "default" },
  spec: load(spec) as Workflow["spec"],
});
const sh = "{name: sh, container: {image: alpine, command: [sh]}}";
const echo = `{name: echo, inputs: {parameters: [{name: m}]}, container: {image: alpine, command: [echo], args: ["{{inputs.parameters.m}}"]}}`;
const steps = (body: string) => `{entrypoint: main, templates: [{name: main, steps: ${body}}, ${sh}, ${echo}]}`;
const dag = (body: string) => `{entrypoint: main, templates: [{name: main, dag: {tasks: ${body}}}, ${sh}, ${echo}]}`;

it.each<[string, string, string, string]>([
  ["no entrypoint", `{templates: [${sh}]}`, "spec.entrypoint", "is required"],
  ["unknown entrypoint", `{entrypoint: x, templates: [${sh}]}`, "spec.entrypoint", "template name 'x' undefined"],
  ["unknown spec field", `{entrypoint: sh, tempaltes: [], templates: [${sh}]}`, "spec.tempaltes", "unknown field"],
  [
    "unknown template field",
    `{entrypoint: sh, templates: [{name: sh, contaner: {}, container: {image: a, command: [b]}}]}`,
    "spec.templates[0].contaner",
    "unknown field",
  ],
  ["no kind", "{entrypoint: sh, templates: [{name: sh}]}", "spec.templates[0]", "must have one of"],
  [
    "two kinds",
    "{entrypoint: sh, templates: [{name: sh, suspend: {}, container: {image: a, command: [b]}}]}",
    "spec.templates[0]",
    "more than one kind: container, suspend",
  ],
  ["duplicate template", `{entrypoint: sh, templates: [${sh}, ${sh}]}`, "spec.templates[1].name", "not unique"],
  [
    "no image",
    "{entrypoint: sh, templates: [{name: sh, container: {command: [a]}}]}",
    "spec.templates[0].container.image",
    "may not be empty",
  ],
  [
    "unknown template in a step",
    steps("[[{name: a, template: nope}]]"),
    "spec.templates[0].steps[0][0].template",
    "template name 'nope' undefined",
  ],
  ["bad step name", steps("[[{name: a b, template: sh}]]"), "spec.templates[0].steps[0][0].name", "'a b' is invalid"],
  [
    "duplicate step in another group",
    steps("[[{name: a, template: sh}], [{name: a, template: sh}]]"),
    "spec.templates[0].steps[1][0].name",
    "not unique",
  ],
  [
    "missing argument",
    steps("[[{name: a, template: echo}]]"),
    "spec.templates[0].steps[0][0].arguments",
    "inputs.parameters.m was not supplied",
  ],
  [
    "reference to a later step",
    steps(
      `[[{name: a, template: echo, arguments: {parameters: [{name: m, value: "{{steps.b.outputs.result}}"}]}}], [{name: b, template: sh}]]`,
    ),
    "spec.templates[0].steps[0][0].arguments.parameters[0].value",
    "failed to resolve {{steps.b.outputs.result}}",
  ],
  [
    "unknown input",
    `{entrypoint: main, templates: [{name: main, container: {image: a, command: [b], args: ["{{inputs.parameters.x}}"]}}]}`,
    "spec.templates[0].container.args[0]",
    "failed to resolve {{inputs.parameters.x}}",
  ],
  [
    "unknown workflow parameter",
    `{entrypoint: main, templates: [{name: main, container: {image: a, command: [b], args: ["{{workflow.parameters.x}}"]}}]}`,
    "spec.templates[0].container.args[0]",
    "failed to resolve",
  ],
  [
    "parameter without value",
    `{entrypoint: sh, arguments: {parameters: [{name: p}]}, templates: [${sh}]}`,
    "spec.arguments.parameters[0]",
    "spec.arguments.p.value",
  ],
  [
    "value outside its enum",
    `{entrypoint: sh, arguments: {parameters: [{name: p, value: x, enum: [a, b]}]}, templates: [${sh}]}`,
    "spec.arguments.parameters[0]",
    "not one of its enum values",
  ],
  [
    "dag cycle",
    dag("[{name: a, template: sh, dependencies: [b]}, {name: b, template: sh, dependencies: [a]}]"),
    "spec.templates[0].dag.tasks",
    "dependency cycle detected: a->b->a",
  ],
  [
    "unknown dependency",
    dag("[{name: a, template: sh, dependencies: [x]}]"),
    "spec.templates[0].dag.tasks[0].dependencies",
    "dependency 'x' not defined",
  ],
  [
    "depends and dependencies",
    dag("[{name: a, template: sh}, {name: b, template: sh, depends: a}, {name: c, template: sh, dependencies: [a]}]"),
    "spec.templates[0].dag",
    "cannot use both",
  ],
  [
    "bad depends",
    dag("[{name: a, template: sh}, {name: b, template: sh, depends: a.Done}]"),
    "spec.templates[0].dag.tasks[1].depends",
    "task result 'Done' for task 'a' is invalid",
  ],
  [
    "AnySucceeded without a loop",
    dag("[{name: a, template: sh}, {name: b, template: sh, depends: a.AnySucceeded}]"),
    "spec.templates[0].dag.tasks[1].depends",
    "does not contain any items",
  ],
  [
    "reference without dependency",
    dag(
      `[{name: a, template: sh}, {name: b, template: echo, arguments: {parameters: [{name: m, value: "{{tasks.a.outputs.result}}"}]}}]`,
    ),
    "spec.templates[0].dag.tasks[1].arguments.parameters[0].value",
    "missing dependency 'a'",
  ],
  [
    "task that begins with a digit",
    dag("[{name: 1a, template: sh}, {name: b, template: sh, depends: 1a}]"),
    "spec.templates[0].dag.tasks[0].name",
    "cannot begin with a digit",
  ],
  [
    "two loops",
    steps("[[{name: a, template: sh, withItems: [1], withParam: '[]'}]]"),
    "spec.templates[0].steps[0][0]",
    "only one of",
  ],
  [
    "broken expression",
    steps(`[[{name: a, template: echo, arguments: {parameters: [{name: m, value: "{{=1 +}}"}]}}]]`),
    "spec.templates[0].steps[0][0].arguments.parameters[0].value",
    "unexpected end",
  ],
  [
    "broken when",
    steps("[[{name: a, template: sh, when: '1 =='}]]"),
    "spec.templates[0].steps[0][0].when",
    "unexpected end",
  ],
  [
    "bad limit",
    "{entrypoint: sh, templates: [{name: sh, retryStrategy: {limit: many}, container: {image: a, command: [b]}}]}",
    "spec.templates[0].retryStrategy.limit",
    "not a number",
  ],
])("%s", (_, spec, field, message) => {
  const problems = validateWorkflow(workflow(spec));
  expect(problems.map((problem) => [problem.field, problem.code])).toContainEqual([field, "InvalidArgument"]);
  expect(problems.find((problem) => problem.field === field)?.message).toContain(message);
});

it.each([
  ["{entrypoint: a, templates: x}", "spec.templates"],
  ["{entrypoint: a, templates: [x]}", "spec.templates[0]"],
  ["{entrypoint: a, templates: [{name: a, steps: {a: b}}]}", "spec.templates[0].steps"],
  ["{entrypoint: a, templates: [{name: a, steps: [x]}]}", "spec.templates[0].steps[0]"],
  ["{entrypoint: a, templates: [{name: a, dag: {tasks: [[]]}}]}", "spec.templates[0].dag.tasks[0]"],
  ["{entrypoint: a, arguments: {parameters: {p: 1}}, templates: []}", "spec.arguments.parameters"],
  [
    "{entrypoint: a, templates: [{name: a, dag: {tasks: [{name: [x], template: b}]}}]}",
    "spec.templates[0].dag.tasks[0].name",
  ],
])("%s has another shape than a workflow", (spec, field) => {
  const problems = validateWorkflow(workflow(spec));
  expect(problems.map((problem) => problem.field)).toContain(field);
});

it.each([
  ["spec.templates[0].containerSet", "{entrypoint: a, templates: [{name: a, containerSet: {}}]}"],
  ["spec.templates[0].http", "{entrypoint: a, templates: [{name: a, http: {url: x}}]}"],
  [
    "spec.templates[0].outputs.artifacts",
    "{entrypoint: a, templates: [{name: a, container: {image: i, command: [c]}, outputs: {artifacts: [{name: x, path: /x}]}}]}",
  ],
  ["spec.synchronization", `{entrypoint: sh, synchronization: {}, templates: [${sh}]}`],
  ["spec.templates[0].container.command", "{entrypoint: a, templates: [{name: a, container: {image: i}}]}"],
  ["spec.hooks.running", `{entrypoint: sh, hooks: {running: {template: sh, expression: "true"}}, templates: [${sh}]}`],
])("says by name that %s is not implemented", (field, spec) => {
  expect(validateWorkflow(workflow(spec))).toContainEqual(expect.objectContaining({ code: "Unimplemented", field }));
});

it("accepts what is right", () => {
  const spec = dag(
    `[{name: a, template: sh, withItems: [1, {k: v}]}, {name: b, template: echo, depends: "a.AnySucceeded && !a.AllFailed", when: "{{workflow.name}} == wf", arguments: {parameters: [{name: m, value: "{{tasks.a.outputs.result}} {{=len(tasks.a.outputs.result)}}"}]}}]`,
  );
  expect(validateWorkflow(workflow(spec))).toEqual([]);
});
