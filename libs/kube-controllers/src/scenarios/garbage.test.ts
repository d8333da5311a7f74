import { type KubeObject, types } from "@tiphys/resources";
import { scenario, type World } from "../testing/world.js";

const map = (name: string, owners: readonly KubeObject[] = [], more: object = {}, blocks = true) => ({
  metadata: {
    name,
    ...more,
    ownerReferences: owners.map(({ apiVersion, kind, metadata }) => ({
      apiVersion,
      kind,
      name: metadata.name,
      uid: metadata.uid,
      blockOwnerDeletion: blocks,
    })),
  },
});
const left = async (world: World) =>
  (await world.list(types.configMaps))
    .filter(({ metadata }) => metadata.name !== "kube-root-ca.crt")
    .map(({ metadata: { name, finalizers = [], ownerReferences = [], deletionTimestamp } }) =>
      [
        name,
        ...(deletionTimestamp ? ["dying"] : []),
        ...finalizers,
        ...ownerReferences.map((owner) => `of ${owner.name}`),
      ].join(" "),
    )
    .sort();
const until = (world: World, want: readonly string[]) =>
  world.until(async () => (await left(world)).join() === [...want].sort().join());
const held = { finalizers: ["tests.tiphys.dev/hold"] };
const free = (world: World, name: string) => world.change(types.configMaps, name, { metadata: { finalizers: null } });
const remove = (world: World, name: string, propagation: "Foreground" | "Background" | "Orphan") =>
  world.client.delete(types.configMaps, { namespace: world.namespace, name }, { propagation });

scenario("dependents go with their owner as the deletion asks", {}, async (world) => {
  const steps: unknown[] = [];
  const a = await world.create(types.configMaps, map("a"));
  const b = await world.create(types.configMaps, map("b", [a]));
  await world.create(types.configMaps, map("c", [b]));
  await remove(world, "a", "Background");
  await until(world, []);
  steps.push("background");

  const d = await world.create(types.configMaps, map("d"));
  const e = await world.create(types.configMaps, map("e", [d]));
  await world.create(types.configMaps, map("f", [e], held));
  await world.create(types.configMaps, map("g", [d], held, false));
  await remove(world, "d", "Foreground");
  await world.until(async () => (await left(world)).filter((text) => text.includes("dying")).length === 4);
  steps.push(await left(world));
  await free(world, "f");
  await until(world, ["g dying tests.tiphys.dev/hold of d"]);
  steps.push(await left(world));
  await free(world, "g");
  await until(world, []);

  const h = await world.create(types.configMaps, map("h"));
  await world.create(types.configMaps, map("i", [h]));
  await remove(world, "h", "Orphan");
  await until(world, ["i"]);
  steps.push(await left(world));

  const j = await world.create(types.configMaps, map("j"));
  const k = await world.create(types.configMaps, map("k"));
  await world.create(types.configMaps, map("l", [j, k]));
  await remove(world, "j", "Foreground");
  await until(world, ["i", "k", "l of k"]);
  steps.push(await left(world));
  return steps;
});

scenario("an owner of another uid, or in another namespace, is none", {}, async (world) => {
  const a = await world.create(types.configMaps, map("a"));
  await world.create(
    types.configMaps,
    map("wrong-uid", [{ ...a, metadata: { ...a.metadata, uid: "00000000-0000-4000-8000-000000000000" } }]),
  );
  await world.create(types.configMaps, map("wrong-name", [{ ...a, metadata: { ...a.metadata, name: "b" } }]));
  const far = await world.client.get(types.serviceAccounts, { namespace: "kube-system", name: "default" });
  await world.create(types.configMaps, map("far", [{ ...far, apiVersion: "v1", kind: "ServiceAccount" }]));
  await world.create(types.configMaps, map("unknown", [{ ...a, apiVersion: "tests.tiphys.dev/v1", kind: "Nothing" }]));
  await world.until(async () => {
    const names = await left(world);
    return !names.some((text) => text.startsWith("wrong-uid") || text.startsWith("far"));
  });
  return left(world);
});
