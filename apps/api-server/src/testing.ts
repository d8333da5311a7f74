import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { systemClock, type VirtualClock, virtualClock } from "@tiphys/clock";
import { clusterAdmin } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import { createEmbeddedKube, type EmbeddedKube } from "@tiphys/kube-embedded";
import { allCrds, type KubeObject, types } from "@tiphys/resources";
import { type GrpcChannel, grpcChannel } from "@tiphys/rpc";
import { noMetrics, silentLogger } from "@tiphys/telemetry";
import { type ApiServer, type ApiServerDeps, createApiServer } from "./create.js";
import type { EventRecord } from "./history.js";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect
  readonly json: any;
}

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON unless it is text or bytes. */
  readonly body?: unknown;
  /** False: no session. */
  readonly session?: boolean;
}

/** An api-server on an embedded cluster in memory, and what a test needs to speak with it. */
export interface TestServer {
  readonly api: ApiServer;
  readonly kube: EmbeddedKube;
  readonly client: KubeClient;
  readonly clock: VirtualClock;
  readonly password: string;
  readonly token: string;
  /** What the events-gateway would answer; tests add to it. */
  readonly events: EventRecord[];
  /** What came in by /api/webhook. */
  readonly refreshed: object[];
  call(path: string, call?: Call): Promise<Answer>;
  /** An open stream: its messages as they come; `end` goes away. */
  stream(path: string, headers?: Readonly<Record<string, string>>): Promise<TestStream>;
  /** Not logged in when `token` is empty. */
  channel(token?: string): GrpcChannel;
  stop(): Promise<void>;
}

export interface TestStream {
  readonly response: IncomingMessage;
  /** Everything received so far. */
  text(): string;
  readonly ended: Promise<void>;
  end(): void;
}

const NAMESPACE = "argocd";

/** The only controller that is connected: that of applications. */
const explain = async ({ name }: { name?: string }) => ({
  decisions: [
    {
      at: "2026-01-01T00:00:00Z",
      actions: ["apply ConfigMap"],
      reasons: [{ code: "OutOfSync", message: `one object of ${name} differs`, about: "ConfigMap web" }],
      change: "",
    },
  ],
});

export async function startTestServer(overrides: Partial<ApiServerDeps> = {}): Promise<TestServer> {
  const system = systemClock();
  const kube = await createEmbeddedKube({ clock: system, random: randomBytes, log: silentLogger, crds: allCrds });
  const client = kube.client(clusterAdmin);
  await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  const clock = virtualClock(system.now());
  const events: EventRecord[] = [];
  const refreshed: object[] = [];
  const api = createApiServer({
    client,
    clock,
    random: randomBytes,
    log: silentLogger,
    metrics: noMetrics,
    namespace: NAMESPACE,
    host: "127.0.0.1",
    port: 0,
    history: { controllers: { delivery: { explain } }, events: async () => [...events].reverse() },
    refreshRepository: async (request) => {
      refreshed.push(request);
      return ["argocd/web"];
    },
    ...overrides,
  });
  try {
    await api.start();
  } catch (error) {
    await kube.stop();
    throw error;
  }
  const password = (await api.accounts.initialPassword())?.reveal() ?? "";
  const token = await api.accounts.login("admin", password);
  const channels: GrpcChannel[] = [];
  const streams: TestStream[] = [];
  const open = (path: string, { method, headers, body, session }: Call) =>
    httpsRequest(new URL(path, api.url), {
      method: method ?? (body === undefined ? "GET" : "POST"),
      ca: api.certificate,
      agent: false,
      servername: "localhost",
      headers: {
        ...(session === false ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
    }).end(
      body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? (body ?? "") : JSON.stringify(body),
    );
  const answered = (path: string, call: Call) =>
    new Promise<IncomingMessage>((resolve, reject) => open(path, call).once("response", resolve).once("error", reject));
  return {
    api,
    kube,
    client,
    clock,
    password,
    token,
    events,
    refreshed,
    async call(path, call = {}) {
      const response = await answered(path, call);
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      const isJson = response.headers["content-type"]?.startsWith("application/json") && !text.includes("\n");
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        json: isJson ? JSON.parse(text) : undefined,
      };
    },
    async stream(path, headers = {}) {
      const response = await answered(path, { headers });
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      const ended = new Promise<void>((resolve) => response.once("close", resolve).on("error", () => {}));
      const stream = { response, text: () => text, ended, end: () => void response.destroy() };
      streams.push(stream);
      return stream;
    },
    channel(session = token) {
      const channel = grpcChannel({
        target: new URL(api.url).host,
        ca: api.certificate,
        ...(session ? { token: async () => session } : {}),
      });
      channels.push(channel);
      return channel;
    },
    async stop() {
      for (const stream of streams) stream.end();
      for (const channel of channels) channel.close();
      await api.stop();
      await kube.stop();
    },
  };
}

/** An Application that is valid and does nothing. */
export const application = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Application",
  metadata: { name, namespace: NAMESPACE },
  spec: {
    project: "default",
    source: { repoURL: "https://git.example/config.git", path: "web", targetRevision: "main" },
    destination: { server: "https://kubernetes.default.svc", namespace: "default" },
    ...spec,
  },
});

const template = { name: "main", container: { image: "alpine", command: ["true"] } };

export const workflow = (name: string, spec: object = { entrypoint: "main", templates: [template] }): KubeObject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Workflow",
  metadata: { name, namespace: "default" },
  spec,
});

/** A template with one parameter, `who`. */
export const workflowTemplate = (name: string): KubeObject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "WorkflowTemplate",
  metadata: { name, namespace: "default" },
  spec: {
    entrypoint: "main",
    arguments: { parameters: [{ name: "who", value: "nobody" }] },
    templates: [template],
  },
});

export const rollout = (name: string): KubeObject => ({
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout",
  metadata: { name, namespace: "default" },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image: "web:1" }] } },
    strategy: { canary: { steps: [{ setWeight: 20 }, { pause: {} }, { setWeight: 60 }] } },
  },
});
