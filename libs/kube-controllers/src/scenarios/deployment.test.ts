import { type KubeObject, types } from "@tiphys/resources";
import { all, playTogether, scenario, sortedConditions, type World, type WorldOptions } from "../testing/world.js";

const labels = { app: "web" };
const container = (image: string) => ({ name: "web", image, ports: [{ name: "http", containerPort: 8080 }] });
const template = (image: string) => ({ metadata: { labels }, spec: { containers: [container(image)] } });
const deployment = (spec: object = {}) => ({
  metadata: { name: "web", labels },
  spec: { replicas: 3, selector: { matchLabels: labels }, template: template("web:1"), ...spec },
});
const imageOf = (object: KubeObject): string => (object.spec.template ?? object).spec.containers[0].image;

const complete =
  (world: World, generation: number, replicas = 3) =>
  async () => {
    const { status, metadata } = await world.get(types.deployments, "web");
    const reason = status?.conditions?.find((condition: { type: string }) => condition.type === "Progressing")?.reason;
    return (
      metadata.generation === generation &&
      status?.observedGeneration === generation &&
      status.updatedReplicas === replicas &&
      status.replicas === replicas &&
      status.availableReplicas === replicas &&
      !status.terminatingReplicas &&
      reason === "NewReplicaSetAvailable"
    );
  };
const progress = (world: World, reason: string) => async () =>
  ((await world.get(types.deployments, "web")).status?.conditions ?? []).some(
    (condition: { reason: string }) => condition.reason === reason,
  );
const sizes = async (world: World) =>
  (await world.list(types.replicaSets)).map((set) => `${imageOf(set)} ${set.spec.replicas}`).sort();

/** The Deployment with all that it made. */
const seen = async (world: World) => {
  const { metadata, status } = await world.get(types.deployments, "web");
  return {
    deployment: { annotations: metadata.annotations, status: sortedConditions(status) },
    replicaSets: await all(world, types.replicaSets, ({ metadata: { uid: _uid, ...own }, spec, status: counts }) => ({
      metadata: own,
      spec: { ...spec, template: spec.template.metadata },
      status: sortedConditions(counts),
    })),
    pods: await all(world, types.pods, (pod) => ({ metadata: pod.metadata, phase: pod.status?.phase })),
    events: await world.events("Deployment"),
  };
};

playTogether();

scenario("a Deployment comes up", {}, async (world) => {
  await world.create(types.deployments, deployment());
  await world.until(complete(world, 1));
  return seen(world);
});

scenario("a Deployment rolls out one pod at a time", {}, async (world) => {
  await world.create(
    types.deployments,
    deployment({ minReadySeconds: 1, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } }),
  );
  await world.until(complete(world, 1));
  await world.change(types.deployments, "web", { spec: { template: template("web:2") } });
  await world.until(complete(world, 2));
  return seen(world);
});

scenario("a Deployment goes back and keeps its history short", {}, async (world) => {
  await world.create(types.deployments, deployment({ replicas: 1, revisionHistoryLimit: 1 }));
  await world.until(complete(world, 1, 1));
  for (const [n, name] of ["web:2", "web:3", "web:2"].entries()) {
    await world.change(types.deployments, "web", { spec: { template: template(name) } });
    await world.until(complete(world, n + 2, 1));
  }
  await world.until(async () => (await world.list(types.replicaSets)).length === 2);
  return seen(world);
});

/**
 * The original loses the condition that tells of the new ReplicaSet when its write meets another one of its own. No pods are then as
 * many as there should be, so it makes no other condition, and the message about the old ReplicaSet stays for good.
 */
const keepsOldMessage: WorldOptions["raced"] = ({ deployment: { status }, replicaSets }) => {
  const current = replicaSets.find(({ spec }: KubeObject) => spec.replicas > 0).metadata.name;
  return !status.conditions.some(({ message }: { message: string }) => message.includes(`"${current}"`));
};

scenario("a Deployment is recreated", { raced: keepsOldMessage }, async (world) => {
  await world.create(types.deployments, deployment({ replicas: 2, strategy: { type: "Recreate" } }));
  await world.until(complete(world, 1, 2));
  await world.change(types.deployments, "web", { spec: { template: template("web:2") } });
  await world.until(complete(world, 2, 2));
  return seen(world);
});

scenario("a Deployment is recreated after finalizers of its old pods are gone", {}, async (world) => {
  const { metadata, spec } = template("web:1");
  // Nowhere to run: no kubelet ends these pods, so what is counted is theirs alone.
  const kept = {
    metadata: { ...metadata, finalizers: ["tiphys.dev/kept"] },
    spec: { ...spec, nodeSelector: { nowhere: "yes" } },
  };
  await world.create(types.deployments, deployment({ replicas: 2, strategy: { type: "Recreate" }, template: kept }));
  await world.until(async () => (await world.get(types.deployments, "web")).status?.replicas === 2);
  await world.change(types.deployments, "web", {
    spec: { template: { metadata: { finalizers: null }, spec: { ...template("web:2").spec, nodeSelector: null } } },
  });
  await world.until(async () => {
    const { status } = await world.get(types.deployments, "web");
    return status.observedGeneration === 2 && !status.replicas && status.terminatingReplicas === 2;
  });
  const waiting = await seen(world);
  for (const { metadata: own } of await world.list(types.pods)) {
    await world.change(types.pods, own.name, { metadata: { finalizers: null } });
  }
  await world.until(complete(world, 2, 2));
  return { waiting, ...(await seen(world)) };
});

scenario(
  "a paused Deployment makes no revision and is scaled in proportion",
  {
    fate: (pod) => ({ readyAfter: imageOf(pod) === "bad:1" ? -1 : 0 }),
  },
  async (world) => {
    await world.create(types.deployments, deployment({ replicas: 4 }));
    await world.until(complete(world, 1, 4));
    await world.change(types.deployments, "web", { spec: { template: template("bad:1") } });
    await world.until(async () => (await sizes(world)).join() === "bad:1 2,web:1 3");
    const stuck = await sizes(world);
    await world.change(types.deployments, "web", { spec: { paused: true } });
    await world.until(progress(world, "DeploymentPaused"));
    await world.change(types.deployments, "web", { spec: { replicas: 10 } });
    await world.until(async () => (await world.get(types.deployments, "web")).status?.availableReplicas === 8);
    return { stuck, ...(await seen(world)) };
  },
);

scenario(
  "a Deployment says when its patience has ended, and recovers",
  {
    fate: (pod) => ({ readyAfter: imageOf(pod) === "bad:1" ? -1 : 0 }),
  },
  async (world) => {
    await world.create(types.deployments, deployment({ replicas: 1, progressDeadlineSeconds: 2 }));
    await world.until(complete(world, 1, 1));
    await world.change(types.deployments, "web", { spec: { template: template("bad:1") } });
    await world.until(progress(world, "ProgressDeadlineExceeded"));
    const late = await seen(world);
    await world.change(types.deployments, "web", { spec: { template: template("web:1") } });
    await world.until(complete(world, 3, 1));
    return { late, recovered: await seen(world) };
  },
);
