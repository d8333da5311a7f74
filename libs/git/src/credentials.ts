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
  /** A GitHub App whose tokens are the password; outranked by a password. */
  readonly githubApp?: GithubApp;
  /** Contents of Git LFS are read in place of their pointers. */
  readonly enableLfs?: boolean;
  /** Fetch only this many commits of each branch; all when undefined. */
  readonly depth?: number;
}

/** A GitHub App and its installation. */
export interface GithubApp {
  readonly id: string;
  /** Absent: that in the organization of the repository. */
  readonly installationId?: string;
  /** RSA, PEM. */
  readonly privateKey: Secret;
  /** Of the API of a GitHub Enterprise server (`https://github.example/api/v3`). */
  readonly baseUrl?: string;
}

/** The header with which a server is told who asks. */
export function authorizationOf({ username, password, bearerToken }: RepositoryCredentials): string | undefined {
  if (bearerToken) return `Bearer ${bearerToken.reveal()}`;
  if (!password) return undefined;
  return `Basic ${Buffer.from(`${username ?? "git"}:${password.reveal()}`).toString("base64")}`;
}
