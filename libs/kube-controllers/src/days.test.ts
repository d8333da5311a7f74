import type { VirtualClock } from "@tiphys/clock";
import { types } from "@tiphys/resources";
import { embeddedWorld } from "./testing/world.js";

const HOUR = 3_600_000;
const work = (fate: object) => ({
  metadata: { annotations: { "tiphys.dev/fate": JSON.stringify(fate) } },
  spec: { restartPolicy: "Never", containers: [{ name: "main", image: "work:1" }] },
});

it("goes through two days of schedules, back-off, expiry and leases and writes no more than what changes", async () => {
  const world = await embeddedWorld({ renewSeconds: HOUR / 1000 });
  const clock = world.clock as VirtualClock;
  try {
    await world.create(types.cronJobs, {
      metadata: { name: "often" },
      spec: {
        schedule: "30 */6 * * *",
        successfulJobsHistoryLimit: 2,
        jobTemplate: { spec: { template: work({ exitCode: 0, endAfter: 90_000 }) } },
      },
    });
    await world.create(types.jobs, {
      metadata: { name: "stubborn" },
      spec: { backoffLimit: 6, template: work({ exitCode: 1, endAfter: 1_000 }) },
    });
    await world.create(types.jobs, {
      metadata: { name: "passing" },
      spec: { ttlSecondsAfterFinished: 24 * 3600, template: work({ exitCode: 0, endAfter: 1_000 }) },
    });
    await clock.quiet();
    await clock.advance(12 * HOUR);
    const names = async () => (await world.list(types.jobs)).map(({ metadata }) => metadata.name).sort();
    expect(await names()).toEqual([
      expect.stringMatching(/^often-/),
      expect.stringMatching(/^often-/),
      "passing",
      "stubborn",
    ]);
    const writes = async () => Number((await world.client.list(types.jobs)).resourceVersion);
    const before = await writes();
    await clock.advance(36 * HOUR);
    const written = (await writes()) - before;

    const often = await world.get(types.cronJobs, "often");
    expect(often["status"].lastSuccessfulTime).toBe("2026-01-02T18:31:30Z");
    expect((await names()).filter((name) => name.startsWith("often"))).toHaveLength(2);
    expect(await names()).not.toContain("passing");
    const stubborn = await world.get(types.jobs, "stubborn");
    expect(stubborn["status"]).toMatchObject({ failed: 7 });
    // 10, 20, 40, 80, 160 and 320 seconds between the tries.
    const took = Date.parse(stubborn["status"].conditions[0].lastTransitionTime) - Date.parse("2026-01-01T00:00:00Z");
    expect(took / 1000).toBeGreaterThanOrEqual(630);
    expect(took / 1000).toBeLessThan(680);
    const lease = await world.client.get(types.leases, { namespace: "kube-node-lease", name: "n1" });
    expect(clock.now().getTime() - Date.parse(lease["spec"].renewTime)).toBeLessThanOrEqual(HOUR);
    expect(written).toBeLessThan(300);
  } finally {
    await world.stop();
  }
});
