import { types } from "@tiphys/resources";
import { all, scenario, type World } from "../testing/world.js";

const zone = () => ({ labels: { "topology.kubernetes.io/zone": "a" } });
const pod = (name: string, spec: object = {}) => ({
  metadata: { name, labels: { app: "web" } },
  spec: {
    containers: [
      {
        name: "web",
        image: "web:1",
        ports: [
          { name: "http", containerPort: 8080 },
          { name: "admin", containerPort: 9090 },
        ],
      },
    ],
    ...spec,
  },
});
/** Addresses are of one run; their places are not. */
const placed = (value: unknown) =>
  JSON.parse(
    JSON.stringify(value)
      .replaceAll(/"10\.244\.\d+\.\d+"/g, '"POD-IP"')
      .replaceAll(/endpoints.kubernetes.io\/last-change-trigger-time/g, "trigger"),
  );
const seen = async (world: World) => ({
  slices: placed(
    await all(world, types.endpointSlices, ({ metadata, endpoints, ...rest }) => ({
      ...rest,
      metadata: { ...metadata, generation: undefined },
      endpoints: [...(endpoints ?? [])].sort((a, b) => (a.targetRef.name < b.targetRef.name ? -1 : 1)),
    })),
  ),
  endpoints: placed(await all(world, types.endpoints, ({ subsets, metadata }) => ({ metadata, subsets }))),
});
const ready = (world: World, count: number) => async () =>
  (await world.list(types.endpointSlices))
    .flatMap(({ endpoints }) => endpoints ?? [])
    .filter((one) => one.conditions.ready).length === count &&
  (await world.list(types.endpoints))
    .flatMap(({ subsets }) => subsets ?? [])
    .flatMap(({ addresses }) => addresses ?? []).length === count;

scenario(
  "a Service follows its pods",
  {
    nodes: ["n1"],
    shape: zone,
    fate: ({ metadata }) => ({ readyAfter: metadata.name === "slow" ? -1 : 0 }),
  },
  async (world) => {
    await world.create(types.services, {
      metadata: { name: "web", labels: { team: "shop" } },
      spec: {
        selector: { app: "web" },
        ports: [
          { name: "http", port: 80, targetPort: "http" },
          { name: "admin", port: 90, targetPort: 9090, appProtocol: "h2c" },
          { name: "none", port: 91, targetPort: "absent" },
        ],
      },
    });
    await world.until(async () => (await world.list(types.endpointSlices)).length === 1);
    await world.until(async () => (await world.list(types.endpoints)).length === 1);
    const empty = await seen(world);
    await world.create(types.pods, pod("a"));
    await world.until(ready(world, 1));
    await world.create(types.pods, pod("slow"));
    await world.until(async () =>
      (await world.list(types.endpoints)).some(({ subsets }) => subsets?.[0]?.notReadyAddresses?.length === 1),
    );
    await world.until(async () => (await world.list(types.endpointSlices))[0]?.endpoints?.length === 2);
    return { empty, full: await seen(world) };
  },
);

scenario(
  "a headless Service names its pods and publishes those that are not ready",
  {
    fate: () => ({ readyAfter: -1 }),
  },
  async (world) => {
    await world.create(types.services, {
      metadata: { name: "db" },
      spec: { clusterIP: "None", publishNotReadyAddresses: true, selector: { app: "web" }, ports: [{ port: 5432 }] },
    });
    await world.create(types.pods, pod("db-0", { hostname: "db-0", subdomain: "db" }));
    await world.until(ready(world, 1));
    return seen(world);
  },
);

scenario("Endpoints made by hand are mirrored", {}, async (world) => {
  await world.create(types.services, { metadata: { name: "far" }, spec: { ports: [{ port: 80, name: "http" }] } });
  await world.create(types.endpoints, {
    metadata: { name: "far", labels: { own: "label" } },
    subsets: [
      {
        addresses: [{ ip: "192.0.2.1", hostname: "one" }],
        notReadyAddresses: [{ ip: "192.0.2.2" }],
        ports: [{ name: "http", port: 8080 }],
      },
    ],
  });
  await world.until(async () => (await world.list(types.endpointSlices)).length === 1);
  // The original mirrors addresses in the order of a map, which is another one each time.
  return all(world, types.endpointSlices, ({ metadata, endpoints, ...rest }) => ({
    ...rest,
    metadata: { ...metadata, generation: undefined },
    endpoints: [...(endpoints ?? [])].sort((a, b) => (a.addresses[0] < b.addresses[0] ? -1 : 1)),
  }));
});
