import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** An HTTP connection whose request asks to become something else, as Node's `upgrade` event gives it. */
export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  /** What came behind the request's head. */
  readonly head: Buffer;
}

/** How a streaming connection is framed. */
export type Framing = "spdy" | "websocket";

/** Connections that neither side uses for so long are closed (a kubelet's default). */
export const IDLE_MS = 4 * 3600 * 1000;
const KEEP_ALIVE_MS = 30_000;

const tokens = (header: string | string[] | undefined): string[] =>
  String(header ?? "")
    .split(",")
    .map((token) => token.trim())
    .filter(Boolean);

/** What the request wants to become; undefined when it is nothing that is spoken here. */
export function framingOf(request: IncomingMessage): Framing | undefined {
  if (!tokens(request.headers["connection"]).some((token) => token.toLowerCase() === "upgrade")) return undefined;
  const wanted = tokens(request.headers["upgrade"]).map((token) => token.toLowerCase());
  if (wanted.includes("spdy/3.1")) return "spdy";
  return wanted.includes("websocket") ? "websocket" : undefined;
}

/** Protocols of a SPDY request, in the client's order of preference. */
export function spdyProtocols(request: IncomingMessage): readonly string[] {
  const values: string[] = [];
  // Node joins repeated headers; Go sends one line for each.
  for (let i = 0; i + 1 < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i]!.toLowerCase() === "x-stream-protocol-version")
      values.push(...tokens(request.rawHeaders[i + 1]));
  }
  return values;
}

/** Sub-protocols that a WebSocket request offers, in its order. */
export const webSocketProtocols = (request: IncomingMessage): readonly string[] =>
  tokens(request.headers["sec-websocket-protocol"]);

/** Answers with 101 and takes the connection out of HTTP. */
export function switchProtocols({ socket }: UpgradeRequest, headers: Readonly<Record<string, string>>): void {
  guard(socket);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${lines.join("")}\r\n`);
}

/** Limits of a connection that may be silent for long. */
export function guard(socket: Duplex): void {
  const tcp = socket as Duplex & {
    setKeepAlive?(on: boolean, ms: number): void;
    setNoDelay?(on: boolean): void;
    setTimeout?(ms: number, then: () => void): void;
  };
  tcp.setKeepAlive?.(true, KEEP_ALIVE_MS);
  tcp.setNoDelay?.(true);
  tcp.setTimeout?.(IDLE_MS, () => socket.destroy());
  socket.on("error", () => {});
}

/** Refuses an upgrade with a plain HTTP answer. */
export function refuseUpgrade(
  { socket }: UpgradeRequest,
  code: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  socket.on("error", () => {});
  const all = {
    "content-type": "text/plain; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${code} ${REASONS[code] ?? "Error"}\r\n${lines.join("")}\r\n${body}`);
}

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
};

/** The answer to a WebSocket key. */
export const acceptKey = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
