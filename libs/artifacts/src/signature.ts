import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "@tiphys/secret";

/** What an AWS signature (version 4) covers. */
export interface SignedRequest {
  readonly method: string;
  /** Path as sent, encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signedHeaders: readonly string[];
  /** `x-amz-content-sha256` as sent. */
  readonly payloadHash: string;
  /** `x-amz-date`: 20260101T000000Z. */
  readonly date: string;
  readonly region: string;
}

export const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** The signature of a request, in hex (AWS Signature Version 4, service s3). */
export function signatureOf(request: SignedRequest, secretKey: Secret): string {
  const query = [...request.query.entries()]
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
  const headers = request.signedHeaders
    .map((name) => `${name}:${(request.headers[name] ?? "").trim().replace(/ +/g, " ")}\n`)
    .join("");
  const canonical = [
    request.method,
    request.path,
    query,
    headers,
    request.signedHeaders.join(";"),
    request.payloadHash,
  ].join("\n");
  const day = request.date.slice(0, 8);
  const scope = `${day}/${request.region}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", request.date, scope, sha256(canonical)].join("\n");
  const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
  const key = hmac(hmac(hmac(hmac(`AWS4${secretKey.reveal()}`, day), request.region), "s3"), "aws4_request");
  return createHmac("sha256", key).update(toSign).digest("hex");
}

export function sameSignature(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
