import { type KubeObject, type Rollout, types } from "@tiphys/resources";
import { type Cluster, cluster, healthy, rolloutOf } from "./testing/world.js";

const COUNT = 10;
const names = Array.from({ length: COUNT }, (_, index) => `web-${index}`);
const steps = [{ setWeight: 20 }, { pause: { duration: 1 } }, { setWeight: 60 }, { pause: { duration: 1 } }];

const deploymentOf = (name: string): KubeObject => {
  const { replicas, selector, template } = rolloutOf({}, {}, name)["spec"];
  const metadata = { name, namespace: "default" };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: { replicas, selector, template } };
};

/** Writes per object that an update of all of them takes, the whole cluster included. */
async function updateAll(world: Cluster, type: (typeof types)["rollouts"]): Promise<number> {
  const before = await world.writes();
  for (const name of names) {
    const body = { spec: { template: { spec: { containers: [{ name: "web", image: "web:2" }] } } } };
    await world.client.patch(type, { namespace: "default", name }, { type: "merge", body });
  }
  await world.clock.advance(30_000);
  return ((await world.writes()) - before) / COUNT;
}

describe("many rollouts", () => {
  it("cost at most half as much again as plain Deployments that update the same pods", async () => {
    await using world = await cluster();
    const { client, clock } = world;
    for (const name of names) await client.create(types.deployments, deploymentOf(name));
    await clock.advance(30_000);
    const plain = await updateAll(world, types.deployments);
    for (const name of names) {
      await client.delete(types.deployments, { namespace: "default", name }, { propagation: "Background" });
    }
    await clock.advance(60_000);
    for (const name of names) await client.create(types.rollouts, rolloutOf({ steps }, {}, name));
    await clock.advance(30_000);
    const canaries = await updateAll(world, types.rollouts);
    const { items } = await client.list(types.rollouts, { namespace: "default" });
    expect((items as Rollout[]).filter((known) => healthy(known) && known.metadata.generation === 2)).toHaveLength(
      COUNT,
    );
    expect(canaries / plain).toBeLessThanOrEqual(1.5);
  }, 60_000);
});
