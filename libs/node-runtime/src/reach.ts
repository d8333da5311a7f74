import { connect, type Socket } from "node:net";
import { UnavailableError } from "@tiphys/errors";
import type { Endpoint } from "./forwarders.js";
import type { ClusterResolver } from "./resolver.js";

const CONNECT_MS = 10_000;

/** A connection to an endpoint on this host, once it is established. */
export function dialEndpoint({ host, port }: Endpoint, signal?: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, timeout: CONNECT_MS });
    const leave = () => socket.destroy(new UnavailableError("the connection is not wanted any more"));
    signal?.addEventListener("abort", leave, { once: true });
    socket.once("close", () => signal?.removeEventListener("abort", leave));
    socket.once("timeout", () => socket.destroy(new UnavailableError(`no connection within ${CONNECT_MS} ms`)));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.setNoDelay(true);
      socket.off("error", reject);
      socket.on("error", () => {});
      resolve(socket);
    });
  });
}

/** How an API server reaches pods and Services by address. */
export const reachThrough =
  (resolver: ClusterResolver) =>
  async (ip: string, port: number): Promise<Socket> => {
    const endpoint = await resolver.resolve(ip, port);
    if (!endpoint)
      throw new UnavailableError(`dial tcp ${ip}:${port}: no pod of this network has this address and port`);
    return dialEndpoint(endpoint);
  };
