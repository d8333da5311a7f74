import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import { deflateRaw, gunzip, gzip, inflateRaw } from "node:zlib";
import { messageOf } from "@tiphys/errors";
import { statusError } from "@tiphys/kube";
import { limits } from "@tiphys/limits";
import type { KubeObject } from "@tiphys/resources";
import type { HandlerParts } from "../api/handle.js";
import { get } from "../api/reads.js";
import * as status from "../api/status.js";
import type { Exchange } from "./exchange.js";
import { type Proxied, rewriteLinks, throughProxy } from "./proxy-links.js";
import type { Route } from "./route.js";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
/** Headers of one connection, and the caller's credentials for this server: neither is for the other side. */
const NOT_FORWARDED = new Set([
  "authorization",
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
]);

/** Headers of the other side that would speak for this server. */
const NOT_RETURNED = new Set([
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
]);

/** What an answer without a type is called, as clients of the real server see it. */
const UNTYPED = "text/plain; charset=utf-8";

interface Target {
  readonly scheme: "http" | "https";
  readonly ip: string;
  readonly port: number;
}

const unavailable = (message: string) => statusError(503, "ServiceUnavailable", message);

/** `pods|services|nodes/<[scheme:]name[:port]>/proxy/<path>`: the request, answered by what it names. */
export async function proxy(parts: HandlerParts, exchange: Exchange, found: Route): Promise<void> {
  const { request, response, url } = exchange;
  if (!METHODS.has(request.method ?? "")) throw status.methodNotAllowed();
  const { kind, name: id = "", rest = "" } = found;
  if (kind.resource === "nodes") return proxyNode(parts, exchange, found);
  const target = kind.resource === "pods" ? await podTarget(parts, found, id) : await serviceTarget(parts, found, id);
  if (rest === "" && (request.method === "GET" || request.method === "HEAD")) {
    // Relative links of the answer need the slash.
    response.writeHead(301, { location: `${url.pathname}/${url.search}` }).end();
    return;
  }
  const socket = await parts.reach(target.ip, target.port).catch((error) => {
    throw unavailable(`error trying to reach service: ${messageOf(error)}`);
  });
  const stream = target.scheme === "https" ? secured(socket) : socket;
  const pathname = decodeURIComponent(url.pathname);
  forward(exchange, stream, `${rest || "/"}${url.search}`, {
    prefix: pathname.endsWith(rest) ? pathname.slice(0, pathname.length - rest.length) : pathname,
    target: `${target.ip}:${target.port}`,
    asked: request.headers.host ?? "",
  });
}

async function proxyNode(
  parts: HandlerParts,
  exchange: Exchange,
  { kind, name = "", rest = "" }: Route,
): Promise<void> {
  const node = name.replace(/:\d+$/, "").replace(/^https?:/, "");
  await get(parts, { kind, name: node });
  const connection = parts.nodeConnection(node);
  if (!connection)
    throw unavailable(`error trying to reach service: node "${node}" is not connected to this API server`);
  const target = `${rest || "/"}${exchange.url.search}`;
  const upgrade = exchange.request.headers.upgrade ? exchange.takeOver() : undefined;
  if (upgrade) return connection.upgrade(target, upgrade);
  connection.request(target, exchange.request, exchange.response);
}

/** `name`, `name:port`, `scheme:name:port`. */
function split(kind: string, id: string): { scheme: "http" | "https"; name: string; port: string } {
  const parts = id.split(":");
  const [scheme, name, port] = parts.length === 3 ? parts : ["", ...parts];
  if (parts.length > 3 || !["", "http", "https"].includes(scheme ?? "") || !name) {
    throw status.badRequest(`invalid ${kind} request "${id}"`);
  }
  return { scheme: scheme === "https" ? "https" : "http", name, port: port ?? "" };
}

const within = ({ namespace }: Route) => (namespace === undefined ? {} : { namespace });

async function podTarget(parts: HandlerParts, found: Route, id: string): Promise<Target> {
  const { scheme, name, port } = split("pod", id);
  const pod = await get(parts, { kind: found.kind, name, ...within(found) });
  const ip = pod["status"]?.podIP;
  if (!ip) throw status.badRequest("address not allowed");
  const declared = ((pod["spec"]?.containers ?? []) as { ports?: { containerPort: number }[] }[]).flatMap(
    ({ ports = [] }) => ports.map(({ containerPort }) => containerPort),
  );
  return { scheme, ip, port: Number(port) || declared[0] || (scheme === "https" ? 443 : 80) };
}

interface ServicePort {
  readonly name?: string;
  readonly port: number;
}

async function serviceTarget(parts: HandlerParts, found: Route, id: string): Promise<Target> {
  const { scheme, name, port } = split("service", id);
  const service = await get(parts, { kind: found.kind, name, ...within(found) });
  const ports = (service["spec"]?.ports ?? []) as ServicePort[];
  const noEndpoints = unavailable(`no endpoints available for service "${name}"`);
  const wanted =
    port === ""
      ? ports.length === 1
        ? ports[0]
        : undefined
      : (ports.find((one) => one.name === port) ?? ports.find((one) => String(one.port) === port));
  if (!wanted) {
    throw port !== "" && /^\d+$/.test(port)
      ? unavailable(`no service port ${port} found for service "${name}"`)
      : noEndpoints;
  }
  const choices: { ip: string; port: number }[] = [];
  for (const slice of slicesOf(parts, service)) {
    const target = (slice["ports"] ?? []).find((one: ServicePort) => (one.name ?? "") === (wanted.name ?? ""));
    if (!target?.port) continue;
    for (const endpoint of slice["endpoints"] ?? []) {
      if (endpoint.conditions?.ready === false) continue;
      for (const ip of endpoint.addresses ?? []) choices.push({ ip, port: target.port });
    }
  }
  if (choices.length === 0) throw noEndpoints;
  const [byte = 0] = parts.random(1);
  return { scheme, ...choices[byte % choices.length]! };
}

function slicesOf({ store }: HandlerParts, service: KubeObject): KubeObject[] {
  const collection = "discovery.k8s.io/endpointslices";
  const found: KubeObject[] = [];
  for (const key of store.keys(collection)) {
    const slice = store.byKey(collection, key) as KubeObject;
    if (slice.metadata.namespace !== service.metadata.namespace) continue;
    if (slice.metadata.labels?.["kubernetes.io/service-name"] === service.metadata.name) found.push(slice);
  }
  return found;
}

/** As an API server does: pods have no certificates that it could know. */
const secured = (socket: Duplex): Duplex => connectTls({ socket, rejectUnauthorized: false });

function headersFor({ headers, socket }: IncomingMessage, path: string): IncomingHttpHeaders {
  const kept: IncomingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!NOT_FORWARDED.has(name) && !name.startsWith("impersonate-")) kept[name] = value;
  }
  const before = headers["x-forwarded-for"];
  return {
    ...kept,
    "x-forwarded-for": [before, socket.remoteAddress].filter(Boolean).join(", "),
    "x-forwarded-uri": path,
  };
}

const CODINGS: Readonly<
  Record<string, readonly [(bytes: Buffer) => Promise<Buffer>, (bytes: Buffer) => Promise<Buffer>]>
> = {
  gzip: [promisify(gunzip), promisify(gzip)],
  deflate: [promisify(inflateRaw), promisify(deflateRaw)],
};

function isPage({ headers }: IncomingMessage): boolean {
  const coding = headers["content-encoding"] ?? "";
  return headers["content-type"]?.split(";")[0]?.trim() === "text/html" && (coding === "" || coding in CODINGS);
}

/** A page with its links leading through the proxy. What is too long for that, or is not coded as it says, passes as it is. */
async function sendPage(
  answer: IncomingMessage,
  response: ServerResponse,
  code: number,
  head: OutgoingHttpHeaders,
  proxied: Proxied,
): Promise<void> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of answer) {
    parts.push(part);
    length += part.length;
    if (length <= limits.proxiedPageBytes) continue;
    response.writeHead(code, head);
    for (const read of parts) response.write(read);
    answer.pipe(response);
    return;
  }
  const whole = Buffer.concat(parts);
  const coding = CODINGS[answer.headers["content-encoding"] ?? ""];
  const page = await (async () => {
    const plain = coding ? await coding[0](whole) : whole;
    if (plain.length > limits.proxiedPageBytes) return whole;
    const rewritten = Buffer.from(rewriteLinks(plain.toString("latin1"), proxied), "latin1");
    return coding ? await coding[1](rewritten) : rewritten;
  })().catch(() => whole);
  response.writeHead(code, { ...head, "content-length": page.length });
  response.end(page);
}

function forward(exchange: Exchange, socket: Duplex, path: string, proxied: Proxied): void {
  const { request, response, url } = exchange;
  socket.on("error", () => {});
  const upgrading = request.headers.upgrade !== undefined;
  const headers = headersFor(request, url.pathname);
  if (upgrading) headers["connection"] = "Upgrade";
  else delete headers["upgrade"];
  const upstream = httpRequest({ createConnection: () => socket as never, method: request.method, path, headers });
  const fail = (error: Error) => exchange.fail(unavailable(`error trying to reach service: ${error.message}`));
  upstream.on("error", fail);
  upstream.on("response", (answer) => {
    answer.on("error", () => response.destroy());
    const fields = Object.entries(answer.headers).filter(
      ([name]) => !NOT_FORWARDED.has(name) && !NOT_RETURNED.has(name),
    );
    const head: OutgoingHttpHeaders = { "content-type": UNTYPED, ...Object.fromEntries(fields) };
    const code = answer.statusCode ?? 502;
    const { location } = answer.headers;
    if (location) {
      const through = throughProxy(location, proxied);
      if (through === undefined) {
        answer.resume();
        exchange.fail(status.internal(`error trying to parse Location header: parse ${JSON.stringify(location)}`));
        return;
      }
      head["location"] = through;
    } else if (request.method !== "HEAD" && isPage(answer)) return void sendPage(answer, response, code, head, proxied);
    response.writeHead(code, head);
    answer.pipe(response);
  });
  upstream.on("upgrade", (answer, other, head) => {
    const client = exchange.takeOver();
    if (!client) return void other.destroy();
    const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
    client.socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`);
    client.socket.write(head);
    if (client.head.length > 0) other.write(client.head);
    for (const [from, to] of [
      [client.socket, other],
      [other, client.socket],
    ] as const) {
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  response.once("close", () => {
    if (!response.writableFinished && !exchange.taken) upstream.destroy();
  });
  request.pipe(upstream);
}
