import { type KubeObject, types } from "@tiphys/resources";
import { type Cluster, cluster, DAY, healthy, rolloutOf } from "./testing/world.js";

const HASH = "rollouts-pod-template-hash";
const MANAGED_BY = "argo-rollouts.argoproj.io/managed-by-rollouts";
const service = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "default" },
  spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
});

/** A healthy Rollout that decides what two Services select. */
async function served(): Promise<Cluster> {
  const world = await cluster();
  for (const name of ["stable", "canary"]) await world.client.create(types.services, service(name));
  await world.client.create(
    types.rollouts,
    rolloutOf({ stableService: "stable", canaryService: "canary", steps: [{ setWeight: 50 }, { pause: {} }] }),
  );
  await world.until(healthy, DAY);
  await world.clock.advance(1_000);
  return world;
}
const read = (world: Cluster, name: string) => world.client.get(types.services, { namespace: "default", name });

describe("a Service whose Rollout is deleted", () => {
  it("selects what it selected before", async () => {
    await using world = await served();
    for (const name of ["stable", "canary"]) {
      const used = await read(world, name);
      expect(used["spec"].selector[HASH]).toBeDefined();
      expect(used.metadata.annotations?.[MANAGED_BY]).toBe("web");
    }
    await world.client.delete(types.rollouts, { namespace: "default", name: "web" });
    await world.clock.advance(1_000);
    for (const name of ["stable", "canary"]) {
      const freed = await read(world, name);
      expect(freed["spec"].selector).toEqual({ app: "web" });
      expect(freed.metadata.annotations?.[MANAGED_BY]).toBeUndefined();
    }
  });

  it("does so too when nobody was there to see the deletion, and whatever pass the controller dies in", async () => {
    for (let dieAt = 0; ; dieAt++) {
      await using world = await served();
      await world.controller.stop();
      await world.client.delete(types.rollouts, { namespace: "default", name: "web" });
      let left = dieAt;
      let died = false;
      await world.restart(() => {
        if (died || left-- > 0) return;
        died = true;
        throw new Error("killed");
      });
      await world.clock.advance(1_000);
      await world.restart();
      await world.clock.advance(1_000);
      for (const name of ["stable", "canary"])
        expect((await read(world, name))["spec"].selector).toEqual({ app: "web" });
      if (!died || dieAt > 8) break;
    }
  }, 60_000);

  it("stays as it is when it was never a Rollout's, and is given back when a Rollout names another one", async () => {
    await using world = await served();
    const own = service("own");
    own["spec"].selector[HASH] = "mine";
    await world.client.create(types.services, own);
    await world.client.create(types.services, service("canary-2"));
    await world.client.patch(
      types.rollouts,
      { namespace: "default", name: "web" },
      { type: "merge", body: { spec: { strategy: { canary: { canaryService: "canary-2" } } } } },
    );
    await world.clock.advance(1_000);
    expect((await read(world, "canary"))["spec"].selector).toEqual({ app: "web" });
    expect((await read(world, "canary-2"))["spec"].selector[HASH]).toBeDefined();
    expect((await read(world, "own"))["spec"].selector[HASH]).toBe("mine");
  });
});
