import { createDialer } from "@tiphys/dialer";
import { type KubeObject, type ResourceType, types } from "@tiphys/resources";
import { createRolloutsController } from "@tiphys/rollouts-controller";
import { bench, cpuMilliseconds, inParallel, seconds } from "./harness.js";
import { embeddedWorld, inTemporaryFolder, reached, type World, writeLimit } from "./world.js";

const COUNT = 100;
const PODS = 5;
const namespace = "default";
const steps = [20, 40, 60, 80].map((setWeight) => ({ setWeight }));

const pods = (name: string, image: string) => ({
  replicas: PODS,
  selector: { matchLabels: { app: name } },
  template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "web", image }] } },
});
const deployment = (name: string): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace },
  spec: pods(name, "web:1"),
});
const rollout = (name: string): KubeObject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout",
  metadata: { name, namespace },
  spec: { ...pods(name, "web:1"), strategy: { canary: { steps, maxSurge: 1, maxUnavailable: 0 } } },
});

// biome-ignore lint/suspicious/noExplicitAny: statuses of two kinds
const settled = (object: KubeObject & { status?: any }, image: string): boolean => {
  const { metadata, spec, status } = object;
  return (
    spec.template.spec.containers[0].image === image &&
    Number(status?.observedGeneration) === metadata.generation &&
    status.updatedReplicas === PODS &&
    status.availableReplicas === PODS &&
    status.replicas === PODS &&
    (object.kind !== "Rollout" || status.phase === "Healthy")
  );
};

/** Makes 100 of them, then updates all; answers how long the update took. */
async function update(world: World, type: ResourceType, make: (name: string) => KubeObject) {
  const { client, informers } = world;
  const prefix = type.resource;
  const all = (image: string) =>
    reached(
      informers,
      type,
      (objects) => objects.filter((object) => settled(object, image)).length === COUNT,
      () =>
        informers
          .informer(type)
          .list()
          .find((object) => !settled(object, image)),
    );
  await inParallel(COUNT, 32, (n) => client.create(type, make(`${prefix}-${n}`)));
  await all("web:1");
  let taken = 0;
  const cpu = await cpuMilliseconds(async () => {
    taken = await seconds(async () => {
      await inParallel(COUNT, 32, (n) => {
        const body = { spec: { template: { spec: { containers: [{ name: "web", image: "web:2" }] } } } };
        return client.patch(type, { namespace, name: `${prefix}-${n}` }, { type: "merge", body });
      });
      await all("web:2");
    });
  });
  return { taken, cpu };
}

/** 100 canaries of four steps over five simulated pods each, beside plain Deployments of the same pods. */
await bench({
  name: "rollouts-100",
  isolated: true,
  run: () =>
    inTemporaryFolder(async (dir) => {
      const world = await embeddedWorld(dir);
      const { parts } = world;
      const dialer = createDialer({ clock: parts.clock, log: parts.log, metrics: parts.metrics });
      const controller = createRolloutsController({ ...parts, dialer });
      await controller.start();
      try {
        const limit = await writeLimit(world.client);
        const plain = await update(world, types.deployments, deployment);
        const canary = await update(world, types.rollouts, rollout);
        return {
          write_limit_per_second: limit,
          seconds: canary.taken,
          deployments_seconds: plain.taken,
          to_deployments_ratio: canary.taken / plain.taken,
          whole_cluster_cpu_ms_per_rollout: canary.cpu / COUNT,
          cpu_ms_more_than_a_deployment: (canary.cpu - plain.cpu) / COUNT,
          rss_mb: process.memoryUsage().rss / 1024 / 1024,
        };
      } finally {
        await controller.stop();
        await world.close();
      }
    }),
});
