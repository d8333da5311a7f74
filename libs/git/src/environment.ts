import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RepositoryCredentials } from "./credentials.js";
import { isSshUrl } from "./url.js";

/** The environment of one git command; secrets are here or in private files, never in arguments. */
export interface GitEnvironment {
  readonly variables: Readonly<Record<string, string>>;
  /** Removes the private files. */
  dispose(): Promise<void>;
}

export interface EnvironmentOptions {
  readonly url: string;
  readonly credentials?: RepositoryCredentials;
  /** Folder for key files, readable by us alone. */
  readonly privateDirectory: string;
  /** PATH of the git program. */
  readonly searchPath: string;
  /** Where the host of the URL really is, when it is a cluster name: `http://127.0.0.1:4000/`. */
  readonly rewrite?: { readonly from: string; readonly to: string };
}

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** No system or user configuration, no prompts, no helpers: only what is written here decides. */
export async function gitEnvironment(options: EnvironmentOptions): Promise<GitEnvironment> {
  const { url, credentials = {}, privateDirectory, searchPath, rewrite } = options;
  const config: [string, string][] = [
    ["gc.auto", "0"],
    ["maintenance.auto", "false"],
    ["protocol.allow", "never"],
    ["protocol.https.allow", "always"],
    ["protocol.http.allow", "always"],
    ["protocol.ssh.allow", "always"],
    ["protocol.file.allow", "always"],
    ["credential.helper", ""],
    ["http.followRedirects", "initial"],
  ];
  let folder: string | undefined;
  const file = async (name: string, text: string) => {
    folder ??= await mkdtemp(join(privateDirectory, "key-"));
    const path = join(folder, name);
    await writeFile(path, text.endsWith("\n") ? text : `${text}\n`, { mode: 0o600 });
    return path;
  };
  const variables: Record<string, string> = {
    PATH: searchPath,
    HOME: privateDirectory,
    LC_ALL: "C",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ASKPASS: "true",
  };
  if (isSshUrl(url)) {
    const parts = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"];
    if (credentials.sshPrivateKey) parts.push("-i", quote(await file("id", credentials.sshPrivateKey.reveal())));
    if (credentials.insecureIgnoreHostKey) {
      parts.push("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null");
    } else {
      const known = await file("known_hosts", credentials.sshKnownHosts ?? "");
      parts.push("-o", "StrictHostKeyChecking=yes", "-o", quote(`UserKnownHostsFile=${known}`));
    }
    variables["GIT_SSH_COMMAND"] = parts.join(" ");
  } else if (/^https?:/.test(url)) {
    const { origin } = new URL(url);
    const scope = `http.${origin}/`;
    const secret = credentials.bearerToken
      ? `Bearer ${credentials.bearerToken.reveal()}`
      : credentials.password
        ? `Basic ${Buffer.from(`${credentials.username ?? "git"}:${credentials.password.reveal()}`).toString("base64")}`
        : undefined;
    if (secret) config.push([`${scope}.extraHeader`, `Authorization: ${secret}`]);
    if (credentials.insecure) config.push([`${scope}.sslVerify`, "false"]);
    if (credentials.ca) config.push([`${scope}.sslCAInfo`, await file("ca.pem", credentials.ca)]);
    if (credentials.tlsClientCertData && credentials.tlsClientCertKey) {
      config.push([`${scope}.sslCert`, await file("client.pem", credentials.tlsClientCertData)]);
      config.push([`${scope}.sslKey`, await file("client.key", credentials.tlsClientCertKey.reveal())]);
    }
    if (credentials.proxy) variables["https_proxy"] = variables["http_proxy"] = credentials.proxy;
    if (credentials.noProxy) variables["no_proxy"] = credentials.noProxy;
    if (rewrite) {
      config.push([`url.${rewrite.to}.insteadOf`, rewrite.from]);
      if (secret) config.push([`http.${rewrite.to}.extraHeader`, `Authorization: ${secret}`]);
    }
  }
  variables["GIT_CONFIG_COUNT"] = String(config.length);
  config.forEach(([key, value], index) => {
    variables[`GIT_CONFIG_KEY_${index}`] = key;
    variables[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return {
    variables,
    dispose: async () => {
      if (folder) await rm(folder, { recursive: true, force: true });
    },
  };
}
