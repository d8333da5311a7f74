import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { connect, type Socket } from "node:net";
import { type Clock, sleep } from "@tiphys/clock";
import { FailedPreconditionError, messageOf } from "@tiphys/errors";
import type { Informers } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import type { Logger, Metrics } from "@tiphys/telemetry";
import type { Endpoint } from "./forwarders.js";
import { matchIngress, unknownAnnotations } from "./ingress-table.js";
import type { ClusterResolver } from "./resolver.js";
import { type BackendStats, trafficStats } from "./traffic-stats.js";
import { weightedChooser } from "./weighted.js";

export interface ClusterProxyDeps {
  readonly informers: Informers;
  readonly resolver: ClusterResolver;
  /** Judges hosts outside the cluster (a Dialer); without it pods reach cluster names only. */
  readonly outside?: { resolve(host: string, port: number): Promise<Endpoint> };
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Ports; 0 or absent takes a free one. */
  readonly listen: { readonly host?: string; readonly forward?: number; readonly ingress?: number };
  /** How long a stop waits for requests in flight. */
  readonly drainMs?: number;
}

/** Stands for kube-proxy, DNS and an ingress controller on a machine that has none. */
export interface ClusterProxy {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  ready(): Promise<string | undefined>;
  /** For pods: an HTTP proxy that knows cluster names. Also answers `GET /stats`. */
  readonly forwardUrl: string;
  /** Serves Ingress rules by Host and path. */
  readonly ingressUrl: string;
  /** Environment that points a pod's HTTP clients here. */
  podEnv(pod?: KubeObject): Record<string, string>;
  stats(seconds?: number): readonly BackendStats[];
}

const DRAIN_MS = 5000;
const CONNECT_MS = 2000;
const HOP_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

export function createClusterProxy(deps: ClusterProxyDeps): ClusterProxy {
  const { resolver, informers, log } = deps;
  const host = deps.listen.host ?? "127.0.0.1";
  const stats = trafficStats(deps.clock, deps.metrics);
  const chooser = weightedChooser();
  const ingresses = informers.informer(types.ingresses);
  const turns = new Map<string, number>();
  let forward: Server | undefined;
  let ingress: Server | undefined;
  let inFlight = 0;
  let stopping = false;
  const warned = new Set<string>();

  const refuse = (response: ServerResponse, status: number, reason: string) => {
    if (response.headersSent) return void response.destroy();
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" }).end(`${reason}\n`);
  };

  /** Opens a connection to the first endpoint that answers; nothing of the request is sent before. */
  async function open(endpoints: readonly Endpoint[]): Promise<{ socket: Socket; endpoint: Endpoint }> {
    let failure: unknown;
    for (const endpoint of endpoints) {
      try {
        return { socket: await dial(endpoint), endpoint };
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  function pass(
    request: IncomingMessage,
    response: ServerResponse,
    socket: Socket,
    path: string,
    headers: IncomingHttpHeaders,
  ): Promise<number> {
    return new Promise((resolve) => {
      const upstream = httpRequest({
        createConnection: () => socket,
        method: request.method,
        path,
        headers,
        agent: undefined,
      });
      upstream.on("response", (answer) => {
        const status = answer.statusCode ?? 502;
        response.writeHead(status, clean(answer.headers));
        answer.pipe(response);
        answer.on("end", () => resolve(status));
        answer.on("error", () => {
          response.destroy();
          resolve(502);
        });
      });
      upstream.on("error", (error) => {
        refuse(response, 502, `the pod broke off: ${error.message}`);
        resolve(502);
      });
      response.on("close", () => {
        if (!response.writableFinished) {
          upstream.destroy();
          resolve(499);
        }
      });
      request.pipe(upstream);
    });
  }

  async function track(work: Promise<void>, response: ServerResponse): Promise<void> {
    inFlight++;
    try {
      await work;
    } catch (error) {
      refuse(response, 502, messageOf(error));
    } finally {
      inFlight--;
    }
  }

  async function onIngress(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "/";
    const path = url.split("?")[0] ?? "/";
    const match = matchIngress(ingresses.list(), { host: request.headers.host ?? "", path, headers: request.headers });
    if (!match)
      return refuse(response, 404, `no Ingress has a rule for host "${request.headers.host ?? ""}" and path ${path}`);
    const backend = chooser.choose(match.key, match.choices);
    if (!backend) return refuse(response, 503, `every backend of ${match.key} has weight 0`);
    const { namespace, service, port } = backend;
    const endpoints = resolver.endpoints(namespace, service, port);
    if (!endpoints || endpoints.length === 0) {
      stats.count({ namespace, service, pod: "" }, 503);
      const why = endpoints ? "has no ready endpoint" : `does not exist or has no port ${port}`;
      return refuse(response, 503, `service ${namespace}/${service} of ingress ${backend.ingress} ${why}`);
    }
    const key = `${namespace}/${service}:${port}`;
    const turn = turns.get(key) ?? 0;
    turns.set(key, (turn + 1) % Number.MAX_SAFE_INTEGER);
    const first = turn % endpoints.length;
    const inTurn = [...endpoints.slice(first), ...endpoints.slice(0, first)];
    const opened = await open(inTurn).catch((error: unknown) => messageOf(error));
    if (typeof opened === "string") {
      stats.count({ namespace, service, pod: inTurn[0]?.pod ?? "" }, 502);
      return refuse(response, 502, `no endpoint of service ${namespace}/${service} accepts connections: ${opened}`);
    }
    const headers = {
      ...clean(request.headers),
      "x-forwarded-for": request.socket.remoteAddress ?? "",
      "x-forwarded-host": request.headers.host ?? "",
      "x-forwarded-proto": "http",
    };
    const status = await pass(request, response, opened.socket, url, headers);
    stats.count({ namespace, service, pod: opened.endpoint.pod ?? "" }, status);
  }

  async function target(name: string, port: number, namespace: string | undefined): Promise<Endpoint> {
    const found = (await resolver.resolve(name, port, namespace)) ?? (await deps.outside?.resolve(name, port));
    if (!found)
      throw new FailedPreconditionError(`${name}:${port} is no cluster name, and this proxy does not reach outside`);
    return found;
  }

  async function onForward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? "";
    if (url.startsWith("/")) return onStats(url, response);
    const to = new URL(url);
    if (to.protocol !== "http:") return refuse(response, 400, `scheme ${to.protocol} is not proxied: use CONNECT`);
    const endpoint = await target(to.hostname, Number(to.port || 80), namespaceOf(request));
    const { socket } = await open([endpoint]);
    await pass(request, response, socket, `${to.pathname}${to.search}`, { ...clean(request.headers), host: to.host });
  }

  function onStats(url: string, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, "http://proxy");
    if (pathname !== "/stats") {
      refuse(response, 404, "this is a forward proxy: send absolute URLs, or GET /stats");
      return;
    }
    const seconds = searchParams.get("seconds");
    const wanted = ["namespace", "service", "pod"].filter((field) => searchParams.has(field));
    const backends = stats
      .read(seconds ? Number(seconds) : undefined)
      .filter((row) => wanted.every((field) => row[field as "namespace"] === searchParams.get(field)));
    const requests = backends.reduce((sum, row) => sum + row.requests, 0);
    const errors = backends.reduce((sum, row) => sum + row.errors, 0);
    const body = { requests, errors, errorRate: requests === 0 ? null : errors / requests, backends };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  }

  function onConnect(request: IncomingMessage, client: Socket, head: Buffer): void {
    client.on("error", () => {});
    const endpointOf = async () => {
      const { hostname, port } = new URL(`http://${request.url}`);
      // URL drops the default port of its scheme.
      return target(hostname, Number(port || 80), namespaceOf(request));
    };
    endpointOf()
      .then((endpoint) => open([endpoint]))
      .then(({ socket }) => {
        client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
        socket.write(head);
        socket.on("error", () => client.destroy());
        client.on("close", () => socket.destroy());
        socket.on("close", () => client.destroy());
        socket.pipe(client).pipe(socket);
      })
      .catch((error) =>
        client.end(`HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain\r\n\r\n${messageOf(error)}\n`),
      );
  }

  const listen = (server: Server, port: number, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) =>
        reject(
          error.code === "EADDRINUSE"
            ? new FailedPreconditionError(
                `${what}: port ${port} is in use by another program: stop it, or choose another port`,
              )
            : error,
        ),
      );
      server.listen(port, host, resolve);
    });
  const urlOf = (server: Server | undefined): string => {
    const address = server?.address();
    if (!address || typeof address === "string") throw new FailedPreconditionError("the cluster proxy is not started");
    return `http://${host}:${address.port}`;
  };

  return {
    name: "cluster-proxy",
    async start() {
      await ingresses.synced;
      ingresses.onChange(({ object }) => {
        const unknown = unknownAnnotations(object).join(", ");
        const key = `${object.metadata.namespace}/${object.metadata.name}: ${unknown}`;
        if (unknown === "" || warned.has(key)) return;
        warned.add(key);
        log.warn("ingress annotations without effect", { ingress: object.metadata.name, annotations: unknown });
      });
      forward = createServer((request, response) => void track(onForward(request, response), response));
      forward.on("connect", onConnect);
      ingress = createServer((request, response) => void track(onIngress(request, response), response));
      await listen(forward, deps.listen.forward ?? 0, "forward proxy");
      await listen(ingress, deps.listen.ingress ?? 0, "ingress");
    },
    async stop() {
      if (stopping) return;
      stopping = true;
      const servers = [forward, ingress].filter((server) => server !== undefined);
      const closed = Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      const until = deps.clock.monotonic() + (deps.drainMs ?? DRAIN_MS);
      while (inFlight > 0 && deps.clock.monotonic() < until) await sleep(deps.clock, 20);
      for (const server of servers) server.closeAllConnections();
      await closed;
    },
    async ready() {
      return forward?.listening && ingress?.listening ? undefined : "the cluster proxy does not listen";
    },
    get forwardUrl() {
      return urlOf(forward);
    },
    get ingressUrl() {
      return urlOf(ingress);
    },
    podEnv(pod) {
      const url = new URL(urlOf(forward));
      // The user part tells the namespace that short names are relative to. git asks a terminal for a proxy password that
      // is missing, even for hosts that need no proxy, so there is one.
      if (pod?.metadata.namespace) {
        url.username = pod.metadata.namespace;
        url.password = "namespace";
      }
      const proxy = url.href.replace(/\/$/, "");
      const direct = "localhost,127.0.0.1,::1";
      return { HTTP_PROXY: proxy, http_proxy: proxy, TIPHYS_PROXY: proxy, NO_PROXY: direct, no_proxy: direct };
    },
    stats: (seconds) => stats.read(seconds),
  };
}

function dial(endpoint: Endpoint): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: endpoint.host, port: endpoint.port, timeout: CONNECT_MS });
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.removeAllListeners();
      resolve(socket);
    });
    socket.once("timeout", () => socket.destroy(new Error(`no connection within ${CONNECT_MS} ms`)));
    socket.once("error", reject);
  });
}

/** Headers that may pass a proxy: those of one connection stay behind. */
function clean(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = String(headers["connection"] ?? "")
    .toLowerCase()
    .split(/\s*,\s*/);
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP_HEADERS.has(name) && !named.includes(name)),
  );
}

/** The namespace that `podEnv` put into the proxy's address. */
function namespaceOf(request: IncomingMessage): string | undefined {
  const basic = /^Basic (.+)$/.exec(request.headers["proxy-authorization"] ?? "")?.[1];
  return basic ? Buffer.from(basic, "base64").toString("utf8").split(":")[0] || undefined : undefined;
}
