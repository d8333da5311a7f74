import type { IncomingMessage, ServerResponse } from "node:http";
import {
  codeOf,
  grpcCode,
  httpStatus,
  InvalidArgumentError,
  LimitExceededError,
  messageOf,
  UnimplementedError,
} from "@tiphys/errors";
import { anonymous, type Principal } from "@tiphys/identity";
import { limits } from "@tiphys/limits";
import type { Logger } from "@tiphys/telemetry";

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
  /** True for a caller that is no browser and sends what it likes, such as a webhook. */
  readonly anyContent?: boolean;
}

export interface RouterOptions {
  readonly routes: readonly Route[];
  /** The name of a feature that the path stands for and nobody serves yet. */
  unserved?(pathname: string): string | undefined;
  authenticate(request: IncomingMessage): Promise<Principal>;
  readonly log: Logger;
}

export interface Router {
  /** False when no route has this path. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

export function createRouter({ routes, unserved, authenticate, log }: RouterOptions): Router {
  const compiled = routes.map((route) => ({ ...route, segments: route.path.split("/").slice(1) }));

  /** Undefined when the path is nobody's. */
  function find(method: string, pathname: string): Compiled | undefined {
    const segments = pathname.split("/").slice(1);
    const matching = compiled.filter((route) => matches(route.segments, segments));
    const found = matching.find((route) => route.method === method);
    if (found) return found;
    const feature = unserved?.(pathname) ?? (matching.length > 0 ? "REST" : undefined);
    if (feature === undefined) return undefined;
    const handler = () => {
      throw new UnimplementedError(`${feature} (${method} ${pathname.slice(0, MAX_SHOWN_PATH)})`);
    };
    return { method, path: pathname, segments, handler };
  }

  async function answer(route: Compiled, url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const abort = new AbortController();
    response.once("close", () => abort.abort());
    const principal = route.open ? anonymous : await authenticate(request);
    requireJson(request, route);
    const result = await route.handler({
      params: extract(route.segments, url.pathname.split("/").slice(1)),
      query: url.searchParams,
      principal,
      request,
      response,
      signal: abort.signal,
      raw: (maxBytes) => readBody(request, maxBytes),
      body: async <T>() => parse<T>(await readBody(request, limits.restBodyBytes)),
    });
    if (result === undefined || response.headersSent) return;
    if (isStream(result)) await stream(result, request, response, abort.signal);
    else json(response, 200, result);
  }

  return {
    async handle(request, response) {
      try {
        const url = urlOf(request);
        const route = find(request.method ?? "GET", url.pathname);
        if (!route) return false;
        await answer(route, url, request, response);
      } catch (error) {
        const code = codeOf(error);
        if (code === "Unknown" || code === "Internal")
          log.error("request failed", { method: request.method, path: request.url?.split("?")[0], error });
        fail(response, error);
      }
      return true;
    },
  };
}

type Compiled = Route & { readonly segments: readonly string[] };

const MAX_SHOWN_PATH = 200;

function urlOf(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? "/", "http://local");
  } catch (cause) {
    throw new InvalidArgumentError("path", "is not a valid URL path", { cause });
  }
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
  if (request.method === "GET" || request.method === "HEAD" || route.anyContent) return;
  const type = (request.headers["content-type"] ?? "").split(";")[0]?.trim();
  if (type !== "application/json")
    throw new MediaTypeError(`Invalid content type: send application/json, not "${type}"`);
}

class MediaTypeError extends InvalidArgumentError {
  constructor(message: string) {
    super("", message);
  }
}

class BodyTooLargeError extends LimitExceededError {}

/** The rest of a body that is too large stays unread, so that the answer still gets through before the connection ends. */
function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () => new BodyTooLargeError(`the request body is larger than ${maxBytes} bytes`);
  return new Promise((resolve, reject) => {
    if (Number(request.headers["content-length"] ?? 0) > maxBytes) return reject(tooLarge());
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        request.pause();
        reject(tooLarge());
      } else chunks.push(chunk);
    });
    request.once("end", () => resolve(Buffer.concat(chunks)));
    request.once("error", reject);
    request.once("close", () => reject(new InvalidArgumentError("body", "ended before it was complete")));
  });
}

function parse<T>(bytes: Buffer): T {
  if (bytes.length === 0) return {} as T;
  try {
    const value = JSON.parse(bytes.toString("utf8"));
    if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("not an object");
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
    const body = { grpc_code: grpcCode(code), http_code: httpStatus(code), message };
    const text = JSON.stringify({ error: body });
    const events = response.getHeader("content-type") === EVENT_STREAM;
    response.end(events ? `data: ${text}\n\n` : `${text}\n`);
    return;
  }
  if (error instanceof BodyTooLargeError) response.setHeader("connection", "close");
  const status = error instanceof MediaTypeError ? 415 : error instanceof BodyTooLargeError ? 413 : httpStatus(code);
  json(response, status, { error: message, code: grpcCode(code), message });
}

const EVENT_STREAM = "text/event-stream";

const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === "object" && value !== null && Symbol.asyncIterator in value;

/** Newline-separated `{"result": …}`, or server-sent events for clients that ask for them. */
async function stream(
  items: AsyncIterable<unknown>,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const events = (request.headers.accept ?? "").includes(EVENT_STREAM);
  response.setHeader("content-type", events ? EVENT_STREAM : "application/json");
  response.setHeader("cache-control", "no-cache");
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
