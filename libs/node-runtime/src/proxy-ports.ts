import { createServer as createHttp, type RequestListener, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { messageOf } from "@tiphys/errors";

type Protocol = "HTTP" | "HTTPS";

/** What happens at a port; `port` is the one that listeners name. */
export interface PortHandler {
  request(protocol: Protocol, port: number, ...args: Parameters<RequestListener>): void;
  upgrade(
    protocol: Protocol,
    port: number,
    request: Parameters<RequestListener>[0],
    client: Socket,
    head: Buffer,
  ): void;
  /** The certificate for a server name. */
  context(port: number, servername: string): SecureContext | undefined;
}

export interface ProxyPorts {
  /** Serves a port that listeners name on `hostPort` of this host; 0 takes a free one. */
  open(protocol: Protocol, port: number, hostPort: number): Promise<number>;
  /** Opens and closes ports so that those of `wanted` are served, each on the same port of this host. */
  follow(wanted: readonly { readonly protocol: Protocol; readonly port: number }[]): Promise<void>;
  /** Why a port cannot be served; undefined when it is, or has not been tried. */
  problem(protocol: Protocol, port: number): string | undefined;
  hostPort(protocol: Protocol, port: number): number | undefined;
  /** Stops taking connections; `closed` resolves when all are over. */
  close(): { readonly closed: Promise<void>; force(): void };
}

const LOWEST = 1024;

export function proxyPorts(
  host: string,
  handler: PortHandler,
  fallback: () => Promise<{ readonly cert: string; readonly key: string }>,
): ProxyPorts {
  const servers = new Map<string, { server: Server; hostPort: number; fixed: boolean }>();
  const upgraded = new Set<Socket>();
  const problems = new Map<string, string>();
  const keyOf = (protocol: Protocol, port: number) => `${protocol} ${port}`;

  async function start(protocol: Protocol, port: number, hostPort: number, fixed: boolean): Promise<number> {
    const onRequest: RequestListener = (...args) => handler.request(protocol, port, ...args);
    const server =
      protocol === "HTTP"
        ? createHttp(onRequest)
        : createHttps(
            {
              ...(await fallback()),
              minVersion: "TLSv1.2",
              SNICallback: (name, done) => done(null, handler.context(port, name.toLowerCase())),
            },
            onRequest,
          );
    server.on("upgrade", (request, stream, head) => {
      const client = stream as Socket;
      upgraded.add(client);
      client.once("close", () => upgraded.delete(client));
      client.on("error", () => {});
      handler.upgrade(protocol, port, request, client, head);
    });
    server.on("clientError", (_error, socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(hostPort, host, resolve);
    });
    const address = server.address();
    const real = typeof address === "object" && address ? address.port : hostPort;
    servers.set(keyOf(protocol, port), { server, hostPort: real, fixed });
    return real;
  }

  return {
    open: (protocol, port, hostPort) => start(protocol, port, hostPort, true),
    async follow(wanted) {
      const keys = new Set(wanted.map(({ protocol, port }) => keyOf(protocol, port)));
      for (const [key, { server, fixed }] of servers) {
        if (fixed || keys.has(key)) continue;
        servers.delete(key);
        server.close();
        server.closeIdleConnections();
      }
      for (const key of problems.keys()) if (!keys.has(key)) problems.delete(key);
      for (const { protocol, port } of wanted) {
        const key = keyOf(protocol, port);
        if (servers.has(key) || problems.has(key)) continue;
        if (port < LOWEST) {
          problems.set(key, `port ${port} needs privileges: use 80, 443 or one from ${LOWEST} on`);
          continue;
        }
        await start(protocol, port, port, false).catch((error) =>
          problems.set(key, `port ${port} cannot be opened on this host: ${messageOf(error)}`),
        );
      }
    },
    problem: (protocol, port) => problems.get(keyOf(protocol, port)),
    hostPort: (protocol, port) => servers.get(keyOf(protocol, port))?.hostPort,
    close() {
      const all = [...servers.values()].map(({ server }) => server);
      const closed = Promise.all(all.map((server) => new Promise((resolve) => server.close(resolve)))).then(() => {});
      return {
        closed,
        force() {
          for (const server of all) server.closeAllConnections();
          for (const client of upgraded) client.destroy();
        },
      };
    },
  };
}
