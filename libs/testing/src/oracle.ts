import { readFileSync } from "node:fs";
import { request } from "node:https";
import { parseYaml } from "@tiphys/yaml";

/** Plain requests to a real API server, for tests that compare our answers with its answers. */
export interface Oracle {
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<Answer>;
}
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answers
  readonly body: any;
}

interface Kubeconfig {
  clusters: { cluster: { server: string; "certificate-authority-data": string } }[];
  users: { user: { token: string } }[];
}

export function connectOracle(kubeconfig: string): Oracle {
  const { clusters, users } = parseYaml(readFileSync(kubeconfig, "utf8"), { file: kubeconfig }) as Kubeconfig;
  const { server, "certificate-authority-data": ca } = clusters[0]!.cluster;
  const headers = { authorization: `Bearer ${users[0]!.user.token}`, accept: "application/json" };
  return {
    request: (method, path, body, contentType = "application/json") =>
      new Promise((resolve, reject) => {
        const accept = path.includes("as=Table") ? "application/json;as=Table;v=v1;g=meta.k8s.io" : headers.accept;
        const call = request(
          server + path.replace("as=Table", ""),
          { method, ca: Buffer.from(ca, "base64"), headers: { ...headers, accept, "content-type": contentType } },
          (response) => {
            const parts: Buffer[] = [];
            response.on("data", (part: Buffer) => parts.push(part));
            response.on("end", () =>
              resolve({ status: response.statusCode!, body: parsed(Buffer.concat(parts).toString()) }),
            );
          },
        );
        call.on("error", reject);
        call.end(body === undefined ? undefined : JSON.stringify(body));
      }),
  };
}

/** A path that is not served yet is answered with plain text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A namespace of its own that is gone afterwards. */
export async function withNamespace(oracle: Oracle, name: string): Promise<{ name: string; remove(): Promise<void> }> {
  await oracle.request("POST", "/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  return { name, remove: async () => void (await oracle.request("DELETE", `/api/v1/namespaces/${name}`)) };
}
