import { connect, createServer, type Socket } from "node:net";
import { InvalidArgumentError, UnavailableError } from "@tiphys/errors";

/** A port of this machine that leads to a host through a proxy. */
export interface Tunnel {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface TunnelOptions {
  /** `socks5://user:password@host:port`; whatever its scheme, SOCKS 5 is spoken to it, as Argo CD does. */
  readonly proxy: string;
  /** Where the proxy really is, where that is known better than by its name. */
  readonly address?: { readonly host: string; readonly port: number };
  readonly host: string;
  readonly port: number;
}

const USUAL_PORT = 1080;
/** Milliseconds for the proxy's own part. */
const HANDSHAKE = 30_000;
const replies: Readonly<Record<number, string>> = {
  1: "it failed",
  2: "its rules do not allow it",
  3: "the network cannot be reached",
  4: "the host cannot be reached",
  5: "the connection was refused",
  6: "it took too long",
  7: "it cannot do that",
  8: "it does not know such addresses",
};

/** Host and port of a proxy. */
export function proxyEndpoint(proxy: string): { readonly host: string; readonly port: number } {
  try {
    const { hostname, port } = new URL(proxy.includes("://") ? proxy : `socks5://${proxy}`);
    if (hostname === "") throw new Error("no host");
    return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || USUAL_PORT) };
  } catch {
    // The text may hold a password.
    throw new InvalidArgumentError("proxy", "is not the URL of a proxy");
  }
}

/** Opens a tunnel, for a program that cannot speak to proxies itself. */
export async function openTunnel({ proxy, address, host, port }: TunnelOptions): Promise<Tunnel> {
  const { username, password } = new URL(proxy.includes("://") ? proxy : `socks5://${proxy}`);
  const login = username ? { user: decodeURIComponent(username), password: decodeURIComponent(password) } : undefined;
  const at = address ?? proxyEndpoint(proxy);
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(at.port, at.host);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("close", () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
      // What went wrong is seen as a connection that ends.
      socket.on("error", () => {});
    }
    far.setTimeout(HANDSHAKE, () => far.destroy());
    void handshake(far, { host, port, login }).then(
      () => {
        far.setTimeout(0);
        near.pipe(far);
        far.pipe(near);
      },
      () => near.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const own = server.address();
  return {
    host: "127.0.0.1",
    port: typeof own === "object" && own ? own.port : 0,
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** Takes exactly so many bytes off a connection. */
const take = (socket: Socket, bytes: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const look = () => {
      const data: Buffer | null = socket.read(bytes);
      if (data === null) return;
      end();
      if (data.length === bytes) resolve(data);
      else reject(new UnavailableError("the proxy ended the connection"));
    };
    const ended = () => {
      end();
      reject(new UnavailableError("the proxy ended the connection"));
    };
    const end = () => {
      socket.off("readable", look);
      socket.off("close", ended);
    };
    socket.on("readable", look);
    socket.on("close", ended);
    look();
  });

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  if (bytes.length > 255) throw new InvalidArgumentError("proxy", "has a name longer than 255 bytes");
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
};

/** Asks a SOCKS 5 proxy to connect to a host by its name (RFC 1928, and 1929 for the password). */
async function handshake(
  socket: Socket,
  { host, port, login }: { host: string; port: number; login: { user: string; password: string } | undefined },
): Promise<void> {
  socket.write(Buffer.from(login ? [5, 2, 0, 2] : [5, 1, 0]));
  const [version, method] = await take(socket, 2);
  if (version !== 5) throw new UnavailableError("the proxy does not speak SOCKS 5");
  if (method === 2 && login) {
    socket.write(Buffer.concat([Buffer.from([1]), text(login.user), text(login.password)]));
    if ((await take(socket, 2))[1] !== 0) throw new UnavailableError("the proxy refused the password");
  } else if (method !== 0) throw new UnavailableError("the proxy wants a password");
  socket.write(Buffer.concat([Buffer.from([5, 1, 0, 3]), text(host), Buffer.from([port >> 8, port & 255])]));
  const [, reply = 1, , kind] = await take(socket, 4);
  if (reply !== 0) throw new UnavailableError(`the proxy does not connect: ${replies[reply] ?? reply}`);
  const length = kind === 1 ? 4 : kind === 4 ? 16 : ((await take(socket, 1))[0] ?? 0);
  await take(socket, length + 2);
}
