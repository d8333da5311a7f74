import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import {
  type Backend,
  type Entry,
  entryFor,
  type HeaderValues,
  type Json,
  listenerFor,
  mirrorShare,
  modifyHeaders,
  redirectOf,
  replacePath,
  type Target,
} from "@tiphys/gateway";
import type { Endpoint } from "./forwarders.js";
import type { GatewayState } from "./gateway-state.js";
import { dial, forwarded, openFirst, pass, passUpgrade, refuse } from "./http-pass.js";
import type { TrafficStats } from "./traffic-stats.js";
import type { WeightedChooser } from "./weighted.js";

/** A request at a listener's port, with its answer or the connection of its upgrade. */
export interface Arrival {
  readonly request: IncomingMessage;
  readonly protocol: "HTTP" | "HTTPS";
  /** Port of the listeners, which is not always the one of this host. */
  readonly port: number;
  readonly answer: { readonly response: ServerResponse } | { readonly client: Socket; readonly head: Buffer };
}

export interface GatewayProxyDeps {
  readonly state: GatewayState;
  readonly clock: Clock;
  readonly stats: TrafficStats;
  readonly chooser: WeightedChooser;
  /** Ready endpoints of a Service port, the next one in turn first; undefined when there is no such port. */
  endpoints(namespace: string, service: string, port: number): readonly Endpoint[] | undefined;
  /** Where users reach the listeners' port of a protocol on this host. */
  hostPort(protocol: "HTTP" | "HTTPS", port: number): number | undefined;
}

export interface GatewayProxy {
  /** False when no listener and rule takes the request: somebody else may. */
  serve(arrival: Arrival): Promise<boolean>;
}

export function createGatewayProxy(deps: GatewayProxyDeps): GatewayProxy {
  const { state, clock, stats, chooser } = deps;

  async function serve(arrival: Arrival): Promise<boolean> {
    const { request, protocol, port } = arrival;
    const target = request.url ?? "/";
    const cut = target.indexOf("?");
    const path = cut < 0 ? target : target.slice(0, cut);
    const search = cut < 0 ? "" : target.slice(cut);
    const [host = "", hostPort] = (request.headers.host ?? "").toLowerCase().split(":");
    const listener = listenerFor(state.view().served, protocol, port, host);
    const { method = "GET", headers } = request;
    const asked = { host, method, path, query: new URLSearchParams(search), headers };
    const entry = listener && entryFor(listener, asked);
    if (!entry) return false;
    const reached = hostPort ? Number(hostPort) : port;
    await follow(arrival, entry, { path, search, host, reached });
    return true;
  }

  async function follow(
    arrival: Arrival,
    { rule, match }: Entry,
    { path, search, host, reached }: { path: string; search: string; host: string; reached: number },
  ): Promise<void> {
    const { request, protocol, answer } = arrival;
    const prefix = match.path?.type === "PathPrefix" || !match.path?.type ? String(match.path?.value ?? "/") : path;
    const deny = (status: number, reason: string) => denied(answer, status, reason);
    const redirect = rule.filters.find(({ type }) => type === "RequestRedirect");
    if (redirect) {
      const scheme = protocol === "HTTPS" ? "https" : "http";
      // Who has named a port of this host is sent to a port of this host.
      const portOf = (other: string) => {
        const usual = other === "https" ? 443 : 80;
        if (reached === arrival.port) return usual;
        return deps.hostPort(other === "https" ? "HTTPS" : "HTTP", usual) ?? usual;
      };
      const from = { scheme, host, port: reached, portOf, path, search } as const;
      const { status, location } = redirectOf(redirect.requestRedirect, from, prefix);
      return denied(answer, status, "", { location });
    }
    const backend = chooser.choose(
      rule.key,
      rule.backends.map((value) => ({ value, weight: value.weight })),
    );
    if (!backend?.target) return deny(500, `a rule of HTTPRoute ${rule.key} has no backend that exists`);
    const filters = [...rule.filters, ...backend.filters];
    let headers: HeaderValues = forwarded(request, protocol === "HTTPS" ? "https" : "http");
    let sent = path;
    for (const filter of filters) {
      if (filter.type === "RequestHeaderModifier") headers = modifyHeaders(headers, filter.requestHeaderModifier);
      if (filter.type === "URLRewrite") {
        sent = replacePath(sent, filter.urlRewrite.path, prefix);
        if (filter.urlRewrite.hostname) headers["host"] = filter.urlRewrite.hostname;
      }
    }
    const opened = await connectTo(backend, rule.key, deny);
    if (!opened) return;
    const { socket, endpoint } = opened;
    const place = { ...placeOf(backend.target), pod: endpoint.pod ?? "", route: rule.key };
    const going = { socket, path: `${sent}${search}`, headers: headers as IncomingHttpHeaders };
    if ("client" in answer) {
      stats.count(place, await passUpgrade({ request, ...answer }, going));
      return;
    }
    const mirrors = await mirrorsOf(filters, rule.key);
    const timeoutMs = Math.min(rule.requestTimeout || Infinity, rule.backendTimeout || Infinity);
    const status = await pass({
      ...going,
      request,
      response: answer.response,
      mirrors,
      clock,
      ...(Number.isFinite(timeoutMs) ? { timeoutMs } : {}),
      answerHeaders: (fields) =>
        filters
          .filter(({ type }) => type === "ResponseHeaderModifier")
          .reduce<HeaderValues>((all, filter) => modifyHeaders(all, filter.responseHeaderModifier), { ...fields }),
    });
    stats.count(place, status);
  }

  async function connectTo(
    { target }: Backend,
    route: string,
    deny: (status: number, reason: string) => void,
  ): Promise<{ socket: Socket; endpoint: Endpoint } | undefined> {
    const { namespace, service, port } = target!;
    const endpoints = deps.endpoints(namespace, service, port) ?? [];
    const place = { namespace, service, route };
    if (endpoints.length === 0) {
      stats.count({ ...place, pod: "" }, 503);
      deny(503, `service ${namespace}/${service} has no ready endpoint`);
      return undefined;
    }
    try {
      return await openFirst(endpoints);
    } catch (error) {
      stats.count({ ...place, pod: endpoints[0]?.pod ?? "" }, 502);
      deny(502, `no endpoint of service ${namespace}/${service} accepts connections: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Connections of the mirrors whose turn it is; one that cannot be reached gets no copy. */
  async function mirrorsOf(filters: readonly Json[], key: string): Promise<{ socket: Socket; host: string }[]> {
    const mirrors: { socket: Socket; host: string }[] = [];
    for (const [i, filter] of filters.entries()) {
      const target: Target | undefined = filter.type === "RequestMirror" ? filter.target : undefined;
      if (!target) continue;
      const { taken, of } = mirrorShare(filter.requestMirror);
      const yes = chooser.choose(`${key} mirror ${i}`, [
        { value: true, weight: taken },
        { value: false, weight: Math.max(0, of - taken) },
      ]);
      if (!yes) continue;
      const [endpoint] = deps.endpoints(target.namespace, target.service, target.port) ?? [];
      const socket = endpoint && (await dial(endpoint).catch(() => undefined));
      stats.count({ ...placeOf(target), pod: endpoint?.pod ?? "", route: key, mirrored: true }, socket ? 200 : 503);
      if (socket) mirrors.push({ socket, host: `${target.service}.${target.namespace}` });
    }
    return mirrors;
  }

  return { serve };
}

const placeOf = ({ namespace, service }: Target) => ({ namespace, service });

/** An answer of the proxy itself. */
export function denied(
  answer: Arrival["answer"],
  status: number,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if ("response" in answer) {
    for (const [name, value] of Object.entries(headers)) answer.response.setHeader(name, value);
    refuse(answer.response, status, reason);
    return;
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  answer.client.end(
    `HTTP/1.1 ${status} ${reason || "See other"}\r\n${lines.join("")}connection: close\r\n\r\n${reason}\n`,
  );
}
