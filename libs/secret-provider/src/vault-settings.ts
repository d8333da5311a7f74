import { InvalidArgumentError, UnimplementedError } from "@tiphys/errors";
import { Secret } from "@tiphys/secret";

/** How we come to a token. */
export type VaultLogin =
  | { readonly kind: "token"; readonly token: Secret }
  | {
      readonly kind: "login";
      /** Below `/v1/`. */
      readonly path: string;
      readonly body: Readonly<Record<string, Secret>>;
    }
  /** As a ServiceAccount, by its token in a file. */
  | { readonly kind: "kubernetes"; readonly path: string; readonly role: string; readonly tokenFile: string };

export interface VaultSettings {
  /** `https://vault.example:8200`, without a slash at the end. */
  readonly address: string;
  readonly namespace?: string;
  /** PEM. */
  readonly ca?: string;
  readonly skipVerify: boolean;
  /** Version of KV engines that no object says another of. */
  readonly engine: "1" | "2";
  readonly login: VaultLogin;
}

const SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** Settings by argocd-vault-plugin's names; `where` is told in errors. */
export function vaultSettings(entries: Readonly<Record<string, string>>, where: string): VaultSettings {
  const value = (name: string): string | undefined => entries[name]?.trim() || undefined;
  const needed = (name: string): string => {
    const found = value(name);
    if (found === undefined) throw new InvalidArgumentError(where, `${name} is missing`);
    return found;
  };
  const type = value("AVP_TYPE") ?? "vault";
  if (type !== "vault") throw new UnimplementedError(`AVP_TYPE ${type} in ${where}`);
  const address = needed("VAULT_ADDR").replace(/\/+$/, "");
  if (!/^https?:\/\/[^/\s@]+$/i.test(address)) {
    throw new InvalidArgumentError(where, "VAULT_ADDR is not of the form https://host:port");
  }
  const engine = value("AVP_KV_VERSION") ?? "2";
  if (engine !== "1" && engine !== "2")
    throw new InvalidArgumentError(where, `AVP_KV_VERSION ${engine} is neither 1 nor 2`);
  const namespace = value("VAULT_NAMESPACE");
  const ca = value("VAULT_CACERT_BYTES") ?? value("VAULT_CACERT");
  if (ca !== undefined && !ca.includes("-----BEGIN CERTIFICATE-----")) {
    throw new InvalidArgumentError(where, "VAULT_CACERT is no certificate in PEM: give its text, not a file");
  }
  const mount = (ofItsOwn: string) => (value("AVP_MOUNT_PATH") ?? ofItsOwn).replace(/^\/+|\/+$/g, "");
  const login = (): VaultLogin => {
    const kind = needed("AVP_AUTH_TYPE");
    switch (kind) {
      case "token":
        return { kind, token: new Secret(value("VAULT_TOKEN") ?? needed("AVP_TOKEN")) };
      case "approle":
        return {
          kind: "login",
          path: `${mount("auth/approle")}/login`,
          body: { role_id: new Secret(needed("AVP_ROLE_ID")), secret_id: new Secret(needed("AVP_SECRET_ID")) },
        };
      case "userpass":
        return {
          kind: "login",
          path: `${mount("auth/userpass")}/login/${encodeURIComponent(needed("AVP_USERNAME"))}`,
          body: { password: new Secret(needed("AVP_PASSWORD")) },
        };
      case "github":
        return {
          kind: "login",
          path: `${mount("auth/github")}/login`,
          body: { token: new Secret(needed("AVP_GITHUB_TOKEN")) },
        };
      case "k8s":
        return {
          kind: "kubernetes",
          path: `${(value("AVP_K8S_MOUNT_PATH") ?? mount("auth/kubernetes")).replace(/^\/+|\/+$/g, "")}/login`,
          role: needed("AVP_K8S_ROLE"),
          tokenFile: value("AVP_K8S_TOKEN_PATH") ?? SERVICE_ACCOUNT_TOKEN,
        };
      default:
        throw new UnimplementedError(`AVP_AUTH_TYPE ${kind} in ${where}`);
    }
  };
  return {
    address,
    ...(namespace === undefined ? {} : { namespace }),
    ...(ca === undefined ? {} : { ca }),
    skipVerify: value("VAULT_SKIP_VERIFY") === "true",
    engine,
    login: login(),
  };
}
