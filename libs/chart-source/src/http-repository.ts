import type { Clock } from "@tiphys/clock";
import type { Dialer, DialResponse } from "@tiphys/dialer";
import { FailedPreconditionError, NotFoundError, UnauthenticatedError, UnavailableError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { ArchiveStore, StoredFile } from "./archive-store.js";
import type { ChartCredentials } from "./credentials.js";
import { type IndexFile, openIndex } from "./index-file.js";
import { indexUrl, redactedUrl } from "./repository-url.js";

export interface HttpDeps {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly store: ArchiveStore;
}

export interface HttpTarget {
  readonly url: string;
  readonly credentials: ChartCredentials;
  /** User, password and client certificate are sent. */
  readonly authenticated: boolean;
  readonly refuseLoopback: boolean;
  /** For messages: `the index of https://…`. */
  readonly what: string;
}

/** True when both are served by the same scheme, host and port. */
export function sameServer(a: string, b: string): boolean {
  const [left, right] = [new URL(a), new URL(b)];
  return left.protocol === right.protocol && left.host === right.host;
}

/** The address without a user, and the user that stood in it. */
function withoutUser(text: string): { url: string; user?: string } {
  const url = new URL(text);
  if (url.username === "" && url.password === "") return { url: text };
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = "";
  url.password = "";
  return { url: url.href, user };
}

function authorization(credentials: ChartCredentials, user: string | undefined): string | undefined {
  const { username = "", password, bearerToken } = credentials;
  if (username !== "" || password !== undefined) {
    return `Basic ${Buffer.from(`${username}:${password?.reveal() ?? ""}`).toString("base64")}`;
  }
  if (bearerToken) return `Bearer ${bearerToken.reveal()}`;
  return user === undefined ? undefined : `Basic ${Buffer.from(user).toString("base64")}`;
}

/** One GET over the dialer; any status but 200 and 304 is an error in our words. */
export async function get(
  dialer: Dialer,
  target: HttpTarget,
  request: {
    readonly headers: Readonly<Record<string, string>>;
    readonly maxBytes: number;
    readonly timeout: number;
    readonly sink?: (piece: Uint8Array) => Promise<void>;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<DialResponse> {
  const { credentials, authenticated, refuseLoopback, what } = target;
  const { url, user } = withoutUser(target.url);
  const header = authenticated ? authorization(credentials, user) : undefined;
  const { ca, insecure, tlsClientCertData: cert, tlsClientCertKey: key } = credentials;
  const response = await dialer.fetch({
    purpose: "chart",
    url,
    headers: { ...request.headers, "user-agent": "tiphys", ...(header ? { authorization: header } : {}) },
    timeout: request.timeout,
    maxBytes: request.maxBytes,
    ...(request.sink ? { sink: request.sink } : {}),
    ...(ca ? { ca } : {}),
    ...(insecure ? { insecureSkipVerify: true } : {}),
    ...(authenticated && cert && key ? { clientCertificate: { cert, key: key.reveal() } } : {}),
    ...(refuseLoopback ? { refuseLoopback } : {}),
    ...(request.signal ? { signal: request.signal } : {}),
  });
  const { status } = response;
  if (status === 200 || status === 304) return response;
  if (status === 401 || status === 403) {
    throw new UnauthenticatedError(`${what} is refused (${status}): check the repository Secret`);
  }
  if (status === 404 || status === 410) throw new NotFoundError(`${what} is not there (${status})`);
  if (status >= 500 || status === 408 || status === 429)
    throw new UnavailableError(`${what} was answered with ${status}`);
  throw new FailedPreconditionError(`${what} was answered with ${status}`);
}

/** Ends taking in a file of which there is no new one. */
class NotModified extends Error {}

interface KnownIndex {
  readonly index: IndexFile;
  readonly sha256: string;
  readonly etag: string;
  readonly lastModified: string;
  /** Monotonic milliseconds. */
  checkedAt: number;
}

const INDEXES_KEPT = 100;

/** Indexes of HTTP repositories: asked for again with what is known of them, so that an unchanged one is not sent. */
export function createIndexes({ dialer, clock, store }: HttpDeps) {
  const known = new Map<string, KnownIndex>();
  const underWay = new Map<string, Promise<KnownIndex>>();

  async function remembered(key: string, what: string): Promise<KnownIndex | undefined> {
    const note = await store.note(key);
    const { sha256, etag = "", lastModified = "" } = (note ?? {}) as Record<string, string | undefined>;
    const file = sha256 === undefined ? undefined : await store.get(sha256);
    if (sha256 === undefined || file === undefined) return undefined;
    try {
      const index = await openIndex(file, what);
      return { index, sha256, etag, lastModified, checkedAt: Number.NEGATIVE_INFINITY };
    } catch {
      return undefined;
    }
  }

  async function ask(key: string, target: HttpTarget): Promise<KnownIndex> {
    const startedAt = clock.monotonic();
    let old = known.get(key) ?? (await remembered(key, target.what));
    if (old && (await store.get(old.sha256)) === undefined) old = undefined;
    const headers = {
      ...(old?.etag ? { "if-none-match": old.etag } : {}),
      ...(old?.lastModified ? { "if-modified-since": old.lastModified } : {}),
    };
    let response: DialResponse | undefined;
    let stored: StoredFile;
    try {
      stored = await store.put(async (take) => {
        response = await get(dialer, target, {
          headers,
          maxBytes: limits.chartIndexBytes,
          timeout: limits.chartIndexMilliseconds,
          sink: take,
        });
        if (response.status === 304) throw new NotModified();
      });
    } catch (error) {
      if (!(error instanceof NotModified)) throw error;
      if (!old) throw new UnavailableError(`${target.what} was answered with 304, but nothing is known of it`);
      old.checkedAt = startedAt;
      return old;
    }
    const { etag = "", "last-modified": lastModified = "" } = response?.headers ?? {};
    const { sha256, file } = stored;
    const index = old && old.sha256 === sha256 ? old.index : await openIndex(file, target.what);
    await store.setNote(key, { sha256, etag, lastModified });
    return { index, sha256, etag, lastModified, checkedAt: startedAt };
  }

  return {
    async index(repository: string, target: Omit<HttpTarget, "url" | "what">, maxAge: number): Promise<IndexFile> {
      const url = indexUrl(repository);
      // An owner's index may list what others may not see.
      const key = JSON.stringify(["index", target.credentials.owner ?? "", url]);
      const current = known.get(key);
      if (current && maxAge > 0 && clock.monotonic() - current.checkedAt <= maxAge) return current.index;
      let work = underWay.get(key);
      if (!work) {
        const full = { ...target, url, what: `the index of chart repository ${redactedUrl(repository)}` };
        work = clock.track(ask(key, full));
        underWay.set(key, work);
        const done = () => underWay.delete(key);
        work.then(done, done);
      }
      const found = await work;
      known.delete(key);
      if (known.size >= INDEXES_KEPT) known.delete(known.keys().next().value!);
      known.set(key, found);
      return found.index;
    },
  };
}
