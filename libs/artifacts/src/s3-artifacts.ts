import type { Clock } from "@tiphys/clock";
import type { Dialer, DialResponse } from "@tiphys/dialer";
import { codeFromHttp, errorOfCode, NotFoundError } from "@tiphys/errors";
import type { Secret } from "@tiphys/secret";
import type { ArtifactStore } from "./artifacts.js";
import { checkKey } from "./key.js";
import { sha256, signatureOf } from "./signature.js";

export interface S3ArtifactsOptions {
  /** `https://s3.example`, without the bucket; addressing is path style. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: Secret;
  readonly prefix?: string;
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** Largest object that is moved, in bytes. */
  readonly maxObjectBytes?: number;
}

const TIMEOUT_MS = 60_000;
const signedHeaders = ["host", "x-amz-content-sha256", "x-amz-date"];

/** Artifacts in any S3, through the dialer so that egress policy and records hold here too. */
export function createS3Artifacts(options: S3ArtifactsOptions): ArtifactStore {
  const {
    bucket,
    region,
    accessKey,
    secretKey,
    prefix = "",
    dialer,
    clock,
    maxObjectBytes = 256 * 1024 * 1024,
  } = options;
  const endpoint = new URL(options.endpoint);
  const encodePath = (key: string) =>
    key
      .split("/")
      .map((part) =>
        encodeURIComponent(part).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
      )
      .join("/");

  const send = async (
    method: string,
    key: string,
    { query = {}, body = new Uint8Array() }: { query?: Record<string, string>; body?: Uint8Array } = {},
  ): Promise<DialResponse> => {
    const path = `/${bucket}${key ? `/${encodePath(prefix + key)}` : "/"}`;
    const url = new URL(path, endpoint);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const date = clock
      .now()
      .toISOString()
      .replace(/[-:]|\.\d{3}/g, "");
    const payloadHash = sha256(body);
    const headers = { host: url.host, "x-amz-content-sha256": payloadHash, "x-amz-date": date };
    const signature = signatureOf(
      { method, path: url.pathname, query: url.searchParams, headers, signedHeaders, payloadHash, date, region },
      secretKey,
    );
    const authorization = `AWS4-HMAC-SHA256 Credential=${accessKey}/${date.slice(0, 8)}/${region}/s3/aws4_request, SignedHeaders=${signedHeaders.join(";")}, Signature=${signature}`;
    const response = await dialer.fetch({
      purpose: "artifacts/s3",
      url: url.href,
      method,
      headers: { ...headers, authorization },
      ...(method === "PUT" ? { body } : {}),
      timeout: TIMEOUT_MS,
      maxBytes: maxObjectBytes,
    });
    if (response.status === 404) throw new NotFoundError(`artifact ${key} is not there`);
    if (response.status >= 300) {
      const detail =
        Buffer.from(response.body)
          .toString("utf8")
          .match(/<Message>([^<]*)/)?.[1] ?? "";
      throw errorOfCode(
        codeFromHttp(response.status),
        `the artifact store at ${endpoint.host} answered ${response.status}: ${detail}`,
      );
    }
    return response;
  };

  return {
    async put(key, body) {
      const chunks: Uint8Array[] = [];
      if (body instanceof Uint8Array) chunks.push(body);
      else for await (const chunk of body) chunks.push(chunk);
      await send("PUT", checkKey(key), { body: Buffer.concat(chunks) });
    },
    async get(key) {
      const { body } = await send("GET", checkKey(key));
      return (async function* () {
        yield body;
      })();
    },
    async list(wanted) {
      const found: { key: string; size: number }[] = [];
      for (let token = ""; ; ) {
        const query = { "list-type": "2", prefix: prefix + wanted, ...(token ? { "continuation-token": token } : {}) };
        const text = Buffer.from((await send("GET", "", { query })).body).toString("utf8");
        for (const [, content = ""] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
          const key = unescapeXml(content.match(/<Key>(.*?)<\/Key>/s)?.[1] ?? "");
          found.push({ key: key.slice(prefix.length), size: Number(content.match(/<Size>(\d+)<\/Size>/)?.[1] ?? 0) });
        }
        token = unescapeXml(text.match(/<NextContinuationToken>(.*?)<\/NextContinuationToken>/s)?.[1] ?? "");
        if (!token) return found;
      }
    },
    async delete(key) {
      await send("DELETE", checkKey(key)).catch((error) => {
        if (!(error instanceof NotFoundError)) throw error;
      });
    },
  };
}

const entities: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
};
const unescapeXml = (text: string): string =>
  text.replace(/&(amp|lt|gt|quot|apos);/g, (entity) => entities[entity] ?? entity);
