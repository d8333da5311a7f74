import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "@tiphys/clock";
import { FailedPreconditionError, messageOf } from "@tiphys/errors";
import { readLimited } from "@tiphys/limits";
import type { Logger } from "@tiphys/telemetry";

export interface WebhookRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: Buffer;
}

export interface WebhookAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One endpoint of one event name. */
export interface WebhookRoute {
  readonly port: number;
  readonly endpoint: string;
  /** Upper case. */
  readonly method: string;
  readonly maxBytes: number;
  /** Asked before the body is read; an answer ends the request. */
  authorize(headers: WebhookRequest["headers"]): WebhookAnswer | undefined;
  handle(request: WebhookRequest): Promise<WebhookAnswer>;
}

/** All webhook endpoints of the gateway: one listener per port, shared by every source that names the port. */
export interface WebhookHost {
  /** Replaces the routes of `owner`; resolves to what keeps each of them from being served, in their order. */
  apply(owner: string, routes: readonly WebhookRoute[]): Promise<readonly (Error | undefined)[]>;
  /** What is served now. */
  served(): readonly { owner: string; route: WebhookRoute }[];
  close(): Promise<void>;
}

export interface WebhookHostOptions {
  /** Address to listen on. */
  readonly host: string;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Listener {
  readonly port: number;
  readonly server: Server;
  /** By endpoint, then method. */
  readonly routes: Map<string, Map<string, { owner: string; route: WebhookRoute }>>;
}

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;

export function createWebhookHost({ host, clock, log }: WebhookHostOptions): WebhookHost {
  const listeners = new Map<number, Listener>();
  /** Changes of the table run one after another, so that two sources never open one port twice. */
  let changing: Promise<unknown> = Promise.resolve();

  const listen = (port: number): Promise<Listener> => {
    const routes: Listener["routes"] = new Map();
    const server = createServer((request, response) => {
      void clock.track(answer(routes, request, response)).catch((error: unknown) => {
        log.error("webhook request failed", { port, error: messageOf(error) });
        response.destroy();
      });
    });
    server.headersTimeout = HEADERS_TIMEOUT_MS;
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        const why =
          error.code === "EADDRINUSE" ? "is in use by another program" : `cannot be opened (${messageOf(error)})`;
        const message = `port ${port} on ${host} ${why}: free it, or name another port in the EventSource`;
        reject(new FailedPreconditionError(message, { cause: error }));
      });
      server.listen({ host, port, exclusive: true }, () => {
        server.removeAllListeners("error");
        server.on("error", (error) => log.error("webhook listener failed", { port, error: messageOf(error) }));
        const bound = (server.address() as AddressInfo).port;
        log.info("listening for webhooks", { host, port: bound });
        resolve({ port, server, routes });
      });
    });
  };

  const removeOwner = (owner: string) => {
    for (const { routes } of listeners.values()) {
      for (const [endpoint, methods] of routes) {
        for (const [method, entry] of methods) if (entry.owner === owner) methods.delete(method);
        if (methods.size === 0) routes.delete(endpoint);
      }
    }
  };

  const add = async (owner: string, route: WebhookRoute): Promise<Error | undefined> => {
    try {
      let listener = listeners.get(route.port);
      if (!listener) {
        listener = await listen(route.port);
        listeners.set(route.port, listener);
      }
      const methods = listener.routes.get(route.endpoint) ?? new Map();
      listener.routes.set(route.endpoint, methods);
      const other = methods.get(route.method);
      if (other) {
        const place = `${route.method} ${route.endpoint} on port ${route.port}`;
        return new FailedPreconditionError(`${place} is taken by ${other.owner}: name another endpoint or port`);
      }
      methods.set(route.method, { owner, route });
      return undefined;
    } catch (error) {
      return error as Error;
    }
  };

  const closeUnused = async () => {
    for (const [port, listener] of listeners) {
      if (listener.routes.size > 0) continue;
      listeners.delete(port);
      await closeServer(listener.server);
    }
  };

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = changing.then(work);
    changing = result.catch(() => undefined);
    return clock.track(result);
  };

  return {
    apply: (owner, routes) =>
      inTurn(async () => {
        removeOwner(owner);
        const results: (Error | undefined)[] = [];
        for (const route of routes) results.push(await add(owner, route));
        await closeUnused();
        return results;
      }),
    served: () =>
      [...listeners.values()].flatMap(({ routes }) => [...routes.values()].flatMap((methods) => [...methods.values()])),
    close: () =>
      inTurn(async () => {
        for (const { server } of listeners.values()) await closeServer(server);
        listeners.clear();
      }),
  };
}

const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });

async function answer(routes: Listener["routes"], request: IncomingMessage, response: ServerResponse): Promise<void> {
  const send = ({ status, body }: WebhookAnswer, headers: Record<string, string> = {}) => {
    const text = `${JSON.stringify(body)}\n`;
    // A body that was not read to its end must not be taken for the next request.
    const rest: Record<string, string> = request.complete ? {} : { connection: "close" };
    response.writeHead(status, { "content-type": "application/json", ...rest, ...headers });
    response.end(text);
  };
  const url = new URL(request.url ?? "/", "http://webhook");
  const methods = routes.get(url.pathname);
  if (!methods) {
    if (url.pathname === "/health") return send({ status: 200, body: { message: "ok" } });
    return send({ status: 404, body: { error: `no event source listens at ${url.pathname}` } });
  }
  const route = methods.get(request.method ?? "")?.route;
  if (!route) {
    const allow = [...methods.keys()].sort().join(", ");
    return send({ status: 405, body: { error: `${request.method} is not allowed here, ${allow} is` } }, { allow });
  }
  const headers: Record<string, string[]> = {};
  for (const [name, values] of Object.entries(request.headersDistinct)) headers[name] = values ?? [];
  const refused = route.authorize(headers);
  if (refused) return send(refused);
  const body = await readBody(request, route.maxBytes);
  if (!body) return send({ status: 413, body: { error: `the body is larger than ${route.maxBytes} bytes` } });
  send(await route.handle({ method: request.method!, path: url.pathname, query: url.searchParams, headers, body }));
}

/** The body, or undefined when it is larger than `maxBytes`; what is above is never kept. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return undefined;
  return readLimited(request, maxBytes);
}
