import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import { credentials, Metadata, Client as RawClient } from "@grpc/grpc-js";
import { systemClock } from "@tiphys/clock";
import { createServiceTokens, type ServiceTokens } from "@tiphys/rpc";
import { Secret } from "@tiphys/secret";
import { eventually, freePort, type TestServer } from "@tiphys/testing";
import { type Accounts, openAccounts } from "./separate-accounts.js";
import { type Cluster, NODE_NAME } from "./separate-cluster.js";
import { type Running, start } from "./separate-processes.js";

export const services = [
  "repo-server",
  "app-controller",
  "workflow-controller",
  "rollouts-controller",
  "events-gateway",
  "api-server",
] as const;
export type ServiceName = (typeof services)[number];

/** A service in its own process and the ports it was told. */
export interface RunningService {
  readonly name: ServiceName;
  readonly running: Running;
  readonly grpc: string;
  readonly http: string;
}

/** PEM texts of a certificate that is its own authority. */
export interface Tls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** The suite as separate processes on one control plane, with NATS and Redis between them. */
export interface SeparateSuite {
  readonly services: readonly RunningService[];
  readonly node: Running;
  readonly tokens: ServiceTokens;
  /** Present when the services speak TLS to each other. */
  readonly tls?: Tls;
  readonly ingressUrl: string;
  /** Who the services and the demo are on the cluster. */
  readonly accounts: Accounts;
  /** `host:port` of the public port. */
  readonly api: string;
  /** SIGTERM to all, the public port first and the node last. */
  stop(): Promise<{ name: string; code: number | null; milliseconds: number }[]>;
}

export async function startSuite(options: {
  cluster: Cluster;
  folder: string;
  nats: TestServer;
  redis: TestServer;
  /** Services prove to each other who they are by certificates too. */
  mutualTls: boolean;
}): Promise<SeparateSuite> {
  const { cluster, folder, nats, redis } = options;
  const tls = options.mutualTls ? await selfSigned(folder) : undefined;
  const key = randomBytes(32).toString("hex");
  const keyFile = join(folder, "internal.key");
  await writeFile(keyFile, key, { mode: 0o600 });
  const accounts = await openAccounts(cluster.kubeconfig, cluster.client, folder);
  const node = start("node", "standalone/dist/node.mjs", folder, {
    TIPHYS_KUBECONFIG: cluster.kubeconfig,
    TIPHYS_DATA: join(folder, "node"),
    TIPHYS_NODE_NAME: NODE_NAME,
    TIPHYS_KUBELET_CLIENT_CA: cluster.kubeletClientCa,
  });
  const { ingressUrl = "", traffic = "" } = await node.announced();

  const port = async () => `127.0.0.1:${await freePort()}`;
  const addresses = new Map<ServiceName, { grpc: string; http: string }>();
  for (const name of services) addresses.set(name, { grpc: await port(), http: await port() });
  const api = await port();
  const report = await port();
  const peers = Object.fromEntries(
    services.map((name) => [`TIPHYS_${name.toUpperCase().replaceAll("-", "_")}`, addresses.get(name)?.grpc ?? ""]),
  );
  const started = services.map((name): RunningService => {
    const { grpc = "", http = "" } = addresses.get(name) ?? {};
    const running = start(name, `${name}/dist/main.mjs`, folder, {
      TIPHYS_KUBECONFIG: accounts[name],
      TIPHYS_DATA: join(folder, "data"),
      ...peers,
      ...(tls ? tls.env : {}),
      TIPHYS_INTERNAL_KEY_FILE: keyFile,
      TIPHYS_NATS: nats.url,
      TIPHYS_JOURNAL: "nats",
      TIPHYS_REDIS: redis.url,
      TIPHYS_CLUSTER_HOSTS: `traffic.tiphys.svc=${traffic}`,
      TIPHYS_GRPC_LISTEN: grpc,
      TIPHYS_HTTP_LISTEN: http,
      TIPHYS_REPORT_LISTEN: report,
      TIPHYS_LISTEN: api,
    });
    return { name, running, grpc, http };
  });
  for (const service of started) {
    await eventually(async () => (await ask(service, "/readyz").catch(() => undefined))?.status === 200, {
      limit: 30_000,
      interval: 50,
      describe: () => `${service.name}: ${service.running.log()}`,
    });
  }
  return {
    services: started,
    node,
    accounts,
    tokens: createServiceTokens({ key: new Secret(key), clock: systemClock() }),
    ...(tls ? { tls: tls.pem } : {}),
    ingressUrl,
    api,
    async stop() {
      const ends = [];
      for (const { running } of [...started].reverse()) ends.push(await running.stop());
      ends.push(await node.stop());
      return ends;
    },
  };
}

async function selfSigned(folder: string): Promise<{ pem: Tls; env: Record<string, string> }> {
  const [keyFile, certFile] = [join(folder, "tls.key"), join(folder, "tls.crt")];
  const key = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
  const names = ["-subj", "/CN=tiphys-services", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  execFileSync("openssl", ["req", ...key, ...names, "-keyout", keyFile, "-out", certFile], { stdio: "ignore" });
  const cert = await readFile(certFile, "utf8");
  return {
    pem: { ca: cert, cert, key: await readFile(keyFile, "utf8") },
    env: { TIPHYS_TLS_CERT: certFile, TIPHYS_TLS_KEY: keyFile, TIPHYS_TLS_CA: certFile },
  };
}

/** GET on a service's HTTP port. */
export function ask({ http }: RunningService, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = get(`http://${http}${path}`, { agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.once("error", reject);
  });
}

/** Counters of one metric: the values of `labels`, joined by "/", and how often. */
export async function counts(
  service: RunningService,
  metric: string,
  labels: readonly string[],
): Promise<Map<string, number>> {
  const { body } = await ask(service, "/metrics");
  const found = new Map<string, number>();
  for (const line of body.split("\n")) {
    const match = new RegExp(`^${metric}\\{(.*)\\} (\\S+)$`).exec(line);
    if (!match) continue;
    const pairs = new Map([...(match[1] ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
    found.set(labels.map((label) => pairs.get(label) ?? "").join("/"), Number(match[2]));
  }
  return found;
}

/** Names that gRPC reflection lists; rejects with the gRPC error. Sent as bytes: reflection's messages are not among ours. */
export function reflected(target: string, token: string, tls?: Tls): Promise<string> {
  return new Promise((resolve, reject) => {
    const raw = new RawClient(
      target,
      tls
        ? credentials.createSsl(Buffer.from(tls.ca), Buffer.from(tls.key), Buffer.from(tls.cert))
        : credentials.createInsecure(),
    );
    const metadata = new Metadata();
    if (token) metadata.set("authorization", `Bearer ${token}`);
    const same = (bytes: Buffer) => bytes;
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const call = raw.makeBidiStreamRequest(path, same, same, metadata);
    call.on("data", (bytes: Buffer) => {
      resolve(bytes.toString("latin1"));
      raw.close();
    });
    call.on("error", (error) => {
      reject(error);
      raw.close();
    });
    // ServerReflectionRequest { list_services: "*" }
    call.end(Buffer.from([0x3a, 1, 0x2a]));
  });
}
