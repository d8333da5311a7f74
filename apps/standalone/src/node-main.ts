import { randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSpawner } from "@tiphys/child-process";
import { systemClock } from "@tiphys/clock";
import { createDialer } from "@tiphys/dialer";
import { InvalidArgumentError } from "@tiphys/errors";
import { createMemoryJournal } from "@tiphys/journal";
import { createHttpKubeClient, createInformers, loadKubeconfig } from "@tiphys/kube";
import { createGatewayStatusController, createIngressStatusController } from "@tiphys/kube-controllers";
import {
  type BackendStats,
  createClusterProxy,
  createClusterResolver,
  createNodeRuntime,
  GATEWAY_CONTROLLER,
} from "@tiphys/node-runtime";
import { types } from "@tiphys/resources";
import { runUntilSignal, type Service } from "@tiphys/service-host";
import { createLogger, createMetrics } from "@tiphys/telemetry";
import { ensureProxyClasses } from "./classes.js";
import { nodeSettings } from "./node-settings.js";
import { stablePorts } from "./ports.js";
import { serveTrafficStats } from "./traffic-stats.js";

// The node runtime as the kubelet of an existing cluster, with the proxy for its Services and Ingresses. Prints one line
// of JSON with the addresses it serves once it is ready.
const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new InvalidArgumentError(name, "must be set");
  return value;
};
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
const clock = systemClock();
const log = createLogger({ service: "node", level: "warn" });
const metrics = createMetrics();
const data = required("TIPHYS_DATA");
await mkdir(data, { recursive: true });
const connection = await loadKubeconfig({ path: required("TIPHYS_KUBECONFIG") });
const client = createHttpKubeClient({ connection, log, clock });
const informers = createInformers({ client, clock, log });
const ports = await stablePorts(data);
const resolver = createClusterResolver({ informers });
let traffic: () => readonly BackendStats[] = () => [];
const stats = await serveTrafficStats(() => traffic(), informers.informer(types.pods));
const dialer = createDialer({ resolver, clock, log, metrics });
const proxy = createClusterProxy({
  informers,
  resolver,
  outside: dialer,
  clock,
  log,
  metrics,
  listen: { forward: ports.forward, ingress: ports.ingress, tls: ports.tls },
});
traffic = () => proxy.stats();
const spawner = createSpawner({ log });
const server = new URL(connection.server);
const kubeletClients = process.env["TIPHYS_KUBELET_CLIENT_NAMES"]?.split(",").filter(Boolean);
const kubeletCa = process.env["TIPHYS_KUBELET_CLIENT_CA"];
const node = createNodeRuntime({
  client: informers.client,
  informers,
  nodeName: process.env["TIPHYS_NODE_NAME"] ?? "tiphys-node",
  dir: join(data, "node"),
  clock,
  random: randomBytes,
  log,
  metrics,
  spawner,
  podEnv: (pod) => proxy.podEnv(pod),
  ...(await nodeSettings(process.env, dialer)),
  hostPrograms: LOOPBACK.test(server.hostname) || process.env["TIPHYS_NODE_HOST_PROGRAMS"] === "true",
  apiServer: { host: server.hostname, port: Number(server.port) || 443 },
  ...(kubeletCa
    ? {
        kubeletPort: {
          port: ports.kube,
          clientCa: await readFile(kubeletCa, "utf8"),
          ...(kubeletClients ? { clientNames: kubeletClients } : {}),
        },
      }
    : {}),
});
const outside: Service = {
  name: "outside",
  start: async () => {},
  async stop() {
    stats.close();
    await spawner.stop();
    await informers.stop();
    client.close();
  },
  ready: async () => undefined,
};
const announce: Service = {
  name: "announce",
  start: async () =>
    console.log(
      JSON.stringify({
        ingressUrl: proxy.ingressUrl,
        ingressTlsUrl: proxy.ingressTlsUrl,
        forwardUrl: proxy.forwardUrl,
        traffic: `127.0.0.1:${stats.port}`,
      }),
    ),
  stop: async () => {},
  ready: async () => undefined,
};
const asService = (part: {
  name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  ready(): Promise<string | undefined>;
}): Service => part;
const ingressStatus = createIngressStatusController({
  informers,
  clock,
  journal: createMemoryJournal(),
  log,
  metrics,
  hostname: "localhost",
});
let gatewayStatus: Service | undefined;
// Known only once the proxy has started: not every cluster has Gateway API.
const gateways: Service = {
  name: "gateway-status",
  async start() {
    await ensureProxyClasses(informers.client, { gateways: proxy.gateways !== undefined });
    if (!proxy.gateways) return;
    gatewayStatus = createGatewayStatusController({
      informers,
      clock,
      journal: createMemoryJournal(),
      log,
      metrics,
      state: proxy.gateways,
      controllerName: GATEWAY_CONTROLLER,
      address: "127.0.0.1",
    });
    await gatewayStatus.start();
  },
  stop: async () => gatewayStatus?.stop(),
  ready: async () => gatewayStatus?.ready(),
};
await runUntilSignal([outside, asService(proxy), asService(node), ingressStatus, gateways, announce], log, process);
