import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import { refuseUpgrade } from "@tiphys/kube-streams";
import type { Logger } from "@tiphys/telemetry";
import { selfSigned } from "./certificates.js";
import type { KubeletHandler } from "./kubelet-handler.js";

export interface KubeletServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface KubeletServerDeps {
  readonly port: number;
  /** PEM of the authority whose client certificates may ask. */
  readonly clientCa: string;
  readonly nodeName: string;
  readonly hostIP: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Names of clients that may ask; the API server's usual one by default. */
  readonly clientNames?: readonly string[];
  readonly handler: KubeletHandler;
}

const PLAIN = { "content-type": "text/plain; charset=utf-8" };
/** The name in the certificate that API servers show to kubelets. */
export const API_SERVER = "kube-apiserver-kubelet-client";

/** The HTTPS port of a kubelet: for the API server, and nobody without its client certificate. */
export async function createKubeletServer(deps: KubeletServerDeps): Promise<KubeletServer> {
  const { nodeName, hostIP, clock } = deps;
  const { key, cert } = await selfSigned(
    nodeName,
    [
      { type: "dns", value: nodeName },
      { type: "ip", value: hostIP },
    ],
    clock,
  );
  const names = deps.clientNames ?? [API_SERVER];
  const open = new Set<Duplex>();
  const refusalOf = (request: IncomingMessage): { code: number; message: string } | undefined => {
    const socket = request.socket as TLSSocket;
    if (!socket.authorized) return { code: 401, message: "Unauthorized" };
    const name = String(socket.getPeerCertificate().subject?.CN ?? "");
    // Users' certificates are signed by the same authority: only the API server asks a kubelet.
    return names.includes(name) ? undefined : { code: 403, message: `Forbidden (user=${name}, resource=nodes)` };
  };
  const server = createServer(
    { key, cert, ca: deps.clientCa, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const refusal = refusalOf(request);
      if (refusal) return void response.writeHead(refusal.code, PLAIN).end(refusal.message);
      deps.handler.request(request.url ?? "/", request, response);
    },
  );
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const upgrade = { request, socket, head };
    const refusal = refusalOf(request);
    if (refusal) return refuseUpgrade(upgrade, refusal.code, refusal.message);
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    deps.handler.upgrade(request.url ?? "/", upgrade).catch((error) => {
      deps.log.warn("stream failed", { path: request.url?.split("?")[0], error: messageOf(error) });
      socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(deps.port, deps.hostIP, resolve);
  });
  server.on("error", (error) => deps.log.warn("kubelet port failed", { error: messageOf(error) }));
  // The services keep the process alive, not this port.
  server.unref();
  server.on("connection", (socket: Socket) => socket.unref());
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : deps.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        // Upgraded connections are no longer the server's.
        for (const socket of open) socket.destroy();
      }),
  };
}
