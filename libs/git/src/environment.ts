import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UnimplementedError } from "@tiphys/errors";
import { authorizationOf, type RepositoryCredentials } from "./credentials.js";
import { endpointOf, isSshUrl, redactUrl } from "./url.js";

/** The environment of one git command; secrets are here or in private files, never in arguments. */
export interface GitEnvironment {
  readonly variables: Readonly<Record<string, string>>;
  /** Commits of each branch to fetch; all when undefined. */
  readonly depth?: number;
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
  /** Where to connect to: the forwarder of a cluster name, or the one address that egress policy has looked at. */
  readonly address?: { readonly host: string; readonly port: number };
  /** Further settings. */
  readonly configuration?: readonly (readonly [string, string])[];
}

const SSH_CONNECT_SECONDS = 15;

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** No system or user configuration, no prompts, no helpers: only what is written here decides. */
export async function gitEnvironment(options: EnvironmentOptions): Promise<GitEnvironment> {
  const { url, credentials = {}, privateDirectory, searchPath, address } = options;
  const endpoint = endpointOf(url);
  const config: (readonly [string, string])[] = [
    ...(options.configuration ?? []),
    ["gc.auto", "0"],
    ["maintenance.auto", "false"],
    ["protocol.allow", "never"],
    ["protocol.https.allow", "always"],
    ["protocol.http.allow", "always"],
    ["protocol.ssh.allow", "always"],
    ["protocol.file.allow", "always"],
    ["credential.helper", ""],
    // git would take our headers along wherever it is led; see redirects.ts.
    ["http.followRedirects", "false"],
    // By a name, so that git knows whom to ask for objects that it left out.
    ["remote.origin.url", url],
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
    // ssh itself knows no proxies: whoever has one says where the way through it begins.
    if (credentials.proxy && !address) throw new UnimplementedError(`proxy for the ssh repository ${redactUrl(url)}`);
    const parts = ["ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"];
    // Nothing of the account we run as may decide: neither its keys nor the hosts its machine knows.
    const key = credentials.sshPrivateKey ? await file("id", credentials.sshPrivateKey.reveal()) : "none";
    parts.push("-o", quote(`IdentityFile=${key}`), "-o", "IdentityAgent=none", "-o", "GlobalKnownHostsFile=/dev/null");
    parts.push("-o", `ConnectTimeout=${SSH_CONNECT_SECONDS}`);
    if (credentials.insecureIgnoreHostKey) {
      parts.push("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null");
    } else {
      const known = await file("known_hosts", credentials.sshKnownHosts ?? "");
      parts.push("-o", "StrictHostKeyChecking=yes", "-o", quote(`UserKnownHostsFile=${known}`));
    }
    if (address && endpoint) {
      // known_hosts is about the name that the user wrote, not about where it led.
      const alias = endpoint.port === 22 ? endpoint.host : `[${endpoint.host}]:${endpoint.port}`;
      parts.push("-o", quote(`HostName=${address.host}`), "-o", `Port=${address.port}`);
      parts.push("-o", quote(`HostKeyAlias=${alias}`));
    }
    variables["GIT_SSH_COMMAND"] = parts.join(" ");
  } else if (endpoint) {
    const { origin, protocol, hostname } = new URL(url);
    let scope = `http.${origin}/`;
    if (address && !credentials.proxy) {
      // The name stays in the URL, as TLS and virtual hosts need it; only the port may have to change.
      const real = `${protocol}//${hostname}:${address.port}`;
      const moved = address.port !== endpoint.port;
      if (moved) {
        config.push([`url.${real}/.insteadOf`, `${origin}/`]);
        scope = `http.${real}/`;
        config.push([`${scope}.extraHeader`, `Host: ${new URL(url).host}`]);
      }
      const target = address.host.includes(":") ? `[${address.host}]` : address.host;
      if (hostname !== address.host) config.push([`${scope}.curloptResolve`, `${hostname}:${address.port}:${target}`]);
    }
    const secret = authorizationOf(credentials);
    if (secret) config.push([`${scope}.extraHeader`, `Authorization: ${secret}`]);
    if (credentials.insecure) config.push([`${scope}.sslVerify`, "false"]);
    if (credentials.ca) config.push([`${scope}.sslCAInfo`, await file("ca.pem", credentials.ca)]);
    if (credentials.tlsClientCertData && credentials.tlsClientCertKey) {
      config.push([`${scope}.sslCert`, await file("client.pem", credentials.tlsClientCertData)]);
      config.push([`${scope}.sslKey`, await file("client.key", credentials.tlsClientCertKey.reveal())]);
    }
    if (credentials.proxy) variables["https_proxy"] = variables["http_proxy"] = credentials.proxy;
    if (credentials.noProxy) variables["no_proxy"] = credentials.noProxy;
  }
  variables["GIT_CONFIG_COUNT"] = String(config.length);
  config.forEach(([key, value], index) => {
    variables[`GIT_CONFIG_KEY_${index}`] = key;
    variables[`GIT_CONFIG_VALUE_${index}`] = value;
  });
  return {
    variables,
    ...(credentials.depth === undefined ? {} : { depth: credentials.depth }),
    dispose: async () => {
      if (folder) await rm(folder, { recursive: true, force: true });
    },
  };
}
