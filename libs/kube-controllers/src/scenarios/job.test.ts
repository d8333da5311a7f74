import { type KubeObject, types } from "@tiphys/resources";
import type { SimulatedFate } from "@tiphys/simulated-node";
import { all, playTogether, scenario, sortedConditions, type World } from "../testing/world.js";

const job = (spec: object = {}, fate: SimulatedFate = { exitCode: 0 }, pod: object = {}) => ({
  metadata: { name: "work" },
  spec: {
    template: {
      metadata: { annotations: { "tiphys.dev/fate": JSON.stringify(fate) } },
      spec: { restartPolicy: "Never", containers: [{ name: "main", image: "work:1" }], ...pod },
    },
    ...spec,
  },
});
/** Without the annotation: the world's own fate decides. */
const fated = (spec: object) => {
  const made = job(spec);
  return { ...made, spec: { ...made.spec, template: { ...made.spec.template, metadata: {} } } };
};
const indexOf = (pod: KubeObject) => Number(pod.metadata.annotations?.["batch.kubernetes.io/job-completion-index"]);

const has = (world: World, type: string) => async () =>
  ((await world.get(types.jobs, "work")).status?.conditions ?? []).some(
    (condition: { type: string; status: string }) => condition.type === type && condition.status === "True",
  );
const status = (world: World, member: string, value: unknown) => async () =>
  (await world.get(types.jobs, "work")).status?.[member] === value;
/** No pod is held by the job's finalizer any more, and none is on its way out. */
const calm = (world: World) => async () =>
  (await world.list(types.pods)).every(
    ({ metadata, status: { phase } = {} }) =>
      !metadata.deletionTimestamp && (!metadata.finalizers?.length || phase === "Running"),
  );
const seen = async (world: World) => {
  await world.until(calm(world));
  const { spec, metadata, status: state } = await world.get(types.jobs, "work");
  return {
    job: {
      metadata: { generation: metadata.generation, finalizers: metadata.finalizers, labels: metadata.labels },
      spec: { ...spec, template: undefined },
      status: sortedConditions(state),
    },
    pods: await all(world, types.pods, (pod) => ({
      metadata: pod.metadata,
      hostname: pod.spec.hostname,
      env: pod.spec.containers[0].env,
      phase: pod.status?.phase,
    })),
    events: await world.events("Job"),
  };
};

playTogether();

scenario("a Job completes", {}, async (world) => {
  await world.create(types.jobs, job());
  await world.until(has(world, "Complete"));
  return seen(world);
});

scenario("a Job runs two pods at a time until three have succeeded", {}, async (world) => {
  await world.create(types.jobs, job({ parallelism: 2, completions: 3 }, { exitCode: 0, endAfter: 300 }));
  await world.until(has(world, "Complete"));
  return seen(world);
});

scenario(
  "a Job of a work queue takes no pods in after the first success",
  {
    fate: (pod) => ({ exitCode: 0, endAfter: pod.metadata.name < "work-m" ? 300 : 1500 }),
  },
  async (world) => {
    await world.create(types.jobs, fated({ parallelism: 3 }));
    await world.until(has(world, "Complete"));
    return (await world.get(types.jobs, "work")).status?.succeeded;
  },
);

scenario("a Job that may not fail fails", {}, async (world) => {
  await world.create(types.jobs, job({ backoffLimit: 0 }, { exitCode: 3 }));
  await world.until(has(world, "Failed"));
  return seen(world);
});

scenario("an Indexed Job runs each index once", {}, async (world) => {
  await world.create(types.jobs, job({ completionMode: "Indexed", completions: 4, parallelism: 3 }));
  await world.until(has(world, "Complete"));
  return seen(world);
});

scenario(
  "an Indexed Job names the indexes that failed",
  {
    fate: (pod) => ({ exitCode: indexOf(pod) === 1 ? 7 : 0 }),
  },
  async (world) => {
    const spec = { completionMode: "Indexed", completions: 3, parallelism: 3, backoffLimitPerIndex: 0 };
    await world.create(types.jobs, fated(spec));
    await world.until(has(world, "Failed"));
    return seen(world);
  },
);

scenario(
  "an Indexed Job tries an index again and counts its failures on the pod",
  {
    fate: (pod) => ({
      exitCode:
        indexOf(pod) === 1 && pod.metadata.annotations?.["batch.kubernetes.io/job-index-failure-count"] === "0" ? 7 : 0,
    }),
  },
  async (world) => {
    await world.create(
      types.jobs,
      fated({ completionMode: "Indexed", completions: 2, parallelism: 2, backoffLimitPerIndex: 1 }),
    );
    await world.until(has(world, "Complete"));
    return seen(world);
  },
);

scenario(
  "a Job ends early by its success policy",
  {
    fate: (pod) => (indexOf(pod) === 0 ? { exitCode: 0, endAfter: 500 } : {}),
  },
  async (world) => {
    await world.create(
      types.jobs,
      fated({
        completionMode: "Indexed",
        completions: 3,
        parallelism: 3,
        successPolicy: { rules: [{ succeededIndexes: "0-1", succeededCount: 1 }] },
      }),
    );
    await world.until(has(world, "Complete"));
    return seen(world);
  },
);

scenario("a Job fails at once on an exit code of its failure policy", {}, async (world) => {
  const rules = [{ action: "FailJob", onExitCodes: { containerName: "main", operator: "In", values: [42] } }];
  await world.create(types.jobs, job({ podFailurePolicy: { rules } }, { exitCode: 42 }));
  await world.until(has(world, "Failed"));
  return seen(world);
});

scenario(
  "a Job does not count failures that its policy ignores",
  {
    fate: (pod) => ({ exitCode: pod.metadata.labels?.["first"] === "true" ? 3 : 0 }),
  },
  async (world) => {
    const rules = [{ action: "Ignore", onExitCodes: { operator: "NotIn", values: [4] } }];
    const made = fated({ backoffLimit: 0, podFailurePolicy: { rules } });
    await world.create(types.jobs, {
      ...made,
      spec: {
        ...made.spec,
        suspend: true,
        template: { ...made.spec.template, metadata: { labels: { first: "true" } } },
      },
    });
    await world.until(has(world, "Suspended"));
    await world.change(types.jobs, "work", { spec: { suspend: false } });
    await world.until(async () => (await world.list(types.pods)).length === 2);
    const { status: state } = await world.get(types.jobs, "work");
    return { failed: state?.failed, conditions: sortedConditions(state)?.conditions };
  },
);

scenario("a Job ends at its deadline", {}, async (world) => {
  await world.create(types.jobs, job({ activeDeadlineSeconds: 1 }, {}));
  await world.until(has(world, "Failed"));
  return seen(world);
});

scenario("a suspended Job removes its pods and starts anew when resumed", {}, async (world) => {
  await world.create(types.jobs, job({}, {}));
  await world.until(status(world, "ready", 1));
  await world.change(types.jobs, "work", { spec: { suspend: true } });
  await world.until(async () => (await world.list(types.pods)).length === 0);
  await world.until(has(world, "Suspended"));
  await world.until(status(world, "terminating", 0));
  const suspended = await seen(world);
  await world.change(types.jobs, "work", { spec: { suspend: false } });
  await world.until(status(world, "ready", 1));
  return { suspended, resumed: await seen(world) };
});

scenario("a Job replaces a deleted pod only when it has failed", {}, async (world) => {
  await world.create(types.jobs, job({ podReplacementPolicy: "Failed", backoffLimit: 2 }, {}));
  await world.until(status(world, "ready", 1));
  const [pod] = await world.list(types.pods);
  await world.client.delete(types.pods, { namespace: world.namespace, name: pod?.metadata.name ?? "" });
  await world.until(status(world, "failed", 1));
  await world.until(status(world, "ready", 1));
  return seen(world);
});

scenario("a finished Job goes when its time is over, with its pods", {}, async (world) => {
  await world.create(types.jobs, job({ ttlSecondsAfterFinished: 1 }));
  await world.until(async () => (await world.list(types.jobs)).length === 1 && has(world, "Complete")());
  await world.until(async () => (await world.list(types.jobs)).length === 0);
  await world.until(async () => (await world.list(types.pods)).length === 0);
  return world.events("Job");
});

scenario("pods that outlive their Job are free of it", {}, async (world) => {
  await world.create(types.jobs, job({}, {}));
  await world.until(status(world, "ready", 1));
  await world.client.delete(types.jobs, { namespace: world.namespace, name: "work" }, { propagation: "Orphan" });
  await world.until(async () => (await world.list(types.pods)).every(({ metadata }) => !metadata.finalizers));
  return all(world, types.pods, (pod) => pod.metadata);
});

scenario("a running Job is deleted with its pods", {}, async (world) => {
  await world.create(types.jobs, job({ parallelism: 2, completions: 2 }, {}));
  await world.until(status(world, "ready", 2));
  await world.client.delete(types.jobs, { namespace: world.namespace, name: "work" }, { propagation: "Foreground" });
  await world.until(async () => (await world.list(types.jobs)).length === 0);
  return (await world.list(types.pods)).length;
});
