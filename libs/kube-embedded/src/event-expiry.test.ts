import { randomBytes } from "node:crypto";
import { virtualClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { createEmbeddedKube } from "./index.js";

const HOUR = 3_600_000;

it("forgets an Event an hour after its last change", async () => {
  const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
  const kube = await createEmbeddedKube({ clock, random: randomBytes, log: silentLogger });
  const client = kube.client(clusterAdmin);
  const about = { apiVersion: "v1", kind: "Pod", name: "p", namespace: "default" };
  for (const name of ["once", "again"]) {
    await client.create(types.events, {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace: "default" },
      involvedObject: about,
      reason: "Told",
      message: "told",
      type: "Normal",
    });
  }
  await clock.advance(HOUR / 2);
  await client.patch(types.events, { namespace: "default", name: "again" }, { type: "merge", body: { count: 2 } });
  const names = async () => (await client.list(types.events)).items.map(({ metadata }) => metadata.name).sort();
  await clock.advance(HOUR / 2);
  expect(await names()).toEqual(["again"]);
  await clock.advance(HOUR / 2);
  expect(await names()).toEqual([]);
  await kube.stop();
});
