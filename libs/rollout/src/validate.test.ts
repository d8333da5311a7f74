import type { Rollout, RolloutSpec } from "@tiphys/resources";
import { validateRollout } from "./validate.js";

const rollout = (over: Partial<RolloutSpec>): Rollout => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout",
  metadata: { name: "web", namespace: "shop" },
  spec: {
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "web:1" }] } },
    strategy: { canary: {} },
    ...over,
  },
});
const canary = (over: object) => rollout({ strategy: { canary: over } });
const at = "spec.strategy.canary";

describe("a Rollout's spec", () => {
  it("is good when it is plain", () => expect(validateRollout(rollout({}))).toEqual([]));

  it.each([
    ["no strategy", rollout({ strategy: {} }), "spec.strategy", "Required value"],
    [
      "blueGreen",
      rollout({ strategy: { blueGreen: { activeService: "web" } } }),
      "spec.strategy.blueGreen",
      "the blueGreen strategy is not implemented",
    ],
    ["both strategies", rollout({ strategy: { blueGreen: {}, canary: {} } }), "spec.strategy", "not both"],
    [
      "workloadRef",
      rollout({ workloadRef: { kind: "Deployment", name: "web" } }),
      "spec.workloadRef",
      "workloadRef is not implemented",
    ],
    ["no selector", rollout({ selector: {} }), "spec.selector", "Required value"],
    [
      "a selector that misses",
      rollout({ selector: { matchLabels: { app: "x" } } }),
      "spec.template.metadata.labels",
      "does not match",
    ],
    ["no containers", rollout({ template: { spec: {} } }), "spec.template.spec.containers", "Required value"],
    [
      "a container without image",
      rollout({ template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "x" }] } } }),
      "spec.template.spec.containers[0].image",
      "Required value",
    ],
    [
      "a deadline below minReadySeconds",
      rollout({ minReadySeconds: 600 }),
      "spec.progressDeadlineSeconds",
      "greater than minReadySeconds",
    ],
    ["a surge that is none", canary({ maxSurge: "x%" }), `${at}.maxSurge`, "neither a number"],
    ["a step without kind", canary({ steps: [{}] }), `${at}.steps[0]`, "does nothing"],
    ["a step of two kinds", canary({ steps: [{ setWeight: 1, pause: {} }] }), `${at}.steps[0]`, "setWeight and pause"],
    [
      "an experiment step",
      canary({ steps: [{ experiment: {} }] }),
      `${at}.steps[0].experiment`,
      "the experiment step is not implemented",
    ],
    [
      "a header step",
      canary({ steps: [{ setHeaderRoute: { name: "x" } }] }),
      `${at}.steps[0].setHeaderRoute`,
      "not implemented",
    ],
    [
      "a mirror step",
      canary({ steps: [{ setMirrorRoute: { name: "x" } }] }),
      `${at}.steps[0].setMirrorRoute`,
      "not implemented",
    ],
    ["a plugin step", canary({ steps: [{ plugin: { name: "x" } }] }), `${at}.steps[0].plugin`, "not implemented"],
    ["a weight beyond 100", canary({ steps: [{ setWeight: 101 }] }), `${at}.steps[0].setWeight`, "between 0 and 100"],
    [
      "a pause that is none",
      canary({ steps: [{ pause: { duration: "soon" } }] }),
      `${at}.steps[0].pause.duration`,
      "is no duration",
    ],
    [
      "a canary scale without router",
      canary({ steps: [{ setCanaryScale: { replicas: 1 } }] }),
      `${at}.steps[0].setCanaryScale`,
      "trafficRouting only",
    ],
    [
      "an analysis without templates",
      canary({ steps: [{ analysis: {} }] }),
      `${at}.steps[0].analysis.templates`,
      "Required value",
    ],
    [
      "another router",
      canary({ trafficRouting: { istio: {} } }),
      `${at}.trafficRouting.istio`,
      "the istio traffic router is not implemented",
    ],
    [
      "nginx without Services",
      canary({ trafficRouting: { nginx: { stableIngress: "i" } } }),
      `${at}.stableService`,
      "Required value",
    ],
    [
      "nginx without Ingress",
      canary({ stableService: "a", canaryService: "b", trafficRouting: { nginx: {} } }),
      `${at}.trafficRouting.nginx.stableIngress`,
      "Required value",
    ],
    [
      "one Service for both",
      canary({ stableService: "a", canaryService: "a" }),
      `${at}.canaryService`,
      "must not be the same",
    ],
    ["antiAffinity", canary({ antiAffinity: {} }), `${at}.antiAffinity`, "not implemented"],
    ["dynamicStableScale", canary({ dynamicStableScale: true }), `${at}.dynamicStableScale`, "not implemented"],
  ])("with %s is refused by field", (_name, given, field, problem) => {
    expect(validateRollout(given)).toContainEqual({ field, problem: expect.stringContaining(problem) });
  });
});
