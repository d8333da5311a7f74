import { randomBytes } from "node:crypto";
import { type VirtualClock, virtualClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import type { KubeClient } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { type Condition, type KubeObject, type ResourceType, types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createSimulatedKubelet, type SimulatedFate } from "@tiphys/testing";
import { createKubeControllers } from "./index.js";
import { ownIdentities } from "./testing/own-identities.js";
import { attributesClasses, volumeClaims, volumes } from "./volume-protection.js";

const start = new Date("2026-01-01T00:00:00Z");

interface World {
  readonly clock: VirtualClock;
  readonly client: KubeClient;
  list(type: ResourceType, namespace?: string): Promise<readonly KubeObject[]>;
  get(type: ResourceType, name: string): Promise<KubeObject>;
  change(type: ResourceType, name: string, body: object): Promise<void>;
  stop(): Promise<void>;
}

async function world(fate?: (pod: KubeObject) => SimulatedFate, nodes = ["n1"]): Promise<World> {
  const clock = virtualClock(start);
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log: silentLogger });
  const client = kube.client(clusterAdmin);
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  const identities = await ownIdentities(kube, clock);
  const { informers } = identities;
  let count = 0;
  const random = (size: number) => Buffer.from(String(count++).padStart(size * 2, "0"), "hex").subarray(0, size);
  const controllers = createKubeControllers({
    informers,
    identities: true,
    clock,
    log: silentLogger,
    metrics: noMetrics,
    journal: createMemoryJournal(),
    random,
    rootCa: "PEM",
  });
  const kubelet = createSimulatedKubelet({
    informers: identities.admin,
    clock,
    log: silentLogger,
    nodes,
    ...(fate ? { fate } : {}),
  });
  await controllers.start();
  await kubelet.start();
  return {
    clock,
    client,
    list: async (type, namespace = "shop") =>
      (await client.list(type)).items.filter((object) => object.metadata.namespace === namespace),
    get: (type, name) => client.get(type, { namespace: "shop", name }),
    async change(type, name, body) {
      await client.patch(type, { namespace: "shop", name }, { type: "merge", body });
      await clock.quiet();
    },
    async stop() {
      await kubelet.stop();
      await controllers.stop();
      await informers.stop();
      await kube.stop();
      identities.check();
    },
  };
}

const deployment = (spec: object = {}, image = "web:1"): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop", annotations: { "tiphys.dev/change": "01ARZ3NDEKTSV4RRFFQ69G5FAV" } },
  spec: {
    replicas: 4,
    progressDeadlineSeconds: 600,
    revisionHistoryLimit: 10,
    selector: { matchLabels: { app: "web" } },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
    template: template(image),
    ...spec,
  },
});
const template = (image: string) => ({
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "web", image, ports: [{ name: "http", containerPort: 8080 }] }] },
});
const conditions = (object: KubeObject) =>
  Object.fromEntries(
    ((object.status?.conditions ?? []) as Condition[]).map(({ type, status, reason }) => [type, `${status} ${reason}`]),
  );
const imageOf = (object: KubeObject) => (object.spec.template ?? object).spec.containers[0].image as string;
const sizes = async (w: World) =>
  Object.fromEntries((await w.list(types.replicaSets)).map((set) => [imageOf(set), set.spec.replicas]));

describe("Deployment", () => {
  it("comes up as kube-controller-manager would have it", async () => {
    const w = await world();
    await w.client.create(types.deployments, deployment());
    await w.clock.quiet();
    const web = await w.get(types.deployments, "web");
    expect(web.status).toMatchObject({
      replicas: 4,
      updatedReplicas: 4,
      readyReplicas: 4,
      availableReplicas: 4,
      terminatingReplicas: 0,
      observedGeneration: 1,
    });
    expect(conditions(web)).toEqual({
      Available: "True MinimumReplicasAvailable",
      Progressing: "True NewReplicaSetAvailable",
    });
    expect(web.metadata.annotations).toMatchObject({ "deployment.kubernetes.io/revision": "1" });
    const [set] = await w.list(types.replicaSets);
    expect(set?.metadata.name).toMatch(/^web-[b-z2-9]{8,10}$/);
    expect(set?.metadata.annotations).toEqual({
      "deployment.kubernetes.io/desired-replicas": "4",
      "deployment.kubernetes.io/max-replicas": "5",
      "deployment.kubernetes.io/revision": "1",
      "tiphys.dev/change": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    });
    const pods = await w.list(types.pods);
    expect(pods).toHaveLength(4);
    expect(pods[0]?.metadata.labels).toEqual(set?.spec.selector.matchLabels);
    expect(pods[0]?.metadata.annotations).toEqual({ "tiphys.dev/change": "01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    await w.stop();
  });

  it("stays within surge and unavailability at every moment of a rolling update", async () => {
    const w = await world(() => ({ readyAfter: 3000 }));
    await w.client.create(types.deployments, deployment());
    await w.clock.advance(5000);
    let least = 99;
    let most = 0;
    const ended = new AbortController();
    const looking = (async () => {
      for await (const _event of w.client.watch(types.pods, {}, ended.signal)) {
        const pods = (await w.list(types.pods)).filter((pod) => !pod.metadata.deletionTimestamp);
        most = Math.max(most, pods.length);
        least = Math.min(least, pods.filter((pod) => conditions(pod)["Ready"]?.startsWith("True")).length);
      }
    })();
    await w.change(types.deployments, "web", { spec: { template: template("web:2") } });
    await w.clock.advance(60_000);
    ended.abort();
    await looking;
    expect({ most, least }).toEqual({ most: 5, least: 3 });
    expect(await sizes(w)).toEqual({ "web:1": 0, "web:2": 4 });
    expect((await w.list(types.pods)).map(imageOf)).toEqual(Array(4).fill("web:2"));
    await w.stop();
  });

  it("keeps the old pods while the new ones never get ready, and says when its patience ends", async () => {
    const w = await world((pod) => ({ readyAfter: imageOf(pod) === "bad:1" ? -1 : 0 }));
    await w.client.create(types.deployments, deployment());
    await w.clock.advance(1000);
    await w.change(types.deployments, "web", { spec: { template: template("bad:1") } });
    await w.clock.advance(60_000);
    expect(await sizes(w)).toEqual({ "web:1": 3, "bad:1": 2 });
    expect(conditions(await w.get(types.deployments, "web"))).toEqual({
      Available: "True MinimumReplicasAvailable",
      Progressing: "True ReplicaSetUpdated",
    });
    await w.clock.advance(600_000);
    expect(conditions(await w.get(types.deployments, "web"))).toMatchObject({
      Progressing: "False ProgressDeadlineExceeded",
    });
    await w.stop();
  });

  it("goes back to an old ReplicaSet as a new revision", async () => {
    const w = await world();
    await w.client.create(types.deployments, deployment());
    await w.clock.quiet();
    await w.change(types.deployments, "web", { spec: { template: template("web:2") } });
    await w.clock.advance(1000);
    await w.change(types.deployments, "web", { spec: { template: template("web:1") } });
    await w.clock.advance(1000);
    expect(await sizes(w)).toEqual({ "web:1": 4, "web:2": 0 });
    const set = (await w.list(types.replicaSets)).find((item) => imageOf(item) === "web:1");
    expect(set?.metadata.annotations).toMatchObject({
      "deployment.kubernetes.io/revision": "3",
      "deployment.kubernetes.io/revision-history": "1",
    });
    const { annotations } = (await w.get(types.deployments, "web")).metadata;
    expect(annotations).toMatchObject({ "deployment.kubernetes.io/revision": "3" });
    await w.stop();
  });

  it("removes every old pod before it makes a new one when told to recreate", async () => {
    const w = await world(() => ({ readyAfter: 1000 }));
    await w.client.create(types.deployments, deployment({ strategy: { type: "Recreate" } }));
    await w.clock.advance(5000);
    const mixed: string[] = [];
    const ended = new AbortController();
    const looking = (async () => {
      for await (const _event of w.client.watch(types.pods, {}, ended.signal)) {
        const images = new Set((await w.list(types.pods)).map(imageOf));
        if (images.size > 1) mixed.push([...images].join());
      }
    })();
    await w.change(types.deployments, "web", { spec: { template: template("web:2") } });
    await w.clock.advance(10_000);
    ended.abort();
    await looking;
    expect(mixed).toEqual([]);
    expect(await sizes(w)).toEqual({ "web:1": 0, "web:2": 4 });
    await w.stop();
  });

  it("scales, also while paused, without starting a rollout", async () => {
    const w = await world();
    await w.client.create(types.deployments, deployment());
    await w.clock.quiet();
    await w.change(types.deployments, "web", { spec: { paused: true, template: template("web:2") } });
    await w.change(types.deployments, "web", { spec: { replicas: 6 } });
    expect(await sizes(w)).toEqual({ "web:1": 6 });
    expect(conditions(await w.get(types.deployments, "web"))).toMatchObject({
      Progressing: "Unknown DeploymentPaused",
    });
    await w.change(types.deployments, "web", { spec: { paused: false, replicas: 2 } });
    await w.clock.advance(1000);
    expect(await sizes(w)).toEqual({ "web:1": 0, "web:2": 2 });
    await w.stop();
  });

  it("keeps as many old revisions as asked for", async () => {
    const w = await world();
    await w.client.create(types.deployments, deployment({ revisionHistoryLimit: 1 }));
    await w.clock.quiet();
    for (const image of ["web:2", "web:3", "web:4"]) {
      await w.change(types.deployments, "web", { spec: { template: template(image) } });
      await w.clock.advance(1000);
    }
    expect(await sizes(w)).toEqual({ "web:3": 0, "web:4": 4 });
    await w.stop();
  });

  it("waits minReadySeconds before a pod counts as available", async () => {
    const w = await world();
    await w.client.create(types.deployments, deployment({ minReadySeconds: 30 }));
    await w.clock.advance(29_000);
    expect((await w.get(types.deployments, "web")).status).toMatchObject({ readyReplicas: 4, unavailableReplicas: 4 });
    await w.clock.advance(2000);
    expect((await w.get(types.deployments, "web")).status).toMatchObject({ availableReplicas: 4 });
    await w.stop();
  });
});

describe("ReplicaSet", () => {
  it("replaces a pod that is deleted or has failed, adopts orphans and lets go of strangers", async () => {
    const w = await world();
    await w.client.create(types.replicaSets, {
      ...deployment(),
      kind: "ReplicaSet",
      spec: { replicas: 2, selector: { matchLabels: { app: "web" } }, template: template("web:1") },
    });
    await w.clock.quiet();
    const [first, second] = await w.list(types.pods);
    await w.client.delete(types.pods, { namespace: "shop", name: first?.metadata.name ?? "" });
    await w.clock.quiet();
    expect(await w.list(types.pods)).toHaveLength(2);
    await w.change(types.pods, second?.metadata.name ?? "", { metadata: { labels: { app: "other" } } });
    const pods = await w.list(types.pods);
    expect(pods).toHaveLength(3);
    expect(pods.find((pod) => pod.metadata.labels?.["app"] === "other")?.metadata.ownerReferences ?? []).toEqual([]);
    await w.change(types.pods, second?.metadata.name ?? "", { metadata: { labels: { app: "web" } } });
    await w.change(types.replicaSets, "web", { spec: { replicas: 3 } });
    expect(await w.list(types.pods)).toHaveLength(3);
    expect((await w.get(types.replicaSets, "web")).status).toMatchObject({ replicas: 3, availableReplicas: 3 });
    await w.stop();
  });
});

describe("Job", () => {
  const job = (spec: object = {}): KubeObject => ({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "j", namespace: "shop" },
    spec: {
      parallelism: 1,
      completions: 1,
      backoffLimit: 1,
      template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "x" }] } },
      ...spec,
    },
  });

  it("completes after as many successes as asked for", async () => {
    const w = await world(() => ({ exitCode: 0, endAfter: 2000 }));
    await w.client.create(types.jobs, job({ completions: 5, parallelism: 2 }));
    await w.clock.advance(10_000);
    const done = await w.get(types.jobs, "j");
    expect(done.status).toMatchObject({ succeeded: 5, ready: 0, startTime: "2026-01-01T00:00:00Z" });
    expect(done.status.completionTime).toBe("2026-01-01T00:00:06Z");
    expect(conditions(done)).toEqual({
      SuccessCriteriaMet: "True CompletionsReached",
      Complete: "True CompletionsReached",
    });
    expect(await w.list(types.pods)).toHaveLength(5);
    await w.stop();
  });

  it("gives up at its back-off limit, waiting longer between tries", async () => {
    const w = await world(() => ({ exitCode: 1, endAfter: 0 }));
    await w.client.create(types.jobs, job({ backoffLimit: 2 }));
    await w.clock.advance(9000);
    expect(await w.list(types.pods)).toHaveLength(1);
    await w.clock.advance(60_000);
    const failed = await w.get(types.jobs, "j");
    expect(failed.status.failed).toBe(3);
    expect(conditions(failed)).toEqual({
      FailureTarget: "True BackoffLimitExceeded",
      Failed: "True BackoffLimitExceeded",
    });
    await w.stop();
  });

  it("ends at its deadline, and takes its pods along", async () => {
    const w = await world();
    await w.client.create(types.jobs, job({ activeDeadlineSeconds: 30 }));
    await w.clock.advance(31_000);
    expect(conditions(await w.get(types.jobs, "j"))).toMatchObject({ Failed: "True DeadlineExceeded" });
    expect(await w.list(types.pods)).toHaveLength(0);
    await w.stop();
  });

  it("is gone after its time to live", async () => {
    const w = await world(() => ({ exitCode: 0 }));
    await w.client.create(types.jobs, job({ ttlSecondsAfterFinished: 60 }));
    await w.clock.advance(50_000);
    expect(await w.list(types.jobs)).toHaveLength(1);
    await w.clock.advance(20_000);
    expect(await w.list(types.jobs)).toHaveLength(0);
    await w.stop();
  });

  it("runs nothing while suspended", async () => {
    const w = await world();
    await w.client.create(types.jobs, job({ suspend: true }));
    await w.clock.advance(1000);
    expect(await w.list(types.pods)).toHaveLength(0);
    expect(conditions(await w.get(types.jobs, "j"))).toEqual({ Suspended: "True JobSuspended" });
    await w.change(types.jobs, "j", { spec: { suspend: false } });
    expect(await w.list(types.pods)).toHaveLength(1);
    expect(conditions(await w.get(types.jobs, "j"))).toEqual({ Suspended: "False JobResumed" });
    await w.stop();
  });
});

it("lists the ready pods of a Service, by named port, and follows them", async () => {
  const w = await world((pod) => ({ readyAfter: imageOf(pod) === "slow:1" ? -1 : 0 }));
  await w.client.create(types.services, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: "shop" },
    spec: { selector: { app: "web" }, ports: [{ name: "web", port: 80, targetPort: "http", protocol: "TCP" }] },
  });
  await w.clock.quiet();
  const [empty] = await w.list(types.endpointSlices);
  expect([empty?.endpoints ?? [], empty?.ports ?? []]).toEqual([[], []]);
  await w.client.create(types.deployments, deployment({ replicas: 2 }));
  await w.clock.quiet();
  const slices = await w.list(types.endpointSlices);
  expect(slices).toHaveLength(1);
  expect(slices[0]?.ports).toEqual([{ name: "web", port: 8080, protocol: "TCP" }]);
  expect(slices[0]?.metadata.labels).toMatchObject({ "kubernetes.io/service-name": "web" });
  expect(slices[0]?.endpoints).toHaveLength(2);
  expect(slices[0]?.endpoints[0]).toMatchObject({
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: "n1",
  });
  await w.change(types.deployments, "web", { spec: { replicas: 1, template: template("slow:1") } });
  await w.clock.advance(1000);
  const ready = (await w.list(types.endpointSlices))[0]?.endpoints.map(
    (endpoint: { conditions: { ready: boolean } }) => endpoint.conditions.ready,
  );
  expect([...ready].sort()).toEqual([false, true]);
  await w.stop();
});

describe("scheduler", () => {
  const pod = (name: string, spec: object): KubeObject => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop" },
    spec: { containers: [{ name: "c", image: "x" }], ...spec },
  });
  const message = async (w: World, name: string) =>
    ((await w.get(types.pods, name)).status.conditions as Condition[]).find(({ type }) => type === "PodScheduled")
      ?.message;

  it("says why a pod waits, and binds it once a node fits", async () => {
    const w = await world();
    await w.client.create(types.pods, pod("picky", { nodeSelector: { disk: "ssd" } }));
    await w.clock.quiet();
    expect(await message(w, "picky")).toBe(
      "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
    );
    await w.client.patch(
      types.nodes,
      { name: "n1" },
      { type: "merge", body: { metadata: { labels: { disk: "ssd" } } } },
    );
    await w.clock.quiet();
    expect((await w.get(types.pods, "picky")).spec.nodeName).toBe("n1");
    const events = (await w.list(types.events)).map((event) => event.reason);
    expect(events).toEqual(["FailedScheduling", "Scheduled"]);
    await w.stop();
  });

  it("fills nodes no further than they have room", async () => {
    const w = await world();
    const big = { containers: [{ name: "c", image: "x", resources: { requests: { cpu: "40" } } }] };
    await w.client.create(types.pods, pod("one", big));
    await w.client.create(types.pods, pod("two", big));
    await w.clock.quiet();
    expect(await message(w, "two")).toMatch(/^0\/1 nodes are available: 1 Insufficient cpu\. /);
    await w.client.delete(types.pods, { namespace: "shop", name: "one" });
    await w.clock.quiet();
    expect((await w.get(types.pods, "two")).spec.nodeName).toBe("n1");
    await w.stop();
  });

  it("spreads over nodes, respects taints, and lets rules it does not know wait by name", async () => {
    const w = await world(undefined, ["n1", "n2", "n3"]);
    const taints = [{ key: "gpu", effect: "NoSchedule" }];
    await w.client.patch(types.nodes, { name: "n3" }, { type: "merge", body: { spec: { taints } } });
    await w.clock.quiet();
    for (const name of ["a", "b", "c", "d"]) await w.client.create(types.pods, pod(name, {}));
    await w.client.create(types.pods, pod("g", { tolerations: [{ key: "gpu", operator: "Exists" }] }));
    await w.client.create(types.pods, pod("u", { resourceClaims: [{ name: "gpu", resourceClaimName: "gpu" }] }));
    await w.clock.quiet();
    const nodes = (await w.list(types.pods)).map((item) => `${item.metadata.name} ${item.spec.nodeName ?? "-"}`);
    expect(nodes).toEqual(["a n1", "b n2", "c n1", "d n2", "g n3", "u -"]);
    expect(await message(w, "u")).toBe("not implemented by this scheduler: spec.resourceClaims");
    await w.stop();
  });
});

it("gives a namespace its service account and CA, again when they are deleted", async () => {
  const w = await world();
  await w.clock.quiet();
  await w.client.delete(types.serviceAccounts, { namespace: "shop", name: "default" });
  await w.clock.quiet();
  expect((await w.list(types.serviceAccounts)).map((account) => account.metadata.name)).toEqual(["default"]);
  expect((await w.get(types.configMaps, "kube-root-ca.crt")).data).toEqual({ "ca.crt": "PEM" });
  await w.stop();
});

it("empties a namespace that is deleted, waits for finalizers, then lets it go", async () => {
  const w = await world();
  await w.clock.quiet();
  const held = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "held", namespace: "shop", finalizers: ["example.com/hold"] },
  };
  await w.client.create(types.configMaps, held);
  await w.client.delete(types.namespaces, { name: "shop" });
  await w.clock.advance(1000);
  expect(await w.list(types.serviceAccounts)).toEqual([]);
  expect((await w.list(types.configMaps)).map((object) => object.metadata.name)).toEqual(["held"]);
  const dying = await w.client.get(types.namespaces, { name: "shop" });
  expect(conditions(dying)).toMatchObject({
    NamespaceContentRemaining: "True SomeResourcesRemain",
    NamespaceFinalizersRemaining: "True SomeFinalizersRemain",
  });
  await w.change(types.configMaps, "held", { metadata: { finalizers: [] } });
  await w.clock.advance(1000);
  await expect(w.client.get(types.namespaces, { name: "shop" })).rejects.toThrow('namespaces "shop" not found');
  await w.stop();
});

it("keeps a deleted claim while a pod that has a node names it, and lets go of volumes and classes that nobody uses", async () => {
  const w = await world();
  await w.clock.quiet();
  const metadata = (name: string) => ({ name });
  const storage = { resources: { requests: { storage: "1Gi" } }, accessModes: ["ReadWriteOnce"] };
  await w.client.create(volumeClaims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data", namespace: "shop" },
    spec: { ...storage, volumeAttributesClassName: "fast" },
  });
  await w.client.create(attributesClasses, {
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttributesClass",
    metadata: metadata("fast"),
    driverName: "example.com/d",
    parameters: { a: "b" },
  });
  await w.client.create(volumes, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: metadata("disk"),
    spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"], hostPath: { path: "/tmp" } },
  });
  await w.client.create(types.pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "user", namespace: "shop" },
    spec: {
      nodeName: "n1",
      containers: [{ name: "c", image: "i" }],
      volumes: [{ name: "v", persistentVolumeClaim: { claimName: "data" } }],
    },
  });
  await w.client.delete(volumeClaims, { namespace: "shop", name: "data" });
  await w.client.delete(attributesClasses, metadata("fast"));
  await w.client.delete(volumes, metadata("disk"));
  await w.clock.quiet();
  expect((await w.client.list(volumes)).items).toEqual([]);
  expect((await w.get(volumeClaims, "data")).metadata.deletionTimestamp).toBeDefined();
  expect((await w.client.list(attributesClasses)).items).toHaveLength(1);
  await w.client.delete(types.pods, { namespace: "shop", name: "user" }, { gracePeriodSeconds: 0 });
  await w.clock.quiet();
  expect(await w.list(volumeClaims)).toEqual([]);
  expect((await w.client.list(attributesClasses)).items).toEqual([]);
  await w.stop();
});
