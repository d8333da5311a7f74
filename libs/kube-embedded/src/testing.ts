import { request } from "node:https";
import type { ClusterConnection } from "@tiphys/kube";
import type { KubeObject, ResourceType } from "@tiphys/resources";

export interface RawAnswer {
  readonly code: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered
  readonly json: any;
}

/** One HTTPS request as it is, for what no client of ours would send. */
export function raw(
  connection: Pick<ClusterConnection, "server" | "ca" | "clientCert" | "clientKey"> & { readonly bearer?: string },
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<RawAnswer> {
  const { server, ca, clientCert, clientKey, bearer } = connection;
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, server),
      {
        method,
        agent: false,
        ...(ca ? { ca } : {}),
        ...(clientCert && clientKey ? { cert: clientCert, key: clientKey.reveal() } : {}),
        headers: {
          ...(body === undefined
            ? {}
            : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
          ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
          "user-agent": "raw",
          ...headers,
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          let json: unknown;
          try {
            json = JSON.parse(text);
          } catch {
            json = undefined;
          }
          resolve({ code: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

/** Asks again until the answer is truthy; fails after five seconds. */
export async function until<T>(ask: () => Promise<T> | T): Promise<T> {
  const end = performance.now() + 5000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error("the condition did not come true within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const widgets: ResourceType = {
  group: "tests.tiphys.dev",
  version: "v1",
  resource: "widgets",
  kind: "Widget",
  namespaced: true,
};

const schema = {
  type: "object",
  required: ["spec"],
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      properties: {
        size: { type: "integer", minimum: 0, maximum: 10 },
        color: { type: "string", default: "red", enum: ["red", "green"] },
        replicas: { type: "integer" },
      },
    },
    status: { type: "object", properties: { ready: { type: "integer" } } },
  },
};

const version = (name: string, storage: boolean) => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: schema },
  subresources: { status: {}, scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.ready" } },
  additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
});

/** A custom kind for the tests of this lib. */
export const widgetCrd: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.tests.tiphys.dev" },
  spec: {
    group: "tests.tiphys.dev",
    scope: "Namespaced",
    names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList", shortNames: ["wi"] },
    versions: [version("v1", true), version("v1beta1", false)],
  },
};
