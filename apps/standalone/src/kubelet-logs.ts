import { request } from "node:https";
import { KubeApiError, type KubeClient, type LogOptions } from "@tiphys/kube";
import type { LogSource } from "@tiphys/kube-embedded";
import type { KubeletCredentials } from "./kubelet-client.js";
import { kubeletAddress } from "./kubelet-streams.js";

/** Reads the logs of pods from the kubelets of their nodes, with `credentials`, as API servers do. */
export function kubeletLogs(client: KubeClient, credentials: KubeletCredentials): LogSource {
  return async function* (pod, options, signal) {
    const { host, port } = await kubeletAddress(client, pod["spec"]?.nodeName ?? "");
    const container = options.container ?? pod["spec"]?.containers?.[0]?.name;
    const path = ["containerLogs", pod.metadata.namespace, pod.metadata.name, container].map(encodeURIComponent);
    const response = await new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
      const asked = request(
        {
          host,
          port,
          path: `/${path.join("/")}?${query(options)}`,
          cert: credentials.cert,
          key: credentials.key.reveal(),
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
