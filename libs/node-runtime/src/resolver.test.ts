import type { KubeObject } from "@tiphys/resources";
import { createClusterResolver } from "./resolver.js";
import { fixedInformers } from "./testing/fixed-informers.js";

const metadata = (name: string, more: object = {}) => ({ name, namespace: "shop", ...more });
const pod = (name: string, ip: string, hostPort: number): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: metadata(name, { annotations: { "tiphys.dev/forwarders": `{"5432":"127.0.0.1:${hostPort}"}` } }),
  status: { podIP: ip },
});
const service = (name: string, spec: object): KubeObject => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: metadata(name),
  spec,
});
const resolver = createClusterResolver({
  informers: fixedInformers([
    pod("db-0", "10.244.0.2", 20_001),
    pod("db-1", "10.244.0.3", 20_002),
    service("db", { clusterIP: "None", ports: [{ port: 15_432, targetPort: 5432 }] }),
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: metadata("db-1", { labels: { "kubernetes.io/service-name": "db" } }),
      ports: [{ name: "", port: 5432 }],
      endpoints: ["db-0", "db-1"].map((hostname, i) => ({
        addresses: [`10.244.0.${i + 2}`],
        hostname,
        targetRef: { name: hostname },
        conditions: { ready: true },
      })),
    },
    service("alias", { type: "ExternalName", externalName: "db.shop.svc.cluster.local" }),
    service("outside", { type: "ExternalName", externalName: "db.example.com" }),
    service("circle", { type: "ExternalName", externalName: "circle.shop.svc.cluster.local" }),
  ]),
});

it.each([
  { host: "db-1.db.shop.svc.cluster.local", port: 5432, want: 20_002 },
  { host: "db-0.db.shop.svc", port: 15_432, want: 20_001 },
  { host: "10-244-0-3.shop.pod.cluster.local", port: 5432, want: 20_002 },
  { host: "10.244.0.2", port: 5432, want: 20_001 },
])("finds $host:$port", async ({ host, port, want }) => {
  expect(await resolver.resolve(host, port, "shop")).toMatchObject({ host: "127.0.0.1", port: want });
});

it("gives the pods of a headless Service in turn, by the pods' port and by the Service's", async () => {
  const ports = async (port: number) => [
    (await resolver.resolve("db.shop.svc.cluster.local", port))?.port,
    (await resolver.resolve("db", port, "shop"))?.port,
  ];
  expect((await ports(5432)).sort()).toEqual([20_001, 20_002]);
  expect((await ports(15_432)).sort()).toEqual([20_001, 20_002]);
});

it("follows a Service that stands for another name of the cluster", async () => {
  expect((await resolver.resolve("alias", 5432, "shop"))?.host).toBe("127.0.0.1");
  await expect(resolver.resolve("outside", 5432, "shop")).rejects.toThrow('stands for "db.example.com"');
  await expect(resolver.resolve("circle", 5432, "shop")).rejects.toThrow("is no cluster name");
});

it.each([
  { host: "db-7.db.shop.svc.cluster.local", why: "no ready pod with the hostname db-7" },
  { host: "10-244-0-3.other.pod.cluster.local", why: "no pod of namespace other" },
  { host: "gone.shop.svc.cluster.local", why: "does not exist" },
])("says why $host has nowhere to go", async ({ host, why }) => {
  await expect(resolver.resolve(host, 5432, "shop")).rejects.toThrow(why);
});

it("leaves other names alone", async () => {
  await expect(resolver.resolve("example.com", 443, "shop")).resolves.toBeUndefined();
  await expect(resolver.resolve("a.b.c.example.com", 443, "shop")).resolves.toBeUndefined();
});
