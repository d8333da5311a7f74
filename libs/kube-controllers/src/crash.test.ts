import { randomBytes } from "node:crypto";
import { virtualClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { createMemoryJournal } from "@tiphys/journal";
import { createEmbeddedKube, type EmbeddedKube } from "@tiphys/kube-embedded";
import { type KubeObject, types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { createSimulatedKubelet } from "@tiphys/testing";
import { createKubeControllers } from "./index.js";
import { ownIdentities } from "./testing/own-identities.js";

const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
const LIFE_MS = 30_000;

/** One life of the controllers over a cluster that outlives them; `killPoint` may end it early. */
async function life(kube: EmbeddedKube, killPoint?: (name: string) => void): Promise<void> {
  const identities = await ownIdentities(kube, clock);
  const { informers } = identities;
  const deps = { informers: identities.admin, clock, log: silentLogger };
  const controllers = createKubeControllers({
    ...deps,
    informers,
    identities: true,
    metrics: noMetrics,
    journal: createMemoryJournal(),
    random: randomBytes,
    ...(killPoint ? { killPoint } : {}),
  });
  const kubelet = createSimulatedKubelet(deps);
  await kubelet.start();
  await controllers.start();
  await clock.advance(LIFE_MS);
  await controllers.stop();
  await kubelet.stop();
  await informers.stop();
  identities.check();
}

const labels = { app: "web" };
const template = (image: string) => ({ metadata: { labels }, spec: { containers: [{ name: "c", image }] } });

async function cluster(): Promise<EmbeddedKube> {
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log: silentLogger });
  const client = kube.client(clusterAdmin);
  const metadata = { name: "web", namespace: "default" };
  await client.create(types.deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: { replicas: 2, selector: { matchLabels: labels }, template: template("web:1") },
  });
  await client.create(types.services, {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { selector: labels, ports: [{ port: 80 }] },
  });
  return kube;
}

async function update(kube: EmbeddedKube): Promise<void> {
  const client = kube.client(clusterAdmin);
  const body = { spec: { template: template("web:2") } };
  await client.patch(types.deployments, { namespace: "default", name: "web" }, { type: "merge", body });
}

/** What users see in the end, without names and times that are made by chance. */
async function end(kube: EmbeddedKube): Promise<unknown> {
  const client = kube.client(clusterAdmin);
  const items = async (type: typeof types.pods): Promise<readonly KubeObject[]> =>
    (await client.list(type, { namespace: "default" })).items;
  const [deployment] = await items(types.deployments);
  const { conditions, observedGeneration: _generation, ...counts } = deployment?.status ?? {};
  return {
    counts,
    conditions: (conditions as { type: string; reason: string }[])
      .map(({ type, reason }) => `${type} ${reason}`)
      .sort(),
    revision: deployment?.metadata.annotations?.["deployment.kubernetes.io/revision"],
    replicaSets: (await items(types.replicaSets))
      .map((set) => `${set.spec.template.spec.containers[0].image} ${set.spec.replicas} ${set.status.replicas}`)
      .sort(),
    pods: (await items(types.pods)).map((pod) => `${pod.spec.containers[0].image} ${pod.status.phase}`),
    endpoints: (await items(types.endpointSlices)).map((slice) => slice.endpoints.length),
  };
}

it("comes to the same end after a crash at any point of a rollout", async () => {
  const undisturbed = await cluster();
  await life(undisturbed);
  await update(undisturbed);
  let points = 0;
  await life(undisturbed, () => {
    points++;
  });
  const want = await end(undisturbed);
  await undisturbed.stop();
  expect(want).toMatchObject({ replicaSets: ["web:1 0 0", "web:2 2 2"], revision: "2", endpoints: [2] });

  const crashes = 16;
  for (let crash = 0; crash < crashes; crash++) {
    const kube = await cluster();
    await life(kube);
    await update(kube);
    const at = Math.floor((crash * points) / crashes);
    let passed = 0;
    let name = "none";
    await life(kube, (point) => {
      if (passed++ !== at) return;
      name = point;
      throw new Error("killed");
    });
    await life(kube);
    expect({ at, name, ...((await end(kube)) as object) }).toEqual({ at, name, ...(want as object) });
    await kube.stop();
  }
}, 60_000);
