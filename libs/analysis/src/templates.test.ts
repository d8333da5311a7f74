import type { AnalysisTemplate, AnalysisTemplateSpec, Rollout } from "@tiphys/resources";
import { mergeArgs, resolveRolloutArgs } from "./args.js";
import { mergeTemplates } from "./templates.js";

const metric = (name: string) => ({ name, provider: { web: { url: "http://x" } } });
const template = (name: string, spec: AnalysisTemplateSpec): AnalysisTemplate => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "AnalysisTemplate",
  metadata: { name, namespace: "shop" },
  spec,
});
const finder =
  (...templates: AnalysisTemplate[]) =>
  ({ templateName }: { templateName: string }) =>
    templates.find((known) => known.metadata.name === templateName);

describe("templates", () => {
  it("are merged with the ones they name, each once", () => {
    const find = finder(
      template("a", { metrics: [metric("m1")], args: [{ name: "x" }], templates: [{ templateName: "b" }] }),
      template("b", { metrics: [metric("m2")], args: [{ name: "x", value: "1" }], templates: [{ templateName: "a" }] }),
    );
    const merged = mergeTemplates([{ templateName: "a" }, { templateName: "b" }], find, "analysis");
    expect(merged.metrics.map((known) => known.name)).toEqual(["m1", "m2"]);
    expect(merged.args).toEqual([{ name: "x", value: "1" }]);
  });

  it.each([
    ["a missing one", finder(), 'analysis.templates[0].templateName: AnalysisTemplate "a" not found'],
    ["none with metrics", finder(template("a", {})), "analysis.templates: have no metrics"],
    [
      "one metric name twice",
      finder(template("a", { metrics: [metric("m"), metric("m")] })),
      'AnalysisTemplate "a": two metrics have the name "m"',
    ],
  ])("are refused with %s", (_name, find, message) =>
    expect(() => mergeTemplates([{ templateName: "a" }], find, "analysis")).toThrow(message),
  );
});

describe("args", () => {
  const rollout = {
    metadata: { name: "web", labels: { "a.b/c": "v" } },
    status: { stableRS: "abc" },
  } as unknown as Rollout;

  it("come from values, hashes and fields of the Rollout", () => {
    const args = [
      { name: "plain", value: "1" },
      { name: "latest", valueFrom: { podTemplateHashValue: "Latest" as const } },
      { name: "stable", valueFrom: { podTemplateHashValue: "Stable" as const } },
      { name: "label", valueFrom: { fieldRef: { fieldPath: "metadata.labels['a.b/c']" } } },
      { name: "secret", valueFrom: { secretKeyRef: { name: "s", key: "k" } } },
    ];
    expect(resolveRolloutArgs(args, rollout, { latest: "new", stable: "old" }, "args")).toEqual([
      { name: "plain", value: "1" },
      { name: "latest", value: "new" },
      { name: "stable", value: "old" },
      { name: "label", value: "v" },
      args[4],
    ]);
  });

  it("name the field that a fieldRef does not find", () => {
    const args = [{ name: "x", valueFrom: { fieldRef: { fieldPath: "status.nothing" } } }];
    expect(() => resolveRolloutArgs(args, rollout, { latest: "", stable: "" }, "args")).toThrow(
      'args[0].valueFrom.fieldRef.fieldPath: "status.nothing" is no value of the Rollout',
    );
  });

  it("that are declared need a value, and others are dropped", () => {
    expect(
      mergeArgs(
        [{ name: "a", value: "1" }, { name: "b" }],
        [
          { name: "b", value: "2" },
          { name: "c", value: "3" },
        ],
      ),
    ).toEqual([
      { name: "a", value: "1" },
      { name: "b", value: "2" },
    ]);
    expect(() => mergeArgs([{ name: "a" }], [])).toThrow("args.a: has no value");
  });
});
