import { existsSync } from "node:fs";
import { type KubeClient, loadKubeconfig } from "@tiphys/kube";
import { types } from "@tiphys/resources";
import { parseYaml, toYaml } from "@tiphys/yaml";
import { clusterFolder, clusterName, MOST_CLUSTERS } from "./cluster-folders.js";

interface Kubeconfig {
  readonly clusters: readonly { readonly cluster: unknown }[];
  readonly users: readonly { readonly user: unknown }[];
}

interface Named {
  readonly name: string;
  readonly kubeconfig: string;
}

/** How many clusters a data folder has: those of an earlier start. */
export async function clustersIn(data: string): Promise<number> {
  for (let n = MOST_CLUSTERS; n > 1; n--) if (existsSync(clusterFolder(data, clusterName(n)) ?? "")) return n;
  return 1;
}

/** One kubeconfig for all: the first cluster's context is the current one, the others have the names of their clusters. */
export function kubeconfigOf(home: Named, others: readonly Named[]): string {
  if (others.length === 0) return home.kubeconfig;
  const all = parseYaml(home.kubeconfig) as Kubeconfig & { contexts: readonly unknown[] };
  const more = others.map(({ name, kubeconfig }) => ({ name, ...(parseYaml(kubeconfig) as Kubeconfig) }));
  return toYaml({
    ...all,
    clusters: [...all.clusters, ...more.map(({ name, clusters }) => ({ name, cluster: clusters[0]?.cluster }))],
    users: [...all.users, ...more.map(({ name, users }) => ({ name: `admin-${name}`, user: users[0]?.user }))],
    contexts: [
      ...all.contexts,
      ...more.map(({ name }) => ({ name, context: { cluster: name, user: `admin-${name}`, namespace: "default" } })),
    ],
  });
}

const base64 = (text: string | undefined): string => Buffer.from(text ?? "").toString("base64");

/** Makes a cluster a destination of Applications: as an Argo CD cluster Secret in the first one. */
export async function register(
  client: KubeClient,
  namespace: string,
  { name, url, kubeconfig }: Named & { readonly url: string },
): Promise<void> {
  const { ca, clientCert, clientKey } = await loadKubeconfig({ text: kubeconfig });
  const config = {
    tlsClientConfig: { caData: base64(ca), certData: base64(clientCert), keyData: base64(clientKey?.reveal()) },
  };
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels: { "argocd.argoproj.io/secret-type": "cluster" } },
    type: "Opaque",
    data: { name: base64(name), server: base64(url), config: base64(JSON.stringify(config)) },
  };
  const options = { fieldManager: "tiphys", force: true };
  await client.patch(types.secrets, { namespace, name }, { type: "apply", body: secret }, options);
}
