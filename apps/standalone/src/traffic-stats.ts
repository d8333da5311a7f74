import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Informer } from "@tiphys/kube";
import type { BackendStats } from "@tiphys/node-runtime";

/** What analyses ask: how many requests of some pods there were and how many of them failed. */
export interface TrafficSummary {
  readonly requests: number;
  readonly errors: number;
  /** errors / requests; 0 while there are none. */
  readonly errorRate: number;
}

/** Sums the measured traffic of the pods that carry `label` (`name=value`). */
export function summarize(
  stats: readonly BackendStats[],
  pods: Pick<Informer, "get">,
  namespace: string,
  label: string,
): TrafficSummary {
  const [name = "", value = ""] = label.split("=");
  let requests = 0;
  let errors = 0;
  for (const backend of stats) {
    if (backend.namespace !== namespace || backend.mirrored) continue;
    const pod = pods.get({ namespace, name: backend.pod });
    if (pod?.metadata.labels?.[name] !== value) continue;
    requests += backend.requests;
    errors += backend.errors;
  }
  return { requests, errors, errorRate: requests === 0 ? 0 : errors / requests };
}

/** The measured traffic over HTTP, on loopback; analyses reach it as `traffic.tiphys.svc`. */
export async function serveTrafficStats(
  stats: () => readonly BackendStats[],
  pods: Pick<Informer, "get">,
): Promise<{ port: number; close(): void }> {
  const server: Server = createServer((request, response) => {
    const target = request.url ?? "/";
    // Put together as a text: a target such as `//` is no URL of its own, and must not end the process.
    const url = new URL(`http://traffic${target.startsWith("/") ? "" : "/"}${target}`);
    const namespace = url.searchParams.get("namespace");
    const label = url.searchParams.get("label");
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (url.pathname !== "/api/v1/stats")
      answer(404, { message: `${url.pathname} is not served here: ask /api/v1/stats` });
    else if (!namespace || !label?.includes("="))
      answer(400, { message: "name the pods: ?namespace=NAMESPACE&label=NAME=VALUE" });
    else answer(200, summarize(stats(), pods, namespace, label));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
