import { type ResourceType, types } from "@tiphys/resources";
import { all, playTogether, scenario, sortedConditions, type World } from "../testing/world.js";

const labels = { app: "web" };
const template = {
  metadata: { labels: { ...labels, tier: "front" }, annotations: { a: "b" } },
  spec: { containers: [{ name: "web", image: "web:1" }] },
};
const owner = (spec: object) => ({ metadata: { name: "web" }, spec: { replicas: 2, template, ...spec } });

const ready = (world: World, type: ResourceType, count: number) => async () => {
  const { status, metadata } = await world.get(type, "web");
  return (
    status?.observedGeneration === metadata.generation &&
    status?.replicas === count &&
    (status.readyReplicas ?? 0) === count &&
    (status.availableReplicas ?? 0) === count &&
    !status.terminatingReplicas
  );
};
const seen = async (world: World, type: ResourceType) => {
  const { spec, status } = await world.get(type, "web");
  return {
    spec: { ...spec, template: undefined },
    status: sortedConditions(status),
    pods: await all(world, types.pods, ({ metadata }) => metadata),
    events: await world.events(type.kind),
  };
};

playTogether();

for (const [type, selector] of [
  [types.replicaSets, { matchLabels: labels }],
  [types.replicationControllers, labels],
] as const) {
  scenario(`a ${type.kind} adopts, releases and replaces`, {}, async (world) => {
    await world.create(types.pods, {
      metadata: { name: "orphan", labels },
      spec: { containers: [{ name: "web", image: "web:1" }] },
    });
    await world.create(type, owner({ selector }));
    await world.until(ready(world, type, 2));
    const adopted = await seen(world, type);
    await world.change(types.pods, "orphan", { metadata: { labels: { app: "other" } } });
    await world.until(async () => (await world.list(types.pods)).length === 3);
    await world.until(ready(world, type, 2));
    const released = await seen(world, type);
    await world.change(type, "web", { spec: { replicas: 0 } });
    await world.until(ready(world, type, 0));
    await world.until(async () => (await world.list(types.pods)).length === 1);
    return { adopted, released, empty: await seen(world, type) };
  });
}

scenario(
  "a ReplicaSet removes the cheapest pods first, and those that are not ready before",
  {
    fate: (pod) => ({ readyAfter: pod.metadata.name === "slow" ? -1 : 0 }),
  },
  async (world) => {
    const cost = (name: string, price?: string) => ({
      metadata: {
        name,
        labels,
        ...(price ? { annotations: { "controller.kubernetes.io/pod-deletion-cost": price } } : {}),
      },
      spec: { containers: [{ name: "web", image: "web:1" }] },
    });
    for (const [name, price] of [
      ["dear", "10"],
      ["cheap", "-10"],
      ["plain", undefined],
      ["slow", "100"],
    ] as const) {
      await world.create(types.pods, cost(name, price));
    }
    await world.create(types.replicaSets, owner({ replicas: 4, selector: { matchLabels: labels } }));
    await world.until(async () => (await world.get(types.replicaSets, "web")).status?.readyReplicas === 3);
    const left: string[] = [];
    for (const replicas of [3, 2, 1]) {
      await world.change(types.replicaSets, "web", { spec: { replicas } });
      await world.until(async () => (await world.list(types.pods)).length === replicas);
      left.push(
        (await world.list(types.pods))
          .map(({ metadata }) => metadata.name)
          .sort()
          .join(),
      );
    }
    return left;
  },
);
