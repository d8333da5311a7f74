import { randomBytes } from "node:crypto";
import { type VirtualClock, virtualClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import { createEmbeddedKube } from "@tiphys/kube-embedded";
import { types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { createLeaseElector } from "./index.js";

const elector = (clock: VirtualClock, client: KubeClient, identity: string) =>
  createLeaseElector({ client, clock, log: silentLogger, identity, namespace: "default", name: "shard-0" });

it("has one leader at any time, and another soon after it is gone", async () => {
  const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log: silentLogger });
  const client = kube.client(clusterAdmin);
  let cut = false;
  const flaky = new Proxy(client, {
    get: (target, name) => (cut ? () => Promise.reject(new Error("cut off")) : Reflect.get(target, name)),
  });
  const first = elector(clock, flaky, "first");
  const second = elector(clock, client, "second");
  first.start();
  await clock.quiet();
  second.start();
  await clock.advance(60_000);
  expect([first.leads(), second.leads()]).toEqual([true, false]);

  cut = true;
  for (let second_ = 0; second_ < 60; second_++) {
    await clock.advance(1000);
    expect(first.leads() && second.leads()).toBe(false);
    if (second.leads()) break;
  }
  expect([first.leads(), second.leads()]).toEqual([false, true]);
  cut = false;
  await clock.advance(30_000);
  expect([first.leads(), second.leads()]).toEqual([false, true]);

  await second.stop();
  await clock.advance(4000);
  expect([first.leads(), second.leads()]).toEqual([true, false]);
  const lease = await client.get(types.leases, { namespace: "default", name: "shard-0" });
  expect(lease.spec).toMatchObject({ holderIdentity: "first", leaseTransitions: 2 });
  await first.stop();
  await kube.stop();
});
