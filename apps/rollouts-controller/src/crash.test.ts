import { type AnalysisRun, type Rollout, types } from "@tiphys/resources";
import { analysis, type Cluster, DAY, deployed, healthy } from "./testing/world.js";

/** One update whose controller dies at its `dieAt`-th kill point and is followed by another; what it all came to. */
async function update(world: Cluster, image: string, dieAt: number): Promise<{ died: boolean; end: unknown }> {
  let passed = 0;
  let died = false;
  await world.restart(() => {
    if (died || passed++ < dieAt) return;
    died = true;
    throw new Error("killed");
  });
  // The next controller starts with a pass of its own, which must not be taken for the update's.
  passed = 0;
  await world.image(image);
  await world.clock.advance(1_000);
  await world.restart();
  const { generation } = (await world.rollout()).metadata;
  const rollout = await world.until(
    (known: Rollout) => healthy(known) && known.metadata.generation === generation,
    2 * DAY,
  );
  await world.clock.advance(5_000);
  const hash = rollout.status?.currentPodHash ?? "";
  const label = { labelSelector: `rollouts-pod-template-hash=${hash}`, namespace: "default" };
  const runs = (await world.client.list(types.analysisRuns, label)).items as AnalysisRun[];
  const replicas = await world.replicas();
  const pods = (await world.client.list(types.pods, { namespace: "default" })).items.length;
  const left = Object.entries(replicas).filter(([, count]) => count > 0);
  return {
    died,
    end: {
      left: left.map(([name, count]) => (name === image ? count : name)),
      pods,
      runs: runs.map((run) => run.status?.phase),
    },
  };
}

describe("a controller that dies", () => {
  it("at any kill point leaves a state from which the next one reaches the same end", async () => {
    await using world = await deployed({ steps: [{ setWeight: 34 }, { analysis }] }, { replicas: 3 });
    let deaths = 0;
    for (let dieAt = 0; ; dieAt++) {
      const { died, end } = await update(world, `web:${dieAt + 2}`, dieAt);
      expect(end).toEqual({ left: [3], pods: 3, runs: ["Successful"] });
      if (!died) break;
      deaths++;
    }
    expect(deaths).toBeGreaterThanOrEqual(20);
  }, 240_000);
});
