import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createSpawner, type Spawner } from "@tiphys/child-process";
import { type Clock, systemClock } from "@tiphys/clock";
import { createInformers, type Informers, type KubeClient } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { eventually } from "@tiphys/testing";
import type { NodeRuntimeDeps } from "../deps.js";
import { createNodeRuntime, type NodeRuntime } from "../runtime.js";

export interface TestCluster {
  readonly client: KubeClient;
  /** The API as the kubelet of this node may use it; absent: all of it. */
  nodeClient?(nodeName: string): KubeClient;
  readonly kubeletPort?: NodeRuntimeDeps["kubeletPort"];
  /** How `kubectl logs` is answered where no kubelet port is asked. */
  serve?(node: NodeRuntime, nodeName: string): void;
  close(): Promise<void>;
}

export interface TestNode {
  readonly runtime: NodeRuntime;
  readonly nodeName: string;
  readonly namespace: string;
  readonly dir: string;
  readonly client: KubeClient;
  readonly informers: Informers;
  readonly spawner: Spawner;
  /** Ends the runtime as `kill -9` would: nothing is said, nothing is cleaned up. Then starts it again. */
  crash(): Promise<void>;
  /** Stops the runtime gracefully and starts it again. */
  restart(): Promise<void>;
  createPod(name: string, spec: object): Promise<KubeObject>;
  pod(name: string): Promise<KubeObject>;
  waitFor(name: string, what: (pod: KubeObject) => unknown): Promise<KubeObject>;
  log(name: string, options?: object): Promise<string>;
  close(): Promise<void>;
}

export const TAINT = { key: "tiphys.dev/test", value: "true", effect: "NoSchedule" };

/** A node with a namespace of its own on `cluster`. */
export async function startTestNode(cluster: TestCluster, options: Partial<NodeRuntimeDeps> = {}): Promise<TestNode> {
  const suffix = randomBytes(4).toString("hex");
  const nodeName = `tiphys-${suffix}`;
  const namespace = `node-runtime-${suffix}`;
  const dir = mkdtempSync(join(tmpdir(), "tiphys-node-"));
  const create = () => {
    const clock = mortalClock();
    const informers = createInformers({ client: cluster.client, clock, log: silentLogger });
    const spawner = createSpawner({ log: silentLogger });
    const runtime = createNodeRuntime({
      client: cluster.nodeClient?.(nodeName) ?? cluster.client,
      informers,
      nodeName,
      dir,
      clock,
      random: randomBytes,
      log: process.env["TIPHYS_TEST_LOG"] ? consoleLogger : silentLogger,
      metrics: noMetrics,
      spawner,
      taints: [TAINT],
      ...(cluster.kubeletPort ? { kubeletPort: cluster.kubeletPort } : {}),
      ...options,
    });
    cluster.serve?.(runtime, nodeName);
    return { informers, spawner, runtime, clock };
  };
  let parts = create();
  const { client } = cluster;
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  await parts.runtime.start();
  // A real control plane refuses pods until the namespace has its service account.
  await eventually(() => client.get(types.serviceAccounts, { namespace, name: "default" }).catch(() => undefined), {
    limit: 10_000,
  }).catch(() => undefined);

  const pod = (name: string) => client.get(types.pods, { namespace, name });
  return {
    get runtime() {
      return parts.runtime;
    },
    get informers() {
      return parts.informers;
    },
    get spawner() {
      return parts.spawner;
    },
    nodeName,
    namespace,
    dir,
    client,
    async crash() {
      parts.clock.die();
      await parts.informers.stop();
      await parts.spawner.stop();
      parts = create();
      await parts.runtime.start();
    },
    async restart() {
      await parts.runtime.stop();
      await parts.informers.stop();
      await parts.spawner.stop();
      parts = create();
      await parts.runtime.start();
    },
    createPod: (name, spec) =>
      client.create(types.pods, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace, labels: { app: name } },
        spec: { nodeName, terminationGracePeriodSeconds: 2, ...spec },
      }),
    pod,
    async waitFor(name, what) {
      let last: KubeObject | undefined;
      return eventually(
        async () => {
          last = await pod(name);
          return what(last) ? last : undefined;
        },
        { limit: 15_000, interval: 20, describe: () => last?.["status"] },
      );
    },
    async log(name, logOptions = {}) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of client.logs({ namespace, name }, logOptions, new AbortController().signal))
        chunks.push(chunk);
      return Buffer.concat(chunks).toString("utf8");
    },
    async close() {
      const background = { propagation: "Background" as const };
      await client.delete(types.namespaces, { name: namespace }, background).catch(() => {});
      for (const left of (await client.list(types.pods, { namespace })).items) {
        await client
          .delete(types.pods, { namespace, name: left.metadata.name }, { gracePeriodSeconds: 0 })
          .catch(() => {});
      }
      await parts.runtime.stop();
      await client.delete(types.nodes, { name: nodeName }).catch(() => {});
      await parts.informers.stop();
      await parts.spawner.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The machine's time until it dies: then nothing of the runtime that waits ever goes on. */
function mortalClock(): Clock & { die(): void } {
  const clock = systemClock();
  const timers = new Set<() => void>();
  let dead = false;
  return {
    ...clock,
    at(at, run) {
      if (dead) return () => {};
      const cancel = clock.at(at, () => {
        timers.delete(cancel);
        run();
      });
      timers.add(cancel);
      return () => {
        timers.delete(cancel);
        cancel();
      };
    },
    die() {
      dead = true;
      for (const cancel of timers) cancel();
    },
  };
}

const consoleLogger = {
  debug: (message: string, fields?: object) => console.log(message, JSON.stringify(fields)),
  info: (message: string, fields?: object) => console.log(message, JSON.stringify(fields)),
  warn: (message: string, fields?: object) => console.warn(message, JSON.stringify(fields)),
  error: (message: string, fields?: object) => console.error(message, JSON.stringify(fields)),
  with: () => consoleLogger,
};

/** A tiny HTTP server for containers: answers its hostname, 503 on /sick. */
export const HTTP_SERVER = `
require("node:http").createServer((q, r) => { r.statusCode = q.url === "/sick" ? 503 : 200; r.end(process.env.HOSTNAME + " " + q.url); })
  .listen(Number(process.env.PORT), "127.0.0.1");
`;

export function get(url: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** The port of a pod on the host, from its annotation. */
export const hostPortOf = (pod: KubeObject, port: number): number =>
  Number(JSON.parse(pod.metadata.annotations?.["tiphys.dev/forwarders"] ?? "{}")[port]?.split(":")[1]);
