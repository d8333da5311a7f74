import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { codeOf, DataLossError } from "@tiphys/errors";
import type { RandomBytes } from "@tiphys/identity";
import type { KubeClient } from "@tiphys/kube";
import { type KubeObject, types } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";
import { parseYamlDocuments } from "@tiphys/yaml";
import { git } from "./git.js";

export const NAMESPACE = "demo";
export const CONTROL_NAMESPACE = "argocd";
export const FIRST_VERSION = "1.0.0";
const MANAGER = "tiphys-demo";

/** What the demo keeps between starts: ports must stay, because repositories are known by their URL. */
export interface DemoSettings {
  readonly forgePort: number;
  readonly webhookPort: number;
  readonly token: Secret;
  readonly webhookSecret: Secret;
}

/** Reads the settings of an earlier start, or makes them; the file is written whole or not at all. */
export async function openSettings(
  folder: string,
  random: RandomBytes,
  freePort: () => Promise<number>,
): Promise<DemoSettings> {
  const file = join(folder, "settings.json");
  if (!existsSync(file)) {
    const text = (size: number) => Buffer.from(random(size)).toString("hex");
    const made = {
      forgePort: await freePort(),
      webhookPort: await freePort(),
      token: text(16),
      webhookSecret: text(16),
    };
    await mkdir(folder, { recursive: true });
    await writeFile(`${file}.new`, JSON.stringify(made), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
  const stored = readSettings(file, await readFile(file, "utf8"));
  return { ...stored, token: new Secret(stored.token), webhookSecret: new Secret(stored.webhookSecret) };
}

interface StoredSettings {
  readonly forgePort: number;
  readonly webhookPort: number;
  readonly token: string;
  readonly webhookSecret: string;
}

function readSettings(file: string, text: string): StoredSettings {
  try {
    const stored = JSON.parse(text) as StoredSettings;
    for (const name of ["forgePort", "webhookPort"] as const)
      if (!Number.isInteger(stored[name])) throw new Error(`${name} is no port`);
    for (const name of ["token", "webhookSecret"] as const)
      if (!/^[0-9a-f]{32}$/.test(stored[name])) throw new Error(`${name} is not as it was made`);
    return stored;
  } catch (cause) {
    throw new DataLossError(
      `${file} is damaged: restore it, or remove the folder ${dirname(file)} and the namespace ${NAMESPACE} to begin the demo anew`,
      { cause },
    );
  }
}

/** Makes the two repositories, the shop's source and its configuration, unless they are there. */
export async function seedRepositories(folder: string, examples: string): Promise<string> {
  const target = join(folder, "git");
  if (existsSync(target)) return target;
  const work = join(folder, "git.new");
  await rm(work, { recursive: true, force: true });
  for (const repository of ["app", "config"]) {
    const checkout = join(work, `${repository}.work`);
    await mkdir(checkout, { recursive: true });
    await cp(join(examples, repository), checkout, { recursive: true });
    if (repository === "config") {
      const server = await readFile(join(examples, "app", "server.mjs"), "utf8");
      await writeFile(join(checkout, `app-${FIRST_VERSION}.yaml`), serverConfigMap(FIRST_VERSION, server));
    }
    await git(checkout, ["init", "--quiet"]);
    await git(checkout, ["add", "--all"]);
    await git(checkout, ["commit", "--quiet", "-m", `Shop ${FIRST_VERSION}`]);
    await git(work, ["clone", "--quiet", "--bare", checkout, join(work, `${repository}.git`)]);
    await git(join(work, `${repository}.git`), ["config", "http.receivepack", "true"]);
    await rm(checkout, { recursive: true });
  }
  await rename(work, target);
  return target;
}

/** The ConfigMap that carries one version's server; the workflow writes the same text for later versions. */
function serverConfigMap(version: string, server: string): string {
  const indented = server
    .trimEnd()
    .split("\n")
    .map((line) => (line ? `    ${line}` : ""))
    .join("\n");
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop-${version}\ndata:\n  server.mjs: |\n${indented}\n`;
}

/** Applies everything the demo needs in the cluster; safe to repeat. */
export async function seedCluster(
  client: KubeClient,
  examples: string,
  settings: DemoSettings,
  forgeUrl: string,
): Promise<void> {
  const secret = (
    namespace: string,
    name: string,
    data: Record<string, string>,
    labels: Record<string, string> = {},
  ): KubeObject => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace, name, labels },
    stringData: data,
  });
  for (const namespace of [CONTROL_NAMESPACE, NAMESPACE]) await ensureNamespace(client, namespace);
  const token = settings.token.reveal();
  await apply(
    client,
    secret(NAMESPACE, "forge", {
      token: Buffer.from(`forge:${token}`).toString("base64"),
      "webhook-secret": settings.webhookSecret.reveal(),
    }),
  );
  await apply(
    client,
    secret(
      CONTROL_NAMESPACE,
      "demo-config-repository",
      { type: "git", url: `${forgeUrl}/config.git`, username: "forge", password: token },
      { "argocd.argoproj.io/secret-type": "repository" },
    ),
  );
  const values: Record<string, string> = { WEBHOOK_PORT: String(settings.webhookPort), FORGE_URL: forgeUrl };
  for (const file of (await readdir(join(examples, "cluster"))).sort()) {
    const text = (await readFile(join(examples, "cluster", file), "utf8")).replace(
      /\$\{(WEBHOOK_PORT|FORGE_URL)\}/g,
      (_, name) => values[name] ?? "",
    );
    for (const { value } of parseYamlDocuments(text, { file })) if (value) await apply(client, value as KubeObject);
  }
}

async function ensureNamespace(client: KubeClient, name: string): Promise<void> {
  try {
    await client.create(types.namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  } catch (error) {
    if (codeOf(error) !== "AlreadyExists") throw error;
  }
}

async function apply(client: KubeClient, object: KubeObject): Promise<void> {
  const type = await client.resourceFor(object.apiVersion, object.kind);
  const { namespace, name } = object.metadata;
  await client.patch(
    type,
    namespace ? { namespace, name } : { name },
    { type: "apply", body: object },
    { fieldManager: MANAGER, force: true, fieldValidation: "Strict" },
  );
}
