import { request } from "node:https";
import { type ClusterConnection, KubeApiError, type KubeClient, type LogOptions } from "@tiphys/kube";
import type { LogSource } from "@tiphys/kube-embedded";
import { types } from "@tiphys/resources";

/** Reads the logs of pods from the kubelets of their nodes, with the client certificate of `connection`, as API servers do. */
export function kubeletLogs(client: KubeClient, connection: ClusterConnection): LogSource {
  return async function* (pod, options, signal) {
    const nodeName = pod["spec"]?.nodeName;
    const node = nodeName ? await client.get(types.nodes, { name: nodeName }) : undefined;
    const addresses: { type: string; address: string }[] = node?.["status"]?.addresses ?? [];
    const host = addresses.find(({ type }) => type === "InternalIP")?.address;
    const port: number | undefined = node?.["status"]?.daemonEndpoints?.kubeletEndpoint?.Port;
    if (!host || !port)
      throw refused(503, "ServiceUnavailable", `node "${nodeName ?? ""}" has no kubelet port that serves logs`);
    const container = options.container ?? pod["spec"]?.containers?.[0]?.name;
    const path = ["containerLogs", pod.metadata.namespace, pod.metadata.name, container].map(encodeURIComponent);
    const response = await new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
      const asked = request(
        {
          host,
          port,
          path: `/${path.join("/")}?${query(options)}`,
          cert: connection.clientCert,
          key: connection.clientKey?.reveal(),
          // Kubelets sign their serving certificates themselves; API servers do not check them by default either.
          rejectUnauthorized: false,
          signal,
        },
        resolve,
      );
      asked.once("error", reject);
      asked.end();
    });
    if (response.statusCode !== 200) {
      const chunks: Buffer[] = [];
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
      const reason = response.statusCode === 404 ? "NotFound" : "BadRequest";
      throw refused(response.statusCode ?? 500, reason, Buffer.concat(chunks).toString("utf8"));
    }
    yield* response as AsyncIterable<Uint8Array>;
  };
}

function query({ container: _, ...options }: LogOptions): URLSearchParams {
  return new URLSearchParams(
    Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

const refused = (code: number, reason: string, message: string): KubeApiError =>
  new KubeApiError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", reason, message, code });
