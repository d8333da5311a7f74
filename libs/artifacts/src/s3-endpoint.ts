import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "@tiphys/clock";
import { codeOf, messageOf } from "@tiphys/errors";
import { readLimited } from "@tiphys/limits";
import type { Secret } from "@tiphys/secret";
import type { Logger } from "@tiphys/telemetry";
import type { ArtifactStore } from "./artifacts.js";
import { sameSignature, sha256, signatureOf } from "./signature.js";

export interface S3EndpointOptions {
  readonly store: ArtifactStore;
  readonly bucket: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: Secret;
  readonly clock: Clock;
  readonly log: Logger;
  readonly host?: string;
  readonly port?: number;
  /** Largest object that may be put, in bytes. */
  readonly maxObjectBytes?: number;
}

const CLOCK_SKEW_MS = 15 * 60_000;

/** An artifact store behind the part of the S3 API that workflow pods use: put, get, head, delete, list (version 2). */
export async function createS3Endpoint(
  options: S3EndpointOptions,
): Promise<{ url: string; port: number; close(): Promise<void> }> {
  const { host = "127.0.0.1", port = 0, log } = options;
  const server = createServer(async (request, response) => {
    try {
      await serve(options, request, response);
    } catch (error) {
      if (codeOf(error) === "Unknown") log.error("s3 request failed", { error });
      problem(response, error instanceof S3Problem ? error : translate(error));
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    port: bound,
    url: `http://${host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class S3Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

function translate(error: unknown): S3Problem {
  if (codeOf(error) === "NotFound") return new S3Problem(404, "NoSuchKey", messageOf(error));
  if (codeOf(error) === "InvalidArgument") return new S3Problem(400, "InvalidArgument", messageOf(error));
  return new S3Problem(500, "InternalError", "internal error");
}

async function serve(options: S3EndpointOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { store, bucket } = options;
  const url = new URL(request.url ?? "/", "http://s3");
  authorize(options, request, url);
  const [, requested = "", ...rest] = url.pathname.split("/").map(decodeURIComponent);
  if (requested !== bucket) throw new S3Problem(404, "NoSuchBucket", `bucket ${requested} is not here`);
  const key = rest.join("/");
  if (key === "") {
    if (request.method === "HEAD") return void response.writeHead(200).end();
    if (request.method !== "GET") throw new S3Problem(405, "MethodNotAllowed", "a bucket can be listed only");
    return await list(store, bucket, url.searchParams, response);
  }
  switch (request.method) {
    case "PUT": {
      const body = await readBody(request, options.maxObjectBytes ?? 256 * 1024 * 1024);
      const claimed = String(request.headers["x-amz-content-sha256"] ?? "");
      if (claimed !== "UNSIGNED-PAYLOAD" && claimed !== sha256(body))
        throw new S3Problem(400, "XAmzContentSHA256Mismatch", "the body differs from its digest");
      await store.put(key, body);
      return void response.writeHead(200, { etag: `"${sha256(body).slice(0, 32)}"` }).end();
    }
    case "GET":
    case "HEAD": {
      const found = (await store.list(key)).find((entry) => entry.key === key);
      if (!found) throw new S3Problem(404, "NoSuchKey", `${key} is not here`);
      response.writeHead(200, { "content-length": found.size, "content-type": "application/octet-stream" });
      if (request.method === "HEAD") return void response.end();
      for await (const chunk of await store.get(key)) response.write(chunk);
      return void response.end();
    }
    case "DELETE":
      await store.delete(key);
      return void response.writeHead(204).end();
    default:
      throw new S3Problem(405, "MethodNotAllowed", `${request.method} is not served`);
  }
}

function authorize(
  { region, accessKey, secretKey, clock }: S3EndpointOptions,
  request: IncomingMessage,
  url: URL,
): void {
  const match = (request.headers.authorization ?? "").match(
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/,
  );
  if (!match) throw new S3Problem(403, "AccessDenied", "the request is not signed");
  const [, user = "", signedRegion = "", names = "", signature = ""] = match;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers))
    headers[name] = Array.isArray(value) ? value.join(",") : (value ?? "");
  const date = headers["x-amz-date"] ?? "";
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (!(Math.abs(clock.now().getTime() - at) <= CLOCK_SKEW_MS))
    throw new S3Problem(403, "RequestTimeTooSkewed", "the request's time is too far off");
  const signedHeaders = names.split(";");
  if (!signedHeaders.includes("host") || !signedHeaders.includes("x-amz-date"))
    throw new S3Problem(403, "AccessDenied", "host and x-amz-date must be signed");
  const expected = signatureOf(
    {
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      headers,
      signedHeaders,
      payloadHash: headers["x-amz-content-sha256"] ?? "",
      date,
      region,
    },
    secretKey,
  );
  if (user !== accessKey || signedRegion !== region || !sameSignature(expected, signature)) {
    throw new S3Problem(403, "SignatureDoesNotMatch", "the signature does not fit");
  }
}

async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const body = await readLimited(request, limit);
  if (!body) throw new S3Problem(400, "EntityTooLarge", `objects may have ${limit} bytes`);
  return body;
}

const PAGE = 1_000;

async function list(
  store: ArtifactStore,
  bucket: string,
  query: URLSearchParams,
  response: ServerResponse,
): Promise<void> {
  const prefix = query.get("prefix") ?? "";
  const after = query.get("continuation-token") ?? query.get("start-after") ?? "";
  const limit = Math.min(PAGE, Math.max(1, Number(query.get("max-keys") ?? PAGE) || PAGE));
  const all = (await store.list(prefix)).filter(({ key }) => key > after);
  const page = all.slice(0, limit);
  const more = all.length > limit;
  const contents = page
    .map(({ key, size }) => `<Contents><Key>${escapeXml(key)}</Key><Size>${size}</Size></Contents>`)
    .join("");
  const next = more ? `<NextContinuationToken>${escapeXml(page.at(-1)?.key ?? "")}</NextContinuationToken>` : "";
  response
    .writeHead(200, { "content-type": "application/xml" })
    .end(
      `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>${escapeXml(bucket)}</Name><Prefix>${escapeXml(prefix)}</Prefix><KeyCount>${page.length}</KeyCount><MaxKeys>${limit}</MaxKeys><IsTruncated>${more}</IsTruncated>${contents}${next}</ListBucketResult>`,
    );
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escapeXml = (text: string): string => text.replace(/[&<>"]/g, (c) => entities[c] ?? c);

function problem(response: ServerResponse, { status, code, message }: S3Problem): void {
  if (response.headersSent) return void response.destroy();
  response
    .writeHead(status, { "content-type": "application/xml" })
    .end(
      `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${escapeXml(message)}</Message></Error>`,
    );
}
