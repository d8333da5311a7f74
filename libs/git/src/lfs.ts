import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import type { Dialer, DialResponse } from "@tiphys/dialer";
import {
  DataLossError,
  LimitExceededError,
  NotFoundError,
  PermissionDeniedError,
  UnavailableError,
  UnimplementedError,
} from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { authorizationOf, type RepositoryCredentials } from "./credentials.js";
import { RepositoryAuthenticationError } from "./errors.js";
import type { Repository } from "./mirror.js";
import { endpointOf, redactUrl, sameOrigin } from "./url.js";

/** What stands in a repository for a file that is kept elsewhere. */
export interface LfsPointer {
  /** SHA-256 of the content, hexadecimal. */
  readonly oid: string;
  readonly size: number;
}

/** Longest pointer, in bytes, as Git LFS has it. */
const LONGEST = 1024;
const MEDIA_TYPE = "application/vnd.git-lfs+json";
const LARGEST_ANSWER = 1024 * 1024;
const VERSIONS: ReadonlySet<string> = new Set([
  "https://git-lfs.github.com/spec/v1",
  "https://hawser.github.com/spec/v1",
  "http://git-media.io/v/2",
]);

/** Reads a pointer; undefined for any other content. */
export function parseLfsPointer(data: Uint8Array): LfsPointer | undefined {
  if (data.length >= LONGEST || data[0] !== 0x76) return undefined;
  const lines = Buffer.from(data).toString("utf8").trim().split("\n");
  const values = new Map<string, string>();
  for (const line of lines) {
    const space = line.indexOf(" ");
    if (space < 1) return undefined;
    values.set(line.slice(0, space), line.slice(space + 1).trim());
  }
  const oid = /^sha256:([0-9a-f]{64})$/.exec(values.get("oid") ?? "")?.[1];
  const size = values.get("size") ?? "";
  if (!VERSIONS.has(values.get("version") ?? "") || oid === undefined || !/^\d{1,15}$/.test(size)) return undefined;
  return { oid, size: Number(size) };
}

export interface LfsOptions {
  readonly url: string;
  /** Folder for what was fetched; it belongs to the mirror, so that nobody finds it who may not read that. */
  readonly directory: string;
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** Asked before every request. */
  readonly credentials: () => Promise<RepositoryCredentials | undefined>;
  readonly untrusted: boolean;
}

const MARK = "+lfs";
const plainId = (id: string): string => (id.endsWith(MARK) ? id.slice(0, -MARK.length) : id);

/**
 * The same repository, with contents of Git LFS in place of their pointers. Ids of folders and files are others, as what is kept by its id
 * must not be taken for the pointer.
 */
export function withLfs(repository: Repository, options: LfsOptions): Repository {
  const lfs = createLfs(options);
  return {
    ...repository,
    folder: async (commit, path) => (await repository.folder(commit, path)) + MARK,
    entries: async (tree) =>
      (await repository.entries(plainId(tree))).map((entry) =>
        entry.kind === "blob" || entry.kind === "tree" ? { ...entry, id: entry.id + MARK } : entry,
      ),
    async blob(id, maxBytes) {
      const data = await repository.blob(plainId(id), maxBytes);
      const pointer = id.endsWith(MARK) ? parseLfsPointer(data) : undefined;
      return pointer ? lfs(pointer, maxBytes) : data;
    },
  };
}

function createLfs({ url, directory, dialer, clock, credentials, untrusted }: LfsOptions) {
  const shown = redactUrl(url);
  const running = new Map<string, Promise<Buffer>>();

  const request = async (
    address: string,
    own: RepositoryCredentials | undefined,
    { headers, body, maxBytes }: { headers: Record<string, string>; body?: string; maxBytes: number },
  ): Promise<DialResponse> => {
    const isOwn = sameOrigin(url, address);
    return dialer.fetch({
      purpose: "git/lfs",
      url: address,
      method: body === undefined ? "GET" : "POST",
      headers: { "user-agent": "git-lfs/3 (tiphys)", ...headers },
      ...(body === undefined ? {} : { body }),
      timeout: limits.gitMilliseconds,
      maxBytes,
      // What the server names is followed with less trust than its own address.
      ...(untrusted || endpointOf(url)?.host !== endpointOf(address)?.host ? { refuseLoopback: true } : {}),
      ...(isOwn && own?.insecure ? { insecureSkipVerify: true } : {}),
      ...(isOwn && own?.ca ? { ca: own.ca } : {}),
      ...(isOwn && own?.tlsClientCertData && own.tlsClientCertKey
        ? { clientCertificate: { cert: own.tlsClientCertData, key: own.tlsClientCertKey.reveal() } }
        : {}),
    });
  };

  /** Where an object is, and what must be said to get it. */
  async function locate({ oid, size }: LfsPointer, own: RepositoryCredentials | undefined) {
    const authorization = own && authorizationOf(own);
    const base = url.replace(/\/+$/, "");
    const response = await request(`${base.endsWith(".git") ? base : `${base}.git`}/info/lfs/objects/batch`, own, {
      headers: {
        accept: MEDIA_TYPE,
        "content-type": MEDIA_TYPE,
        ...(authorization ? { authorization } : {}),
      },
      body: JSON.stringify({
        operation: "download",
        transfers: ["basic"],
        objects: [{ oid, size }],
        hash_algo: "sha256",
      }),
      maxBytes: LARGEST_ANSWER,
    });
    if (response.status === 401 || response.status === 403) throw new RepositoryAuthenticationError(url);
    if (response.status === 404) throw new NotFoundError(`${shown} has no Git LFS`);
    if (response.status < 200 || response.status > 299) {
      throw new UnavailableError(`Git LFS of ${shown} was answered with ${response.status}`);
    }
    const [object] = answerOf(response).objects ?? [];
    if (object?.oid !== oid) throw new UnavailableError(`Git LFS of ${shown} gave no answer about object ${oid}`);
    const { code, message } = object.error ?? {};
    if (code === 404 || code === 410) throw new NotFoundError(`Git LFS of ${shown} has no object ${oid}`);
    if (code !== undefined) {
      throw new UnavailableError(
        `Git LFS of ${shown} does not give object ${oid}: ${code} ${String(message).slice(0, 200)}`,
      );
    }
    const { href, header = {} } = object.actions?.download ?? {};
    if (!href) throw new UnavailableError(`Git LFS of ${shown} does not say where object ${oid} is`);
    const target = new URL(href, url);
    if (target.protocol !== "https:" && (target.protocol !== "http:" || url.startsWith("https:"))) {
      throw new PermissionDeniedError(
        `Git LFS of ${shown} leads to ${target.protocol}//${target.host}: that is not followed`,
      );
    }
    const said = Object.keys(header).some((name) => name.toLowerCase() === "authorization");
    const ours = !said && !object.authenticated && authorization && sameOrigin(url, target.href);
    return { href: target.href, headers: { ...header, ...(ours ? { authorization } : {}) } };
  }

  function answerOf(response: DialResponse): BatchAnswer {
    try {
      return JSON.parse(Buffer.from(response.body).toString("utf8")) as BatchAnswer;
    } catch (cause) {
      throw new UnavailableError(`Git LFS of ${shown} was answered with what is no JSON`, { cause });
    }
  }

  async function fetched(pointer: LfsPointer): Promise<Buffer> {
    const { oid, size } = pointer;
    const file = join(directory, oid);
    const kept = await readFile(file).catch(() => undefined);
    if (kept && isRight(kept, pointer)) return kept;
    if (!/^https?:/.test(url))
      throw new UnimplementedError(`enableLfs for a repository that is not at https (${shown})`);
    const own = await credentials();
    if (own?.proxy) throw new UnimplementedError(`enableLfs together with proxy (${shown})`);
    const { href, headers } = await locate(pointer, own);
    const response = await request(href, own, { headers, maxBytes: size });
    if (response.status < 200 || response.status > 299) {
      throw new UnavailableError(`object ${oid} of Git LFS of ${shown} was answered with ${response.status}`);
    }
    const data = Buffer.from(response.body);
    if (!isRight(data, pointer))
      throw new DataLossError(`object ${oid} of Git LFS of ${shown} is not what its pointer says`);
    await mkdir(directory, { recursive: true });
    const fresh = `${file}.${process.pid}.new`;
    // Whole or not at all.
    await writeFile(fresh, data).then(
      () => rename(fresh, file),
      () => rm(fresh, { force: true }),
    );
    return data;
  }

  return async (pointer: LfsPointer, maxBytes: number): Promise<Buffer> => {
    if (pointer.size > maxBytes) throw new LimitExceededError(`a file of Git LFS is larger than ${maxBytes} bytes`);
    let work = running.get(pointer.oid);
    if (!work) {
      work = clock.track(fetched(pointer)).finally(() => running.delete(pointer.oid));
      running.set(pointer.oid, work);
    }
    return work;
  };
}

interface BatchAnswer {
  readonly objects?: readonly {
    readonly oid?: string;
    readonly authenticated?: boolean;
    readonly error?: { readonly code?: number; readonly message?: string };
    readonly actions?: { readonly download?: { readonly href?: string; readonly header?: Record<string, string> } };
  }[];
}

const isRight = (data: Buffer, { oid, size }: LfsPointer): boolean =>
  data.length === size && createHash("sha256").update(data).digest("hex") === oid;
