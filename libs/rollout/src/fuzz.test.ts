import type { CanaryStep, Rollout } from "@tiphys/resources";
import { mutations, oneOf, randomJson, seeded, survives } from "@tiphys/testing";
import { parseAmount, podsOf } from "./int-or-percent.js";
import { pauseMilliseconds } from "./steps.js";
import { validateRollout } from "./validate.js";

it("reads any amount or refuses it", () => {
  survives(mutations(["25%", "3", "0%", "100%"], 1000), (text) => {
    const pods = podsOf(parseAmount(text, "maxSurge"), 10, "up");
    if (!(pods >= 0)) throw new TypeError(`${pods} pods`);
  });
  survives([Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, 2 ** 53], (value) => parseAmount(value, "maxSurge"));
});

it("reads any pause or refuses it", () => {
  const random = seeded(2);
  survives(mutations(["10s", "1h30m", "300"], 1000), (duration) => pauseMilliseconds({ duration }));
  survives(["1".repeat(1_000_000), "1.".repeat(200_000)], (duration) => pauseMilliseconds({ duration }));
  survives(
    Array.from({ length: 500 }, () => oneOf(random, [0, -1, 1e300, Number.NaN])),
    (duration) => pauseMilliseconds({ duration }),
  );
});

it("names what is wrong with any canary that the schema lets in", () => {
  const random = seeded(3);
  const amount = () => oneOf<string | number>(random, ["25%", "x", 3, -1, 1e9, "", "999999999999999999999%"]);
  const step = () =>
    oneOf<unknown>(random, [
      { setWeight: oneOf(random, [0, 50, 100, -5, 1e9]) },
      { pause: { duration: amount() } },
      { pause: {} },
      { setCanaryScale: { replicas: 2, weight: 5, matchTrafficWeight: true } },
      { analysis: { templates: [] } },
      { plugin: { name: "x" } },
      {},
      { setWeight: 1, pause: {} },
    ]) as CanaryStep;
  for (let i = 0; i < 1500; i++) {
    const rollout = {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Rollout",
      metadata: { name: "x", namespace: "y" },
      spec: {
        replicas: oneOf(random, [0, 1, 5, -1, undefined]),
        selector: oneOf<unknown>(random, [undefined, {}, { matchLabels: { app: "x", __proto__x: "1" } }]),
        template: oneOf<unknown>(random, [
          undefined,
          { metadata: { labels: { app: "x" } }, spec: { containers: randomJson(random, 2) } },
        ]),
        strategy: { canary: { maxSurge: amount(), maxUnavailable: amount(), steps: Array.from({ length: 3 }, step) } },
      },
    } as unknown as Rollout;
    survives([rollout], validateRollout);
  }
});
