import type {
  Application,
  ApplicationSpec,
  ApplicationStatus,
  AppProject,
  KubeObject,
  OperationState,
} from "@tiphys/resources";
import { resourceId } from "@tiphys/sync";
import { planApplication, reportApplication } from "./plan.js";
import { specProblem } from "./spec-check.js";
import type { ApplicationState } from "./state.js";
import { trackedBy, trackingId } from "./tracking.js";

const now = new Date("2030-01-01T00:00:00Z");
const at = (seconds: number) => new Date(now.getTime() + seconds * 1000).toISOString().replace(".000Z", "Z");
const source = { repoURL: "https://git.example/config", path: "app" };
const project: AppProject = {
  apiVersion: "argoproj.io/v1alpha1",
  kind: "AppProject",
  metadata: { name: "default", namespace: "argocd" },
  spec: {
    sourceRepos: ["*"],
    destinations: [{ server: "*", namespace: "*" }],
    clusterResourceWhitelist: [{ group: "*", kind: "*" }],
  },
};
const configMap = (name: string, data: Record<string, string> = { a: "1" }): KubeObject => {
  const object: KubeObject = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "shop" }, data };
  object.metadata.annotations = { "argocd.argoproj.io/tracking-id": trackingId("web", object) };
  return object;
};
const application = (spec: Partial<ApplicationSpec> = {}, status?: ApplicationStatus): Application => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Application",
  metadata: { name: "web", namespace: "argocd" },
  spec: {
    project: "default",
    source,
    destination: { server: "https://kubernetes.default.svc", namespace: "shop" },
    ...spec,
  },
  ...(status ? { status } : {}),
});
const ended = (
  phase: OperationState["phase"],
  revision: string,
  change: Partial<OperationState> = {},
): OperationState => ({
  operation: { sync: { revision }, initiatedBy: { automated: true } },
  phase,
  message: "done",
  startedAt: at(-20),
  finishedAt: at(-10),
  syncResult: { revision, source, resources: [] },
  ...change,
});
const state = (app: Application, desired: KubeObject[], live: KubeObject[]): ApplicationState => {
  const objects = new Map(live.map((object) => [resourceId(object), object]));
  const target = {
    ok: true as const,
    revision: "abc",
    sourceType: "Directory",
    commit: undefined,
    objects: desired,
    hooks: [],
    repeated: [],
    places: new Map([["/ConfigMap/demo/bad", "app/bad.yaml:3"]]),
    namespaced: new Set<string>(),
    unserved: new Set<string>(),
    warnings: [],
    resolvedAt: now,
  };
  return {
    app,
    controlNamespace: "argocd",
    project,
    specProblem: undefined,
    warnings: [],
    target,
    live: objects,
    operation: { target, live: objects, namespace: undefined, preflight: undefined },
    refreshRequested: false,
    healthInResources: true,
    pollAt: new Date(now.getTime() + 120_000),
    freshChange: { id: "01ARZ3NDEKTSV4RRFFQ69G5FAV", traceparent: "" },
    schemas: () => ({ builtin: true }),
  };
};
const auto = (policy: object = {}) => ({ syncPolicy: { automated: policy } });
const operationOf = (plan: { status?: Record<string, unknown> }) => (plan.status as ApplicationStatus).operationState;

it.each([
  { name: "no automation", why: "a person decides", app: application(), want: undefined },
  {
    name: "automation switched off",
    why: "enabled: false is off",
    app: application(auto({ enabled: false })),
    want: undefined,
  },
  { name: "a new commit", why: "automation syncs it", app: application(auto()), want: "Running" },
  {
    name: "a commit that was synced",
    why: "without selfHeal a revision is synced once",
    app: application(auto(), { operationState: ended("Succeeded", "abc") }),
    want: "Succeeded",
  },
  {
    name: "a commit that failed",
    why: "a failed revision is not tried for ever",
    app: application(auto({ selfHeal: true }), { operationState: ended("Failed", "abc") }),
    want: "Failed",
  },
  {
    name: "drift",
    why: "selfHeal brings it back",
    app: application(auto({ selfHeal: true }), { operationState: ended("Succeeded", "abc") }),
    want: "Running",
  },
])("$name: $why", ({ app, want }) => {
  const plan = planApplication(state(app, [configMap("a")], []), now);
  expect(operationOf(plan)?.phase).toBe(want);
  expect(plan.actions).toEqual([]);
});

it("waits longer before each self-heal in a row", () => {
  const healed = ended("Succeeded", "abc", { finishedAt: at(-1) });
  healed.operation.sync = { revision: "abc", autoHealAttemptsCount: 2 };
  const plan = planApplication(
    state(application(auto({ selfHeal: true }), { operationState: healed }), [configMap("a")], []),
    now,
  );
  expect(operationOf(plan)?.phase).toBe("Succeeded");
  expect(plan.lookAgainAt).toEqual(new Date(now.getTime() + 5_000));
});

it("refuses to wipe out everything", () => {
  const plan = planApplication(state(application(auto({ prune: true })), [], [configMap("a")]), now);
  expect((plan.status as ApplicationStatus).conditions).toMatchObject([
    { type: "SyncError", message: "Skipping sync attempt to abc: auto-sync will wipe out all resources" },
  ]);
});

it("persists the intent before it acts, and acts in the pass that sees it", () => {
  const first = planApplication(state(application(auto()), [configMap("a")], []), now);
  expect(first.patch).toMatchObject({
    metadata: { annotations: { "tiphys.dev/change": "01ARZ3NDEKTSV4RRFFQ69G5FAV" } },
  });
  const running = state(application(auto(), first.status as ApplicationStatus), [configMap("a")], []);
  const second = planApplication(running, now);
  expect(second.actions.map(({ step }) => `${step.type} ${step.object.metadata.name}`)).toEqual(["apply a"]);
  const after = reportApplication(running, second, [{ ok: true, fact: { live: configMap("a") } }], now);
  const status = after.status as ApplicationStatus;
  expect(status).toMatchObject({
    sync: { status: "Synced" },
    operationState: { phase: "Succeeded" },
    history: [{ id: 0, revision: "abc" }],
  });
});

it("tells what the server refused, and tries again later", () => {
  const running: OperationState = {
    operation: { sync: { revision: "abc" }, retry: { limit: 1 } },
    phase: "Running",
    startedAt: at(0),
    syncResult: { revision: "abc", source, resources: [] },
  };
  const given = state(application({}, { operationState: running }), [configMap("a")], []);
  const plan = planApplication(given, now);
  const reported = reportApplication(given, plan, [{ ok: false, error: new Error("denied") }], now);
  const again = state(application({}, reported.status as ApplicationStatus), [configMap("a")], []);
  const waiting = planApplication(again, now);
  expect(operationOf(waiting)).toMatchObject({
    phase: "Running",
    retryCount: 1,
    syncResult: { resources: [{ status: "SyncFailed", message: "denied" }] },
  });
  expect(waiting.lookAgainAt).toEqual(new Date(now.getTime() + 5_000));
  const due = new Date(now.getTime() + 6_000);
  const third = planApplication(state(application({}, waiting.status as ApplicationStatus), [configMap("a")], []), due);
  expect(operationOf(third)?.syncResult?.resources).toEqual([]);
  expect(operationOf(third)?.finishedAt).toBeUndefined();
});

it.each([
  { given: { retry: { limit: 2 }, automated: true }, want: "abc", why: "automation follows the newest commit" },
  { given: { retry: { limit: 2, refresh: false }, automated: true }, want: "old", why: "refresh: false keeps it" },
  { given: { retry: { limit: 2 } }, want: "old", why: "what a person asked for stays what it was" },
  { given: { retry: { limit: 2, refresh: true } }, want: "abc", why: "unless refresh: true lets it follow" },
  { given: { retry: { limit: 2, refresh: true }, source }, want: "old", why: "a source of its own has none newer" },
])("retries $want: $why", ({ given, want }) => {
  const waiting: OperationState = {
    operation: {
      sync: { revision: "old", ...(given.source ? { source: given.source } : {}) },
      retry: given.retry,
      ...(given.automated ? { initiatedBy: { automated: true } } : {}),
    },
    phase: "Running",
    startedAt: at(-60),
    finishedAt: at(-60),
    retryCount: 1,
    syncResult: { revision: "old", source, resources: [] },
  };
  const plan = planApplication(state(application({}, { operationState: waiting }), [configMap("a")], []), now);
  expect(operationOf(plan)?.syncResult?.revision).toBe(want);
  expect(operationOf(plan)?.finishedAt).toBeUndefined();
});

it("leaves the health of each resource to the tree where argocd-cmd-params-cm says so", () => {
  const given = { ...state(application(), [configMap("a")], []), healthInResources: false };
  const status = planApplication(given, now).status as ApplicationStatus;
  expect(status.resourceHealthSource).toBe("appTree");
  expect(status.resources).toEqual([expect.not.objectContaining({ health: expect.anything() })]);
  expect(status.health?.status).toBe("Missing");
  const back = planApplication({ ...given, app: { ...given.app, status }, healthInResources: true }, now);
  expect((back.status as ApplicationStatus).resourceHealthSource).toBeUndefined();
});

it("ends a terminated operation", () => {
  const terminating: OperationState = { operation: { sync: {} }, phase: "Terminating", startedAt: at(-1) };
  const plan = planApplication(state(application({}, { operationState: terminating }), [configMap("a")], []), now);
  expect(operationOf(plan)).toMatchObject({ phase: "Failed", message: "Operation terminated" });
});

it("writes the same status for the same state", () => {
  const first = planApplication(state(application(), [configMap("a")], [configMap("a")]), now);
  const later = new Date(now.getTime() + 60_000);
  const again = planApplication(
    state(application({}, first.status as ApplicationStatus), [configMap("a")], [configMap("a")]),
    later,
  );
  expect(again.status).toEqual(first.status);
});

it.each([
  { name: "everything missing", live: [], want: "Missing" },
  { name: "one of two missing", live: ["a"], want: "Healthy" },
  { name: "all there", live: ["a", "b"], want: "Healthy" },
])("is $want with $name", ({ live, want }) => {
  const given = state(
    application(),
    [configMap("a"), configMap("b")],
    live.map((name) => configMap(name)),
  );
  const status = planApplication(given, now).status as ApplicationStatus;
  expect(status.health?.status).toBe(want);
  expect(status.resources?.map((each) => each.health?.status)).toEqual(
    ["a", "b"].map((name) => (live.includes(name) ? undefined : "Missing")),
  );
});

it("is as healthy as its least healthy live object, and leaves out those annotated so", () => {
  const deployment = (name: string, annotations: Record<string, string> = {}): KubeObject => {
    const object: KubeObject = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace: "shop" },
      spec: { replicas: 1, template: { spec: { containers: [{ name: "m", image: `${name}:1` }] } } },
      status: { observedGeneration: 1, updatedReplicas: 0, replicas: 1 },
    };
    object.metadata.annotations = { "argocd.argoproj.io/tracking-id": trackingId("web", object), ...annotations };
    return object;
  };
  const healthWith = (annotations?: Record<string, string>) => {
    const there = deployment("slow", annotations);
    const plan = planApplication(state(application(), [there, deployment("gone")], [there]), now);
    return plan.status as ApplicationStatus;
  };
  expect(healthWith().health?.status).toBe("Progressing");
  expect(healthWith().summary?.images).toEqual(["slow:1"]);
  expect(healthWith().resources).toMatchObject([
    { name: "gone", health: { status: "Missing" } },
    { name: "slow", health: { status: "Progressing" } },
  ]);
  expect(healthWith({ "argocd.argoproj.io/ignore-healthcheck": "true" }).health?.status).toBe("Healthy");
});

it("believes a tracking id only where it names the object that carries it", () => {
  const copy = configMap("a");
  expect(trackedBy(copy)).toBe("web");
  expect(trackedBy({ ...copy, metadata: { ...copy.metadata, name: "b" } })).toBeUndefined();
});

it.each([
  {
    name: "a repository",
    spec: { sourceRepos: ["https://git.example/other"] },
    want: /repo https:\/\/git\.example\/config is not permitted in project 'default'/,
  },
  { name: "a denied repository", spec: { sourceRepos: ["*", "!https://git.example/*"] }, want: /not permitted/ },
  {
    name: "a destination",
    spec: { destinations: [{ server: "*", namespace: "team-*" }] },
    want: /do not match any of the allowed destinations/,
  },
  { name: "windows", spec: { syncWindows: [{}] }, want: /spec\.syncWindows is not implemented yet/ },
])("checks the project: $name", ({ spec, want }) => {
  const cluster = { ok: true, name: "in-cluster", server: "https://kubernetes.default.svc" } as const;
  expect(
    specProblem({ app: application(), cluster, project: { ...project, spec: { ...project.spec, ...spec } } }),
  ).toMatch(want);
});
