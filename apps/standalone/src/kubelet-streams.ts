import { request as httpsRequest } from "node:https";
import { messageOf } from "@tiphys/errors";
import { KubeApiError, type KubeClient } from "@tiphys/kube";
import type { NodeConnection } from "@tiphys/kube-embedded";
import { guard, refuseUpgrade } from "@tiphys/kube-streams";
import { types } from "@tiphys/resources";
import type { KubeletCredentials } from "./kubelet-client.js";

const CONNECT_MS = 10_000;
/** Headers that say who asks the API server, which the kubelet must not take for its own caller's. */
const OURS = new Set(["authorization", "host"]);

export interface KubeletAddress {
  readonly host: string;
  readonly port: number;
}

/** Where the kubelet of a node listens. */
export async function kubeletAddress(client: KubeClient, name: string): Promise<KubeletAddress> {
  const node = name ? await client.get(types.nodes, { name }) : undefined;
  const addresses: { type: string; address: string }[] = node?.["status"]?.addresses ?? [];
  const host = addresses.find(({ type }) => type === "InternalIP")?.address;
  const port: number | undefined = node?.["status"]?.daemonEndpoints?.kubeletEndpoint?.Port;
  if (!host || !port) {
    const message = `node "${name}" has no kubelet port`;
    const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" } as const;
    throw new KubeApiError({ ...status, reason: "ServiceUnavailable", message, code: 503 });
  }
  return { host, port };
}

/** Hands streams over to the kubelet of `node` byte for byte, as the API server's own client. */
export function kubeletConnection(client: KubeClient, node: string, credentials: KubeletCredentials): NodeConnection {
  const options = (address: KubeletAddress, target: string) => ({
    ...address,
    path: target,
    cert: credentials.cert,
    key: credentials.key.reveal(),
    // Kubelets sign their serving certificates themselves; API servers do not check them by default either.
    rejectUnauthorized: false,
    agent: false as const,
    timeout: CONNECT_MS,
  });
  const headersOf = (headers: NodeJS.Dict<string | string[]>) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => !OURS.has(name) && !name.startsWith("impersonate-")));
  return {
    async upgrade(target, upgrade) {
      const { request, socket, head } = upgrade;
      const address = await kubeletAddress(client, node);
      const asked = httpsRequest({
        ...options(address, target),
        method: request.method ?? "GET",
        headers: headersOf(request.headers),
      });
      asked.once("timeout", () => asked.destroy(new Error(`the kubelet did not answer within ${CONNECT_MS} ms`)));
      asked.once("error", (error) => refuseUpgrade(upgrade, 502, `error dialing backend: ${messageOf(error)}`));
      asked.once("response", (answer) => {
        const lines = headerLines(answer.rawHeaders);
        socket.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${lines}\r\n`);
        answer.pipe(socket);
      });
      asked.once("upgrade", (answer, other, first) => {
        guard(other);
        guard(socket);
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headerLines(answer.rawHeaders)}\r\n`);
        if (first.length > 0) socket.write(first);
        if (head.length > 0) other.write(head);
        socket.once("close", () => other.destroy());
        other.once("close", () => socket.destroy());
        socket.pipe(other).pipe(socket);
      });
      asked.end();
    },
    request(target, request, response) {
      kubeletAddress(client, node)
        .then((address) => {
          const asked = httpsRequest({
            ...options(address, target),
            method: request.method ?? "GET",
            headers: headersOf(request.headers),
          });
          asked.once("error", (error) => {
            if (!response.headersSent) response.writeHead(502).end(messageOf(error));
            else response.destroy();
          });
          asked.once("response", (answer) => {
            response.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(response);
          });
          response.once("close", () => asked.destroy());
          request.pipe(asked);
        })
        .catch((error) => response.writeHead(503).end(messageOf(error)));
    },
  };
}

function headerLines(raw: readonly string[]): string {
  let lines = "";
  for (let i = 0; i + 1 < raw.length; i += 2) lines += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return lines;
}
