import { createServer as createHttp, type Server as HttpServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createNet, type Socket } from "node:net";
import { createServer as createTls } from "node:tls";
import { type Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { FailedPreconditionError } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";

/** The first byte of a TLS handshake, the beginning of an HTTP/2 connection, and that of any HTTP/1 request. */
const TLS_HANDSHAKE = 0x16;
const HTTP2_PREFACE = "PRI";
const HTTP_METHOD = /^[A-Z]{1,3}/;

/** How long clients may take, in milliseconds. */
export interface Patience {
  /** From connecting to the first byte, and from there to the end of the TLS handshake. */
  readonly silence: number;
  /** Until the headers of a request are there. */
  readonly headers: number;
  /** Until the whole request is there. */
  readonly request: number;
}

const usual: Patience = { silence: 10_000, headers: 10_000, request: 60_000 };
/** The kernel asks after so long whether the other side is still there. */
const KEEP_ALIVE_MS = 30_000;

export interface PortOptions {
  readonly host: string;
  readonly port: number;
  readonly cert: string;
  readonly key: string;
  readonly http: RequestListener;
  readonly grpc: GrpcServer;
  readonly log: Logger;
  readonly patience?: Patience;
}

export interface Port {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * One port for everything: TLS or not, HTTP/1.1 (REST, console) or HTTP/2 (gRPC), told apart by the first bytes, as the
 * originals do. Plain HTTP is redirected to HTTPS; plain gRPC is refused.
 */
export async function openPort(options: PortOptions): Promise<Port> {
  const { host, port, cert, key, http, grpc, log, patience = usual } = options;
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const web = requestsOf(patience, http);
  const redirect = requestsOf(patience, (request, response) => {
    response
      .writeHead(307, { location: `https://${request.headers.host ?? `${host}:${port}`}${request.url ?? "/"}` })
      .end();
  });
  const sockets = new Set<Socket>();

  const secure = createTls(
    {
      cert,
      key,
      minVersion: "TLSv1.2",
      handshakeTimeout: patience.silence,
      // Browsers and curl get HTTP/1.1; gRPC clients offer h2 alone. As the original behaves.
      ALPNCallback: ({ protocols }) =>
        protocols.includes("http/1.1") ? "http/1.1" : protocols.includes("h2") ? "h2" : undefined,
    },
    (tls) => {
      tls.on("error", () => tls.destroy());
      if (tls.alpnProtocol === "h2") injector.injectConnection(tls);
      else if (tls.alpnProtocol === "http/1.1") web.emit("connection", tls);
      else
        sniff(tls, patience.silence, (start) =>
          start === HTTP2_PREFACE ? injector.injectConnection(tls) : handOver(web, tls),
        );
    },
  );
  secure.on("tlsClientError", (_error, tls) => tls.destroy());

  const server = createNet((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    sniff(socket, patience.silence, (start, first) => {
      if (first === TLS_HANDSHAKE) secure.emit("connection", socket);
      else if (start === HTTP2_PREFACE || !HTTP_METHOD.test(start)) socket.destroy();
      else handOver(redirect, socket);
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
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      injector.destroy();
      web.close();
      redirect.close();
      await closed;
    },
  };
}

/** An HTTP server without a port of its own, that ends requests which take too long. */
function requestsOf(patience: Patience, listener: RequestListener): HttpServer {
  const server = createHttp(
    {
      headersTimeout: patience.headers,
      requestTimeout: patience.request,
      connectionsCheckingInterval: Math.min(patience.headers, 5_000),
    },
    listener,
  );
  // Node starts to look after slow requests at this event, which a server that only gets connections handed never sees.
  server.emit("listening");
  return server;
}

/** Gives an HTTP server a connection whose first bytes have been put back. */
function handOver(server: HttpServer, socket: Socket): void {
  server.emit("connection", socket);
  socket.resume();
}

/** Peeks at the first bytes of a connection, gives them back, and hands them to `decide`. */
function sniff(socket: Socket, silence: number, decide: (start: string, first: number) => void): void {
  const dropped = () => socket.destroy();
  socket.setTimeout(silence, dropped);
  socket.once("data", (chunk: Buffer) => {
    socket.setTimeout(0);
    socket.off("timeout", dropped);
    socket.pause();
    socket.unshift(chunk);
    // TLS and HTTP/2 take what is buffered by themselves; flowing on here would lose it for them.
    decide(chunk.toString("latin1", 0, HTTP2_PREFACE.length), chunk[0] ?? 0);
  });
}
