import type { Duplex } from "node:stream";
import { messageOf } from "@tiphys/errors";
import type { WebSocket } from "ws";
import { SpdySession, type SpdyStream } from "./spdy/session.js";
import {
  framingOf,
  refuseUpgrade,
  spdyProtocols,
  switchProtocols,
  type UpgradeRequest,
  webSocketProtocols,
} from "./upgrade.js";
import { acceptWebSocket, WebSocketStream } from "./websocket.js";
import { channelsOf } from "./websocket-channels.js";

/** Opens a connection to a port of the pod; its error is told to the client. */
export type ConnectPort = (port: number, signal: AbortSignal) => Promise<Duplex>;

const PROTOCOL = "portforward.k8s.io";
/** SPDY/3.1 inside a WebSocket: what kubectl speaks first. */
const TUNNEL = `SPDY/3.1+${PROTOCOL}`;
/** One stream pair per port of the query, fixed for the life of the connection: what older clients speak. */
const CHANNELS = ["v4.channel.k8s.io", "v4.base64.channel.k8s.io", "base64.v4.channel.k8s.io"];
// Real time: the peers live in it.
const PAIR_MS = 30_000;
/** How long a client may keep its half of a connection that the pod has closed. */
const LINGER_MS = 10_000;
const MAX_PAIRS = 1000;
const MAX_PORTS = 100;

/** Takes over a connection that asks for port forwarding. Resolves when it is closed. */
export async function servePortForward(upgrade: UpgradeRequest, connect: ConnectPort): Promise<void> {
  const { request, socket, head } = upgrade;
  const framing = framingOf(request);
  if (framing === undefined) return refuseUpgrade(upgrade, 400, "Upgrade request required\n");
  if (framing === "spdy") {
    const offered = spdyProtocols(request);
    if (offered.length > 0 && !offered.includes(PROTOCOL)) {
      return refuseUpgrade(
        upgrade,
        403,
        `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${PROTOCOL}]`,
        { "X-Accepted-Stream-Protocol-Versions": PROTOCOL },
      );
    }
    switchProtocols(upgrade, { Upgrade: "SPDY/3.1", "X-Stream-Protocol-Version": PROTOCOL });
    if (head.length > 0) socket.unshift(head);
    return overSpdy(socket, connect);
  }
  const offered = webSocketProtocols(request);
  if (offered.includes(TUNNEL)) {
    const tunnel = await acceptWebSocket(upgrade, TUNNEL).catch(() => undefined);
    return tunnel ? overSpdy(new WebSocketStream(tunnel), connect) : undefined;
  }
  const protocol = offered.length === 0 ? "" : offered.find((name) => CHANNELS.includes(name) || name === V5);
  if (protocol === undefined) {
    return refuseUpgrade(upgrade, 403, `unable to upgrade: no sub-protocol of [${offered.join(" ")}] is served\n`);
  }
  const ports = portsOf(request.url ?? "");
  if (typeof ports === "string") return refuseUpgrade(upgrade, 400, `${ports}\n`);
  const channels = await acceptWebSocket(upgrade, protocol).catch(() => undefined);
  if (channels) await overChannels(channels, protocol.includes("base64"), ports, connect);
}

/** Offered by clients that use one list for everything; the framing is that of v4. */
const V5 = "v5.channel.k8s.io";

/** Ports of the query, in order, or what is wrong with them. */
function portsOf(target: string): readonly number[] | string {
  const query = new URL(target, "https://node").searchParams;
  const texts = ["port", "ports"].flatMap((name) => query.getAll(name)).flatMap((text) => text.split(","));
  if (texts.length === 0) return 'query parameter "port" is required';
  if (texts.length > MAX_PORTS) return `at most ${MAX_PORTS} ports can be forwarded over one connection`;
  const ports = texts.map(Number);
  const bad = ports.findIndex((port) => !Number.isInteger(port) || port < 1 || port > 65_535);
  return bad < 0 ? ports : `unable to parse "${texts[bad]}" as a port`;
}

interface Pair {
  data?: SpdyStream;
  error?: SpdyStream;
  readonly timer: NodeJS.Timeout;
}

/** Each forwarded connection is a pair of streams with the same request id: data, and what went wrong. */
async function overSpdy(transport: Duplex, connect: ConnectPort): Promise<void> {
  const pairs = new Map<string, Pair>();
  const gone = new AbortController();
  const session = new SpdySession(transport, {
    role: "server",
    maxStreams: 2 * MAX_PAIRS,
    onStream(stream) {
      const type = stream.header("streamtype");
      const port = Number(stream.header("port"));
      const valid = (type === "data" || type === "error") && Number.isInteger(port) && port >= 1 && port <= 65_535;
      if (!valid) return void stream.destroy();
      // Clients before request ids opened the error stream first, then the data stream.
      const id = stream.header("requestid") || String(type === "error" ? stream.id : stream.id - 2);
      const pair = pairs.get(id) ?? {
        timer: setTimeout(() => {
          pairs.delete(id);
          stream.destroy();
        }, PAIR_MS),
      };
      pairs.set(id, pair);
      if (pair[type]) return void stream.destroy();
      pair[type] = stream;
      if (!pair.data || !pair.error) return;
      clearTimeout(pair.timer);
      pairs.delete(id);
      void forward(pair.data, pair.error, port, connect, gone.signal);
    },
  });
  await session.closed;
  gone.abort();
  for (const { timer } of pairs.values()) clearTimeout(timer);
}

async function forward(
  data: SpdyStream,
  error: SpdyStream,
  port: number,
  connect: ConnectPort,
  signal: AbortSignal,
): Promise<void> {
  error.resume();
  try {
    const target = await connect(port, signal);
    await joined(data, target);
    error.end();
  } catch (problem) {
    error.end(`error forwarding port ${port} to pod: ${messageOf(problem)}`);
    data.resume();
    data.end();
  }
}

/** Copies both ways until both are done; each half closes on its own. */
function joined(a: Duplex, b: Duplex): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = 2;
    const over = () => {
      if (--left === 0) resolve();
    };
    a.once("close", () => {
      b.destroy();
      over();
    });
    b.once("close", () => {
      // The client has seen the end by now or will; it closes or resets its half then. A reset of ours could overtake data.
      const patience = setTimeout(() => a.destroy(), LINGER_MS);
      a.once("close", () => clearTimeout(patience));
      if (!a.writableEnded) a.end();
      a.resume();
      over();
    });
    b.once("error", (error) => {
      reject(error);
      a.destroy();
    });
    a.pipe(b);
    b.pipe(a);
  });
}

/** Channel 2i carries port i, channel 2i+1 its errors; both begin with the port as two bytes. */
async function overChannels(
  socket: WebSocket,
  base64: boolean,
  ports: readonly number[],
  connect: ConnectPort,
): Promise<void> {
  const gone = new AbortController();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  void closed.then(() => gone.abort());
  const channels = channelsOf(socket, { base64 });
  for (const [i, port] of ports.entries()) {
    const reader = channels.readable(2 * i);
    const number = Buffer.alloc(2);
    number.writeUInt16LE(port);
    await channels.send(2 * i, number).catch(() => {});
    await channels.send(2 * i + 1, number).catch(() => {});
    void (async () => {
      try {
        const target = await connect(port, gone.signal);
        target.on("error", () => {});
        const writer = channels.writable(2 * i);
        target.pipe(writer);
        reader.pipe(target);
        gone.signal.addEventListener("abort", () => target.destroy(), { once: true });
        // There is no way to end one channel: the connection is over when its only port is.
        if (ports.length === 1) target.once("close", () => void channels.close());
      } catch (error) {
        await channels
          .send(2 * i + 1, Buffer.from(`error forwarding port ${port} to pod: ${messageOf(error)}`))
          .catch(() => {});
      }
    })();
  }
  await closed;
}
