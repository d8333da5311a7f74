import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import {
  type AgentOptions,
  Agent as HttpsAgent,
  type RequestOptions as HttpsOptions,
  request as httpsRequest,
} from "node:https";
import { type Clock, sleep } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { Principal } from "@tiphys/identity";
import type { ClusterConnection } from "./connection.js";
import { KubeApiError, type StatusBody, statusError } from "./errors.js";

/** Requests at the same time to one server; more wait for a free connection. */
const CONNECTIONS = 64;
/** A server that sends nothing for so long is taken for gone. Watches live by bookmarks (one a minute) and may be silent longer. */
const SILENCE_MS = 60_000;
const WATCH_SILENCE_MS = 600_000;
/** Times a 429 with Retry-After is obeyed before it is handed to the caller. */
const PATIENCE = 10;

export interface HttpCall {
  readonly method: string;
  /** From the server's root, encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly principal?: Principal;
  readonly signal?: AbortSignal;
  /** A watch or a log: its connection is not taken from the pool of requests. */
  readonly long?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** HTTP to one API server: keep-alive connections, credentials, and failures as KubeApiError. */
export class Transport {
  readonly #base: URL;
  readonly #agent: HttpsAgent | HttpAgent;
  readonly #longAgent: HttpsAgent | HttpAgent;

  constructor(
    private readonly connection: ClusterConnection,
    private readonly userAgent: string,
    private readonly clock: Clock | undefined,
  ) {
    this.#base = new URL(connection.server);
    const tls: AgentOptions = {
      ...(connection.ca === undefined ? {} : { ca: connection.ca }),
      ...(connection.clientCert === undefined ? {} : { cert: connection.clientCert }),
      ...(connection.clientKey === undefined ? {} : { key: connection.clientKey.reveal() }),
      ...(connection.serverName === undefined ? {} : { servername: connection.serverName }),
      rejectUnauthorized: connection.insecureSkipTlsVerify !== true,
    };
    const pool = { keepAlive: true, maxSockets: CONNECTIONS, scheduling: "lifo" as const };
    if (this.#base.protocol === "https:") {
      this.#agent = new HttpsAgent({ ...tls, ...pool });
      this.#longAgent = new HttpsAgent({ ...tls, keepAlive: false });
    } else {
      this.#agent = new HttpAgent(pool);
      this.#longAgent = new HttpAgent({ keepAlive: false });
    }
  }

  close(): void {
    this.#agent.destroy();
    this.#longAgent.destroy();
  }

  /** The whole answer of a call that succeeded (2xx, or 304 when asked with If-None-Match). */
  async call(call: HttpCall): Promise<HttpAnswer> {
    for (let tries = 1; ; tries++) {
      const response = await this.#send(call);
      const text = await this.#text(call, response);
      const status = response.statusCode ?? 0;
      if ((status >= 200 && status < 300) || status === 304) return { status, headers: response.headers, text };
      const wait = Number(response.headers["retry-after"]);
      if (status === 429 && this.clock && tries <= PATIENCE && wait >= 0) {
        await sleep(this.clock, wait * 1000, call.signal);
        continue;
      }
      throw failure(call, status, text, wait);
    }
  }

  /** The answer of a call as it comes. */
  async open(call: HttpCall): Promise<IncomingMessage> {
    const response = await this.#send({ ...call, long: true });
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw failure(call, status, await this.#text(call, response), Number(response.headers["retry-after"]));
  }

  async #send(call: HttpCall): Promise<IncomingMessage> {
    const { signal } = call;
    signal?.throwIfAborted();
    const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
    const headers: Record<string, string | string[] | number> = {
      accept: call.accept ?? "application/json",
      "user-agent": this.userAgent,
      ...(await this.#credentials()),
      ...impersonation(call.principal ?? this.connection.impersonate),
      ...call.headers,
    };
    if (body) {
      headers["content-type"] = call.contentType ?? "application/json";
      headers["content-length"] = body.length;
    }
    const options: HttpsOptions = {
      method: call.method,
      host: this.#base.hostname.replace(/^\[|\]$/g, ""),
      port: this.#base.port || (this.#base.protocol === "https:" ? 443 : 80),
      path: this.#base.pathname.replace(/\/$/, "") + call.path + queryText(call.query),
      headers,
      agent: call.long ? this.#longAgent : this.#agent,
      timeout: call.long ? WATCH_SILENCE_MS : SILENCE_MS,
    };
    // Credentials may have taken their time.
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const request: ClientRequest =
        this.#base.protocol === "https:" ? httpsRequest(options) : httpRequest(options as object);
      const onAbort = () => request.destroy(asError(signal?.reason));
      signal?.addEventListener("abort", onAbort, { once: true });
      const done = () => signal?.removeEventListener("abort", onAbort);
      request.on("timeout", () => request.destroy(new Error("the server was silent for too long")));
      request.on("error", (error) => {
        done();
        reject(signal?.aborted ? signal.reason : unavailable(call, error));
      });
      request.on("response", (response) => {
        response.on("close", done);
        resolve(response);
      });
      request.end(body);
    });
  }

  async #text(call: HttpCall, response: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of response) chunks.push(chunk as Buffer);
    } catch (error) {
      call.signal?.throwIfAborted();
      throw unavailable(call, error);
    }
    return (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString("utf8");
  }

  async #credentials(): Promise<Record<string, string>> {
    const { token, username, password } = this.connection;
    if (token) {
      const secret = typeof token === "function" ? await token() : token;
      return { authorization: `Bearer ${secret.reveal()}` };
    }
    if (username === undefined) return {};
    const pair = Buffer.from(`${username}:${password?.reveal() ?? ""}`).toString("base64");
    return { authorization: `Basic ${pair}` };
  }
}

const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error(String(reason)));

export const unavailable = (call: Pick<HttpCall, "method" | "path">, error: unknown): KubeApiError => {
  const problem = messageOf(error);
  return new KubeApiError(
    statusError(503, "ServiceUnavailable", `${call.method} ${call.path}: the API server cannot be reached: ${problem}`)
      .status,
    { cause: error },
  );
};

function queryText(query: HttpCall["query"]): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) search.append(name, value);
  const text = search.toString();
  return text ? `?${text}` : "";
}

function impersonation(principal: Principal | undefined): Record<string, string | string[]> {
  if (!principal) return {};
  const headers: Record<string, string | string[]> = { "impersonate-user": principal.username };
  if (principal.groups.length > 0) headers["impersonate-group"] = [...principal.groups];
  if (principal.uid !== undefined) headers["impersonate-uid"] = principal.uid;
  for (const [key, values] of Object.entries(principal.extra ?? {})) {
    headers[`impersonate-extra-${encodeURIComponent(key)}`] = [...values];
  }
  return headers;
}

const reasons: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  409: "Conflict",
  410: "Gone",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** The server's own Status when it sent one; else one made from the HTTP status, as a proxy in between may answer. */
function failure(call: HttpCall, http: number, text: string, retryAfter: number): KubeApiError {
  const details = retryAfter >= 0 ? { retryAfterSeconds: retryAfter } : undefined;
  try {
    const body = JSON.parse(text) as StatusBody;
    if (body?.kind === "Status" && typeof body.message === "string")
      return new KubeApiError({ ...body, code: body.code ?? http });
  } catch {
    // Not JSON: told below.
  }
  const said = text.trim().slice(0, 200);
  return statusError(
    http,
    reasons[http] ?? (http >= 500 ? "InternalError" : "Unknown"),
    `${call.method} ${call.path}: HTTP ${http}${said ? `: ${said}` : ""}`,
    details,
  );
}
