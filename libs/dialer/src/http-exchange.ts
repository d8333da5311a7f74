import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { CanceledError, DeadlineExceededError, LimitExceededError, UnavailableError } from "@tiphys/errors";
import type { DialRequest, DialResponse } from "./dialer.js";

export interface Exchange {
  readonly url: URL;
  /** The address that was judged: the socket goes there and nowhere else. */
  readonly address: { readonly host: string; readonly port: number };
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  readonly timeout: number;
  readonly maxBytes: number;
  readonly insecureSkipVerify?: boolean;
  readonly ca?: string;
  readonly clientCertificate?: DialRequest["clientCertificate"];
  readonly signal?: AbortSignal;
  readonly sink?: DialRequest["sink"];
}

/** One request and its whole answer, within time and size. */
export type FetchImpl = (exchange: Exchange) => Promise<DialResponse>;

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** An idle connection is kept for this long: a burst reuses it, and a target that moves is found soon. */
const IDLE_MS = 1000;
const IDLE_CONNECTIONS = 256;
// Connections are kept by judged address and by all that concerns TLS, so none serves a request it was not judged for.
const reuse = { keepAlive: true, timeout: IDLE_MS, maxFreeSockets: IDLE_CONNECTIONS };
const agents = { http: new HttpAgent(reuse), https: new HttpsAgent(reuse) };

const harmlessTwice: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** A request that may arrive twice: it changes nothing, or carries the key by which its receiver knows it again. */
const repeatable = ({ method, headers }: Exchange): boolean =>
  harmlessTwice.has(method) || Object.keys(headers).some((name) => name.toLowerCase() === "idempotency-key");

/**
 * Over node:http(s). Where the other side closed an idle connection meanwhile, the request is sent again on a new one, so
 * only requests that may arrive twice go over kept connections.
 */
export const httpExchange: FetchImpl = (exchange) => attempt(exchange, repeatable(exchange));

const attempt = (exchange: Exchange, mayReuse: boolean): Promise<DialResponse> =>
  new Promise((resolve, reject) => {
    const { url, address, signal } = exchange;
    const name = `${exchange.method} ${url.protocol}//${url.host}${url.pathname}`;
    const secure = url.protocol === "https:";
    const hostname = url.hostname.replace(/^\[|\]$/g, "");
    const options: RequestOptions & {
      servername?: string;
      rejectUnauthorized?: boolean;
      ca?: string;
      cert?: string;
      key?: string;
    } = {
      host: address.host,
      port: address.port,
      path: `${url.pathname}${url.search}`,
      method: exchange.method,
      headers: { host: url.host, ...exchange.headers },
      agent: mayReuse ? (secure ? agents.https : agents.http) : false,
      ...(secure
        ? {
            ...(/^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }),
            rejectUnauthorized: !exchange.insecureSkipVerify,
            ...(exchange.ca ? { ca: exchange.ca } : {}),
            ...(exchange.clientCertificate ?? {}),
          }
        : {}),
    };
    let settled = false;
    const settle = (act: () => void) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      act();
    };
    const fail = (error: Error) =>
      settle(() => {
        sent.destroy();
        reject(error);
      });
    const onAbort = () =>
      fail(signal?.reason instanceof Error ? signal.reason : new CanceledError(`${name} was cancelled`));
    // Real time: the other side of the connection lives in it.
    const timer = setTimeout(
      () => fail(new DeadlineExceededError(`${name} was not answered within ${exchange.timeout} ms`)),
      Math.min(exchange.timeout, LONGEST_TIMER_MS),
    );
    const onResponse = (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const tooLarge = () =>
        fail(new LimitExceededError(`the answer to ${name} is larger than ${exchange.maxBytes} bytes`));
      if (Number(response.headers["content-length"] ?? 0) > exchange.maxBytes && exchange.method !== "HEAD")
        return tooLarge();
      const status = response.statusCode ?? 0;
      const head = { status, headers: headersOf(response) };
      const sink = status >= 200 && status < 300 ? exchange.sink : undefined;
      let taking: Promise<void> | undefined;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > exchange.maxBytes) return tooLarge();
        if (!sink) return void chunks.push(chunk);
        response.pause();
        taking = Promise.resolve()
          .then(() => (settled ? undefined : sink(chunk, head)))
          .then(
            () => void response.resume(),
            (error) => fail(error instanceof Error ? error : new UnavailableError(String(error))),
          );
      });
      response.on("error", (error) =>
        fail(new UnavailableError(`${name} broke off: ${error.message}`, { cause: error })),
      );
      const ended = () => settle(() => resolve({ ...head, body: Buffer.concat(chunks) }));
      response.on("end", () => (taking ? void taking.then(ended) : ended()));
    };
    const sent = (secure ? httpsRequest : httpRequest)(options, onResponse);
    sent.on("error", (error: NodeJS.ErrnoException) => {
      if (sent.reusedSocket && !settled && (error.code === "ECONNRESET" || error.code === "EPIPE")) {
        return settle(() => attempt(exchange, false).then(resolve, reject));
      }
      fail(new UnavailableError(`${name} failed: ${error.message}`, { cause: error }));
    });
    if (signal?.aborted) return onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    if (exchange.body !== undefined) sent.setHeader("content-length", Buffer.byteLength(exchange.body));
    sent.end(exchange.body);
  });

function headersOf(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [header, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[header] = Array.isArray(value) ? value.join(", ") : value;
  }
  return headers;
}
