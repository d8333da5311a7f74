import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type HttpKubeClient, loadKubeconfig } from "@tiphys/kube";
import { type AccountName, accountName, type KubeObject, serviceNames, types } from "@tiphys/resources";
import { workspaceRoot } from "@tiphys/testing";
import { parseYamlDocuments, toYaml } from "@tiphys/yaml";

const NAMESPACE = "argocd";
/** Longer than any run; the API server gives none for less than ten minutes. */
const TOKEN_SECONDS = 3_600;

/** Files of kubeconfigs, by account. */
export type Accounts = Readonly<Record<AccountName, string>>;

/** Applies deploy/rbac and writes for every account a kubeconfig with a token of its own. */
export async function openAccounts(kubeconfig: string, client: HttpKubeClient, folder: string): Promise<Accounts> {
  const roles = join(workspaceRoot(), "deploy", "rbac");
  for (const file of (await readdir(roles)).sort()) {
    for (const { value } of parseYamlDocuments(await readFile(join(roles, file), "utf8"), { file })) {
      const object = value as KubeObject;
      const { name, namespace } = object.metadata;
      const type = await client.resourceFor(object.apiVersion, object.kind);
      const options = { fieldManager: "tiphys", force: true };
      await client.patch(type, namespace ? { namespace, name } : { name }, { type: "apply", body: object }, options);
    }
  }
  const { server, ca = "" } = await loadKubeconfig({ path: kubeconfig });
  const cluster = { server, "certificate-authority-data": Buffer.from(ca).toString("base64") };
  const written = await Promise.all(
    serviceNames.map(async (service) => {
      const request = {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        metadata: { name: accountName(service), namespace: NAMESPACE },
        spec: { expirationSeconds: TOKEN_SECONDS },
      };
      const answer = await client.create(types.serviceAccounts, request, { subresource: "token" });
      const path = join(folder, `${service}.kubeconfig`);
      const config = {
        apiVersion: "v1",
        kind: "Config",
        "current-context": service,
        contexts: [{ name: service, context: { cluster: "cluster", user: service } }],
        clusters: [{ name: "cluster", cluster }],
        users: [{ name: service, user: { token: answer["status"]?.token } }],
      };
      await writeFile(path, toYaml(config), { mode: 0o600 });
      return [service, path] as const;
    }),
  );
  return Object.fromEntries(written) as Accounts;
}

const REFUSAL = /User \\*"system:serviceaccount:argocd:tiphys-[^"]*" cannot \w+ resource \\*"[^"]*"/g;

/** What the API server has refused to the accounts of `names`, by their logs. */
export async function refusalsIn(folder: string, names: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(names.map((name) => readFile(join(folder, `${name}.log`), "utf8")));
  return [...new Set(texts.flatMap((text) => text.match(REFUSAL) ?? []))];
}
