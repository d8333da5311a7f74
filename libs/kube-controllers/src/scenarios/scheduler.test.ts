import { type KubeObject, types } from "@tiphys/resources";
import { scenario, type World } from "../testing/world.js";

const requests = (cpu: string, memory = "0") => ({ resources: { requests: { cpu, memory } } });
const pod = (name: string, spec: object = {}, container: object = {}, labels: object = {}) => ({
  metadata: { name, labels },
  spec: { containers: [{ name: "main", image: "main:1", ...container }], ...spec },
});
const scheduled = (object: KubeObject) =>
  object.status?.conditions?.find((condition: { type: string }) => condition.type === "PodScheduled");
const refused = (world: World, name: string) => async () =>
  scheduled(await world.get(types.pods, name))?.status === "False";
const running = (world: World, name: string) => async () =>
  (await world.get(types.pods, name)).status?.phase === "Running";
const why = async (world: World, name: string) => {
  const object = await world.get(types.pods, name);
  return { condition: scheduled(object), phase: object.status?.phase, events: await world.events("Pod", name) };
};
const nodeOf = async (world: World, name: string) => (await world.get(types.pods, name)).spec.nodeName;

const zones: Record<string, string> = { n1: "a", n2: "a", n3: "b" };
const shape = (name: string) => ({
  labels: {
    "topology.kubernetes.io/zone": zones[name] ?? "c",
    disk: name === "n1" ? "ssd" : "hdd",
    size: name.slice(1),
  },
  allocatable: { cpu: "4", memory: "8Gi", pods: "10", "example.com/gpu": name === "n3" ? "2" : "0" },
  taints: name === "n2" ? [{ key: "dedicated", value: "db", effect: "NoSchedule" }] : [],
});
const three = { nodes: ["n1", "n2", "n3"], shape };

scenario("pods wait and say why", three, async (world) => {
  const term = (key: string, operator: string, values?: string[]) => ({
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key, operator, ...(values ? { values } : {}) }] }],
        },
      },
    },
  });
  await world.create(
    types.pods,
    pod("port-1", { nodeSelector: { disk: "ssd" } }, { ports: [{ containerPort: 80, hostPort: 8080 }] }),
  );
  await world.until(running(world, "port-1"));
  const meek = `meek-${world.namespace}`;
  const cases: Record<string, object> = {
    selector: pod("selector", { nodeSelector: { disk: "tape" } }),
    cpu: pod("cpu", {}, requests("5")),
    both: pod("both", {}, requests("5", "9Gi")),
    gpu: pod("gpu", { nodeSelector: { disk: "ssd" } }, { resources: { limits: { "example.com/gpu": "1" } } }),
    affinity: pod("affinity", term("size", "Gt", ["3"])),
    absent: pod("absent", term("disk", "DoesNotExist")),
    port: pod("port", { nodeSelector: { disk: "ssd" } }, { ports: [{ containerPort: 80, hostPort: 8080 }] }),
    taint: pod("taint", { nodeSelector: { size: "2" } }),
    never: pod("never", { priorityClassName: meek }, requests("5")),
    near: pod("near", {
      affinity: {
        podAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { labelSelector: { matchLabels: { app: "nobody" } }, topologyKey: "kubernetes.io/hostname" },
          ],
        },
      },
    }),
    spread: pod("spread", {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "rack",
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: { matchLabels: { app: "x" } },
        },
      ],
    }),
  };
  const said: Record<string, unknown> = {};
  await world.create(types.priorityClasses, { metadata: { name: meek }, value: 1000, preemptionPolicy: "Never" });
  for (const object of Object.values(cases)) await world.create(types.pods, object);
  for (const name of Object.keys(cases)) {
    await world.until(refused(world, name));
    said[name] = await why(world, name);
  }
  await world.client.delete(types.priorityClasses, { name: meek });
  return said;
});

scenario("a pod goes where its rules lead", three, async (world) => {
  const prefer = (value: string) => ({
    affinity: {
      nodeAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 100, preference: { matchExpressions: [{ key: "disk", operator: "In", values: [value] }] } },
        ],
      },
    },
  });
  const near = (side: string) => ({
    affinity: {
      [side]: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: { app: "a" } }, topologyKey: "topology.kubernetes.io/zone" },
        ],
      },
    },
  });
  const tolerations = [{ key: "dedicated", operator: "Equal", value: "db", effect: "NoSchedule" }];
  const cases: readonly [string, object][] = [
    ["a", pod("a", { nodeSelector: { disk: "ssd" } }, {}, { app: "a" })],
    ["preferred", pod("preferred", prefer("ssd"))],
    ["gpu", pod("gpu", {}, { resources: { limits: { "example.com/gpu": "1" } } })],
    ["tolerant", pod("tolerant", { tolerations, nodeSelector: { size: "2" } })],
    [
      "near",
      pod("near", { ...near("podAffinity"), tolerations: [{ operator: "Exists" }], nodeSelector: { disk: "hdd" } }),
    ],
    ["far", pod("far", { ...near("podAntiAffinity"), tolerations: [{ operator: "Exists" }] })],
    ["named", pod("named", { nodeName: "n2" })],
  ];
  const places: Record<string, unknown> = {};
  for (const [name, object] of cases) {
    await world.create(types.pods, object);
    await world.until(running(world, name));
    places[name] = await nodeOf(world, name);
  }
  return { places, first: await why(world, "a") };
});

scenario("pods are spread over zones", { nodes: ["n1", "n3", "n4"], shape }, async (world) => {
  const spread = {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "topology.kubernetes.io/zone",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: { app: "x" } },
      },
    ],
  };
  const counts: Record<string, number> = {};
  for (let n = 0; n < 6; n++) {
    await world.create(types.pods, pod(`p${n}`, spread, {}, { app: "x" }));
    await world.until(running(world, `p${n}`));
    const node = await nodeOf(world, `p${n}`);
    counts[node] = (counts[node] ?? 0) + 1;
  }
  return counts;
});

scenario("a pod waits for its gates, and for a node that is cordoned", {}, async (world) => {
  await world.create(types.pods, pod("gated", { schedulingGates: [{ name: "example.com/wait" }] }));
  await world.until(refused(world, "gated"));
  const gated = await why(world, "gated");
  await world.change(types.nodes, "n1", { spec: { unschedulable: true } });
  await world.until(async () => (await world.get(types.nodes, "n1")).spec.taints?.length === 1);
  await world.change(types.pods, "gated", { spec: { schedulingGates: null } });
  await world.until(async () => scheduled(await world.get(types.pods, "gated"))?.reason === "Unschedulable");
  const cordoned = await why(world, "gated");
  await world.change(types.nodes, "n1", { spec: { unschedulable: null } });
  await world.until(running(world, "gated"));
  return { gated, cordoned, taints: (await world.get(types.nodes, "n1")).spec.taints };
});

scenario("a pod of higher priority takes the place of the least important", { shape }, async (world) => {
  const name = `high-${world.namespace}`;
  await world.create(types.priorityClasses, { metadata: { name }, value: 1000, description: "x" });
  for (const n of ["one", "two"]) {
    await world.create(types.pods, pod(n, { terminationGracePeriodSeconds: 1 }, requests("2")));
    await world.until(running(world, n));
    await world.pass(1);
  }
  await world.create(types.pods, pod("urgent", { priorityClassName: name }, requests("2")));
  await world.until(running(world, "urgent"));
  const { priority, preemptionPolicy } = (await world.get(types.pods, "urgent")).spec;
  const left = (await world.list(types.pods)).map(({ metadata }) => metadata.name).sort();
  const events = { urgent: await world.events("Pod", "urgent"), two: await world.events("Pod", "two") };
  await world.client.delete(types.priorityClasses, { name });
  return { priority, preemptionPolicy, left, events };
});
