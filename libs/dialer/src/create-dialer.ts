import { lookup as dnsLookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Clock } from "@tiphys/clock";
import { codeOf, InvalidArgumentError, messageOf, PermissionDeniedError, UnavailableError } from "@tiphys/errors";
import type { Logger, Metrics } from "@tiphys/telemetry";
import type { Dialer, DialRequest, DialResponse } from "./dialer.js";
import { type FetchImpl, httpExchange } from "./http-exchange.js";
import { type EgressPolicy, egressGuard } from "./policy.js";

/** Where a cluster name really is; undefined when the name is not one of the cluster's. */
export interface ClusterResolver {
  resolve(host: string, port: number, namespace?: string): Promise<{ host: string; port: number } | undefined>;
}

export interface DialRecord {
  readonly request: DialRequest;
  readonly response?: DialResponse;
  readonly error?: string;
  readonly startedAt: Date;
  readonly milliseconds: number;
}

export interface DialerDeps {
  readonly policy?: EgressPolicy;
  readonly resolver?: ClusterResolver;
  /** Every address of a host name; the system's resolver by default. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  readonly fetchImpl?: FetchImpl;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Told of every exchange, for recording. Bodies may hold secrets: whoever keeps them redacts them. */
  readonly record?: (exchange: DialRecord) => void;
}

const DEFAULT_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Headers that belong to the first host alone. */
const PRIVATE_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "www-authenticate",
  "x-vault-token",
]);

const systemLookup = async (host: string): Promise<readonly string[]> =>
  (await dnsLookup(host, { all: true })).map(({ address }) => address);

export function createDialer(deps: DialerDeps): Dialer {
  const { resolver, clock, log, metrics } = deps;
  const policy = deps.policy ?? {};
  const guard = egressGuard(policy);
  const lookup = deps.lookup ?? systemLookup;
  const exchange = deps.fetchImpl ?? httpExchange;
  const requests = metrics.counter("tiphys_dial_requests_total", "Outgoing HTTP exchanges", ["purpose", "outcome"]);
  const seconds = metrics.histogram("tiphys_dial_seconds", "Duration of outgoing HTTP exchanges", ["purpose"]);

  async function resolve(
    host: string,
    port: number,
    namespace?: string,
    refuseLoopback = false,
  ): Promise<{ host: string; port: number }> {
    const plain = host.replace(/^\[|\]$/g, "");
    if (plain === "") throw new InvalidArgumentError("host", "is empty");
    const inCluster = await resolver?.resolve(plain, port, namespace);
    // A forwarder is ours; the policy is about what lies outside.
    if (inCluster) return inCluster;
    guard.checkName(plain);
    if (isIP(plain) !== 0) {
      guard.checkAddress(plain, plain, refuseLoopback);
      return { host: plain, port };
    }
    let addresses: readonly string[];
    try {
      addresses = await lookup(plain);
    } catch (error) {
      throw new UnavailableError(`host ${plain} cannot be resolved: ${messageOf(error)}`, { cause: error });
    }
    // One forbidden address among several is enough: which one is dialled would be chance.
    for (const address of addresses) guard.checkAddress(plain, address, refuseLoopback);
    const first = addresses.find((address) => isIP(address) === 4) ?? addresses[0];
    if (first === undefined) throw new UnavailableError(`host ${plain} has no address`);
    return { host: first, port };
  }

  async function run(request: DialRequest): Promise<DialResponse> {
    let url = parse(request.url);
    let method = (request.method ?? "GET").toUpperCase();
    let body = request.body;
    let headers: Record<string, string> = { ...request.headers };
    let { clientCertificate } = request;
    const start = clock.monotonic();
    const maxRedirects = policy.maxRedirects ?? DEFAULT_REDIRECTS;
    for (let redirects = 0; ; redirects++) {
      const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
      const address = await resolve(url.hostname, port, request.namespace, request.refuseLoopback);
      const response = await exchange({
        url,
        address,
        method,
        headers,
        timeout: Math.max(1, request.timeout - (clock.monotonic() - start)),
        maxBytes: request.maxBytes,
        ...(body === undefined ? {} : { body }),
        ...(request.insecureSkipVerify ? { insecureSkipVerify: true } : {}),
        ...(request.ca ? { ca: request.ca } : {}),
        ...(clientCertificate ? { clientCertificate } : {}),
        ...(request.signal ? { signal: request.signal } : {}),
        ...(request.sink ? { sink: request.sink } : {}),
      });
      const location = response.headers["location"];
      if (!REDIRECTS.has(response.status) || !location || request.stay) return response;
      if (redirects >= maxRedirects) {
        throw new UnavailableError(`${parse(request.url).origin} redirects more than ${maxRedirects} times`);
      }
      const next = parse(new URL(location, url).href);
      if (url.protocol === "https:" && next.protocol === "http:") {
        throw new PermissionDeniedError(`${url.host} redirects from https to http (${next.host}): not followed`);
      }
      if (response.status === 303 || (response.status !== 307 && response.status !== 308 && method === "POST")) {
        method = method === "HEAD" ? "HEAD" : "GET";
        body = undefined;
        headers = without(headers, (name) => name.startsWith("content-"));
      }
      if (next.host !== url.host) {
        headers = without(headers, (name) => PRIVATE_HEADERS.has(name));
        clientCertificate = undefined;
      }
      url = next;
    }
  }

  return {
    resolve: (host, port, options) => resolve(host, port, undefined, options?.refuseLoopback),
    async fetch(request) {
      const startedAt = clock.now();
      const start = clock.monotonic();
      const done = (outcome: string, result: { response: DialResponse } | { error: string }) => {
        const milliseconds = clock.monotonic() - start;
        requests.add({ purpose: request.purpose, outcome });
        seconds.observe(milliseconds / 1000, { purpose: request.purpose });
        deps.record?.({ request, startedAt, milliseconds, ...result });
      };
      try {
        const response = await clock.track(run(request));
        done(String(response.status), { response });
        return response;
      } catch (error) {
        done(codeOf(error), { error: messageOf(error) });
        log.debug("dial failed", { purpose: request.purpose, error: messageOf(error) });
        throw error;
      }
    },
  };
}

function parse(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw new InvalidArgumentError("url", "is not a URL", { cause: error });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new InvalidArgumentError("url", `scheme ${url.protocol.slice(0, -1)} is not supported: use http or https`);
  }
  return url;
}

const without = (headers: Record<string, string>, leave: (name: string) => boolean): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !leave(name.toLowerCase())));
