import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { InvalidArgumentError, messageOf } from "@tiphys/errors";
import { Secret } from "@tiphys/secret";
import { load } from "js-yaml";
import type { ClusterConnection } from "./connection.js";

interface Named {
  name?: string;
}
interface Cluster {
  server?: string;
  "certificate-authority"?: string;
  "certificate-authority-data"?: string;
  "insecure-skip-tls-verify"?: boolean;
  "tls-server-name"?: string;
  "proxy-url"?: string;
}
interface User {
  token?: string;
  tokenFile?: string;
  "client-certificate"?: string;
  "client-certificate-data"?: string;
  "client-key"?: string;
  "client-key-data"?: string;
  username?: string;
  password?: string;
  exec?: unknown;
  "auth-provider"?: unknown;
  as?: string;
  "as-groups"?: string[];
  "as-uid"?: string;
  "as-user-extra"?: Record<string, string[]>;
}
interface Kubeconfig {
  "current-context"?: string;
  contexts?: (Named & { context?: { cluster?: string; user?: string; namespace?: string } })[];
  clusters?: (Named & { cluster?: Cluster })[];
  users?: (Named & { user?: User })[];
}

/** How long a token from a plugin or a file is used before it is asked for again. */
const TOKEN_MS = 60_000;

/**
 * Reads a kubeconfig. Tokens, certificates and passwords are read here; auth plugins (`exec`, `auth-provider`) are left
 * to @kubernetes/client-node, which is loaded only then.
 */
export async function loadKubeconfig(
  source: { readonly path: string } | { readonly text: string },
  options: { readonly context?: string } = {},
): Promise<ClusterConnection> {
  const where = "path" in source ? source.path : "kubeconfig";
  const text = "path" in source ? await read(source.path) : source.text;
  const folder = "path" in source ? dirname(resolve(source.path)) : ".";
  let config: Kubeconfig;
  try {
    config = (load(text) ?? {}) as Kubeconfig;
  } catch (error) {
    throw new InvalidArgumentError(where, `is not YAML: ${messageOf(error)}`, { cause: error });
  }
  const wanted = options.context ?? config["current-context"] ?? "";
  const context = config.contexts?.find((item) => item.name === wanted)?.context;
  if (!context)
    throw new InvalidArgumentError(where, `has no context "${wanted}"; set current-context or name another`);
  const cluster = config.clusters?.find((item) => item.name === context.cluster)?.cluster;
  if (!cluster?.server)
    throw new InvalidArgumentError(where, `cluster "${context.cluster}" of context "${wanted}" has no server`);
  if (cluster["proxy-url"])
    throw new InvalidArgumentError(where, `cluster "${context.cluster}": proxy-url is not supported`);
  const user = config.users?.find((item) => item.name === context.user)?.user ?? {};

  const pem = async (data: string | undefined, file: string | undefined) => {
    if (data) return Buffer.from(data, "base64").toString("utf8");
    return file ? await read(resolve(folder, file)) : undefined;
  };
  const ca = await pem(cluster["certificate-authority-data"], cluster["certificate-authority"]);
  const clientCert = await pem(user["client-certificate-data"], user["client-certificate"]);
  const clientKey = await pem(user["client-key-data"], user["client-key"]);
  const token = await tokenOf(user, folder, text, wanted);

  return {
    server: cluster.server,
    ...(ca === undefined ? {} : { ca }),
    ...(cluster["insecure-skip-tls-verify"] ? { insecureSkipTlsVerify: true } : {}),
    ...(cluster["tls-server-name"] ? { serverName: cluster["tls-server-name"] } : {}),
    ...(clientCert === undefined ? {} : { clientCert }),
    ...(clientKey === undefined ? {} : { clientKey: new Secret(clientKey) }),
    ...(token === undefined ? {} : { token }),
    ...(user.username === undefined ? {} : { username: user.username }),
    ...(user.password === undefined ? {} : { password: new Secret(user.password) }),
    ...(user.as === undefined
      ? {}
      : {
          impersonate: {
            username: user.as,
            groups: user["as-groups"] ?? [],
            ...(user["as-uid"] === undefined ? {} : { uid: user["as-uid"] }),
            ...(user["as-user-extra"] === undefined ? {} : { extra: user["as-user-extra"] }),
          },
        }),
    ...(context.namespace === undefined ? {} : { namespace: context.namespace }),
    kubeconfig: { text: new Secret(text), context: wanted },
  };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new InvalidArgumentError(path, `cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

async function tokenOf(user: User, folder: string, text: string, context: string): Promise<ClusterConnection["token"]> {
  if (user.token) return new Secret(user.token);
  if (user.tokenFile) {
    const path = resolve(folder, user.tokenFile);
    return remembered(async () => new Secret((await read(path)).trim()));
  }
  if (user.exec === undefined && user["auth-provider"] === undefined) return undefined;
  return remembered(async () => {
    const { KubeConfig } = await import("@kubernetes/client-node");
    const config = new KubeConfig();
    config.loadFromString(text);
    config.setCurrentContext(context);
    const request: { headers: Record<string, string> } = { headers: {} };
    await config.applyToHTTPSOptions(request as never);
    const header = request.headers["Authorization"] ?? request.headers["authorization"] ?? "";
    if (!header.startsWith("Bearer ")) {
      throw new InvalidArgumentError(`users of context "${context}"`, "the auth plugin gave no bearer token");
    }
    return new Secret(header.slice("Bearer ".length));
  });
}

/** One question at a time, and its answer kept for a while. */
function remembered(ask: () => Promise<Secret>): () => Promise<Secret> {
  let kept: { secret: Promise<Secret>; until: number } | undefined;
  return () => {
    // Real time: tokens are issued by an authority that lives in it.
    const now = performance.now();
    if (!kept || kept.until < now) {
      const secret = ask();
      kept = { secret, until: now + TOKEN_MS };
      secret.catch(() => {
        kept = undefined;
      });
    }
    return kept.secret;
  };
}
