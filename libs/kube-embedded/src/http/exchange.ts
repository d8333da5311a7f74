import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { gzip } from "node:zlib";
import { codeOf, httpStatus, messageOf } from "@tiphys/errors";
import { KubeApiError, statusError } from "@tiphys/kube";
import type { UpgradeRequest } from "@tiphys/kube-streams";
import { toYaml } from "@tiphys/yaml";
import { errorFormat, type Representation } from "./negotiation.js";

/** One request and the ways to answer it. */
export class Exchange {
  readonly url: URL;
  readonly path: readonly string[];
  /** The path has a percent sign that encodes nothing. */
  readonly malformed: boolean;
  private readonly warnings: string[] = [];
  /** True once the connection is no longer ours. */
  taken = false;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    /** Present when the request asks for another protocol: the connection behind `response`. */
    private readonly upgrade?: { readonly socket: Socket; readonly head: Buffer },
  ) {
    this.url = urlOf(request.url ?? "/");
    // Encoded slashes separate as well, as on the real server; a part that is empty names nothing.
    const pathname = decoded(this.url.pathname);
    this.malformed = pathname === undefined;
    const parts = (pathname ?? "").split("/").slice(1);
    if (parts.at(-1) === "") parts.pop();
    this.path = parts;
  }

  get query(): URLSearchParams {
    return this.url.searchParams;
  }

  /** The bare connection of an upgrade; from now on it is the caller's to answer. */
  takeOver(): UpgradeRequest | undefined {
    if (!this.upgrade || this.taken || this.response.headersSent) return undefined;
    this.taken = true;
    this.response.detachSocket(this.upgrade.socket);
    return { request: this.request, ...this.upgrade };
  }

  readonly warn = (message: string): void => {
    if (!this.warnings.includes(message)) this.warnings.push(message);
  };

  head(code: number, contentType: string): void {
    for (const warning of this.warnings) {
      this.response.appendHeader("warning", `299 - "${printable(warning).replace(/["\\]/g, "\\$&")}"`);
    }
    if (!this.response.hasHeader("cache-control")) this.response.setHeader("cache-control", "no-cache, private");
    this.response.writeHead(code, { "content-type": contentType });
  }

  /** An answer as JSON text without a final newline, laid out as the client wants it. */
  send(code: number, text: string | Buffer, representation: Representation, contentType?: string): void {
    if (representation.format === "yaml") {
      this.head(code, "application/yaml");
      this.response.end(toYaml(JSON.parse(text.toString())));
      return;
    }
    if (this.wantsIndented()) {
      this.head(code, contentType ?? "application/json");
      this.response.end(JSON.stringify(JSON.parse(text.toString()), null, 2));
      return;
    }
    if (Buffer.byteLength(text) >= GZIP_FROM && this.takesGzip()) {
      this.sendCompressed(code, Buffer.concat([Buffer.from(text), NEWLINE]), contentType ?? "application/json");
      return;
    }
    this.response.setHeader("content-length", Buffer.byteLength(text) + 1);
    this.head(code, contentType ?? "application/json");
    this.response.cork();
    this.response.write(text);
    this.response.end("\n");
    this.response.uncork();
  }

  /** What is no request at all. */
  badRequest(): void {
    this.response.writeHead(400, { "content-type": "text/plain; charset=utf-8", connection: "close" });
    this.response.end("400 Bad Request");
  }

  /** Where there is no resource at all. */
  notFound(): void {
    this.response.setHeader("x-content-type-options", "nosniff");
    this.head(404, "text/plain; charset=utf-8");
    this.response.end("404 page not found\n");
  }

  takesGzip(): boolean {
    return this.request.method === "GET" && /\bgzip\b/.test(String(this.request.headers["accept-encoding"] ?? ""));
  }

  sendCompressed(code: number, bytes: Buffer, contentType: string): void {
    if (!this.takesGzip()) {
      this.head(code, contentType);
      this.response.end(bytes);
      return;
    }
    gzip(bytes, { level: 1 }, (error, packed) => {
      this.response.setHeader("vary", "Accept-Encoding");
      if (!error) this.response.setHeader("content-encoding", "gzip");
      this.head(code, contentType);
      this.response.end(error ? bytes : packed);
    });
  }

  /** Asked for in the query, or read by a person, which the program tells. */
  wantsIndented(): boolean {
    const pretty = this.query.get("pretty");
    if (pretty) return /^(1|t|T|true|TRUE|True)$/.test(pretty);
    return /^(curl|Wget|Mozilla\/5\.0)/.test(this.request.headers["user-agent"] ?? "");
  }

  /** A refusal as a Status; whatever else went wrong is an internal error without its details. */
  fail(error: unknown): void {
    const status = statusOf(error);
    if (this.taken) {
      this.upgrade?.socket.destroy();
      return;
    }
    if (this.response.headersSent) {
      this.response.destroy();
      return;
    }
    // The rest of an unread body must not be taken for the next request.
    if (!this.request.complete) this.response.setHeader("connection", "close");
    const { retryAfterSeconds } = status.details ?? {};
    if (retryAfterSeconds) this.response.setHeader("retry-after", String(retryAfterSeconds));
    const format = errorFormat(this.request.headers.accept);
    if (format) this.send(status.code, JSON.stringify(status), { format });
    else {
      // A refusal has no other form than its own: who asked for another gets it as a person would.
      this.head(status.code, "application/json");
      this.response.end(JSON.stringify(status, null, 2));
    }
  }
}

/** Answers from this size on are compressed for who takes that, as by the real server. */
export const GZIP_FROM = 128 * 1024;
const NEWLINE = Buffer.from("\n");

/** Put together as a text: a target such as `//` is no URL of its own, and must not end the process. */
const urlOf = (target: string): URL => new URL(`https://kubernetes${target.startsWith("/") ? "" : "/"}${target}`);

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

/** Header values are Latin-1 without control characters. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");

export function statusOf(error: unknown): KubeApiError["status"] {
  if (error instanceof KubeApiError) return error.status;
  const code = codeOf(error);
  if (code === "Unavailable") return statusError(503, "ServiceUnavailable", messageOf(error)).status;
  if (code === "Unknown") return statusError(500, "InternalError", "Internal error occurred").status;
  return statusError(httpStatus(code), "InternalError", messageOf(error)).status;
}
