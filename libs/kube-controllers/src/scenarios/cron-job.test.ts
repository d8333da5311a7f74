import { types } from "@tiphys/resources";
import { all, playTogether, scenario } from "../testing/world.js";

const cronJob = (spec: object = {}, fate: object = { exitCode: 0 }) => ({
  metadata: { name: "tick" },
  spec: {
    schedule: "* * * * *",
    jobTemplate: {
      metadata: { labels: { of: "tick" }, annotations: { note: "x" } },
      spec: {
        template: {
          metadata: { annotations: { "tiphys.dev/fate": JSON.stringify(fate) } },
          spec: { restartPolicy: "Never", containers: [{ name: "main", image: "work:1" }] },
        },
      },
    },
    ...spec,
  },
});
/** Minutes since 1970 and the times of a schedule differ from run to run. */
const timeless = (text: string) =>
  text.replaceAll(/tick-\d{8}/g, "tick-MINUTES").replaceAll(/[\d-]{10}T[\d:]{8}\+\d\d:\d\d/g, "T+");

playTogether();

scenario("a CronJob starts a Job at its time and remembers it", {}, async (world) => {
  await world.create(types.cronJobs, cronJob({ timeZone: "Asia/Kolkata" }));
  await world.until(
    async () => (await world.get(types.cronJobs, "tick")).status?.lastSuccessfulTime !== undefined,
    100,
  );
  const { status, metadata, spec } = await world.get(types.cronJobs, "tick");
  const jobs = await all(world, types.jobs, ({ metadata: of, spec: { template: _template, ...rest } }) => ({
    of,
    rest,
  }));
  const events = await world.events("CronJob");
  const zoned = /"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+05:30"/g;
  return JSON.parse(
    timeless(JSON.stringify({ status, generation: metadata.generation, spec, jobs, events })).replace(zoned, '"ZONED"'),
  );
});

scenario("a CronJob replaces the Job that still runs", {}, async (world) => {
  await world.create(types.cronJobs, cronJob({ concurrencyPolicy: "Replace" }, {}));
  const names = new Set<string>();
  await world.until(async () => {
    for (const job of await world.list(types.jobs)) names.add(job.metadata.name);
    return names.size >= 2 && (await world.list(types.jobs)).length === 1;
  }, 150);
  await world.until(async () => (await world.get(types.cronJobs, "tick")).status?.active?.length === 1);
  return (await world.events("CronJob")).map(timeless);
});

scenario("a CronJob does not start a second Job when it may not", {}, async (world) => {
  await world.create(types.cronJobs, cronJob({ concurrencyPolicy: "Forbid" }, {}));
  await world.until(async () => (await world.events("CronJob")).join().includes("JobAlreadyActive"), 150);
  return {
    jobs: (await world.list(types.jobs)).length,
    events: (await world.events("CronJob")).map((text) => timeless(text).replace(/×\d+/, "×")),
  };
});

scenario("a suspended CronJob starts nothing, and a Job made by hand is followed", {}, async (world) => {
  const made = await world.create(types.cronJobs, cronJob({ suspend: true }));
  await world.create(types.jobs, {
    metadata: {
      name: "by-hand",
      annotations: { "cronjob.kubernetes.io/instantiate": "manual" },
      ownerReferences: [
        { apiVersion: "batch/v1", kind: "CronJob", name: "tick", uid: made.metadata.uid, controller: true },
      ],
    },
    spec: made.spec.jobTemplate.spec,
  });
  await world.until(async () => (await world.get(types.cronJobs, "tick")).status?.lastSuccessfulTime !== undefined);
  const { status } = await world.get(types.cronJobs, "tick");
  return { status };
});
