import { DataLossError, NotFoundError } from "@tiphys/errors";
import { isDigest } from "./digest.js";

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  empty: "application/vnd.oci.empty.v1+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar.gzip",
} as const;

/** What is accepted when a manifest is asked for, best first. */
export const MANIFEST_TYPES: readonly string[] = [
  mediaTypes.index,
  mediaTypes.manifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
];

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly urls?: readonly string[];
  /** Content in base64, when it is so small that it came along. */
  readonly data?: string;
}

export interface Manifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Index {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The part of an image's config that says how it runs. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  readonly created?: string;
  readonly config?: {
    readonly User?: string;
    readonly Env?: readonly string[] | null;
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly StopSignal?: string;
    readonly Labels?: Readonly<Record<string, string>> | null;
    readonly ExposedPorts?: Readonly<Record<string, object>> | null;
    readonly Volumes?: Readonly<Record<string, object>> | null;
  };
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly string[] };
  readonly history?: readonly object[];
}

export const isIndex = (value: Manifest | Index): value is Index => "manifests" in value;

const MAX_LAYERS = 512;
const MAX_MANIFESTS = 4096;

/** Reads a manifest or an index; throws DataLoss naming what is wrong with it. */
export function parseManifest(what: string, bytes: Uint8Array, mediaType: string | undefined): Manifest | Index {
  const bad = (problem: string): never => {
    throw new DataLossError(`the manifest of ${what} is not usable: ${problem}`);
  };
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return bad("it is not JSON");
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return bad("it is no object");
  if (value["schemaVersion"] !== 2)
    return bad(`schemaVersion ${String(value["schemaVersion"]).slice(0, 20)} is not supported (2 is)`);
  const type = typeof value["mediaType"] === "string" ? value["mediaType"] : (mediaType ?? "").split(";")[0]!.trim();
  const list = (field: string, most: number): Descriptor[] => {
    const items = value[field];
    if (!Array.isArray(items)) return bad(`${field} is no list`);
    if (items.length > most) return bad(`${field} has more than ${most} entries`);
    for (const item of items)
      if (!isDescriptor(item)) return bad(`an entry of ${field} has no valid mediaType, digest or size`);
    return items;
  };
  if (Array.isArray(value["manifests"])) {
    if (value["layers"] !== undefined || value["config"] !== undefined)
      return bad("it is both a manifest and an index");
    const manifests = list("manifests", MAX_MANIFESTS);
    return { ...(value as object), mediaType: type || mediaTypes.index, manifests } as unknown as Index;
  }
  if (!isDescriptor(value["config"])) return bad("config has no valid mediaType, digest or size");
  return {
    ...(value as object),
    mediaType: type || mediaTypes.manifest,
    layers: list("layers", MAX_LAYERS),
  } as unknown as Manifest;
}

function isDescriptor(value: unknown): value is Descriptor {
  const { mediaType, digest, size } = (value ?? {}) as Partial<Descriptor>;
  return (
    typeof mediaType === "string" &&
    typeof digest === "string" &&
    isDigest(digest) &&
    typeof size === "number" &&
    Number.isSafeInteger(size) &&
    size >= 0
  );
}

/** Reads an image's config; throws DataLoss naming what is wrong with it. */
export function parseImageConfig(what: string, bytes: Uint8Array): ImageConfig {
  let value: Partial<ImageConfig>;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    throw new DataLossError(`the config of ${what} is not JSON`);
  }
  const ids = value?.rootfs?.diff_ids;
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === "string" && isDigest(id))) {
    throw new DataLossError(`the config of ${what} has no valid rootfs.diff_ids: it is no image that can run`);
  }
  return value as ImageConfig;
}

/** The manifest of an index that runs on `platform`; a missing variant matches any. Throws NotFound naming what there is. */
export function choosePlatform(what: string, index: Index, platform: Platform): Descriptor {
  const fits = index.manifests.filter(
    ({ platform: own }) => own?.os === platform.os && own.architecture === platform.architecture,
  );
  const exact = fits.find(({ platform: own }) => (own?.variant ?? "") === (platform.variant ?? ""));
  const chosen = exact ?? (platform.variant === undefined ? fits[0] : fits.find(({ platform: own }) => !own?.variant));
  if (chosen) return chosen;
  const bare = index.manifests.filter(({ platform: own }) => own === undefined);
  if (index.manifests.length === 1 && bare[0]) return bare[0];
  const there = index.manifests
    .flatMap(({ platform: own }) =>
      own ? [`${own.os}/${own.architecture}${own.variant ? `/${own.variant}` : ""}`] : [],
    )
    .filter((text) => !text.startsWith("unknown/"));
  throw new NotFoundError(
    `no match for platform in manifest: ${what} is not there for ${platform.os}/${platform.architecture} (it is for ${[...new Set(there)].sort().join(", ") || "none"})`,
  );
}
