import { healthOf } from "@tiphys/health";
import type { KubeObject, ResourceResult } from "@tiphys/resources";
import {
  mergeResults,
  OPERATION_ANNOTATION,
  parseDuration,
  parseSyncOptions,
  planSync,
  planTermination,
  refusedOption,
  retryDelay,
  type SyncInput,
  selfHealDelay,
  stepResult,
} from "./index.js";

const object = (
  kind: string,
  name: string,
  annotations: Record<string, string> = {},
  rest: object = {},
): KubeObject => ({
  apiVersion: kind === "Deployment" ? "apps/v1" : kind === "Job" ? "batch/v1" : "v1",
  kind,
  metadata: { name, namespace: "shop", annotations },
  ...rest,
});
const wave = (n: number) => ({ "argocd.argoproj.io/sync-wave": String(n) });
const hook = (type: string, policy = "") => ({
  "argocd.argoproj.io/hook": type,
  ...(policy ? { "argocd.argoproj.io/hook-delete-policy": policy } : {}),
});
const add = (desired: KubeObject, live?: KubeObject) => ({ desired, ...(live ? { live } : {}), outOfSync: true });
const extra = (live: KubeObject) => ({ live, outOfSync: true });
const input = (change: Partial<SyncInput>): SyncInput => ({
  items: [],
  hooks: [],
  options: {},
  prune: false,
  runHooks: true,
  results: [],
  attempt: "op",
  health: healthOf,
  ...change,
});
const steps = (change: Partial<SyncInput>) =>
  planSync(input(change)).steps.map((step) => `${step.type} ${step.object.kind} ${step.object.metadata.name}`);
const done = (change: Partial<SyncInput>, results: readonly ResourceResult[] = []) => {
  const decision = planSync(input({ ...change, results }));
  return mergeResults(
    decision.results,
    decision.steps.map((step) => stepResult(step)).filter((result) => result !== undefined),
  );
};

it("applies one wave in the order of kinds, and says success at apply", () => {
  const items = [
    add(object("Deployment", "a")),
    add(object("Foo", "z")),
    add(object("Service", "b")),
    add(object("ConfigMap", "c")),
  ];
  expect(steps({ items })).toEqual(["apply ConfigMap c", "apply Service b", "apply Deployment a", "apply Foo z"]);
  expect(planSync(input({ items })).end).toEqual({
    phase: "Succeeded",
    message: "successfully synced (all tasks run)",
  });
});

it("succeeds at once when there is nothing to do", () => {
  expect(planSync(input({})).end).toEqual({ phase: "Succeeded", message: "successfully synced (no more tasks)" });
});

it("waits for the health of a wave before the next", () => {
  const first = object("Deployment", "first", wave(-1), { spec: { replicas: 1 } });
  const change = { items: [add(first), add(object("ConfigMap", "second"))] };
  expect(steps(change)).toEqual(["apply Deployment first"]);
  expect(planSync(input(change)).end).toBeUndefined();
  const results = done(change);
  const progressing = { ...first, status: { observedGeneration: 0 }, metadata: { ...first.metadata, generation: 1 } };
  const waiting = planSync(input({ items: [add(first, progressing), change.items[1]!], results }));
  expect(waiting.steps).toEqual([]);
  expect(waiting.message).toBe("waiting for healthy state of apps/Deployment/first");
  const ready = {
    ...progressing,
    status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 },
  };
  expect(steps({ items: [add(first, ready), change.items[1]!], results })).toEqual(["apply ConfigMap second"]);
});

it("moves a namespace ahead of what lives in it, across waves", () => {
  const namespace: KubeObject = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "shop", annotations: wave(5) },
  };
  expect(steps({ items: [add(namespace), add(object("ConfigMap", "a", wave(-3)))] })).toEqual([
    "apply Namespace shop",
    "apply ConfigMap a",
  ]);
});

it("prunes in mirrored wave order, only when asked to, and never what says Prune=false", () => {
  const kept = object("ConfigMap", "kept", { "argocd.argoproj.io/sync-options": "Prune=false" });
  const items = [extra(object("ConfigMap", "a", wave(1))), extra(object("ConfigMap", "b", wave(2))), extra(kept)];
  const off = planSync(input({ items }));
  expect(off.steps).toEqual([]);
  expect(off.results.map((result) => result.status)).toEqual(["PruneSkipped", "PruneSkipped", "PruneSkipped"]);
  expect(off.end?.phase).toBe("Succeeded");
  const first = { items: items.slice(0, 2), prune: true };
  expect(steps(first)).toEqual(["delete ConfigMap b"]);
  expect(steps({ ...first, items: [first.items[0]!], results: done(first) })).toEqual(["delete ConfigMap a"]);
  expect(steps({ items: [extra(kept)], prune: true })).toEqual([]);
});

it("prunes last when told", () => {
  const items = [extra(object("ConfigMap", "old")), add(object("ConfigMap", "new", wave(3)))];
  expect(steps({ items, prune: true, options: { PruneLast: "true" } })).toEqual(["apply ConfigMap new"]);
  expect(steps({ items, prune: true })).toEqual(["delete ConfigMap old"]);
});

describe("hooks", () => {
  const migrate = object("Job", "migrate", hook("PreSync", "HookSucceeded"));
  const config = object("ConfigMap", "config");
  const mine = {
    ...migrate,
    metadata: { ...migrate.metadata, annotations: { ...migrate.metadata.annotations, [OPERATION_ANNOTATION]: "op" } },
  };
  const complete = { ...mine, status: { conditions: [{ type: "Complete", status: "True" }] } };
  const broken = { ...mine, status: { conditions: [{ type: "Failed", status: "True", message: "boom" }] } };
  const change = { items: [add(config)], hooks: [{ desired: migrate }] };

  it("runs PreSync first, then the resources, then deletes it", () => {
    expect(steps(change)).toEqual(["apply Job migrate"]);
    const results = done(change);
    const running = planSync(input({ ...change, hooks: [{ desired: migrate, live: mine }], results }));
    expect(running.message).toBe("waiting for completion of hook batch/Job/migrate");
    const after = { ...change, hooks: [{ desired: migrate, live: complete }] };
    expect(steps({ ...after, results })).toEqual(["apply ConfigMap config", "delete Job migrate"]);
    expect(planSync(input({ ...after, results })).end?.phase).toBe("Succeeded");
  });

  it("does not run a hook twice when its creation was not recorded", () => {
    const decision = planSync(input({ ...change, hooks: [{ desired: migrate, live: mine }] }));
    expect(decision.steps).toEqual([]);
    expect(decision.results).toMatchObject([{ name: "migrate", hookPhase: "Running" }]);
  });

  it("deletes the hook of an earlier sync before it makes a new one", () => {
    const old = { ...complete, metadata: { ...complete.metadata, annotations: { [OPERATION_ANNOTATION]: "earlier" } } };
    const again = object("Job", "migrate", hook("PreSync"));
    expect(steps({ ...change, hooks: [{ desired: again, live: old }] })).toEqual(["delete Job migrate"]);
    const leaving = { ...old, metadata: { ...old.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" } };
    expect(planSync(input({ ...change, hooks: [{ desired: again, live: leaving }] }))).toMatchObject({
      steps: [],
      message: "waiting for deletion of hook batch/Job/migrate",
    });
  });

  it("fails with its SyncFail hooks when a hook fails, and applies nothing", () => {
    const tell = object("Job", "tell", hook("SyncFail"));
    const results = done(change);
    const failing = { ...change, hooks: [{ desired: migrate, live: broken }, { desired: tell }] };
    expect(steps({ ...failing, results })).toEqual(["apply Job tell"]);
    const end = planSync(input({ ...change, hooks: [{ desired: migrate, live: broken }], results }));
    expect(end.end).toEqual({ phase: "Failed", message: "one or more synchronization tasks completed unsuccessfully" });
    expect(end.results).toMatchObject([{ name: "migrate", hookPhase: "Failed", message: "boom" }]);
  });

  it("takes running hooks away when the operation is terminated", () => {
    const results = done(change);
    const given = input({ ...change, hooks: [{ desired: migrate, live: mine }], results });
    expect(planTermination(given).map((step) => `${step.type} ${step.object.metadata.name}`)).toEqual([
      "delete migrate",
    ]);
    expect(planTermination(input({ ...given, attempt: "another" }))).toEqual([]);
  });

  it("leaves hooks out of a selective sync", () => {
    expect(steps({ ...change, runHooks: false })).toEqual(["apply ConfigMap config"]);
  });
});

it("ends failed when an object was refused", () => {
  const items = [add(object("ConfigMap", "a")), add(object("ConfigMap", "b", wave(1)))];
  const [step] = planSync(input({ items })).steps;
  const results = [stepResult(step!, { message: "denied" })!];
  expect(planSync(input({ items, results })).end).toEqual({
    phase: "Failed",
    message: "one or more objects failed to apply",
  });
});

it("refuses options by name", () => {
  expect(
    refusedOption(parseSyncOptions(["CreateNamespace=true", "PruneLast=true", "ServerSideApply=true"])),
  ).toBeUndefined();
  expect(refusedOption(parseSyncOptions(["Prune=confirm"]))).toMatch(/Prune=confirm is not implemented/);
  expect(refusedOption(parseSyncOptions(["Whatever=1"]))).toMatch(/Whatever=1 is not known/);
});

it("backs off as the application says", () => {
  expect([0, 1, 2].map((retries) => retryDelay({ limit: 3 }, retries))).toEqual([5_000, 10_000, 20_000]);
  expect(retryDelay({ limit: 3 }, 3)).toBeUndefined();
  expect(retryDelay({ limit: -1, backoff: { duration: "1m", factor: 3, maxDuration: "5m" } }, 9)).toBe(300_000);
  expect(parseDuration("1m30s")).toBe(90_000);
  expect([0, 1, 2, 9].map(selfHealDelay)).toEqual([0, 2_000, 6_000, 300_000]);
});
