import { randomBytes } from "node:crypto";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { createEmbeddedKube, type EmbeddedKube } from "./index.js";
import { until, widgetCrd, widgets } from "./testing.js";

let kube: EmbeddedKube;
let client: KubeClient;
beforeAll(async () => {
  kube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger, crds: [widgetCrd] });
  client = kube.client(clusterAdmin);
});
afterAll(() => kube.stop());

const configMap = (name: string, data: Record<string, string> = {}, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", ...metadata },
  data,
});
const key = (name: string) => ({ namespace: "default", name });
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: { status?: unknown }) => error.status,
  );

it("has the namespaces and the Service of every cluster from the start", async () => {
  const { items } = await client.list(types.namespaces);
  expect(items.map(({ metadata }) => metadata.name)).toEqual([
    "default",
    "kube-node-lease",
    "kube-public",
    "kube-system",
  ]);
  expect(items[0]).toMatchObject({ status: { phase: "Active" }, spec: { finalizers: ["kubernetes"] } });
  expect((await client.get(types.services, key("kubernetes")))["spec"].clusterIP).toBe("10.96.0.1");
});

it("stores a copy and answers frozen objects", async () => {
  const mine = configMap("copy", { a: "1" });
  const created = await client.create(types.configMaps, mine);
  mine["data"].a = "2";
  expect(created["data"]).toEqual({ a: "1" });
  expect(Object.isFrozen(created["data"])).toBe(true);
  expect(created.metadata).toMatchObject({ uid: expect.any(String), resourceVersion: expect.any(String) });
  expect(created.metadata.managedFields).toEqual([
    expect.objectContaining({ manager: "admin", operation: "Update", fieldsV1: { "f:data": { ".": {}, "f:a": {} } } }),
  ]);
});

it.each([
  {
    name: "an object that is there",
    ask: () => client.create(types.configMaps, configMap("copy")),
    want: {
      code: 409,
      reason: "AlreadyExists",
      message: 'configmaps "copy" already exists',
      details: { name: "copy", kind: "configmaps" },
    },
  },
  {
    name: "a missing object",
    ask: () => client.get(types.deployments, key("none")),
    want: {
      code: 404,
      reason: "NotFound",
      message: 'deployments.apps "none" not found',
      details: { name: "none", group: "apps", kind: "deployments" },
    },
  },
  {
    name: "a missing namespace",
    ask: () => client.create(types.configMaps, configMap("x", {}, { namespace: "nope" })),
    want: { code: 404, message: 'namespaces "nope" not found', details: { name: "nope", kind: "namespaces" } },
  },
  {
    name: "an unknown field",
    ask: () => client.create(types.configMaps, { ...configMap("x"), bar: 1 }, { fieldValidation: "Strict" }),
    want: {
      code: 400,
      reason: "BadRequest",
      message: 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "bar"',
    },
  },
  {
    name: "a stale resourceVersion",
    ask: () => client.replace(types.configMaps, configMap("copy", {}, { resourceVersion: "1" })),
    want: {
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on configmaps "copy": the object has been modified; please apply your changes to the latest version and try again',
    },
  },
  {
    name: "a pod without containers",
    ask: () =>
      client.create(types.pods, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "p", namespace: "default" },
        spec: { containers: [] },
      }),
    want: {
      code: 422,
      message: 'Pod "p" is invalid: spec.containers: Required value',
      details: {
        name: "p",
        kind: "Pod",
        causes: [{ reason: "FieldValueRequired", message: "Required value", field: "spec.containers" }],
      },
    },
  },
  {
    name: "an unknown resource",
    ask: () => client.list({ group: "no.such", version: "v1", resource: "things", kind: "Thing", namespaced: true }),
    want: { code: 404, message: "the server could not find the requested resource" },
  },
  {
    name: "a command in a pod",
    ask: () =>
      client.create(
        types.pods,
        { apiVersion: "v1", kind: "PodExecOptions", metadata: key("p") },
        { subresource: "exec" },
      ),
    want: { code: 501, message: "pods/exec is not implemented yet: see docs/compatibility.md" },
  },
])("refuses $name in the words of the API server", async ({ ask, want }) => {
  expect(await refusal(ask())).toMatchObject(want);
});

it("patches in all four ways, and a patch that changes nothing keeps the revision", async () => {
  await client.create(types.configMaps, configMap("patched", { a: "1" }));
  await client.patch(types.configMaps, key("patched"), {
    type: "json",
    body: [{ op: "add", path: "/data/b", value: "2" }],
  });
  await client.patch(types.configMaps, key("patched"), { type: "merge", body: { data: { a: null } } });
  await client.patch(types.configMaps, key("patched"), { type: "strategic", body: { data: { c: "3" } } });
  const applied = await client.patch(
    types.configMaps,
    key("patched"),
    { type: "apply", body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "patched" }, data: { d: "4" } } },
    { fieldManager: "me" },
  );
  expect(applied["data"]).toEqual({ b: "2", c: "3", d: "4" });
  const again = await client.patch(types.configMaps, key("patched"), { type: "merge", body: { data: { b: "2" } } });
  expect(again.metadata.resourceVersion).toBe(applied.metadata.resourceVersion);
  const conflict = await refusal(
    client.patch(
      types.configMaps,
      key("patched"),
      { type: "apply", body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "patched" }, data: { d: "5" } } },
      { fieldManager: "other" },
    ),
  );
  expect(conflict).toMatchObject({
    code: 409,
    reason: "Conflict",
    message: 'Apply failed with 1 conflict: conflict with "me": .data.d',
    details: { causes: [{ reason: "FieldManagerConflict", field: ".data.d" }] },
  });
});

it("counts generations of the spec only, and keeps spec and status apart", async () => {
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: {
      selector: { matchLabels: { app: "web" } },
      template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "c", image: "x" }] } },
    },
    status: { replicas: 7 },
  };
  const created = await client.create(types.deployments, deployment);
  expect(created).toMatchObject({
    metadata: { generation: 1 },
    spec: { replicas: 1, progressDeadlineSeconds: 600 },
    status: {},
  });
  expect(created["status"].replicas).toBeUndefined();
  const patched = await client.patch(
    types.deployments,
    key("web"),
    { type: "merge", body: { spec: { replicas: 9 }, status: { replicas: 1 } } },
    { subresource: "status" },
  );
  expect(patched).toMatchObject({ metadata: { generation: 1 }, spec: { replicas: 1 }, status: { replicas: 1 } });
  const scaled = await client.patch(
    types.deployments,
    key("web"),
    { type: "merge", body: { spec: { replicas: 3 } } },
    { subresource: "scale" },
  );
  expect(scaled).toMatchObject({ kind: "Scale", spec: { replicas: 3 }, status: { replicas: 1, selector: "app=web" } });
  expect(await client.get(types.deployments, key("web"))).toMatchObject({
    metadata: { generation: 2 },
    spec: { replicas: 3 },
  });
});

it("selects by labels and fields, in pages", async () => {
  for (const [name, labels] of Object.entries({ s1: { tier: "a", x: "1" }, s2: { tier: "b" }, s3: { tier: "a" } })) {
    await client.create(types.configMaps, configMap(name, {}, { labels }));
  }
  const names = async (options: object) =>
    (await client.list(types.configMaps, { namespace: "default", ...options })).items.map(
      ({ metadata }) => metadata.name,
    );
  expect(await names({ labelSelector: "tier=a" })).toEqual(["s1", "s3"]);
  expect(await names({ labelSelector: "tier in (a,b),!x" })).toEqual(["s2", "s3"]);
  expect(await names({ labelSelector: "tier,tier notin (b),x!=1" })).toEqual(["s3"]);
  expect(await names({ fieldSelector: "metadata.name=s2" })).toEqual(["s2"]);
  expect(await refusal(client.list(types.pods, { fieldSelector: "spec.foo=x" }))).toMatchObject({
    code: 400,
    message: "field label not supported: spec.foo",
  });
  const first = await client.list(types.configMaps, { namespace: "default", labelSelector: "tier", limit: 2 });
  expect(first.items).toHaveLength(2);
  const rest = await client.list(types.configMaps, {
    namespace: "default",
    labelSelector: "tier",
    ...(first.continue ? { continue: first.continue } : {}),
  });
  expect(rest.items.map(({ metadata }) => metadata.name)).toEqual(["s3"]);
});

it("watches from a revision on, through a selector, and ends quietly", async () => {
  const { resourceVersion } = await client.list(types.configMaps);
  await client.create(types.configMaps, configMap("w", {}, { labels: { seen: "yes" } }));
  await client.patch(types.configMaps, key("w"), { type: "merge", body: { data: { a: "1" } } });
  await client.patch(types.configMaps, key("w"), { type: "merge", body: { metadata: { labels: { seen: null } } } });
  const abort = new AbortController();
  const events: string[] = [];
  for await (const event of client.watch(types.configMaps, { resourceVersion, labelSelector: "seen" }, abort.signal)) {
    events.push(event.type);
    if (events.length === 3) abort.abort();
  }
  expect(events).toEqual(["ADDED", "MODIFIED", "DELETED"]);
});

it("collects what a deleted owner leaves, foreground owners last", async () => {
  const owner = await client.create(types.configMaps, configMap("owner"));
  const ref = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid, blockOwnerDeletion: true };
  await client.create(types.configMaps, configMap("child", {}, { ownerReferences: [ref], finalizers: ["x.io/hold"] }));
  await client.delete(types.configMaps, key("owner"), { propagation: "Foreground" });
  await until(async () => (await client.get(types.configMaps, key("child"))).metadata.deletionTimestamp);
  expect((await client.get(types.configMaps, key("owner"))).metadata.finalizers).toEqual(["foregroundDeletion"]);
  await client.patch(types.configMaps, key("child"), { type: "merge", body: { metadata: { finalizers: null } } });
  await until(async () => (await refusal(client.get(types.configMaps, key("owner")))) !== undefined);
  expect(await refusal(client.get(types.configMaps, key("child")))).toMatchObject({ code: 404 });
});

it("lets orphans live without their reference", async () => {
  const owner = await client.create(types.configMaps, configMap("parent"));
  const ref = { apiVersion: "v1", kind: "ConfigMap", name: "parent", uid: owner.metadata.uid };
  await client.create(types.configMaps, configMap("orphan", {}, { ownerReferences: [ref] }));
  await client.delete(types.configMaps, key("parent"), { propagation: "Orphan" });
  await until(async () => (await refusal(client.get(types.configMaps, key("parent")))) !== undefined);
  expect((await client.get(types.configMaps, key("orphan"))).metadata.ownerReferences).toBeUndefined();
});

it("waits for the kubelet with a bound pod, and takes an unbound one away at once", async () => {
  const pod = (name: string) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: key(name),
    spec: { containers: [{ name: "c", image: "x" }] },
  });
  await client.create(types.pods, pod("bound"));
  await client.create(
    types.pods,
    { apiVersion: "v1", kind: "Binding", metadata: key("bound"), target: { kind: "Node", name: "n" } },
    { subresource: "binding" },
  );
  const bound = await client.get(types.pods, key("bound"));
  expect(bound).toMatchObject({ spec: { nodeName: "n" }, status: { phase: "Pending", qosClass: "BestEffort" } });
  await client.delete(types.pods, key("bound"));
  expect((await client.get(types.pods, key("bound"))).metadata).toMatchObject({ deletionGracePeriodSeconds: 30 });
  await client.delete(types.pods, key("bound"), { gracePeriodSeconds: 0 });
  expect(await refusal(client.get(types.pods, key("bound")))).toMatchObject({ code: 404 });
});

it("reads logs from the source its node registered", async () => {
  await client.create(types.pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: key("talker"),
    spec: { nodeName: "n1", containers: [{ name: "c", image: "x" }] },
  });
  const read = async () => {
    const parts: Uint8Array[] = [];
    for await (const part of client.logs(key("talker"), {}, new AbortController().signal)) parts.push(part);
    return Buffer.concat(parts).toString();
  };
  expect(await refusal(read())).toMatchObject({ code: 500 });
  const unregister = kube.registerLogSource("n1", async function* (pod, options) {
    yield Buffer.from(`${pod.metadata.name}/${options.container}\n`);
  });
  expect(await read()).toBe("talker/c\n");
  unregister();
});

describe("custom resources", () => {
  const widget = (name: string, spec: object): KubeObject => ({
    apiVersion: "tests.tiphys.dev/v1",
    kind: "Widget",
    metadata: key(name),
    spec,
  });

  it("defaults, prunes and validates by the structural schema", async () => {
    const created = await client.create(widgets, widget("w1", { size: 3, extra: true }));
    expect(created).toMatchObject({ metadata: { generation: 1 }, spec: { size: 3, color: "red" } });
    expect(created["spec"].extra).toBeUndefined();
    expect(
      await refusal(client.create(widgets, widget("w2", { size: 3, extra: true }), { fieldValidation: "Strict" })),
    ).toMatchObject({
      code: 400,
      message:
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.extra"',
    });
    expect(await refusal(client.create(widgets, widget("w3", { size: 11 })))).toMatchObject({
      code: 422,
      message:
        'Widget.tests.tiphys.dev "w3" is invalid: spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10',
    });
  });

  it("is served in every version, with status and scale apart", async () => {
    await client.create(widgets, widget("w4", { size: 1, replicas: 1 }));
    const other = await client.get({ ...widgets, version: "v1beta1" }, key("w4"));
    expect(other.apiVersion).toBe("tests.tiphys.dev/v1beta1");
    const status = await client.patch(
      widgets,
      key("w4"),
      { type: "merge", body: { spec: { size: 9 }, status: { ready: 1 } } },
      { subresource: "status" },
    );
    expect(status).toMatchObject({ metadata: { generation: 1 }, spec: { size: 1 }, status: { ready: 1 } });
    const scale = await client.patch(
      widgets,
      key("w4"),
      { type: "merge", body: { spec: { replicas: 5 } } },
      { subresource: "scale" },
    );
    expect(scale).toMatchObject({ spec: { replicas: 5 }, status: { replicas: 1 } });
    expect((await client.get(widgets, key("w4"))).metadata.generation).toBe(2);
  });

  it("goes with its definition", async () => {
    const crd = JSON.parse(JSON.stringify(widgetCrd).replaceAll("idget", "adget").replace(`"wi"`, `"wa"`));
    const type = { ...widgets, resource: "wadgets", kind: "Wadget" };
    await client.create(types.customResourceDefinitions, crd);
    await client.create(type, { ...widget("x", { size: 1 }), kind: "Wadget" });
    await client.delete(types.customResourceDefinitions, { name: crd.metadata.name });
    await until(async () => (await refusal(client.list(type))) !== undefined);
    expect(await refusal(client.get(types.customResourceDefinitions, { name: crd.metadata.name }))).toMatchObject({
      code: 404,
    });
  });
});

it("ends a namespace only after its finalizer is removed, and lets nothing in meanwhile", async () => {
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "going" } });
  await client.delete(types.namespaces, { name: "going" });
  const namespace = await client.get(types.namespaces, { name: "going" });
  expect(namespace["status"].phase).toBe("Terminating");
  expect(await refusal(client.create(types.configMaps, configMap("x", {}, { namespace: "going" })))).toMatchObject({
    code: 403,
    details: { causes: [{ reason: "NamespaceTerminating" }] },
  });
  await client.replace(types.namespaces, { ...namespace, spec: { finalizers: [] } }, { subresource: "finalize" });
  expect(await refusal(client.get(types.namespaces, { name: "going" }))).toMatchObject({ code: 404 });
});
