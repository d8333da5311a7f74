import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { InvalidArgumentError } from "@tiphys/errors";
import { sha256Of } from "./digest.js";
import { type Descriptor, type ImageConfig, type Manifest, mediaTypes, type Platform } from "./manifest.js";
import type { Reference } from "./reference.js";
import type { Blob, CallOptions, RegistryClient } from "./registry-client.js";
import { tarEnd, tarHeader, tarPadding } from "./tar-writer.js";

/** One entry of a layer; `whiteout` removes what lower layers have at its path, `opaque` all that a folder had. */
export interface LayerEntry {
  readonly path: string;
  readonly type: "file" | "directory" | "symlink" | "link" | "whiteout" | "opaque";
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970; 0 by default, so that a layer is the same wherever it is made. */
  readonly mtime?: number;
  readonly link?: string;
  readonly content?: Uint8Array | string | { readonly file: string; readonly size: number };
}

/** A packed layer, with the digest of its plain form. */
export interface Layer extends Blob {
  readonly diffId: string;
}

const LEVEL = 6;

async function* tarOf(entries: Iterable<LayerEntry>): AsyncIterable<Buffer> {
  for (const entry of entries) {
    const path = entry.path.replace(/^\/+/, "").replace(/\/+$/, "");
    if (path === "" || path.split("/").includes(".."))
      throw new InvalidArgumentError("path", `"${entry.path}" is no path inside an image`);
    const { content = "" } = entry;
    const own = { uid: entry.uid ?? 0, gid: entry.gid ?? 0, mtime: entry.mtime ?? 0 };
    if (entry.type === "whiteout" || entry.type === "opaque") {
      const slash = path.lastIndexOf("/") + 1;
      const name = entry.type === "opaque" ? `${path}/.wh..wh..opq` : `${path.slice(0, slash)}.wh.${path.slice(slash)}`;
      yield tarHeader({ ...own, path: name, type: "file", mode: 0o644, size: 0 });
      continue;
    }
    const { type } = entry;
    const mode = entry.mode ?? (type === "directory" ? 0o755 : type === "symlink" ? 0o777 : 0o644);
    if (type !== "file") {
      yield tarHeader({ ...own, path, type, mode, size: 0, ...(entry.link === undefined ? {} : { link: entry.link }) });
      continue;
    }
    if (typeof content === "object" && "file" in content) {
      yield tarHeader({ ...own, path, type, mode, size: content.size });
      let size = 0;
      for await (const piece of createReadStream(content.file)) {
        size += (piece as Buffer).length;
        yield piece as Buffer;
      }
      if (size !== content.size)
        throw new InvalidArgumentError("content", `${content.file} has changed while it was read`);
      yield tarPadding(size);
      continue;
    }
    const bytes = Buffer.from(content);
    yield tarHeader({ ...own, path, type, mode, size: bytes.length });
    yield bytes;
    yield tarPadding(bytes.length);
  }
  yield tarEnd();
}

/** Packs entries, in the order given, as a gzipped layer: in memory, or into `file`. The same entries give the same digests. */
export async function buildLayer(entries: Iterable<LayerEntry>, file?: string): Promise<Layer> {
  const plain = createHash("sha256");
  const packed = createHash("sha256");
  const chunks: Buffer[] = [];
  let size = 0;
  const counted = new PassThrough();
  counted.on("data", (chunk: Buffer) => {
    packed.update(chunk);
    size += chunk.length;
  });
  const hashed = Readable.from(
    (async function* () {
      for await (const chunk of tarOf(entries)) {
        plain.update(chunk);
        yield chunk;
      }
    })(),
    { objectMode: false },
  );
  const target =
    file === undefined
      ? new Writable({
          write(chunk: Buffer, _encoding, done) {
            chunks.push(chunk);
            done();
          },
        })
      : createWriteStream(file, { mode: 0o600 });
  await pipeline(hashed, createGzip({ level: LEVEL }), counted, target);
  return {
    descriptor: { mediaType: mediaTypes.layerGzip, digest: `sha256:${packed.digest("hex")}`, size },
    diffId: `sha256:${plain.digest("hex")}`,
    content: file === undefined ? Buffer.concat(chunks) : { file },
  };
}

/** The entries of a host folder, sorted, owned by root, without times: the same folder gives the same layer. */
export async function entriesOfFolder(folder: string, prefix = ""): Promise<LayerEntry[]> {
  const found: LayerEntry[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const file = join(folder, name);
    const path = prefix ? `${prefix}/${name}` : name;
    const info = await lstat(file);
    const mode = info.mode & 0o7777;
    if (info.isSymbolicLink()) found.push({ path, type: "symlink", link: await readlink(file) });
    else if (info.isDirectory()) found.push({ path, type: "directory", mode }, ...(await entriesOfFolder(file, path)));
    else if (info.isFile()) found.push({ path, type: "file", mode, content: { file, size: info.size } });
  }
  return found;
}

/** A manifest with everything it refers to, ready to be pushed. */
export interface Package {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
  readonly blobs: readonly Blob[];
}

export interface ImageSpec {
  readonly platform: Platform;
  readonly layers: readonly Layer[];
  readonly config?: ImageConfig["config"];
  readonly annotations?: Readonly<Record<string, string>>;
  /** RFC 3339; absent by default, so that an image is the same whenever it is made. */
  readonly created?: string;
}

export const jsonBlob = (value: unknown, mediaType: string): Blob & { content: Uint8Array } => {
  const content = Buffer.from(JSON.stringify(value));
  return { descriptor: { mediaType, digest: sha256Of(content), size: content.length }, content };
};

export function buildImage({ platform, layers, config, annotations, created }: ImageSpec): Package {
  const image = jsonBlob(
    {
      ...(created ? { created } : {}),
      ...platform,
      config: config ?? {},
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    },
    mediaTypes.config,
  );
  return packageOf(image, layers, {
    ...(annotations ? { annotations } : {}),
  });
}

export interface ArtifactSpec {
  readonly artifactType: string;
  readonly layers: readonly Blob[];
  /** The config blob; an empty one by default. */
  readonly config?: Blob;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Anything that is no image: charts, signatures, bills of material. */
export function buildArtifact({ artifactType, layers, config, subject, annotations }: ArtifactSpec): Package {
  return packageOf(config ?? jsonBlob({}, mediaTypes.empty), layers, {
    artifactType,
    ...(subject ? { subject } : {}),
    ...(annotations ? { annotations } : {}),
  });
}

function packageOf(config: Blob, layers: readonly Blob[], more: Partial<Manifest>): Package {
  const manifest = jsonBlob(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      ...more,
      config: config.descriptor,
      layers: layers.map(({ descriptor }) => descriptor),
    },
    mediaTypes.manifest,
  );
  return { descriptor: manifest.descriptor, bytes: manifest.content, blobs: [config, ...layers] };
}

/** One name for images of several platforms. */
export function buildIndex(
  images: readonly { readonly descriptor: Descriptor; readonly platform: Platform }[],
  annotations?: Readonly<Record<string, string>>,
): Package {
  const index = jsonBlob(
    {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: images.map(({ descriptor, platform }) => ({ ...descriptor, platform })),
      ...(annotations ? { annotations } : {}),
    },
    mediaTypes.index,
  );
  return { descriptor: index.descriptor, bytes: index.content, blobs: [] };
}

/** Sends blobs first, then the manifest; gives its digest. */
export async function pushPackage(
  client: RegistryClient,
  reference: Reference,
  pushed: Package,
  options: CallOptions & { from?: string } = {},
): Promise<string> {
  for (const blob of pushed.blobs) await client.pushBlob(reference, blob, options);
  return client.pushManifest(reference, pushed.bytes, pushed.descriptor.mediaType, options);
}
