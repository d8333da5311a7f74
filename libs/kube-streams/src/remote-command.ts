import type { Readable, Writable } from "node:stream";
import { messageOf, UnavailableError } from "@tiphys/errors";
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
import { acceptWebSocket } from "./websocket.js";
import { type Channels, channelsOf } from "./websocket-channels.js";

/** Which streams a client of exec or attach has asked for. */
export interface StreamOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** The other end of a remote command. */
export interface RemoteCommand {
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** Calls `listener` at each change of the client's window; the last size is told at once. */
  onResize(listener: (size: TerminalSize) => void): void;
  /** Fires when the client is gone: whatever runs for it should end. */
  readonly signal: AbortSignal;
}

/** How a remote command ended. */
export type CommandEnd = { readonly exitCode: number } | { readonly error: string };

const V1 = "channel.k8s.io";
const V4 = "v4.channel.k8s.io";
const V5 = "v5.channel.k8s.io";
/** Protocols over SPDY, best first. */
const SPDY = ["v5", "v4", "v3", "v2"].map((version) => `${version}.${V1}`).concat(V1);
/** Sub-protocols over WebSocket; those without a name are the first version, in binary. */
const WEBSOCKET = [V5, V4, `base64.${V4}`, V1, `base64.${V1}`, `base64.${V5}`];
// Real time: the peers live in it.
/** How long a client may take to open the streams that it has asked for. */
const STREAMS_MS = 30_000;

/** Streams by the number of their channel on a WebSocket. */
export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/**
 * Takes over a connection that asks for exec or attach, runs `run` with its streams, and tells the client how that ended.
 * Resolves when the connection is done; a request that cannot be served is answered over HTTP.
 */
export async function serveRemoteCommand(
  upgrade: UpgradeRequest,
  options: StreamOptions,
  run: (command: RemoteCommand) => Promise<CommandEnd>,
): Promise<void> {
  const framing = framingOf(upgrade.request);
  if (framing === undefined) {
    refuseUpgrade(upgrade, 400, "you must use SPDY or WebSocket to run a remote command\n");
    return;
  }
  if (!options.stdin && !options.stdout && !options.stderr) {
    refuseUpgrade(upgrade, 400, "you must specify at least 1 of stdin, stdout, stderr");
    return;
  }
  const connected =
    framing === "spdy"
      ? await overSpdy(upgrade, options)
      : await overWebSocket(upgrade, options).catch(() => undefined);
  if (!connected) return;
  const { command, protocol, finish } = connected;
  const end = await run(command).catch((error): CommandEnd => ({ error: messageOf(error) }));
  await finish(statusText(protocol, end));
}

interface Connected {
  readonly command: RemoteCommand;
  readonly protocol: string;
  /** Sends the end of the command ("" for success in the old protocols) and closes. */
  finish(status: string): Promise<void>;
}

/** What goes over the error stream: JSON from v4 on, before that a message, and nothing for success. */
function statusText(protocol: string, end: CommandEnd): string {
  const structured = protocol.includes("v4.") || protocol.includes("v5.");
  if ("error" in end) {
    const message = `Internal error occurred: ${end.error}`;
    if (!structured) return end.error;
    const causes = [{ message: end.error }];
    return JSON.stringify({
      metadata: {},
      status: "Failure",
      message,
      reason: "InternalError",
      details: { causes },
      code: 500,
    });
  }
  const { exitCode } = end;
  if (exitCode === 0) return structured ? JSON.stringify({ metadata: {}, status: "Success" }) : "";
  const message = `command terminated with non-zero exit code: exit status ${exitCode}`;
  if (!structured) return `error executing command in container: ${message}`;
  return JSON.stringify({
    metadata: {},
    status: "Failure",
    message,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(exitCode) }] },
  });
}

/** Remembers the last size, which may come before anybody listens. */
function resizes(): { tell(size: TerminalSize): void; onResize: RemoteCommand["onResize"] } {
  let last: TerminalSize | undefined;
  const listeners: ((size: TerminalSize) => void)[] = [];
  return {
    tell(size) {
      last = size;
      for (const listener of listeners) listener(size);
    },
    onResize(listener) {
      listeners.push(listener);
      if (last) listener(last);
    },
  };
}

/** One JSON object of the resize stream, or undefined when it is none. */
export function parseSize(text: string): TerminalSize | undefined {
  try {
    const { Width, Height, width = Width, height = Height } = JSON.parse(text);
    const valid = (value: unknown) => Number.isInteger(value) && (value as number) > 0 && (value as number) <= 65_535;
    return valid(width) && valid(height) ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}

async function overSpdy(upgrade: UpgradeRequest, options: StreamOptions): Promise<Connected | undefined> {
  const offered = spdyProtocols(upgrade.request);
  const protocol = offered.length === 0 ? V1 : offered.find((name) => SPDY.includes(name));
  if (protocol === undefined) {
    refuseUpgrade(
      upgrade,
      403,
      `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(" ")}], server accepts [${SPDY.join(" ")}]`,
      { "X-Accepted-Stream-Protocol-Versions": SPDY.join(", ") },
    );
    return undefined;
  }
  const { socket, head } = upgrade;
  switchProtocols(upgrade, {
    Upgrade: "SPDY/3.1",
    ...(offered.length === 0 ? {} : { "X-Stream-Protocol-Version": protocol }),
  });
  if (head.length > 0) socket.unshift(head);
  const wanted = new Set(["error"]);
  if (options.stdin) wanted.add("stdin");
  if (options.stdout) wanted.add("stdout");
  if (options.stderr && !options.tty) wanted.add("stderr");
  const resizable = /^v[345]\./.test(protocol);
  if (options.tty && resizable) wanted.add("resize");
  const streams = new Map<string, SpdyStream>();
  const gone = new AbortController();
  let complete = () => {};
  const all = new Promise<void>((resolve) => {
    complete = resolve;
  });
  const session = new SpdySession(socket, {
    role: "server",
    maxStreams: 10,
    onStream(stream) {
      const type = stream.header("streamtype");
      if (!wanted.has(type) || streams.has(type)) return void stream.destroy();
      streams.set(type, stream);
      if (streams.size === wanted.size) complete();
    },
  });
  void session.closed.then(() => gone.abort());
  const timer = setTimeout(() => socket.destroy(), STREAMS_MS);
  await Promise.race([all, session.closed]);
  clearTimeout(timer);
  if (streams.size !== wanted.size) return undefined;
  const { tell, onResize } = resizes();
  const error = streams.get("error")!;
  error.resume();
  const resize = streams.get("resize");
  if (resize) readSizes(resize, tell);
  // Only stdin is read; what a client sends on the others is dropped.
  for (const name of ["stdout", "stderr"]) streams.get(name)?.resume();
  return {
    protocol,
    command: { ...parts(streams), onResize, signal: gone.signal },
    async finish(status) {
      const over = [...streams.values()].map((stream) =>
        stream === error ? ended(stream, status) : ended(stream, ""),
      );
      await Promise.race([Promise.all(over), session.closed]);
      session.close();
      await session.closed;
    },
  };
}

function parts(streams: ReadonlyMap<string, SpdyStream>): Pick<RemoteCommand, "stdin" | "stdout" | "stderr"> {
  const [stdin, stdout, stderr] = ["stdin", "stdout", "stderr"].map((name) => streams.get(name));
  return { ...(stdin ? { stdin } : {}), ...(stdout ? { stdout } : {}), ...(stderr ? { stderr } : {}) };
}

const ended = (stream: Writable, text: string): Promise<void> =>
  new Promise((resolve) => {
    if (stream.destroyed || stream.writableFinished) return resolve();
    stream.once("close", resolve);
    stream.once("error", () => resolve());
    if (stream.writableEnded) stream.once("finish", resolve);
    else stream.end(text, () => resolve());
  });

/** Sizes come as JSON objects one behind the other. */
function readSizes(stream: Readable, tell: (size: TerminalSize) => void): void {
  let text = "";
  stream.on("data", (part: Buffer) => {
    text = (text + part.toString("utf8")).slice(-4096);
    for (let end = text.indexOf("}"); end >= 0; end = text.indexOf("}")) {
      const size = parseSize(text.slice(0, end + 1).trim());
      text = text.slice(end + 1);
      if (size) tell(size);
    }
  });
}

async function overWebSocket(upgrade: UpgradeRequest, options: StreamOptions): Promise<Connected | undefined> {
  const offered = webSocketProtocols(upgrade.request);
  const protocol = offered.length === 0 ? "" : offered.find((name) => WEBSOCKET.includes(name));
  if (protocol === undefined) {
    refuseUpgrade(upgrade, 403, `unable to upgrade: no sub-protocol of [${offered.join(" ")}] is served\n`);
    return undefined;
  }
  const socket: WebSocket = await acceptWebSocket(upgrade, protocol);
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  const { tell, onResize } = resizes();
  const channels: Channels = channelsOf(socket, { base64: protocol.startsWith("base64.") });
  const stdin = options.stdin ? channels.readable(CHANNEL.stdin) : undefined;
  const stdout = options.stdout ? channels.writable(CHANNEL.stdout) : undefined;
  const stderr = options.stderr && !options.tty ? channels.writable(CHANNEL.stderr) : undefined;
  if (options.tty) {
    channels.onMessage(CHANNEL.resize, (data) => {
      const size = parseSize(data.toString("utf8"));
      if (size) tell(size);
    });
  }
  if (protocol.endsWith(V5)) {
    channels.onMessage(CHANNEL.close, (data) => {
      if (data[0] === CHANNEL.stdin || data.toString() === "0") channels.endOf(CHANNEL.stdin);
    });
  }
  const first = stdout ? CHANNEL.stdout : stderr ? CHANNEL.stderr : CHANNEL.error;
  // Tells the client that its streams are there.
  await channels.send(first, Buffer.alloc(0)).catch(() => {});
  return {
    protocol: protocol || V1,
    command: {
      ...(stdin ? { stdin } : {}),
      ...(stdout ? { stdout } : {}),
      ...(stderr ? { stderr } : {}),
      onResize,
      signal: gone.signal,
    },
    async finish(status) {
      for (const stream of [stdout, stderr]) if (stream) await ended(stream, "");
      if (status !== "") await channels.send(CHANNEL.error, Buffer.from(status)).catch(() => {});
      await channels.close();
    },
  };
}

/** Refusal of a command whose client is gone before it began. */
export const clientGone = (): Error => new UnavailableError("the client is gone");
