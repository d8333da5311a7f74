import { Readable, Writable } from "node:stream";
import { UnavailableError } from "@tiphys/errors";
import type { WebSocket } from "ws";

/** Streams that share a WebSocket: each message begins with the number of its channel. */
export interface Channels {
  readable(channel: number): Readable;
  writable(channel: number): Writable;
  onMessage(channel: number, listener: (data: Buffer) => void): void;
  /** The client will send nothing more on a channel. */
  endOf(channel: number): void;
  send(channel: number, data: Buffer): Promise<void>;
  /** Closes the socket once everything is sent. */
  close(): Promise<void>;
}

/** Bytes that wait for their reader before the socket is no longer read. */
const BUFFER_BYTES = 256 * 1024;
// Real time: the peers live in it.
/** How long a peer may take to answer our goodbye. */
const GOODBYE_MS = 5000;

/** `base64`: the channel's digit and the data in base64, as text; else its byte and the data. */
export function channelsOf(socket: WebSocket, { base64 }: { readonly base64: boolean }): Channels {
  const readables = new Map<number, Readable>();
  const listeners = new Map<number, (data: Buffer) => void>();
  socket.on("message", (message: Buffer) => {
    if (message.length === 0) return;
    const channel = base64 ? message[0]! - 48 : message[0]!;
    const data = base64 ? Buffer.from(message.toString("latin1", 1), "base64") : message.subarray(1);
    listeners.get(channel)?.(data);
    const stream = readables.get(channel);
    if (!stream || stream.destroyed || stream.readableEnded || data.length === 0) return;
    if (!stream.push(data)) socket.pause();
  });
  socket.once("close", () => {
    for (const channel of readables.keys()) endOf(channel);
  });
  function endOf(channel: number): void {
    const stream = readables.get(channel);
    readables.delete(channel);
    stream?.push(null);
  }
  const send = (channel: number, data: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      if (socket.readyState !== socket.OPEN) return reject(new UnavailableError("the WebSocket is closed"));
      const done = (error?: Error | null) => (error ? reject(error) : resolve());
      if (base64) socket.send(`${channel}${data.toString("base64")}`, { binary: false }, done);
      else socket.send(Buffer.concat([Buffer.from([channel]), data]), { binary: true }, done);
    });
  return {
    send,
    endOf,
    readable(channel) {
      const stream = new Readable({
        highWaterMark: BUFFER_BYTES,
        read() {
          if (socket.isPaused) socket.resume();
        },
        destroy(error, done) {
          // Nobody reads this channel any more; the others go on.
          if (socket.isPaused) socket.resume();
          done(error);
        },
      });
      stream.on("error", () => {});
      readables.set(channel, stream);
      return stream;
    },
    writable(channel) {
      const stream = new Writable({
        highWaterMark: BUFFER_BYTES,
        write: (chunk: Buffer, _encoding, done) => void send(channel, chunk).then(() => done(), done),
      });
      stream.on("error", () => {});
      return stream;
    },
    onMessage: (channel, listener) => void listeners.set(channel, listener),
    close: () =>
      new Promise((resolve) => {
        if (socket.readyState === socket.CLOSED) return resolve();
        const timer = setTimeout(() => socket.terminate(), GOODBYE_MS);
        socket.once("close", () => {
          clearTimeout(timer);
          resolve();
        });
        if (socket.isPaused) socket.resume();
        socket.close(1000);
      }),
  };
}
