import { DAY, deployed, healthy, START, steps } from "../apps/rollouts-controller/src/testing/world.js";
import { bench, cpuMilliseconds } from "./harness.js";

/** A canary with days of pauses and analysis, with the embedded cluster it runs on, on a virtual clock. */
await bench({
  name: "virtual-time",
  isolated: true,
  run: async () => {
    await using world = await deployed({ steps });
    const before = await world.writes();
    const cpu = await cpuMilliseconds(async () => {
      await world.image("web:2");
      await world.until((rollout) => healthy(rollout) && rollout.status?.currentStepIndex === steps.length, 5 * DAY);
    });
    const days = (world.clock.now().getTime() - START.getTime()) / DAY;
    return { virtual_days: days, cpu_ms: cpu, cpu_ms_per_day: cpu / days, writes: (await world.writes()) - before };
  },
});
