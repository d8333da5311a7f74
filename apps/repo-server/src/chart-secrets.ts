import type { Asker, ChartCredentials, FoundCredentials } from "@tiphys/chart-source";
import { redactUrl } from "@tiphys/git";
import type { KubeObject } from "@tiphys/resources";
import { keyRingOf } from "./gpg-keys.js";
import { type CredentialSources, SECRET_TYPE_LABEL } from "./repository-secrets.js";
import { secretText, secretValues } from "./secret-values.js";

/** Keys of a Secret that change how a chart repository is reached and that we cannot honour yet. */
const unimplemented = [
  "gcpServiceAccountKey",
  "useAzureWorkloadIdentity",
  "azureServicePrincipalClientId",
  "azureServicePrincipalClientID",
  "proxy",
] as const;

/**
 * One spelling per chart repository: host, port and path, without user and slashes at the end. Registries are named without a scheme too,
 * and spoken to over TLS; plain http is somewhere else, so that what belongs to https is never sent in the clear.
 */
function canonical(url: string): string {
  const [, scheme = "", host = "", path = ""] =
    /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:[^@/]*@)?([^/]*)(.*)$/is.exec(url.trim()) ?? [];
  const plain = scheme.toLowerCase() === "http" ? "http://" : "";
  return plain + host.toLowerCase() + path.replace(/\/+$/, "");
}

const hostOf = (url: string): string =>
  canonical(url)
    .replace("http://", "")
    .split("/")[0]!
    .replace(/:\d+$/, "")
    .replace(/^\[|\]$/g, "");

/**
 * Credentials of a chart repository or registry: its own Secret, of the asker's project before one of no project, completed by the
 * repo-creds Secret with the longest URL that begins like it. Secrets of other projects do not count.
 */
export function chartCredentialsFor(
  url: string,
  { project }: Asker,
  { secrets, tlsCerts, gpgKeys }: Pick<CredentialSources, "secrets" | "tlsCerts" | "gpgKeys">,
): FoundCredentials {
  const wanted = canonical(url);
  const usable = (type: string) =>
    secrets.filter((secret) => {
      if (secret.metadata.labels?.[SECRET_TYPE_LABEL] !== type) return false;
      const own = secretText(secret, "project");
      return own === undefined || own === project;
    });
  const owned = usable("repository").filter((secret) => canonical(secretText(secret, "url") ?? "") === wanted);
  const own = owned.find((secret) => secretText(secret, "project") !== undefined) ?? owned[0];
  let template: KubeObject | undefined;
  let longest = 0;
  for (const secret of usable("repo-creds")) {
    const prefix = canonical(secretText(secret, "url") ?? "");
    if (prefix.length > longest && beginsWith(wanted, prefix)) [template, longest] = [secret, prefix.length];
  }
  const hasOwn = own !== undefined && ["username", "password", "bearerToken"].some((key) => secretText(own, key));
  const from = [own, hasOwn ? undefined : template].filter((secret) => secret !== undefined);
  const { value, secret, flag, refuse } = secretValues(from);
  refuse(unimplemented, `the Secret of a chart repository (${redactUrl(url)})`);
  const certificates: Record<string, string> | undefined = tlsCerts?.["data"];
  const type = own && secretText(own, "type");
  const entries: [keyof ChartCredentials, unknown][] = [
    ["owner", from.map(({ metadata }) => metadata.name).join("+") || undefined],
    ["username", value("username")],
    ["password", secret("password")],
    ["bearerToken", secret("bearerToken")],
    ["tlsClientCertData", value("tlsClientCertData")],
    ["tlsClientCertKey", secret("tlsClientCertKey")],
    ["ca", certificates?.[hostOf(url)]],
    ["insecure", flag("insecure")],
    ["enableOci", flag("enableOCI") || type === "oci"],
    ["plainHttp", flag("insecureOCIForceHttp")],
    ["signers", flag("verifyProvenance") ? keyRingOf(gpgKeys) : undefined],
  ];
  return {
    credentials: Object.fromEntries(entries.filter(([, each]) => each !== undefined && each !== false)),
    listed: from.length > 0,
  };
}

/** A prefix counts by whole hosts and parts of a path: `charts.example` is none of `charts.example.evil`. */
const beginsWith = (url: string, prefix: string): boolean =>
  prefix !== "" && (url === prefix || url.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`));

/** The address of the chart repository whose Secret has this name, as `helm repo add` would know it. */
export function chartRepositoryNamed(
  name: string,
  { project }: Asker,
  { secrets }: Pick<CredentialSources, "secrets">,
): string | undefined {
  const found = secrets.find((secret) => {
    if (secret.metadata.labels?.[SECRET_TYPE_LABEL] !== "repository" || secretText(secret, "type") !== "helm")
      return false;
    const own = secretText(secret, "project");
    return secretText(secret, "name") === name && (own === undefined || own === project);
  });
  return found && secretText(found, "url");
}
