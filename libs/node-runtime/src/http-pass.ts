import {
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import { connect, type Socket } from "node:net";
import type { Clock } from "@tiphys/clock";
import type { Endpoint } from "./forwarders.js";

const CONNECT_MS = 2000;
/** Bytes of a body that may wait for a mirror; a slower mirror loses its copy. */
const MIRROR_BYTES = 1024 * 1024;

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

/** Headers that may pass a proxy: those of one connection stay behind. */
export function clean(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const named = String(headers["connection"] ?? "")
    .toLowerCase()
    .split(/\s*,\s*/);
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !HOP_HEADERS.has(name) && !named.includes(name)),
  );
}

/** What a proxy tells the server about the client. */
export function forwarded(request: IncomingMessage, proto: "http" | "https"): IncomingHttpHeaders {
  const before = request.headers["x-forwarded-for"];
  return {
    ...clean(request.headers),
    "x-forwarded-for": [before, request.socket.remoteAddress].filter(Boolean).join(", "),
    "x-forwarded-host": request.headers.host ?? "",
    "x-forwarded-proto": proto,
  };
}

export function refuse(response: ServerResponse, status: number, reason: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" }).end(`${reason}\n`);
}

export function dial(endpoint: Endpoint): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: endpoint.host, port: endpoint.port, timeout: CONNECT_MS });
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      socket.removeAllListeners();
      resolve(socket);
    });
    socket.once("timeout", () => socket.destroy(new Error(`no connection within ${CONNECT_MS} ms`)));
    socket.once("error", reject);
  });
}

/** Opens a connection to the first endpoint that answers; nothing of the request is sent before. */
export async function openFirst(endpoints: readonly Endpoint[]): Promise<{ socket: Socket; endpoint: Endpoint }> {
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

export interface Passing {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly path: string;
  readonly headers: IncomingHttpHeaders | OutgoingHttpHeaders;
  readonly answerHeaders?: (headers: IncomingHttpHeaders) => OutgoingHttpHeaders;
  /** Sent the same request; what they answer is of no interest. */
  readonly mirrors?: readonly { readonly socket: Socket; readonly host: string }[];
  /** Milliseconds until the answer must have begun; then 504. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/** Sends a request on, and its answer back. The status that the client saw; 499 when it left first. */
export function pass(passing: Passing): Promise<number> {
  const { request, response, socket, path, headers, answerHeaders, mirrors = [], timeoutMs, clock } = passing;
  return new Promise((resolve) => {
    const { method } = request;
    const upstream = httpRequest({ createConnection: () => socket, method, path, headers, agent: undefined });
    const copies = mirrors.map((mirror) => copy(mirror, { method, path, headers }));
    let late = false;
    const cancel =
      timeoutMs && clock
        ? clock.at(new Date(clock.now().getTime() + timeoutMs), () => {
            late = true;
            refuse(response, 504, `no answer within ${timeoutMs} ms`);
            upstream.destroy();
            resolve(504);
          })
        : undefined;
    upstream.on("response", (answer) => {
      cancel?.();
      if (late) return void answer.resume();
      const status = answer.statusCode ?? 502;
      const fields = clean(answer.headers);
      response.writeHead(status, answer.statusMessage, answerHeaders ? answerHeaders(fields) : fields);
      answer.pipe(response);
      answer.on("end", () => resolve(status));
      answer.on("error", () => {
        response.destroy();
        resolve(502);
      });
    });
    upstream.on("error", (error) => {
      cancel?.();
      if (late) return;
      refuse(response, 502, `the pod broke off: ${error.message}`);
      resolve(502);
    });
    response.on("close", () => {
      cancel?.();
      if (!response.writableFinished) {
        upstream.destroy();
        resolve(499);
      }
    });
    for (const one of copies) {
      request.on("data", (chunk: Buffer) => {
        if (one.writableLength > MIRROR_BYTES) one.destroy();
        else if (!one.destroyed) one.write(chunk);
      });
      request.on("end", () => one.end());
    }
    request.pipe(upstream);
  });
}

function copy(
  { socket, host }: { readonly socket: Socket; readonly host: string },
  options: { method: string | undefined; path: string; headers: IncomingHttpHeaders | OutgoingHttpHeaders },
): ClientRequest {
  const { method, path } = options;
  const headers = { ...options.headers, host };
  const one = httpRequest({ createConnection: () => socket, method, path, headers, agent: undefined });
  one.on("response", (answer) => answer.resume());
  one.on("error", () => {});
  return one;
}

/** Sends the request of an upgrade (such as a WebSocket) on, and joins the connections when the server agrees. */
export function passUpgrade(
  { request, client, head }: { request: IncomingMessage; client: Socket; head: Buffer },
  { socket, path, headers }: Pick<Passing, "socket" | "path" | "headers">,
): Promise<number> {
  return new Promise((resolve) => {
    client.on("error", () => socket.destroy());
    const own = { ...headers, connection: "Upgrade", upgrade: request.headers.upgrade };
    const upstream = httpRequest({ createConnection: () => socket, method: request.method, path, headers: own });
    upstream.on("upgrade", (answer, other: Socket, first) => {
      client.write(head101(answer));
      if (first.length > 0) client.write(first);
      if (head.length > 0) other.write(head);
      other.on("error", () => client.destroy());
      client.once("close", () => other.destroy());
      other.once("close", () => client.destroy());
      client.pipe(other).pipe(client);
      resolve(101);
    });
    upstream.on("response", (answer) => {
      const lines = Object.entries(clean(answer.headers)).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      client.write(
        `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${lines.join("")}connection: close\r\n\r\n`,
      );
      answer.pipe(client);
      resolve(answer.statusCode ?? 502);
    });
    upstream.on("error", (error) => {
      client.end(`HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\n\r\nthe pod broke off: ${error.message}\n`);
      resolve(502);
    });
    upstream.end();
  });
}

function head101(answer: IncomingMessage): string {
  let lines = "HTTP/1.1 101 Switching Protocols\r\n";
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2)
    lines += `${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}\r\n`;
  return `${lines}\r\n`;
}
