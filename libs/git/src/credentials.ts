import type { Secret } from "@tiphys/secret";

/** What a repository Secret of Argo CD holds, as far as Git needs it. */
export interface RepositoryCredentials {
  /** The project that alone may use these, and read what was fetched with them. */
  readonly scope?: string;
  readonly username?: string;
  readonly password?: Secret;
  readonly bearerToken?: Secret;
  readonly sshPrivateKey?: Secret;
  readonly tlsClientCertData?: string;
  readonly tlsClientCertKey?: Secret;
  /** CA certificates of the host, PEM. */
  readonly ca?: string;
  /** No TLS check. */
  readonly insecure?: boolean;
  /** No check of the ssh host key. */
  readonly insecureIgnoreHostKey?: boolean;
  readonly sshKnownHosts?: string;
  readonly proxy?: string;
  readonly noProxy?: string;
  /** Fetch only this many commits of each branch; all when undefined. */
  readonly depth?: number;
}
