import { createServer as createHttp, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createNet, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";
import { type Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { FailedPreconditionError } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";

/** The first byte of a TLS handshake, and the beginning of an HTTP/2 connection. */
const TLS_HANDSHAKE = 0x16;
const HTTP2_PREFACE = "PRI * HTTP/2";
/** A client that says nothing for so long is dropped. */
const SILENCE_MS = 10_000;
const HEADERS_MS = 10_000;

export interface PortOptions {
  readonly host: string;
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  readonly http: RequestListener;
  readonly grpc: GrpcServer;
  readonly log: Logger;
}

export interface Port {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * One port for everything: TLS or not, HTTP/1.1 (REST, console) or HTTP/2 (gRPC), told apart by the first bytes, as the
 * originals do. Plain HTTP is redirected to HTTPS; plain gRPC is refused.
 */
export async function openPort({ host, port, cert, key, http, grpc, log }: PortOptions): Promise<Port> {
  const secureContext = createSecureContext({ cert, key, minVersion: "TLSv1.2" });
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const web = createHttp({ headersTimeout: HEADERS_MS, requestTimeout: 60_000 }, http);
  const redirect = createHttp({ headersTimeout: HEADERS_MS }, (request, response) => {
    response
      .writeHead(307, { location: `https://${request.headers.host ?? `${host}:${port}`}${request.url ?? "/"}` })
      .end();
  });
  const sockets = new Set<Socket>();

  const secure = (socket: Socket) => {
    const tls = new TLSSocket(socket, {
      isServer: true,
      secureContext,
      // Browsers and curl get HTTP/1.1; gRPC clients offer h2 alone. As the original behaves.
      ALPNCallback: ({ protocols }) =>
        protocols.includes("http/1.1") ? "http/1.1" : protocols.includes("h2") ? "h2" : undefined,
    });
    tls.on("error", () => socket.destroy());
    tls.once("secure", () => {
      if (tls.alpnProtocol === "h2") injector.injectConnection(tls);
      else if (tls.alpnProtocol === "http/1.1") web.emit("connection", tls);
      else
        sniff(tls, (start) =>
          start.startsWith(HTTP2_PREFACE.slice(0, start.length))
            ? injector.injectConnection(tls)
            : web.emit("connection", tls),
        );
    });
  };

  const server = createNet((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
    sniff(socket, (start, first) => {
      if (first === TLS_HANDSHAKE) secure(socket);
      else if (start.startsWith("PRI")) socket.destroy();
      else redirect.emit("connection", socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new FailedPreconditionError(
              `port ${port} on ${host} is in use: stop the other program or choose another with --port`,
              { cause: error },
            )
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
  server.on("error", (error) => log.error("port failed", { error }));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      injector.drain(1_000);
      web.closeAllConnections();
      redirect.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      injector.destroy();
    },
  };
}

/** Peeks at the first bytes of a connection, gives them back, and hands them to `decide`. */
function sniff(socket: Socket, decide: (start: string, first: number) => void): void {
  socket.setTimeout(SILENCE_MS, () => socket.destroy());
  socket.once("data", (chunk: Buffer) => {
    socket.setTimeout(0);
    socket.removeAllListeners("timeout");
    socket.pause();
    socket.unshift(chunk);
    decide(chunk.toString("latin1", 0, HTTP2_PREFACE.length), chunk[0] ?? 0);
    socket.resume();
  });
}
