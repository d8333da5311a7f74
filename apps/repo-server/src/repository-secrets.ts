import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import {
  type Asker,
  endpointOf,
  type GithubApp,
  isSshUrl,
  prefixLength,
  type RepositoryCredentials,
  redactUrl,
  sameRepository,
} from "@tiphys/git";
import type { KubeObject } from "@tiphys/resources";
import { type SecretValues, secretText, secretValues } from "./secret-values.js";

/** Label on Argo CD's Secrets that says what a Secret is about. */
export const SECRET_TYPE_LABEL = "argocd.argoproj.io/secret-type";

/** Keys of a repository Secret that change how Git is spoken and that we cannot honour yet. */
const unimplemented = [
  "gcpServiceAccountKey",
  "useAzureWorkloadIdentity",
  "azureServicePrincipalClientId",
  "azureServicePrincipalClientID",
] as const;

/** Where credentials come from: Argo CD's Secrets and ConfigMaps in the control namespace. */
export interface CredentialSources {
  readonly secrets: readonly KubeObject[];
  readonly tlsCerts?: KubeObject;
  readonly sshKnownHosts?: KubeObject;
  /** `argocd-gpg-keys-cm`. */
  readonly gpgKeys?: KubeObject;
}

/** The host by which `argocd-tls-certs-cm` has its certificates. */
const hostOf = (url: string): string => endpointOf(url)?.host ?? "";

/** Secrets of a type that a project may use: those of no project, and its own. */
const usable = (secrets: readonly KubeObject[], type: string, project: string) =>
  secrets.filter((secret) => {
    if (secret.metadata.labels?.[SECRET_TYPE_LABEL] !== type) return false;
    const owner = secretText(secret, "project");
    return owner === undefined || owner === project;
  });

/** The template whose URL fits the most of a repository's. */
function templateFor(url: string, templates: readonly KubeObject[]): KubeObject | undefined {
  let found: KubeObject | undefined;
  let longest = -1;
  for (const secret of templates) {
    const length = prefixLength(secretText(secret, "url") ?? "", url);
    if (length !== undefined && length > longest) [found, longest] = [secret, length];
  }
  return found;
}

/**
 * Credentials of a repository: its own Secret, of the asker's project before one of no project, completed by the repo-creds Secret whose
 * URL fits the most of it. Scheme, host and port must be those of the Secret; Secrets of other projects do not count.
 */
export function credentialsFor(url: string, { project }: Asker, sources: CredentialSources): RepositoryCredentials {
  const owned = usable(sources.secrets, "repository", project).filter((secret) =>
    sameRepository(secretText(secret, "url") ?? "", url),
  );
  const own = owned.find((secret) => secretText(secret, "project") !== undefined) ?? owned[0];
  const template = templateFor(url, usable(sources.secrets, "repo-creds", project));
  const type = (own && secretText(own, "type")) ?? "git";
  if (type !== "git") throw new UnimplementedError(`repository type ${type} (${redactUrl(url)})`);
  const hasOwn =
    own !== undefined &&
    ["username", "password", "sshPrivateKey", "bearerToken", "githubAppPrivateKey"].some((key) => secretText(own, key));
  const from = [own, hasOwn ? undefined : template].filter((secret) => secret !== undefined);
  const values = secretValues(from);
  const { value, secret, flag, refuse } = values;
  const scoped = from.some((each) => secretText(each, "project") !== undefined);
  refuse(unimplemented, `a repository Secret (${redactUrl(url)})`);
  const depth = value("depth");
  if (depth !== undefined && !/^\d{1,9}$/.test(depth)) {
    throw new InvalidArgumentError("depth", `"${depth}" in the repository Secret of ${redactUrl(url)} is not a number`);
  }
  const tls: Record<string, string> | undefined = sources.tlsCerts?.["data"];
  const known: Record<string, string> | undefined = sources.sshKnownHosts?.["data"];
  const entries: [keyof RepositoryCredentials, unknown][] = [
    ["scope", scoped ? project : undefined],
    ["username", value("username")],
    ["password", secret("password")],
    ["bearerToken", secret("bearerToken")],
    ["sshPrivateKey", secret("sshPrivateKey")],
    ["tlsClientCertData", value("tlsClientCertData")],
    ["tlsClientCertKey", secret("tlsClientCertKey")],
    ["ca", tls?.[hostOf(url)]],
    ["insecure", flag("insecure")],
    ["insecureIgnoreHostKey", flag("insecureIgnoreHostKey") || (isSshUrl(url) && flag("insecure"))],
    ["sshKnownHosts", known?.["ssh_known_hosts"]],
    ["proxy", value("proxy")],
    ["noProxy", value("noProxy")],
    ["githubApp", githubAppOf(values, url)],
    ["enableLfs", flag("enableLfs")],
    ["depth", Number(depth ?? 0) || undefined],
  ];
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined && each !== false));
}

function githubAppOf({ value, secret }: SecretValues, url: string): GithubApp | undefined {
  const [id, privateKey] = [value("githubAppID"), secret("githubAppPrivateKey")];
  if (!id && !privateKey) return undefined;
  if (!id || !privateKey) {
    const [given, absent] = id ? ["githubAppID", "githubAppPrivateKey"] : ["githubAppPrivateKey", "githubAppID"];
    throw new InvalidArgumentError(given, `in the repository Secret of ${redactUrl(url)} is without ${absent}`);
  }
  if (!/^[\w.-]+$/.test(id)) {
    throw new InvalidArgumentError(
      "githubAppID",
      `in the repository Secret of ${redactUrl(url)} is not the id of an App`,
    );
  }
  const [installationId, baseUrl] = [value("githubAppInstallationID"), value("githubAppEnterpriseBaseUrl")];
  return {
    id,
    privateKey,
    // Argo CD's own tools write 0 where none is given.
    ...(installationId && installationId !== "0" ? { installationId } : {}),
    ...(baseUrl ? { baseUrl } : {}),
  };
}

/** Whether an operator has named a repository for a project, by its own Secret or a template's address. */
export function isListedRepository(
  url: string,
  { project }: Asker,
  { secrets }: Pick<CredentialSources, "secrets">,
): boolean {
  const own = usable(secrets, "repository", project);
  if (own.some((secret) => sameRepository(secretText(secret, "url") ?? "", url))) return true;
  return usable(secrets, "repo-creds", project).some((secret) => {
    const named = secretText(secret, "url") ?? "";
    return prefixLength(named.endsWith("/") ? named : `${named}/`, url) !== undefined;
  });
}
