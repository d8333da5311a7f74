import { Duplex } from "node:stream";
import { UnavailableError } from "@tiphys/errors";
import { type WebSocket, WebSocketServer } from "ws";
import { guard, type UpgradeRequest } from "./upgrade.js";

/** One WebSocket message; clients cut their streams into pieces of a few dozen kilobytes. */
const MESSAGE_BYTES = 4 * 1024 * 1024;

/** Completes the handshake with `protocol` ("" for none). Rejects when the request is not a valid one. */
export function acceptWebSocket(upgrade: UpgradeRequest, protocol: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    guard(upgrade.socket);
    upgrade.socket.once("close", () => reject(new UnavailableError("the client has left during the handshake")));
    const accepting = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_BYTES, perMessageDeflate: false });
    // The parser refuses the slash in the name of kubectl's tunnel; the choice is made by now, so it need not see it.
    delete upgrade.request.headers["sec-websocket-protocol"];
    if (protocol) accepting.on("headers", (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
    accepting.handleUpgrade(upgrade.request, upgrade.socket, upgrade.head, (socket) => {
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

/** A WebSocket's binary messages as one stream of bytes. */
export class WebSocketStream extends Duplex {
  constructor(private readonly socket: WebSocket) {
    super({ allowHalfOpen: false });
    this.on("error", () => {});
    socket.on("message", (data: Buffer) => {
      if (!this.push(data)) socket.pause();
    });
    socket.on("close", () => {
      if (!this.readableEnded) this.push(null);
      this.destroy();
    });
  }

  override _read(): void {
    if (this.socket.isPaused) this.socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.send(chunk, { binary: true }, (error) => done(error));
  }

  override _final(done: (error?: Error | null) => void): void {
    this.socket.close(1000);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.resume();
    this.socket.close(1000);
    done(error);
  }
}
