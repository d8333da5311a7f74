import type { IncomingMessage, ServerResponse } from "node:http";
import {
  codeOf,
  grpcCode,
  httpStatus,
  InvalidArgumentError,
  LimitExceededError,
  messageOf,
  NotFoundError,
} from "@tiphys/errors";
import type { Principal } from "@tiphys/identity";
import { limits } from "@tiphys/limits";

/** One request as a route sees it. */
export interface RestCall {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly principal: Principal;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  /** The JSON body; InvalidArgument when it is not JSON. */
  body<T = Record<string, unknown>>(): Promise<T>;
  raw(maxBytes: number): Promise<Buffer>;
}

/** Returns the JSON to answer, an async iterable to stream, or nothing when it has answered by itself. */
export type Handler = (call: RestCall) => unknown;

export interface Route {
  readonly method: string;
  /** Segments with `{name}` placeholders; a placeholder takes one segment, URL-decoded. */
  readonly path: string;
  readonly handler: Handler;
  /** True for routes that need no login. */
  readonly open?: boolean;
}

export interface RouterOptions {
  readonly routes: readonly Route[];
  authenticate(request: IncomingMessage): Promise<Principal>;
}

export interface Router {
  /** False when no route has this path. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

export function createRouter({ routes, authenticate }: RouterOptions): Router {
  const compiled = routes.map((route) => ({ ...route, segments: route.path.split("/").slice(1) }));
  return {
    async handle(request, response) {
      const url = new URL(request.url ?? "/", "http://local");
      const segments = url.pathname.split("/").slice(1);
      const matching = compiled.filter((route) => matches(route.segments, segments));
      if (matching.length === 0) return false;
      const route = matching.find(({ method }) => method === request.method);
      const abort = new AbortController();
      response.once("close", () => abort.abort());
      try {
        if (!route) throw new NotFoundError(`${request.method} is not served on ${url.pathname}`);
        const principal = route.open ? { username: "system:anonymous", groups: [] } : await authenticate(request);
        requireJson(request, route);
        const call: RestCall = {
          params: extract(route.segments, segments),
          query: url.searchParams,
          principal,
          request,
          response,
          signal: abort.signal,
          raw: (maxBytes) => readBody(request, maxBytes),
          body: async <T>() => parse<T>(await readBody(request, limits.restBodyBytes)),
        };
        const result = await route.handler(call);
        if (result === undefined || response.headersSent) return true;
        if (isStream(result)) await stream(result, request, response, abort.signal);
        else json(response, 200, result);
      } catch (error) {
        fail(response, error);
      }
      return true;
    },
  };
}

const matches = (pattern: readonly string[], segments: readonly string[]): boolean =>
  pattern.length === segments.length && pattern.every((part, i) => part.startsWith("{") || part === segments[i]);

function extract(pattern: readonly string[], segments: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  pattern.forEach((part, i) => {
    if (!part.startsWith("{")) return;
    try {
      params[part.slice(1, -1)] = decodeURIComponent(segments[i] ?? "");
    } catch (cause) {
      throw new InvalidArgumentError(part.slice(1, -1), "is not valid URL encoding", { cause });
    }
  });
  return params;
}

/** The originals' guard against forged form posts: a write must say that it is JSON. */
function requireJson(request: IncomingMessage, route: Route): void {
  if (request.method === "GET" || request.method === "HEAD" || route.open) return;
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim();
  if (type !== "application/json")
    throw new MediaTypeError(`Invalid content type: send application/json, not "${type}"`);
}

class MediaTypeError extends InvalidArgumentError {
  constructor(message: string) {
    super("", message);
  }
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > maxBytes) throw new LimitExceededError(`the request body is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse<T>(bytes: Buffer): T {
  if (bytes.length === 0) return {} as T;
  try {
    const value = JSON.parse(bytes.toString("utf8"));
    if (value === null || typeof value !== "object") throw new Error("not an object");
    return value;
  } catch (cause) {
    throw new InvalidArgumentError("body", `is not a JSON object: ${messageOf(cause)}`, { cause });
  }
}

export function json(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response
    .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
    .end(text);
}

/** The originals' error body: `error` and `message` are the same text, `code` is gRPC's number. */
function fail(response: ServerResponse, error: unknown): void {
  const code = codeOf(error);
  const message =
    code === "Unknown" || code === "Internal" ? "internal error: the server's log has the details" : messageOf(error);
  if (response.headersSent) {
    response.end(`${JSON.stringify({ error: { grpc_code: grpcCode(code), http_code: httpStatus(code), message } })}\n`);
    return;
  }
  const status = error instanceof MediaTypeError ? 415 : error instanceof LimitExceededError ? 413 : httpStatus(code);
  json(response, status, { error: message, code: grpcCode(code), message });
}

const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === "object" && value !== null && Symbol.asyncIterator in value;

/** Newline-separated `{"result": …}`, or server-sent events for clients that ask for them. */
async function stream(
  items: AsyncIterable<unknown>,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const events = (request.headers.accept ?? "").includes("text/event-stream");
  response.writeHead(200, {
    "content-type": events ? "text/event-stream" : "application/json",
    "cache-control": "no-cache",
  });
  response.flushHeaders();
  for await (const item of items) {
    if (signal.aborted) break;
    const text = JSON.stringify({ result: item });
    if (!response.write(events ? `data: ${text}\n\n` : `${text}\n`)) {
      await new Promise<void>((resolve) => {
        response.once("drain", resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
  }
  response.end();
}
