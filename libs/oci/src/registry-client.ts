import type { Hash } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "@tiphys/clock";
import type { Dialer, DialRequest, DialResponse } from "@tiphys/dialer";
import {
  DataLossError,
  errorOfCode,
  InvalidArgumentError,
  isTerminal,
  LimitExceededError,
  NotFoundError,
  PermissionDeniedError,
  UnauthenticatedError,
  UnavailableError,
} from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { chooseChallenge, createAuthorizer } from "./authorizer.js";
import { type Credential, type Keyring, noKeyring } from "./credentials.js";
import { checkHash, hasherOf, isDigest, sha256Of, verifyDigest } from "./digest.js";
import {
  choosePlatform,
  type Descriptor,
  type ImageConfig,
  type Index,
  isIndex,
  MANIFEST_TYPES,
  type Manifest,
  mediaTypes,
  type Platform,
  parseImageConfig,
  parseManifest,
} from "./manifest.js";
import { formatReference, manifestKey, type Reference } from "./reference.js";
import { type Endpoint, endpointsOf, type Registries } from "./registry-settings.js";

export interface RegistryClientDeps {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly registries?: Registries;
}

export interface CallOptions {
  readonly keyring?: Keyring;
  readonly signal?: AbortSignal;
}

/** A manifest with the bytes that its digest is of. */
export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly manifest: Manifest | Index;
}

/** An image for one platform. */
export interface FetchedImage {
  /** Digest of what the reference named: an index's, when it is one. */
  readonly digest: string;
  readonly manifestDescriptor: Descriptor;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}

export interface RegistryClient {
  /** The descriptor of what a reference names, without its content; NotFound when there is none. */
  resolve(reference: Reference, options?: CallOptions): Promise<Descriptor>;
  manifest(reference: Reference, options?: CallOptions): Promise<FetchedManifest>;
  /** The manifest and config of an image for `platform`; goes through an index where there is one. */
  image(reference: Reference, platform: Platform, options?: CallOptions): Promise<FetchedImage>;
  /** A blob that fits into memory; `maxBytes` is `limits.ociConfigBytes` by default. */
  blob(
    reference: Reference,
    descriptor: Descriptor,
    options?: CallOptions & { maxBytes?: number },
  ): Promise<Uint8Array>;
  /** Writes a blob to `file`; goes on where an earlier try of the same file broke off. The file is there only when whole. */
  download(
    reference: Reference,
    descriptor: Descriptor,
    file: string,
    options?: CallOptions & { maxBytes?: number },
  ): Promise<void>;
  hasBlob(reference: Reference, digest: string, options?: CallOptions): Promise<boolean>;
  /** Sends a blob unless it is there; `from` is a repository of the same registry that may have it. */
  pushBlob(reference: Reference, blob: Blob, options?: CallOptions & { from?: string }): Promise<void>;
  /** Stores a manifest or index under the reference's tag or digest; gives its digest. */
  pushManifest(reference: Reference, bytes: Uint8Array, mediaType: string, options?: CallOptions): Promise<string>;
  /** Removes a manifest by digest, or a tag where the registry can. */
  deleteManifest(reference: Reference, options?: CallOptions): Promise<void>;
  /** All tags, page by page. */
  tags(reference: Reference, options?: CallOptions & { pageSize?: number }): AsyncIterable<string>;
  /** Manifests whose subject is `digest`, by the referrers API or the tag that stands in for it. */
  referrers(
    reference: Reference,
    digest: string,
    options?: CallOptions & { artifactType?: string },
  ): Promise<readonly Descriptor[]>;
}

export interface Blob {
  readonly descriptor: Descriptor;
  /** The content, or the file that has it. */
  readonly content: Uint8Array | { readonly file: string };
}

/** Pieces in which large blobs are sent. */
const PIECE = 8 * 1024 * 1024;
const DOWNLOAD_TRIES = 4;
const MAX_PAGES = 10_000;

type Call = Pick<DialRequest, "method" | "headers" | "body" | "sink"> & { maxBytes?: number; timeout?: number };

export function createRegistryClient({ dialer, clock, registries = {} }: RegistryClientDeps): RegistryClient {
  const authorizer = createAuthorizer({ dialer, clock });

  const scopeOf = (repository: string, actions: string, from?: string) =>
    `repository:${repository}:${actions}${from ? ` repository:${from}:pull` : ""}`;

  async function once(
    endpoint: Endpoint,
    path: string,
    scope: string,
    credential: Credential | undefined,
    call: Call,
    signal: AbortSignal | undefined,
  ): Promise<DialResponse> {
    const url = /^https?:/.test(path) ? path : `${endpoint.base}${path}`;
    const { ca, insecureSkipVerify, clientCertificate, refuseLoopback } = endpoint.settings;
    const send = (authorization: string | undefined) =>
      dialer.fetch({
        purpose: "oci",
        url,
        method: call.method ?? "GET",
        headers: { ...call.headers, "user-agent": "tiphys", ...(authorization ? { authorization } : {}) },
        ...(call.body === undefined ? {} : { body: call.body }),
        timeout: call.timeout ?? limits.ociRequestMilliseconds,
        maxBytes: call.maxBytes ?? limits.ociManifestBytes,
        ...(call.sink ? { sink: call.sink } : {}),
        ...(ca ? { ca } : {}),
        ...(insecureSkipVerify ? { insecureSkipVerify } : {}),
        ...(clientCertificate ? { clientCertificate } : {}),
        ...(refuseLoopback ? { refuseLoopback } : {}),
        ...(signal ? { signal } : {}),
      });
    const first = await send(await authorizer.header(endpoint, scope, credential, signal));
    if (first.status !== 401) return first;
    authorizer.forget(endpoint, scope, credential);
    const challenge = chooseChallenge(first.headers["www-authenticate"]);
    const header = challenge && (await authorizer.answer(endpoint, challenge, scope, credential, signal));
    return header ? send(header) : first;
  }

  /** Tries each credential that fits, or none at all; the last refusal is the answer. */
  async function request(
    endpoint: Endpoint,
    reference: Reference,
    path: string,
    scope: string,
    call: Call,
    options: CallOptions,
  ): Promise<DialResponse> {
    const keyring = options.keyring ?? noKeyring;
    const fitting = keyring(endpoint.host, reference.repository);
    let refusal: { response?: DialResponse; error?: unknown } = {};
    for (const credential of fitting.length > 0 ? fitting : [undefined]) {
      try {
        const response = await once(endpoint, path, scope, credential, call, options.signal);
        if (response.status !== 401 && response.status !== 403) return response;
        refusal = { response };
      } catch (error) {
        if (!(error instanceof PermissionDeniedError)) throw error;
        refusal = { error };
      }
    }
    if (refusal.response) return refusal.response;
    throw refusal.error;
  }

  /** Asks the mirrors, then the registry; what one does not have or cannot say, the next is asked for. */
  async function read(
    reference: Reference,
    path: (endpoint: Endpoint) => string,
    call: Call,
    options: CallOptions,
    accepted: readonly number[] = [200],
  ): Promise<DialResponse> {
    const scope = scopeOf(reference.repository, "pull");
    const what = formatReference(reference);
    let problem: unknown;
    for (const endpoint of endpointsOf(reference.registry, registries, false)) {
      try {
        const response = await request(endpoint, reference, path(endpoint), scope, call, options);
        if (accepted.includes(response.status)) return response;
        problem = refused(what, endpoint, response, call.method ?? "GET");
      } catch (error) {
        if (options.signal?.aborted) throw error;
        problem = error;
      }
    }
    throw problem;
  }

  const at = (reference: Reference, rest: string) => (endpoint: Endpoint) =>
    `/v2/${reference.repository}/${rest}${endpoint.mirror ? `?ns=${encodeURIComponent(reference.registry)}` : ""}`;

  const own = (reference: Reference): Endpoint => endpointsOf(reference.registry, registries, true)[0]!;

  async function write(
    reference: Reference,
    path: string,
    call: Call,
    options: CallOptions,
    accepted: readonly number[],
    scope = scopeOf(reference.repository, "pull,push"),
  ): Promise<DialResponse> {
    const endpoint = own(reference);
    const response = await request(endpoint, reference, path, scope, call, options);
    if (accepted.includes(response.status)) return response;
    throw refused(formatReference(reference), endpoint, response, call.method ?? "GET");
  }

  async function manifest(reference: Reference, options: CallOptions = {}): Promise<FetchedManifest> {
    const response = await read(
      reference,
      at(reference, `manifests/${manifestKey(reference)}`),
      { headers: { accept: MANIFEST_TYPES.join(", ") } },
      options,
    );
    const what = formatReference(reference);
    const digest = reference.digest ?? sha256Of(response.body);
    if (reference.digest) verifyDigest(`the manifest of ${what}`, response.body, reference.digest);
    const parsed = parseManifest(what, response.body, response.headers["content-type"]);
    const descriptor = { mediaType: parsed.mediaType, digest, size: response.body.length };
    return { descriptor, bytes: response.body, manifest: parsed };
  }

  async function blob(
    reference: Reference,
    descriptor: Descriptor,
    { maxBytes = limits.ociConfigBytes, ...options }: CallOptions & { maxBytes?: number } = {},
  ): Promise<Uint8Array> {
    const what = `blob ${descriptor.digest} of ${formatReference(reference)}`;
    if (descriptor.size > maxBytes)
      throw new LimitExceededError(`${what} has ${descriptor.size} bytes, more than ${maxBytes}`);
    const body = descriptor.data
      ? Buffer.from(descriptor.data, "base64")
      : (await read(reference, at(reference, `blobs/${descriptor.digest}`), { maxBytes }, options)).body;
    if (body.length !== descriptor.size)
      throw new DataLossError(`${what} has ${body.length} bytes instead of ${descriptor.size}`);
    verifyDigest(what, body, descriptor.digest);
    return body;
  }

  async function downloadOnce(
    reference: Reference,
    descriptor: Descriptor,
    part: string,
    options: CallOptions,
  ): Promise<void> {
    const handle = await open(part, "a+", 0o600);
    try {
      let size = (await handle.stat()).size;
      if (size > descriptor.size) {
        await handle.truncate(0);
        size = 0;
      }
      const progress = { hash: await hashOf(handle, descriptor.digest, size), size };
      if (size < descriptor.size || descriptor.size === 0) {
        let first = true;
        await read(
          reference,
          at(reference, `blobs/${descriptor.digest}`),
          {
            headers: size > 0 ? { range: `bytes=${size}-` } : {},
            maxBytes: descriptor.size + 1,
            timeout: limits.ociBlobMilliseconds,
            async sink(chunk, { status }) {
              if (first && status === 200 && progress.size > 0) {
                // It does not know ranges, or another mirror begins anew.
                await handle.truncate(0);
                progress.hash = hasherOf(descriptor.digest);
                progress.size = 0;
              }
              first = false;
              await handle.appendFile(chunk);
              progress.hash.update(chunk);
              progress.size += chunk.length;
            },
          },
          options,
          [200, 206],
        );
      }
      const what = `blob ${descriptor.digest} of ${formatReference(reference)}`;
      const wrong =
        progress.size === descriptor.size
          ? undefined
          : new UnavailableError(`${what} broke off after ${progress.size} of ${descriptor.size} bytes`);
      if (wrong) throw wrong;
      try {
        checkHash(what, progress.hash, descriptor.digest);
      } catch (error) {
        await handle.truncate(0);
        throw error;
      }
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }

  async function upload(
    reference: Reference,
    { descriptor, content }: Blob,
    options: CallOptions & { from?: string },
  ): Promise<void> {
    const { repository } = reference;
    const start = `/v2/${repository}/blobs/uploads/`;
    const headers = { "content-length": "0" };
    if (options.from !== undefined && options.from !== repository) {
      const mount = `${start}?mount=${encodeURIComponent(descriptor.digest)}&from=${encodeURIComponent(options.from)}`;
      const scope = scopeOf(repository, "pull,push", options.from);
      const answer = await write(reference, mount, { method: "POST", headers, body: "" }, options, [201, 202], scope);
      if (answer.status === 201) return;
      return send(reference, locationOf(reference, answer), descriptor, content, options);
    }
    const answer = await write(reference, start, { method: "POST", headers, body: "" }, options, [202]);
    return send(reference, locationOf(reference, answer), descriptor, content, options);
  }

  function locationOf(reference: Reference, response: DialResponse): string {
    const location = response.headers["location"];
    if (!location) throw new UnavailableError(`registry ${reference.registry} began an upload without a Location`);
    const base = new URL(own(reference).base);
    const url = new URL(location, base);
    // Our credentials go with it.
    if (url.host !== base.host) {
      throw new PermissionDeniedError(
        `registry ${reference.registry} wants an upload sent to ${url.host}: not followed`,
      );
    }
    url.protocol = base.protocol;
    return url.href;
  }

  async function send(
    reference: Reference,
    location: string,
    descriptor: Descriptor,
    content: Uint8Array | { readonly file: string },
    options: CallOptions,
  ): Promise<void> {
    const done = (at: string) => {
      const url = new URL(at);
      url.searchParams.set("digest", descriptor.digest);
      return url.href;
    };
    const type = { "content-type": "application/octet-stream" };
    const timeout = limits.ociBlobMilliseconds;
    if (!("file" in content) && content.length <= PIECE) {
      await write(
        reference,
        done(location),
        { method: "PUT", headers: type, body: content, timeout },
        options,
        [201, 204],
      );
      return;
    }
    const file = "file" in content ? await open(content.file, "r") : undefined;
    try {
      let next = location;
      for (let offset = 0; offset < descriptor.size; ) {
        const length = Math.min(PIECE, descriptor.size - offset);
        const piece = file
          ? await readPiece(file, offset, length)
          : (content as Uint8Array).subarray(offset, offset + length);
        const answer = await write(
          reference,
          next,
          {
            method: "PATCH",
            headers: { ...type, "content-range": `${offset}-${offset + piece.length - 1}` },
            body: piece,
            timeout,
          },
          options,
          [202, 204],
        );
        next = locationOf(reference, answer);
        offset += piece.length;
      }
      await write(reference, done(next), { method: "PUT", headers: type, body: "", timeout }, options, [201, 204]);
    } finally {
      await file?.close();
    }
  }

  async function hasBlob(reference: Reference, digest: string, options: CallOptions = {}): Promise<boolean> {
    const answer = await request(
      own(reference),
      reference,
      `/v2/${reference.repository}/blobs/${digest}`,
      scopeOf(reference.repository, "pull"),
      { method: "HEAD" },
      options,
    );
    if (answer.status === 200) return true;
    if (answer.status === 404) return false;
    throw refused(formatReference(reference), own(reference), answer, "HEAD");
  }

  async function* pages(
    reference: Reference,
    first: string,
    options: CallOptions,
  ): AsyncIterable<Record<string, unknown>> {
    let path: string | undefined = first;
    for (let page = 0; path !== undefined; page++) {
      if (page >= MAX_PAGES)
        throw new LimitExceededError(`the list of ${formatReference(reference)} has more than ${MAX_PAGES} pages`);
      const current: string = path;
      const response = await read(reference, () => current, { headers: { accept: "application/json" } }, options);
      yield JSON.parse(Buffer.from(response.body).toString("utf8"));
      const link = /<([^>]*)>\s*;\s*rel="?next"?/.exec(response.headers["link"] ?? "")?.[1];
      if (link === undefined) return;
      const url: URL = new URL(link, `${own(reference).base}${current}`);
      path = `${url.pathname}${url.search}`;
    }
  }

  return {
    async resolve(reference, options = {}) {
      const call = { method: "HEAD", headers: { accept: MANIFEST_TYPES.join(", ") } };
      const response = await read(reference, at(reference, `manifests/${manifestKey(reference)}`), call, options);
      const digest = reference.digest ?? response.headers["docker-content-digest"];
      const size = Number(response.headers["content-length"]);
      // Some registries answer HEAD with too little.
      if (!digest || !isDigest(digest) || !Number.isSafeInteger(size))
        return (await manifest(reference, options)).descriptor;
      return { mediaType: (response.headers["content-type"] ?? mediaTypes.manifest).split(";")[0]!, digest, size };
    },
    manifest,
    async image(reference, platform, options = {}) {
      const top = await manifest(reference, options);
      const what = formatReference(reference);
      let inner = top;
      if (isIndex(top.manifest)) {
        const { digest } = choosePlatform(what, top.manifest, platform);
        const { tag: _tag, ...untagged } = reference;
        inner = await manifest({ ...untagged, digest }, options);
        if (isIndex(inner.manifest))
          throw new DataLossError(`the manifest of ${what} is an index of indexes: it is no image`);
      }
      const image = inner.manifest as Manifest;
      if (image.config.mediaType !== mediaTypes.config && image.config.mediaType !== mediaTypes.dockerConfig) {
        throw new InvalidArgumentError(
          "",
          `${what} is no image but an artifact of type ${image.artifactType ?? image.config.mediaType}`,
        );
      }
      const config = parseImageConfig(what, await blob(reference, image.config, options));
      return { digest: top.descriptor.digest, manifestDescriptor: inner.descriptor, manifest: image, config };
    },
    blob,
    async download(reference, descriptor, file, { maxBytes = limits.ociBlobBytes, ...options } = {}) {
      const what = `blob ${descriptor.digest} of ${formatReference(reference)}`;
      if (descriptor.size > maxBytes)
        throw new LimitExceededError(`${what} has ${descriptor.size} bytes, more than ${maxBytes}`);
      const there = await stat(file).catch(() => undefined);
      if (there?.size === descriptor.size) return;
      await mkdir(dirname(file), { recursive: true });
      const part = `${file}.part`;
      for (let tried = 1; ; tried++) {
        try {
          await downloadOnce(reference, descriptor, part, options);
          break;
        } catch (error) {
          if (error instanceof DataLossError) await rm(part, { force: true });
          if (isTerminal(error) || options.signal?.aborted || tried >= DOWNLOAD_TRIES) throw error;
        }
      }
      await rename(part, file);
    },
    hasBlob,
    async pushBlob(reference, pushed, options = {}) {
      if (await hasBlob(reference, pushed.descriptor.digest, options)) return;
      await upload(reference, pushed, options);
    },
    async pushManifest(reference, bytes, mediaType, options = {}) {
      const digest = sha256Of(bytes);
      if (reference.digest && reference.digest !== digest) {
        throw new InvalidArgumentError(
          "digest",
          `${formatReference(reference)} names another digest than the manifest's ${digest}`,
        );
      }
      const key = reference.tag ?? digest;
      const call = { method: "PUT", headers: { "content-type": mediaType }, body: bytes };
      const answer = await write(
        reference,
        `/v2/${reference.repository}/manifests/${key}`,
        call,
        options,
        [201, 200, 202],
      );
      const subject = (JSON.parse(Buffer.from(bytes).toString("utf8")) as Manifest).subject;
      if (subject && answer.headers["oci-subject"] !== subject.digest) {
        await addReferrer(reference, subject.digest, { mediaType, digest, size: bytes.length }, bytes, options);
      }
      return digest;
    },
    async deleteManifest(reference, options = {}) {
      const path = `/v2/${reference.repository}/manifests/${manifestKey(reference)}`;
      const scope = scopeOf(reference.repository, "pull,push,delete");
      await write(reference, path, { method: "DELETE" }, options, [202, 200, 204], scope);
    },
    async *tags(reference, { pageSize = 1000, ...options } = {}) {
      for await (const page of pages(reference, `/v2/${reference.repository}/tags/list?n=${pageSize}`, options)) {
        for (const tag of (page["tags"] as string[] | null) ?? []) if (typeof tag === "string") yield tag;
      }
    },
    async referrers(reference, digest, { artifactType, ...options } = {}) {
      const query = artifactType ? `?artifactType=${encodeURIComponent(artifactType)}` : "";
      let found: Descriptor[] = [];
      try {
        for await (const page of pages(reference, `/v2/${reference.repository}/referrers/${digest}${query}`, options)) {
          found.push(...((page["manifests"] as Descriptor[] | undefined) ?? []));
        }
      } catch (error) {
        if (!(error instanceof NotFoundError)) throw error;
        found = [...(await fallbackReferrers(reference, digest, options))];
      }
      return artifactType ? found.filter((one) => one.artifactType === artifactType) : found;
    },
  };

  /** Registries without the referrers API keep an index under a tag made of the subject's digest. */
  async function fallbackReferrers(
    reference: Reference,
    digest: string,
    options: CallOptions,
  ): Promise<readonly Descriptor[]> {
    const { digest: _digest, ...plain } = reference;
    try {
      const { manifest: index } = await manifest({ ...plain, tag: digest.replace(":", "-") }, options);
      return isIndex(index) ? index.manifests : [];
    } catch (error) {
      if (error instanceof NotFoundError) return [];
      throw error;
    }
  }

  async function addReferrer(
    reference: Reference,
    subject: string,
    descriptor: Descriptor,
    bytes: Uint8Array,
    options: CallOptions,
  ): Promise<void> {
    const { artifactType, config, annotations } = JSON.parse(Buffer.from(bytes).toString("utf8")) as Partial<Manifest>;
    const type = artifactType ?? config?.mediaType;
    const entry = { ...descriptor, ...(type ? { artifactType: type } : {}), ...(annotations ? { annotations } : {}) };
    const before = await fallbackReferrers(reference, subject, options);
    if (before.some(({ digest }) => digest === descriptor.digest)) return;
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [...before, entry] };
    const path = `/v2/${reference.repository}/manifests/${subject.replace(":", "-")}`;
    const call = { method: "PUT", headers: { "content-type": mediaTypes.index }, body: JSON.stringify(index) };
    await write(reference, path, call, options, [201, 200, 202]);
  }
}

async function readPiece(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw new DataLossError("a blob's file is shorter than its descriptor says");
    filled += bytesRead;
  }
  return buffer;
}

async function hashOf(handle: FileHandle, digest: string, size: number): Promise<Hash> {
  const hash = hasherOf(digest);
  for (let offset = 0; offset < size; offset += PIECE) {
    hash.update(await readPiece(handle, offset, Math.min(PIECE, size - offset)));
  }
  return hash;
}

/** A registry's refusal as one of our errors, in the words that containerd's users know. */
function refused(what: string, { base, host }: Endpoint, response: DialResponse, method: string): Error {
  let said = "";
  try {
    const { errors } = JSON.parse(Buffer.from(response.body).toString("utf8")) as {
      errors?: { code?: string; message?: string }[];
    };
    said = (errors ?? [])
      .map(({ code, message }) => [code, message].filter(Boolean).join(": "))
      .join("; ")
      .slice(0, 300);
  } catch {
    // Not every refusal is JSON.
  }
  const { status } = response;
  const where = `${host} answered ${method} with ${status}${said ? ` (${said})` : ""}`;
  if (status === 404) return new NotFoundError(`${what}: not found: ${where}`);
  if (status === 401) {
    return new UnauthenticatedError(
      `pull access denied, repository does not exist or may require authorization: ${what}: ${where}`,
    );
  }
  if (status === 403) return new PermissionDeniedError(`${what}: access denied: ${where}`);
  if (status === 429) return errorOfCode("Unavailable", `${what}: too many requests: ${where}`);
  if (status >= 500 || status === 408) return new UnavailableError(`${what}: ${where} at ${new URL(base).host}`);
  return new InvalidArgumentError("", `${what}: ${where}`);
}
