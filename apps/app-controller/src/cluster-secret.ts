import { InvalidArgumentError, messageOf, UnimplementedError } from "@tiphys/errors";
import type { ClusterConnection } from "@tiphys/kube";
import type { KubeObject } from "@tiphys/resources";
import { Secret } from "@tiphys/secret";

export const SECRET_TYPE_LABEL = "argocd.argoproj.io/secret-type";

/** A cluster that an Argo CD cluster Secret names. */
export interface KnownCluster {
  readonly name: string;
  /** Without a slash at its end. */
  readonly server: string;
  /** Name of the Secret. */
  readonly secret: string;
  /** How to reach it; throws where the Secret asks for what we cannot do, or says nothing usable. */
  connection(): ClusterConnection;
}

interface Config {
  username?: unknown;
  password?: unknown;
  bearerToken?: unknown;
  tlsClientConfig?: {
    insecure?: unknown;
    serverName?: unknown;
    caData?: unknown;
    certData?: unknown;
    keyData?: unknown;
  };
}

const unimplemented = ["awsAuthConfig", "execProviderConfig", "proxyUrl"] as const;
/** Keys of the Secret itself that narrow what may be deployed, or to whom. */
const narrowing = ["namespaces", "clusterResources", "project"] as const;

export const serverUrl = (text: string): string => text.trim().replace(/\/+$/, "");

function dataOf(secret: KubeObject, key: string): string | undefined {
  const data: Readonly<Record<string, string>> = secret["data"] ?? {};
  const value = data[key];
  return value ? Buffer.from(value, "base64").toString("utf8") : undefined;
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/** The cluster of a Secret of type `cluster`; undefined when it names no server. */
export function clusterOf(secret: KubeObject): KnownCluster | undefined {
  if (secret.metadata.labels?.[SECRET_TYPE_LABEL] !== "cluster") return undefined;
  const server = serverUrl(dataOf(secret, "server") ?? "");
  if (server === "") return undefined;
  return {
    // As the original: a cluster without a name is called by its address.
    name: dataOf(secret, "name") ?? server,
    server,
    secret: secret.metadata.name,
    connection: () => connectionOf(secret, server),
  };
}

function connectionOf(secret: KubeObject, server: string): ClusterConnection {
  const where = `cluster Secret ${secret.metadata.name}`;
  for (const key of narrowing) {
    const value = dataOf(secret, key);
    if (value !== undefined && !(key === "clusterResources" && value === "true"))
      throw new UnimplementedError(`${key} in ${where}`);
  }
  const { protocol } = urlOf(server, where);
  if (protocol !== "https:" && protocol !== "http:")
    throw new InvalidArgumentError("server", `${where}: must begin with https:// or http://`);
  const config = configOf(dataOf(secret, "config"), where);
  for (const key of unimplemented)
    if ((config as Record<string, unknown>)[key]) throw new UnimplementedError(`${key} in ${where}`);
  const { insecure, serverName, caData, certData, keyData } = config.tlsClientConfig ?? {};
  const pem = (name: string, value: unknown) => {
    const text = textOf(value);
    if (text === undefined) return undefined;
    const decoded = Buffer.from(text, "base64").toString("utf8");
    if (!decoded.includes("-----BEGIN "))
      throw new InvalidArgumentError(`config.tlsClientConfig.${name}`, `${where}: is no PEM in base64`);
    return decoded;
  };
  const ca = pem("caData", caData);
  const cert = pem("certData", certData);
  const key = pem("keyData", keyData);
  if (insecure === true && ca)
    throw new InvalidArgumentError("config.tlsClientConfig", `${where}: insecure and caData exclude each other`);
  if ((cert === undefined) !== (key === undefined))
    throw new InvalidArgumentError("config.tlsClientConfig", `${where}: certData and keyData go together`);
  const token = textOf(config.bearerToken);
  const username = textOf(config.username);
  const password = textOf(config.password);
  return {
    server,
    ...(ca ? { ca } : {}),
    ...(insecure === true ? { insecureSkipTlsVerify: true } : {}),
    ...(textOf(serverName) ? { serverName: textOf(serverName) as string } : {}),
    ...(cert && key ? { clientCert: cert, clientKey: new Secret(key) } : {}),
    ...(token ? { token: new Secret(token) } : {}),
    ...(username ? { username } : {}),
    ...(password ? { password: new Secret(password) } : {}),
  };
}

function urlOf(server: string, where: string): URL {
  try {
    return new URL(server);
  } catch (cause) {
    throw new InvalidArgumentError("server", `${where}: "${server}" is no URL`, { cause });
  }
}

function configOf(text: string | undefined, where: string): Config {
  if (text === undefined) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    // The parser's message quotes the text, which is a secret.
    throw new InvalidArgumentError("config", `${where}: is no JSON${positionIn(messageOf(error))}`);
  }
  if (parsed === null || typeof parsed !== "object" || Array.isArray(parsed))
    throw new InvalidArgumentError("config", `${where}: must be a JSON object`);
  return parsed as Config;
}

const positionIn = (message: string): string => {
  const [, position] = /at position (\d+)/.exec(message) ?? [];
  return position === undefined ? "" : ` (from byte ${position} on)`;
};
