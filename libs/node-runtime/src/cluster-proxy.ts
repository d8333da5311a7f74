import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { type Clock, sleep } from "@tiphys/clock";
import { FailedPreconditionError, messageOf } from "@tiphys/errors";
import { covers } from "@tiphys/gateway";
import type { Informers } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import type { Logger, Metrics } from "@tiphys/telemetry";
import { secretContexts, selfSigned } from "./certificates.js";
import type { Endpoint } from "./forwarders.js";
import { type Arrival, createGatewayProxy, denied, type GatewayProxy } from "./gateway-proxy.js";
import { type GatewayState, openGatewayState } from "./gateway-state.js";
import { clean, forwarded, openFirst, pass, passUpgrade, refuse } from "./http-pass.js";
import { unknownAnnotations } from "./ingress-annotations.js";
import { isServed, matchIngress, tlsSecrets } from "./ingress-table.js";
import { type ProxyPorts, proxyPorts } from "./proxy-ports.js";
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
  readonly listen: {
    readonly host?: string;
    readonly forward?: number;
    readonly ingress?: number;
    readonly tls?: number;
  };
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
  /** Serves Ingress rules, and listeners of Gateways on port 80, by Host and path. */
  readonly ingressUrl: string;
  /** The same with TLS, for listeners on port 443 too. */
  readonly ingressTlsUrl: string;
  /** What is served of Gateway API; undefined where the cluster has none of it. */
  readonly gateways: GatewayState | undefined;
  /** Environment that points a pod's HTTP clients here. */
  podEnv(pod?: KubeObject): Record<string, string>;
  stats(seconds?: number): readonly BackendStats[];
}

const DRAIN_MS = 5000;
/** The ports that Ingresses have, and those of listeners that are served beside them. */
const HTTP_PORT = 80;
const TLS_PORT = 443;

export function createClusterProxy(deps: ClusterProxyDeps): ClusterProxy {
  const { resolver, informers, log } = deps;
  const host = deps.listen.host ?? "127.0.0.1";
  const stats = trafficStats(deps.clock, deps.metrics);
  const chooser = weightedChooser();
  const ingresses = informers.informer(types.ingresses);
  const turns = new Map<string, number>();
  const classes = informers.informer(types.ingressClasses);
  const served = () => ingresses.list().filter((ingress) => isServed(ingress, classes.list()));
  const secrets = informers.informer(types.secrets);
  const contextOf = secretContexts();
  let forward: Server | undefined;
  let gateways: GatewayState | undefined;
  let gateway: GatewayProxy | undefined;
  let inFlight = 0;
  let stopping = false;
  const warned = new Set<string>();

  const ports: ProxyPorts = proxyPorts(
    host,
    {
      request(protocol, port, request, response) {
        void track(arrive({ request, protocol, port, answer: { response } }), response);
      },
      upgrade(protocol, port, request, client, head) {
        arrive({ request, protocol, port, answer: { client, head } }).catch(() => client.destroy());
      },
      context: certificateFor,
    },
    () => selfSigned("tiphys-proxy", [{ type: "dns", value: "localhost" }], deps.clock),
  );

  /** Gateways come first: where one takes the host and has a rule, Ingresses are not asked. */
  async function arrive(arrival: Arrival): Promise<void> {
    if (await gateway?.serve(arrival)) return;
    const { request, port, answer } = arrival;
    if (port === HTTP_PORT || port === TLS_PORT) return onIngress(arrival);
    denied(answer, 404, `no route has a rule for host "${request.headers.host ?? ""}" and path ${request.url}`);
  }

  function certificateFor(port: number, name: string): SecureContext | undefined {
    const listeners = gateways?.view().served ?? [];
    const own = listeners.filter((one) => one.protocol === "HTTPS" && one.port === port && covers(one.hostname, name));
    own.sort((a, b) => (b.hostname?.length ?? 0) - (a.hostname?.length ?? 0));
    const refs = own[0]?.certificates ?? (port === TLS_PORT ? tlsSecrets(served(), name) : []);
    for (const ref of refs) {
      const secret = secrets.get(ref);
      const context = secret && contextOf(secret);
      if (context) return context;
    }
    return undefined;
  }

  /** Endpoints of a Service port, the one whose turn it is first. */
  function inTurn(namespace: string, service: string, port: number | string): readonly Endpoint[] | undefined {
    const endpoints = resolver.endpoints(namespace, service, port);
    if (!endpoints || endpoints.length === 0) return endpoints;
    const key = `${namespace}/${service}:${port}`;
    const turn = turns.get(key) ?? 0;
    turns.set(key, (turn + 1) % Number.MAX_SAFE_INTEGER);
    const first = turn % endpoints.length;
    return [...endpoints.slice(first), ...endpoints.slice(0, first)];
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

  async function onIngress(arrival: Arrival): Promise<void> {
    const { request, protocol, answer } = arrival;
    const url = request.url ?? "/";
    const path = url.split("?")[0] ?? "/";
    const host = request.headers.host ?? "";
    const match = matchIngress(served(), { host, path, headers: request.headers });
    if (!match) return denied(answer, 404, `no Ingress has a rule for host "${host}" and path ${path}`);
    const [name = "", port] = host.split(":");
    const redirect = match.redirect(protocol, url, `${name}${port ? `:${ports.hostPort("HTTPS", TLS_PORT)}` : ""}`);
    if (redirect) return denied(answer, redirect.status, "", { location: redirect.location });
    const backend = chooser.choose(match.key, match.choices);
    if (!backend) return denied(answer, 503, `every backend of ${match.key} has weight 0`);
    const { namespace, service } = backend;
    const place = { namespace, service, route: `${namespace}/${backend.ingress}` };
    const endpoints = inTurn(namespace, service, backend.port);
    if (!endpoints || endpoints.length === 0) {
      stats.count({ ...place, pod: "" }, 503);
      const why = endpoints ? "has no ready endpoint" : `does not exist or has no port ${backend.port}`;
      return denied(answer, 503, `service ${namespace}/${service} of ingress ${backend.ingress} ${why}`);
    }
    const opened = await openFirst(endpoints).catch((error: unknown) => messageOf(error));
    if (typeof opened === "string") {
      stats.count({ ...place, pod: endpoints[0]?.pod ?? "" }, 502);
      return denied(answer, 502, `no endpoint of service ${namespace}/${service} accepts connections: ${opened}`);
    }
    const { socket, endpoint } = opened;
    const headers = { ...forwarded(request, protocol === "HTTPS" ? "https" : "http"), ...match.headers };
    const going = { socket, path: match.rewrite(url), headers };
    const status =
      "client" in answer
        ? await passUpgrade({ request, ...answer }, going)
        : await pass({ ...going, request, response: answer.response });
    stats.count({ ...place, pod: endpoint.pod ?? "" }, status);
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
    const { socket } = await openFirst([endpoint]);
    const headers = { ...clean(request.headers), host: to.host };
    await pass({ request, response, socket, path: `${to.pathname}${to.search}`, headers });
  }

  function onStats(url: string, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, "http://proxy");
    if (pathname !== "/stats") {
      refuse(response, 404, "this is a forward proxy: send absolute URLs, or GET /stats");
      return;
    }
    const seconds = searchParams.get("seconds");
    const wanted = ["namespace", "service", "pod", "route"].filter((field) => searchParams.has(field));
    const mirrored = searchParams.get("mirrored") === "true";
    const backends = stats
      .read(seconds ? Number(seconds) : undefined)
      .filter((row) => row.mirrored === mirrored)
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
      .then((endpoint) => openFirst([endpoint]))
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

  let following: Promise<void> = Promise.resolve();
  const inUse = (error: NodeJS.ErrnoException, port: number, what: string): Error =>
    error.code === "EADDRINUSE"
      ? new FailedPreconditionError(
          `${what}: port ${port} is in use by another program: stop it, or choose another port`,
        )
      : error;
  const listen = (server: Server, port: number, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => reject(inUse(error, port, what)));
      server.listen(port, host, resolve);
    });
  const openPort = (protocol: "HTTP" | "HTTPS", port: number, hostPort: number, what: string) =>
    ports.open(protocol, port, hostPort).catch((error) => Promise.reject(inUse(error, hostPort, what)));
  const portOf = (protocol: "HTTP" | "HTTPS", port: number): number => {
    const found = ports.hostPort(protocol, port);
    if (found === undefined) throw new FailedPreconditionError("the cluster proxy is not started");
    return found;
  };
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
      await listen(forward, deps.listen.forward ?? 0, "forward proxy");
      await openPort("HTTP", HTTP_PORT, deps.listen.ingress ?? 0, "ingress");
      await openPort("HTTPS", TLS_PORT, deps.listen.tls ?? 0, "ingress with TLS");
      gateways = await openGatewayState(informers, (protocol, port) => ports.problem(protocol, port));
      if (!gateways) return;
      const state = gateways;
      const hostPort = ports.hostPort;
      gateway = createGatewayProxy({ state, clock: deps.clock, stats, chooser, endpoints: inTurn, hostPort });
      const follow = () => {
        const wanted = state.view().served.map(({ protocol, port }) => ({ protocol, port }));
        const later = wanted.filter(({ protocol, port }) => port !== (protocol === "HTTP" ? HTTP_PORT : TLS_PORT));
        following = following
          .then(() => ports.follow(later))
          .then(() => state.invalidate())
          .catch((error) => log.warn("ports of Gateways are not open", { error: messageOf(error) }));
      };
      state.settled = () => following;
      state.onChange(follow);
      follow();
      await following;
    },
    async stop() {
      if (stopping) return;
      stopping = true;
      const open = ports.close();
      const closed = Promise.all([
        open.closed,
        new Promise<void>((resolve) => (forward ? forward.close(() => resolve()) : resolve())),
      ]);
      const until = deps.clock.monotonic() + (deps.drainMs ?? DRAIN_MS);
      while (inFlight > 0 && deps.clock.monotonic() < until) await sleep(deps.clock, 20);
      open.force();
      forward?.closeAllConnections();
      await closed;
    },
    async ready() {
      return forward?.listening && ports.hostPort("HTTP", HTTP_PORT) ? undefined : "the cluster proxy does not listen";
    },
    get forwardUrl() {
      return urlOf(forward);
    },
    get ingressUrl() {
      return `http://${host}:${portOf("HTTP", HTTP_PORT)}`;
    },
    get ingressTlsUrl() {
      return `https://${host}:${portOf("HTTPS", TLS_PORT)}`;
    },
    get gateways() {
      return gateways;
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

/** The namespace that `podEnv` put into the proxy's address. */
function namespaceOf(request: IncomingMessage): string | undefined {
  const basic = /^Basic (.+)$/.exec(request.headers["proxy-authorization"] ?? "")?.[1];
  return basic ? Buffer.from(basic, "base64").toString("utf8").split(":")[0] || undefined : undefined;
}
