import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { codeOf } from "@tiphys/errors";
import { createHttpKubeClient, type HttpKubeClient, isNotFound, loadKubeconfig } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { silentLogger } from "@tiphys/telemetry";
import { eventually, realClusterKubeconfig, workspaceRoot } from "@tiphys/testing";
import { parseYamlDocuments } from "@tiphys/yaml";
import { type Running, start } from "./separate-processes.js";

export const NODE_NAME = "tiphys-e2e";
const NAMESPACES = ["argocd", "demo"] as const;

/** A control plane for the demo: how it is reached, and how it is left as it was found. */
export interface Cluster {
  readonly kubeconfig: string;
  /** File with the authority of the API server's client certificate towards kubelets. */
  readonly kubeletClientCa: string;
  readonly client: HttpKubeClient;
  /** Once the node and the services are gone. */
  leave(): Promise<void>;
}

const clientOf = async (kubeconfig: string): Promise<HttpKubeClient> =>
  createHttpKubeClient({
    connection: await loadKubeconfig({ path: kubeconfig }),
    log: silentLogger,
    clock: systemClock(),
  });

/** Our embedded API server and its controllers in a process of their own. */
export async function embeddedCluster(folder: string): Promise<Cluster> {
  const running: Running = start("cluster", "standalone/dist/cluster.mjs", folder, {
    TIPHYS_DATA: join(folder, "kube"),
  });
  const { kubeconfig = "", kubeletClientCa = "" } = await running.announced();
  const client = await clientOf(kubeconfig);
  await createNamespace(client, "argocd");
  return {
    kubeconfig,
    kubeletClientCa,
    client,
    async leave() {
      client.close();
      const { code } = await running.stop();
      if (code !== 0) throw new Error(`the embedded cluster ended with ${code}: ${running.log()}`);
    },
  };
}

/** The real control plane of TIPHYS_REAL_KUBECONFIG, with our CRDs and without traces of an earlier demo. */
export async function realCluster(): Promise<Cluster> {
  const kubeconfig = realClusterKubeconfig() ?? "";
  const client = await clientOf(kubeconfig);
  await clean(client);
  const folder = join(workspaceRoot(), "deploy", "crds");
  for (const file of await readdir(folder)) {
    for (const { value } of parseYamlDocuments(await readFile(join(folder, file), "utf8"), { file })) {
      const crd = value as KubeObject;
      const type = types.customResourceDefinitions;
      const options = { fieldManager: "tiphys", force: true };
      await client.patch(type, { name: crd.metadata.name }, { type: "apply", body: crd }, options);
      await eventually(async () => {
        const { status } = await client.get(type, { name: crd.metadata.name });
        const conditions: { type: string; status: string }[] = status?.conditions ?? [];
        return conditions.some((condition) => condition.type === "Established" && condition.status === "True");
      });
    }
  }
  await createNamespace(client, "argocd");
  return {
    kubeconfig,
    kubeletClientCa: join(dirname(kubeconfig), "ca.crt"),
    client,
    async leave() {
      await clean(client);
      client.close();
    },
  };
}

async function createNamespace(client: HttpKubeClient, name: string): Promise<void> {
  await client
    .create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } })
    .catch((error: unknown) => {
      if (codeOf(error) !== "AlreadyExists") throw error;
    });
}

/** Removes the demo's namespaces and our node; nobody is there any more who would answer finalizers or end pods. */
async function clean(client: HttpKubeClient): Promise<void> {
  const gone = (work: Promise<unknown>) =>
    work.catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  for (const name of NAMESPACES) await gone(client.delete(types.namespaces, { name }));
  await eventually(
    async () => {
      const left = [];
      for (const namespace of NAMESPACES) {
        for (const type of [types.applications, types.workflows, types.rollouts, types.analysisRuns, types.pods]) {
          const { items } = await client.list(type, { namespace }).catch((error: unknown) => {
            // Their CRDs may not be there yet.
            if (isNotFound(error)) return { items: [] };
            throw error;
          });
          for (const { metadata } of items) {
            const key = { namespace, name: metadata.name };
            if (metadata.finalizers?.length)
              await gone(client.patch(type, key, { type: "merge", body: { metadata: { finalizers: null } } }));
            await gone(client.delete(type, key, { gracePeriodSeconds: 0 }));
          }
        }
        const there = await client.get(types.namespaces, { name: namespace }).then(
          () => true,
          (error: unknown) => !isNotFound(error),
        );
        if (there) left.push(namespace);
      }
      return left.length === 0;
    },
    { limit: 60_000, interval: 200 },
  );
  await gone(client.delete(types.nodes, { name: NODE_NAME }));
}
