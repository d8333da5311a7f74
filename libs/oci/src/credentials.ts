import { InvalidArgumentError } from "@tiphys/errors";
import { Secret } from "@tiphys/secret";

/** How to log in to a registry. */
export interface Credential {
  readonly username: string;
  readonly password: Secret;
  /** An OAuth2 refresh token, used instead of the password. */
  readonly identityToken?: Secret;
  /** A bearer token that is sent as it is. */
  readonly registryToken?: Secret;
}

/** Every credential for a repository, the one with the longest matching key first. */
export type Keyring = (registry: string, repository: string) => readonly Credential[];

interface Entry {
  readonly host: string;
  readonly path: string;
  readonly credential: Credential;
}

const HUB: ReadonlySet<string> = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

/**
 * Reads Docker config files (`.dockerconfigjson`) or their old form (`.dockercfg`); keys may be URLs, have a path prefix,
 * and `*` for a part of the host name, as kubelets read them.
 */
export function keyringOf(documents: readonly string[]): Keyring {
  const entries = documents.flatMap(entriesOf);
  return (registry, repository) => {
    const host = HUB.has(registry) ? "docker.io" : registry.toLowerCase();
    const path = `/${repository}`;
    return entries
      .filter(
        (entry) =>
          hostMatches(entry.host, host) &&
          (entry.path === "" || path === entry.path || path.startsWith(`${entry.path}/`)),
      )
      .sort((a, b) => b.path.length - a.path.length)
      .map(({ credential }) => credential);
  };
}

export const noKeyring: Keyring = () => [];

function entriesOf(text: string): Entry[] {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("", "the docker config is not JSON");
  }
  const auths = (value?.["auths"] ?? value ?? {}) as Record<string, Record<string, unknown>>;
  return Object.entries(auths).flatMap(([key, auth]) => {
    const credential = credentialOf(auth);
    if (!credential) return [];
    const plain = key.replace(/^https?:\/\//, "").replace(/\/+$/, "");
    const slash = plain.indexOf("/");
    const host = (slash < 0 ? plain : plain.slice(0, slash)).toLowerCase();
    const rest = slash < 0 ? "" : plain.slice(slash);
    // `/v1/` and `/v2/` are parts of old registry addresses, not of repositories.
    const path = /^\/v[12]$/.test(rest) ? "" : rest;
    return [{ host: HUB.has(host) ? "docker.io" : host, path, credential }];
  });
}

function credentialOf(auth: Record<string, unknown> | null): Credential | undefined {
  if (!auth || typeof auth !== "object") return undefined;
  const text = (field: string) => (typeof auth[field] === "string" ? (auth[field] as string) : "");
  let [username, password] = [text("username"), text("password")];
  if (username === "" && password === "" && text("auth") !== "") {
    const pair = Buffer.from(text("auth"), "base64").toString("utf8");
    const colon = pair.indexOf(":");
    if (colon >= 0) [username, password] = [pair.slice(0, colon), pair.slice(colon + 1).replace(/\0+$/, "")];
  }
  const identity = text("identitytoken");
  const token = text("registrytoken");
  if (username === "" && password === "" && identity === "" && token === "") return undefined;
  return {
    username,
    password: new Secret(password),
    ...(identity ? { identityToken: new Secret(identity) } : {}),
    ...(token ? { registryToken: new Secret(token) } : {}),
  };
}

/** `*.example.com` stands for one label each; ports must be the same when the key names one. */
function hostMatches(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  const [patternName = "", patternPort = ""] = split(pattern);
  const [name = "", port = ""] = split(host);
  if (patternPort !== port) return false;
  const labels = patternName.split(".");
  const own = name.split(".");
  if (labels.length !== own.length || !patternName.includes("*")) return patternName === name;
  return labels.every((label, i) =>
    new RegExp(
      `^${label
        .split("*")
        .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"))
        .join("[^.]*")}$`,
    ).test(own[i]!),
  );
}

const split = (host: string): [string, string] => {
  const at = host.lastIndexOf(":");
  return at > 0 && /^\d+$/.test(host.slice(at + 1)) ? [host.slice(0, at), host.slice(at + 1)] : [host, ""];
};
