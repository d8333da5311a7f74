import { controllerOf, type Rollout, types } from "@tiphys/resources";
import { DAY, deployed, healthy, rolloutOf } from "./testing/world.js";

it("takes back the ReplicaSets of a Rollout that was deleted without them, and touches none of somebody else", async () => {
  await using world = await deployed({});
  await world.image("web:2");
  await world.until(healthy, DAY);
  await world.clock.advance(60_000);
  const sets = async () => (await world.client.list(types.replicaSets, { namespace: "default" })).items;
  const before = (await sets()).map((set) => set.metadata.uid).sort();
  expect(before).toHaveLength(2);
  await world.client.delete(types.rollouts, { namespace: "default", name: "web" }, { propagation: "Orphan" });
  await world.clock.advance(1_000);
  expect((await sets()).map((set) => controllerOf(set))).toEqual([undefined, undefined]);

  const [of] = await sets();
  const stray = { ...of?.metadata.labels, app: "other" };
  const { resourceVersion: _, uid: __, ...metadata } = of?.metadata ?? { name: "" };
  await world.client.create(types.replicaSets, {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: { ...metadata, name: "other", labels: stray },
    spec: {
      ...of?.["spec"],
      replicas: 0,
      selector: { matchLabels: stray },
      template: { ...of?.["spec"].template, metadata: { labels: stray } },
    },
  });
  await world.client.create(
    types.rollouts,
    rolloutOf(
      {},
      {
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "web:2" }] } },
      },
    ),
  );
  const rollout: Rollout = await world.until(healthy, DAY);
  const mine = (await sets()).filter((set) => controllerOf(set)?.uid === rollout.metadata.uid);
  expect(mine.map((set) => set.metadata.uid).sort()).toEqual(before);
  expect(controllerOf((await sets()).find((set) => set.metadata.name === "other") ?? rollout)).toBeUndefined();
});
