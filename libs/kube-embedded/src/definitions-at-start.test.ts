import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import { type KubeObject, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { createEmbeddedKube } from "./index.js";
import { widgetCrd } from "./testing.js";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "tiphys-definitions-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** The definition as it is stored after a start that brings `crd`, and after `change` was done by a user. */
async function started(crd: KubeObject, change?: object): Promise<KubeObject> {
  const kube = await createEmbeddedKube({
    dir,
    clock: systemClock(),
    random: randomBytes,
    log: silentLogger,
    crds: [crd],
  });
  const client = kube.client(clusterAdmin);
  const { name } = crd.metadata;
  const found = await client.get(types.customResourceDefinitions, { name });
  if (change) await client.patch(types.customResourceDefinitions, { name }, { type: "merge", body: change });
  await kube.stop();
  return found;
}

const labelled = (labels: Record<string, string>): KubeObject => ({
  ...widgetCrd,
  metadata: { ...widgetCrd.metadata, labels },
});
const short = (...shortNames: string[]): KubeObject => ({
  ...widgetCrd,
  spec: { ...widgetCrd["spec"], names: { ...widgetCrd["spec"].names, shortNames } },
});

it("leaves a definition that is there already as it is", async () => {
  const first = await started(labelled({ a: "1" }));
  expect(await started(labelled({ a: "1" }))).toEqual(first);
});

it.each([
  { why: "another label", first: labelled({ a: "1" }), next: labelled({ a: "2" }) },
  { why: "a label less", first: labelled({ a: "1", b: "1" }), next: labelled({ a: "1" }) },
  { why: "no labels any more", first: labelled({ a: "1" }), next: widgetCrd },
  { why: "another short name", first: short("wi"), next: short("wg") },
  { why: "a short name less", first: short("wi", "wg"), next: short("wi") },
])("brings a definition up to date that has $why", async ({ first, next }) => {
  await started(first);
  const { metadata, spec } = await started(next);
  expect({ labels: metadata.labels, names: spec.names }).toEqual({
    labels: next.metadata.labels,
    names: next["spec"].names,
  });
});

it("puts back what a user has changed in a definition that comes with each start", async () => {
  await started(widgetCrd, { spec: { names: { shortNames: ["mine"] } } });
  expect((await started(widgetCrd))["spec"].names.shortNames).toEqual(["wi"]);
});
