import type { KeyRing } from "@tiphys/openpgp";
import type { Secret } from "@tiphys/secret";

/** How a chart repository or registry is reached: what a repository Secret of Argo CD says of it. */
export interface ChartCredentials {
  /**
   * Whose these are, such as the Secret's name. What one owner fetched is not given to another, who might not have got it
   * from the server.
   */
  readonly owner?: string;
  readonly username?: string;
  readonly password?: Secret;
  readonly bearerToken?: Secret;
  readonly tlsClientCertData?: string;
  readonly tlsClientCertKey?: Secret;
  /** CA certificates of the host, PEM. */
  readonly ca?: string;
  /** No TLS check. */
  readonly insecure?: boolean;
  /** The repository is one of an OCI registry, though its URL has no `oci://`. */
  readonly enableOci?: boolean;
  /** The registry speaks plain HTTP. */
  readonly plainHttp?: boolean;
  /** Charts must be signed by one of these keys; absent: signatures are not asked for. */
  readonly signers?: KeyRing;
}

/**
 * Who asks: credentials may be for one project only.
 */
export interface Asker {
  /** Name of the AppProject; Secrets of other projects do not count. */
  readonly project?: string;
}

/**
 * Credentials for a URL. `listed` says that a repository Secret names this very repository, or a `repo-creds` one a prefix of
 * it: an operator wants it to be reached.
 */
export interface FoundCredentials {
  readonly credentials: ChartCredentials;
  readonly listed: boolean;
}

export type CredentialLookup = (url: string, asker: Asker) => Promise<FoundCredentials>;
