import { redacted } from "./redact.js";

it("masks the values of environment variables wherever a pod template lies", () => {
  const state = {
    spec: {
      template: {
        spec: {
          containers: [
            {
              name: "web",
              env: [
                { name: "PASSWORD", value: "hunter2" },
                { name: "TOKEN", valueFrom: { secretKeyRef: { name: "s", key: "t" } } },
              ],
            },
          ],
        },
      },
    },
  };
  const shown = redacted(state);
  expect(JSON.stringify(shown)).not.toContain("hunter2");
  expect(shown.spec.template.spec.containers[0]?.env).toEqual([
    { name: "PASSWORD", value: "[redacted]" },
    { name: "TOKEN", valueFrom: { secretKeyRef: { name: "s", key: "t" } } },
  ]);
  expect(state.spec.template.spec.containers[0]?.env[0]).toEqual({ name: "PASSWORD", value: "hunter2" });
});

it("shares what holds nothing to mask", () => {
  const state = { spec: { replicas: 3, list: [{ a: 1 }] } };
  expect(redacted(state)).toBe(state);
});
