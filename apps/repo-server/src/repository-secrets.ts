import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import { canonicalRepositoryUrl, isSshUrl, type RepositoryCredentials, redactUrl } from "@tiphys/git";
import type { KubeObject } from "@tiphys/resources";
import { secretText, secretValues } from "./secret-values.js";

/** Label on Argo CD's Secrets that says what a Secret is about. */
export const SECRET_TYPE_LABEL = "argocd.argoproj.io/secret-type";

/** Keys of a repository Secret that change how Git is spoken and that we cannot honour yet. */
const unimplemented = [
  "enableLfs",
  "githubAppID",
  "githubAppInstallationID",
  "githubAppPrivateKey",
  "gcpServiceAccountKey",
  "useAzureWorkloadIdentity",
  "azureServicePrincipalClientId",
  "azureServicePrincipalClientID",
  // A repository for one project only; every project would get at it.
  "project",
] as const;

/** Where credentials come from: Argo CD's Secrets and ConfigMaps in the control namespace. */
export interface CredentialSources {
  readonly secrets: readonly KubeObject[];
  readonly tlsCerts?: KubeObject;
  readonly sshKnownHosts?: KubeObject;
  /** `argocd-gpg-keys-cm`. */
  readonly gpgKeys?: KubeObject;
}

const hostOf = (url: string): string => canonicalRepositoryUrl(url).split("/")[0] ?? "";

/** Credentials of a repository: its own Secret, completed by the repo-creds Secret with the longest matching URL. */
export function credentialsFor(url: string, sources: CredentialSources): RepositoryCredentials {
  const ofType = (type: string) =>
    sources.secrets.filter((secret) => secret.metadata.labels?.[SECRET_TYPE_LABEL] === type);
  const wanted = canonicalRepositoryUrl(url);
  const owned = ofType("repository").filter(
    (secret) => canonicalRepositoryUrl(secretText(secret, "url") ?? "") === wanted,
  );
  const own = owned.find((secret) => secretText(secret, "project") === undefined) ?? owned[0];
  let template: KubeObject | undefined;
  let longest = 0;
  for (const secret of ofType("repo-creds")) {
    const prefix = secretText(secret, "url") ?? "";
    if (prefix.length > longest && url.startsWith(prefix)) [template, longest] = [secret, prefix.length];
  }
  const type = (own && secretText(own, "type")) ?? "git";
  if (type !== "git") throw new UnimplementedError(`repository type ${type} (${redactUrl(url)})`);
  const hasOwn =
    own !== undefined && ["username", "password", "sshPrivateKey", "bearerToken"].some((key) => secretText(own, key));
  const from = [own, hasOwn ? undefined : template].filter((secret) => secret !== undefined);
  const { value, secret, flag, refuse } = secretValues(from);
  refuse(unimplemented, `a repository Secret (${redactUrl(url)})`);
  const depth = value("depth");
  if (depth !== undefined && !/^\d{1,9}$/.test(depth)) {
    throw new InvalidArgumentError("depth", `"${depth}" in the repository Secret of ${redactUrl(url)} is not a number`);
  }
  const tls: Record<string, string> | undefined = sources.tlsCerts?.["data"];
  const known: Record<string, string> | undefined = sources.sshKnownHosts?.["data"];
  const entries: [keyof RepositoryCredentials, unknown][] = [
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
    ["depth", Number(depth ?? 0) || undefined],
  ];
  return Object.fromEntries(entries.filter(([, each]) => each !== undefined && each !== false));
}

/** Whether an operator has named a repository, by its own Secret or a template's address. */
export function isListedRepository(url: string, { secrets }: Pick<CredentialSources, "secrets">): boolean {
  const wanted = canonicalRepositoryUrl(url);
  return secrets.some((secret) => {
    const type = secret.metadata.labels?.[SECRET_TYPE_LABEL];
    const named = secretText(secret, "url") ?? "";
    if (type === "repository") return canonicalRepositoryUrl(named) === wanted;
    return type === "repo-creds" && named !== "" && url.startsWith(named.endsWith("/") ? named : `${named}/`);
  });
}
