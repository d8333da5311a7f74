import { type KubeObject, types } from "@tiphys/resources";
import { abortPatch, promotePatch, retryPatch } from "@tiphys/rollout";
import {
  analysis,
  cluster,
  DAY,
  deployed,
  healthy,
  rolloutOf,
  SECOND_CHANGE,
  START,
  steps,
  template,
} from "./testing/world.js";

describe("a canary on the embedded cluster", () => {
  it("goes through days of pauses and analysis and writes no more than its changes", async () => {
    await using world = await deployed({ steps });
    const began = await world.writes();
    await world.image("web:2");
    await world.until((rollout) => rollout.status?.currentStepIndex === 1, DAY);
    expect(await world.replicas()).toEqual({ "web:1": 4, "web:2": 1 });
    const end = await world.until((rollout) => healthy(rollout) && rollout.status?.currentStepIndex === 6, 5 * DAY);
    // What it costs in time is in bench/virtual-time.
    expect((await world.writes()) - began).toBeLessThan(250);
    expect(world.clock.now().getTime() - START.getTime()).toBeGreaterThan(3 * DAY);
    expect(world.metric.asked).toEqual(Array(3).fill("http://metrics.default.svc/stats"));
    await world.clock.advance(60_000);
    expect(await world.replicas()).toEqual({ "web:1": 0, "web:2": 5 });
    expect(end.status?.stableRS).toBe(end.status?.currentPodHash);
  });

  it("aborts when its analysis fails, and the stable pods serve all the time", async () => {
    await using world = await deployed({ steps: [{ setWeight: 20 }, { analysis }, { setWeight: 60 }, { pause: {} }] });
    world.metric.rate = 0.5;
    const stableDeleted: string[] = [];
    const stable = (await world.client.list(types.pods, { namespace: "default" })).items.map(
      (pod) => pod.metadata.name,
    );
    await world.image("web:2");
    const end = await world.until((rollout) => rollout.status?.phase === "Degraded", DAY);
    expect(end.status?.message).toBe(
      'RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: Metric "errors" assessed Failed due to failed (1) > failureLimit (0)',
    );
    await world.clock.advance(120_000);
    expect(await world.replicas()).toEqual({ "web:1": 5, "web:2": 0 });
    const left = new Set(
      (await world.client.list(types.pods, { namespace: "default" })).items.map((pod) => pod.metadata.name),
    );
    for (const name of stable) if (!left.has(name)) stableDeleted.push(name);
    expect(stableDeleted.length).toBeLessThanOrEqual(1);
  });

  it("carries one change from the Rollout to the ReplicaSet, its pods and the AnalysisRun", async () => {
    await using world = await deployed({ steps: [{ setWeight: 20 }, { analysis }, { pause: {} }] });
    await world.image("web:2", SECOND_CHANGE);
    await world.until((rollout) => rollout.status?.phase === "Paused", DAY);
    const ofNew = (object: KubeObject) => object.metadata.annotations?.["tiphys.dev/change"] === SECOND_CHANGE;
    const count = async (type: (typeof types)["pods"]) =>
      (await world.client.list(type, { namespace: "default" })).items.filter(ofNew).length;
    expect(await count(types.replicaSets)).toBe(1);
    expect(await count(types.pods)).toBe(1);
    expect(await count(types.analysisRuns)).toBe(1);
  });

  it("waits for people, and obeys promote, abort and retry", async () => {
    await using world = await deployed({ steps: [{ setWeight: 20 }, { pause: {} }] });
    await world.image("web:2");
    let rollout = await world.until((known) => known.status?.phase === "Paused");
    await world.send(abortPatch());
    rollout = await world.until((known) => known.status?.phase === "Degraded");
    await world.clock.advance(60_000);
    expect(await world.replicas()).toEqual({ "web:1": 5, "web:2": 0 });
    await world.send(retryPatch());
    rollout = await world.until((known) => known.status?.phase === "Paused");
    await world.send(promotePatch(rollout));
    await world.until(healthy);
    await world.clock.advance(60_000);
    expect(await world.replicas()).toEqual({ "web:1": 0, "web:2": 5 });
  });

  it("moves requests by a canary Ingress", async () => {
    await using world = await cluster();
    const { client } = world;
    for (const name of ["web", "web-canary"]) {
      const spec = { selector: { app: "web" }, ports: [{ port: 80 }] };
      await client.create(types.services, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name, namespace: "default" },
        spec,
      });
    }
    const backend = { service: { name: "web", port: { number: 80 } } };
    await client.create(types.ingresses, {
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "site", namespace: "default" },
      spec: { rules: [{ host: "shop.example", http: { paths: [{ path: "/", pathType: "Prefix", backend }] } }] },
    });
    const canary = {
      stableService: "web",
      canaryService: "web-canary",
      trafficRouting: { nginx: { stableIngress: "site" } },
      steps: [{ setWeight: 20 }, { pause: {} }],
    };
    await client.create(types.rollouts, rolloutOf(canary));
    await world.until(healthy);
    await world.image("web:2");
    const paused = await world.until((known) => known.status?.phase === "Paused");
    const ingress = async () =>
      (await client.get(types.ingresses, { namespace: "default", name: "web-site-canary" })).metadata;
    expect((await ingress()).annotations).toMatchObject({ "nginx.ingress.kubernetes.io/canary-weight": "20" });
    expect(await world.replicas()).toEqual({ "web:1": 5, "web:2": 1 });
    const selects = async (name: string) =>
      (await client.get(types.services, { namespace: "default", name }))["spec"].selector["rollouts-pod-template-hash"];
    expect(await selects("web-canary")).toBe(paused.status?.currentPodHash);
    expect(await selects("web")).toBe(paused.status?.stableRS);
    await world.send(promotePatch(paused));
    await world.until(healthy);
    await world.clock.advance(120_000);
    expect((await ingress()).annotations).toMatchObject({ "nginx.ingress.kubernetes.io/canary-weight": "0" });
    expect(await selects("web")).toBe(paused.status?.currentPodHash);
    expect(await world.replicas()).toEqual({ "web:1": 0, "web:2": 5 });
  });

  it("asks a Job when its metric is one", async () => {
    await using world = await cluster();
    const spec = {
      backoffLimit: 0,
      template: { spec: { restartPolicy: "Never", containers: [{ name: "check", image: "check:1" }] } },
    };
    await world.client.create(types.analysisTemplates, {
      ...template,
      spec: { metrics: [{ name: "check", provider: { job: { spec } } }] },
    });
    const canary = { steps: [{ setWeight: 20 }, { analysis: { templates: analysis.templates } }, { pause: {} }] };
    await world.client.create(types.rollouts, rolloutOf(canary));
    await world.until(healthy);
    await world.image("web:2");
    await world.clock.advance(5_000);
    const [job] = (await world.client.list(types.jobs, { namespace: "default" })).items;
    expect(job?.metadata.ownerReferences?.[0]?.kind).toBe("AnalysisRun");
    const body = {
      status: {
        conditions: [{ type: "Failed", status: "True", reason: "BackoffLimitExceeded", message: "it failed" }],
      },
    };
    const key = { namespace: "default", name: job?.metadata.name ?? "" };
    await world.client.patch(types.jobs, key, { type: "merge", body }, { subresource: "status" });
    const end = await world.until((known) => known.status?.phase === "Degraded");
    expect(end.status?.message).toContain('Metric "check" assessed Failed');
  });
});
