import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Server as GrpcServer } from "@grpc/grpc-js";
import { FailedPreconditionError } from "@tiphys/errors";
import { descriptorSet } from "@tiphys/proto";
import { bindGrpc, createGrpcServer, type ServedService, type ServiceTokens } from "@tiphys/rpc";
import type { Logger, Metrics } from "@tiphys/telemetry";
import type { Service } from "./service.js";

export interface HostOptions {
  readonly service: Service;
  readonly rpc: readonly ServedService[];
  readonly tokens: ServiceTokens;
  /** `host:port`; port 0 takes a free one. */
  readonly grpcListen: string;
  readonly httpListen: string;
  /** PEM texts; callers must then present a certificate of `ca`. */
  readonly tls?: { cert: string; key: string; ca: string };
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface Host extends Service {
  readonly grpcPort: number;
  readonly httpPort: number;
}

/** What surrounds a service in a process of its own: /healthz, /readyz, /metrics, and its RPCs for the other services. */
export function createHost(options: HostOptions): Host {
  const { service, tokens, log, metrics } = options;
  let grpc: GrpcServer | undefined;
  let http: HttpServer | undefined;
  let grpcPort = 0;
  return {
    name: service.name,
    get grpcPort() {
      return grpcPort;
    },
    get httpPort() {
      return (http?.address() as AddressInfo | null)?.port ?? 0;
    },
    async start() {
      http = await listen(options.httpListen, service, metrics);
      grpc = await createGrpcServer({
        services: options.rpc,
        authenticate: (metadata) => tokens.verify((metadata["authorization"] ?? "").replace(/^Bearer /i, "")),
        log,
        metrics,
        descriptorSet,
      });
      grpcPort = await bindGrpc(grpc, options.grpcListen, options.tls);
      await service.start();
      log.info("service started", { grpcPort, httpPort: this.httpPort });
    },
    async stop() {
      await service.stop();
      await new Promise<void>((resolve) => {
        if (!grpc) return resolve();
        // Calls in hand get a moment to finish.
        // Real time: the callers are other processes.
        const force = setTimeout(() => grpc?.forceShutdown(), 2_000);
        grpc.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      });
      http?.close();
      http?.closeAllConnections();
      log.info("service stopped");
    },
    ready: () => service.ready(),
  };
}

async function listen(address: string, service: Service, metrics: Metrics): Promise<HttpServer> {
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const answer = (status: number, body: string, type = "text/plain; charset=utf-8") =>
      response.writeHead(status, { "content-type": type }).end(body);
    switch (request.url?.split("?")[0]) {
      case "/healthz":
        return answer(200, "ok\n");
      case "/readyz": {
        const reason = await service.ready().catch((error: unknown) => String(error));
        return reason === undefined ? answer(200, "ok\n") : answer(503, `${reason}\n`);
      }
      case "/metrics":
        return answer(200, await metrics.expose(), "text/plain; version=0.0.4; charset=utf-8");
      default:
        return answer(404, "not found\n");
    }
  };
  const server = createServer((request, response) => {
    serve(request, response).catch(() =>
      response.headersSent ? response.destroy() : response.writeHead(500).end("internal error\n"),
    );
  });
  const at = address.lastIndexOf(":");
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "EADDRINUSE"
          ? new FailedPreconditionError(`${address} is in use: stop the other program or set TIPHYS_HTTP_LISTEN`, {
              cause,
            })
          : cause,
      ),
    );
    server.listen(Number(address.slice(at + 1)), address.slice(0, at), resolve);
  });
  return server;
}
