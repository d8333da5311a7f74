/**
 * Every outgoing connection of ours goes through one dialer: egress policy (metadata addresses are refused), cluster
 * names (`web.shop.svc`) resolved to where the pods really listen, and recording or answering for simulation.
 */
export interface Dialer {
  fetch(request: DialRequest): Promise<DialResponse>;
  /** Where a host and port really are; the same when it is no cluster name. Throws PermissionDenied when policy forbids it. */
  resolve(
    host: string,
    port: number,
    options?: Pick<DialRequest, "refuseLoopback">,
  ): Promise<{ host: string; port: number }>;
}

export interface DialRequest {
  /** Who dials, for policy, metrics and records: `metric-provider/web`, `trigger/http`, `git`… */
  readonly purpose: string;
  /** Namespace that short cluster names are relative to. */
  readonly namespace?: string;
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Milliseconds for the whole exchange. */
  readonly timeout: number;
  /** Largest response body in bytes; a larger one is an error. */
  readonly maxBytes: number;
  readonly insecureSkipVerify?: boolean;
  readonly ca?: string;
  /** Certificate and key, PEM, with which we show who we are; sent to no other host than the URL's. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string };
  /**
   * Refuses this machine's own addresses, also after a redirect and as what a name stands for: for URLs that come from files
   * which others write. Names of the cluster and hosts that the policy lists are dialled all the same.
   */
  readonly refuseLoopback?: boolean;
  /** Redirects are not followed, but answered: what is sent is for this server alone. */
  readonly stay?: boolean;
  readonly signal?: AbortSignal;
  /**
   * Takes the body of a 2xx answer piece by piece, so that it is never whole in memory; the response's body is empty then.
   * The next piece comes when the last one is settled; an error ends the exchange.
   */
  readonly sink?: (chunk: Uint8Array, response: Omit<DialResponse, "body">) => void | Promise<void>;
}

export interface DialResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}
