import type { Principal } from "@tiphys/identity";
import type { Secret } from "@tiphys/secret";

/** Where an API server is and how to be let in. */
export interface ClusterConnection {
  /** `https://host:port`, possibly with a path prefix. */
  readonly server: string;
  /** PEM. Absent: the host's own trust. */
  readonly ca?: string;
  readonly insecureSkipTlsVerify?: boolean;
  /** Name to expect in the server's certificate, when it is not the host of `server`. */
  readonly serverName?: string;
  /** A fixed token, or a function asked before every request (it caches for itself). */
  readonly token?: Secret | (() => Promise<Secret>);
  /** PEM. */
  readonly clientCert?: string;
  /** PEM. */
  readonly clientKey?: Secret;
  readonly username?: string;
  readonly password?: Secret;
  /** Act as this principal from the start. */
  readonly impersonate?: Principal;
  /** Namespace of the kubeconfig's context. */
  readonly namespace?: string;
  /** The kubeconfig this came from; exec and auth plugins need it whole. */
  readonly kubeconfig?: { readonly text: Secret; readonly context: string };
}
