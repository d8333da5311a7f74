import { refusalMessage } from "./operation.js";

const result = (name: string, message: string) => ({
  group: "",
  version: "v1",
  kind: "ConfigMap",
  namespace: "demo",
  name,
  message,
});

it("names file, line, object and reason of what the server refuses", () => {
  const places = new Map([["/ConfigMap/demo/bad", "app/bad.yaml:3"]]);
  expect(refusalMessage([result("bad", 'unknown field "dat"'), result("worse", "no")], places)).toBe(
    'one or more objects failed to apply (dry run), reason: app/bad.yaml:3: ConfigMap demo/bad: unknown field "dat" (and 1 more)',
  );
});

it("does without a place that is not known", () => {
  expect(refusalMessage([result("bad", "no")], new Map())).toBe(
    "one or more objects failed to apply (dry run), reason: ConfigMap demo/bad: no",
  );
});
