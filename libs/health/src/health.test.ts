import type { HealthStatusCode, KubeObject } from "@tiphys/resources";
import { healthOf, worst } from "./index.js";

const object = (apiVersion: string, kind: string, rest: Record<string, unknown>, generation = 1): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: "x", namespace: "shop", generation },
  ...rest,
});
const deployment = (status: object, spec: object = { replicas: 3 }) =>
  object("apps/v1", "Deployment", { spec, status });
const ready = { observedGeneration: 1, replicas: 3, updatedReplicas: 3, availableReplicas: 3 };

it.each<{ name: string; given: KubeObject; status: HealthStatusCode | undefined; message?: RegExp }>([
  { name: "a rolled out Deployment", given: deployment(ready), status: "Healthy" },
  {
    name: "an unobserved Deployment",
    given: deployment({ ...ready, observedGeneration: 0 }),
    status: "Progressing",
    message: /observed deployment generation/,
  },
  { name: "a paused Deployment", given: deployment(ready, { replicas: 3, paused: true }), status: "Suspended" },
  {
    name: "a Deployment that waits for pods",
    given: deployment({ ...ready, availableReplicas: 1 }),
    status: "Progressing",
    message: /1 of 3 updated replicas are available/,
  },
  {
    name: "a Deployment past its deadline",
    given: deployment({
      ...ready,
      conditions: [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }],
    }),
    status: "Degraded",
    message: /"x" exceeded its progress deadline/,
  },
  {
    name: "a ReplicaSet that cannot make pods",
    given: object("apps/v1", "ReplicaSet", {
      spec: { replicas: 1 },
      status: { observedGeneration: 1, conditions: [{ type: "ReplicaFailure", status: "True", message: "quota" }] },
    }),
    status: "Degraded",
    message: /^quota$/,
  },
  {
    name: "a StatefulSet without ready pods",
    given: object("apps/v1", "StatefulSet", {
      spec: { replicas: 2 },
      status: { observedGeneration: 1, readyReplicas: 1 },
    }),
    status: "Progressing",
    message: /Waiting for 1 pods/,
  },
  {
    name: "a DaemonSet that updates",
    given: object("apps/v1", "DaemonSet", {
      spec: {},
      status: { observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 1 },
    }),
    status: "Progressing",
  },
  {
    name: "a crashing Pod",
    given: object("v1", "Pod", {
      spec: { restartPolicy: "Always" },
      status: {
        phase: "Running",
        containerStatuses: [{ name: "a", state: { waiting: { reason: "CrashLoopBackOff", message: "back-off" } } }],
      },
    }),
    status: "Degraded",
    message: /back-off/,
  },
  {
    name: "a failed Pod",
    given: object("v1", "Pod", {
      spec: { restartPolicy: "Never" },
      status: { phase: "Failed", containerStatuses: [{ name: "a", state: { terminated: { exitCode: 3 } } }] },
    }),
    status: "Degraded",
    message: /"a" failed with exit code 3/,
  },
  {
    name: "a complete Job",
    given: object("batch/v1", "Job", { status: { conditions: [{ type: "Complete", status: "True" }] } }),
    status: "Healthy",
  },
  {
    name: "a failed Job",
    given: object("batch/v1", "Job", { status: { conditions: [{ type: "Failed", status: "True", message: "no" }] } }),
    status: "Degraded",
    message: /no/,
  },
  { name: "a running Job", given: object("batch/v1", "Job", {}), status: "Progressing" },
  {
    name: "a LoadBalancer without an address",
    given: object("v1", "Service", { spec: { type: "LoadBalancer" } }),
    status: "Progressing",
  },
  { name: "a ClusterIP Service", given: object("v1", "Service", { spec: {} }), status: "Healthy" },
  {
    name: "a pending claim",
    given: object("v1", "PersistentVolumeClaim", { status: { phase: "Pending" } }),
    status: "Progressing",
  },
  {
    name: "a paused Rollout",
    given: object("argoproj.io/v1alpha1", "Rollout", {
      status: { observedGeneration: "1", phase: "Paused", message: "CanaryPauseStep" },
    }),
    status: "Suspended",
    message: /CanaryPauseStep/,
  },
  { name: "a new Rollout", given: object("argoproj.io/v1alpha1", "Rollout", {}), status: "Progressing" },
  {
    name: "an aborted Rollout",
    given: object("argoproj.io/v1alpha1", "Rollout", {
      status: { observedGeneration: "1", phase: "Degraded", message: "RolloutAborted: x" },
    }),
    status: "Degraded",
  },
  {
    name: "a failed Workflow",
    given: object("argoproj.io/v1alpha1", "Workflow", { status: { phase: "Failed", message: "m" } }),
    status: "Degraded",
  },
  {
    name: "a ready Sensor",
    given: object("argoproj.io/v1alpha1", "Sensor", { status: { conditions: [{ type: "Deployed", status: "True" }] } }),
    status: "Healthy",
  },
  { name: "a ConfigMap", given: object("v1", "ConfigMap", {}), status: undefined },
])("says $status of $name", ({ given, status, message }) => {
  const health = healthOf(given);
  expect(health?.status).toBe(status);
  if (message) expect(health?.message).toMatch(message);
});

it("calls an object that is being deleted progressing", () => {
  const service = object("v1", "Service", { spec: {} });
  service.metadata.deletionTimestamp = "2030-01-01T00:00:00Z";
  expect(healthOf(service)).toEqual({ status: "Progressing", message: "Pending deletion" });
});

it("takes the worst, and Healthy of nothing", () => {
  expect(worst([])).toBe("Healthy");
  expect(worst(["Healthy", "Missing", "Progressing"])).toBe("Missing");
  expect(worst(["Degraded", "Suspended"])).toBe("Degraded");
});
