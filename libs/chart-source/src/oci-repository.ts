import { createHash, randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { DataLossError, InvalidArgumentError, LimitExceededError, NotFoundError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import {
  type Credential,
  createRegistryClient,
  type Descriptor,
  formatReference,
  isIndex,
  type Keyring,
  type Manifest,
  type Reference,
  type RegistryClient,
} from "@tiphys/oci";
import { Secret } from "@tiphys/secret";
import type { ArchiveStore, StoredFile } from "./archive-store.js";
import type { ChartCredentials } from "./credentials.js";

export const CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json";
export const CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/** What helm 3.0 to 3.6 wrote. */
const OLD_CHART_LAYER = "application/tar+gzip";
export const PROVENANCE_LAYER = "application/vnd.cncf.helm.chart.provenance.v1.prov";

/** Media types of content layers that Argo CD allows by default. */
const ALLOWED_LAYERS: ReadonlySet<string> = new Set([
  "application/vnd.oci.image.layer.v1.tar",
  "application/vnd.oci.image.layer.v1.tar+gzip",
  CHART_LAYER,
]);
const isContent = (mediaType: string): boolean => /(?:tar\+gzip|tar\.gzip|tar)$/.test(mediaType);

export interface OciTarget {
  readonly reference: Reference;
  readonly credentials: ChartCredentials;
  readonly refuseLoopback: boolean;
}

export interface OciDeps {
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly store: ArchiveStore;
  /** Folder for downloads under way. */
  readonly incoming: string;
}

const CLIENTS_KEPT = 200;

/** Charts, artifacts and tags of OCI registries. */
export function createRegistries({ dialer, clock, store, incoming }: OciDeps) {
  const clients = new Map<string, { client: RegistryClient; keyring: Keyring }>();
  const tagLists = new Map<string, { startedAt: number; tags: Promise<readonly string[]> }>();

  /** One client per registry and credentials, so that tokens are used again and never by others. */
  function clientFor({ reference, credentials, refuseLoopback }: OciTarget) {
    const { username = "", password, bearerToken, ca, insecure, plainHttp } = credentials;
    const { tlsClientCertData: cert, tlsClientCertKey: key } = credentials;
    const id = createHash("sha256")
      .update(
        JSON.stringify([
          reference.registry,
          username,
          password?.reveal() ?? null,
          bearerToken?.reveal() ?? null,
          ca ?? "",
          cert ?? "",
          key?.reveal() ?? "",
          insecure ?? false,
          plainHttp ?? false,
          refuseLoopback,
        ]),
      )
      .digest("hex");
    let found = clients.get(id);
    if (!found) {
      const credential: Credential | undefined =
        username !== "" || password || bearerToken
          ? {
              username,
              password: password ?? new Secret(""),
              ...(bearerToken && !password ? { registryToken: bearerToken } : {}),
            }
          : undefined;
      found = {
        client: createRegistryClient({
          dialer,
          clock,
          registries: {
            [reference.registry]: {
              ...(ca ? { ca } : {}),
              ...(insecure ? { insecureSkipVerify: true } : {}),
              ...(plainHttp ? { plainHttp: true } : {}),
              ...(cert && key ? { clientCertificate: { cert, key: key.reveal() } } : {}),
              ...(refuseLoopback ? { refuseLoopback: true } : {}),
            },
          },
        }),
        keyring: (registry) => (credential && registry === reference.registry ? [credential] : []),
      };
      if (clients.size >= CLIENTS_KEPT) clients.delete(clients.keys().next().value!);
      clients.set(id, found);
    }
    return found;
  }

  async function manifestOf(target: OciTarget, signal?: AbortSignal): Promise<{ manifest: Manifest; digest: string }> {
    const { client, keyring } = clientFor(target);
    const { manifest, descriptor } = await client.manifest(target.reference, {
      keyring,
      ...(signal ? { signal } : {}),
    });
    if (isIndex(manifest)) {
      throw new InvalidArgumentError(
        "",
        `${formatReference(target.reference)} is an index of images, not a chart or an artifact with manifests`,
      );
    }
    return { manifest, digest: descriptor.digest };
  }

  async function layer(target: OciTarget, descriptor: Descriptor, signal?: AbortSignal): Promise<StoredFile> {
    const what = `${formatReference(target.reference)}: layer ${descriptor.digest}`;
    const sha256 = /^sha256:([0-9a-f]{64})$/.exec(descriptor.digest)?.[1];
    if (sha256 === undefined) throw new InvalidArgumentError("", `${what} has a digest other than sha256`);
    const here = await store.get(sha256);
    if (here !== undefined) return { sha256, file: here, size: descriptor.size };
    if (descriptor.size > limits.chartArchiveBytes) {
      throw new LimitExceededError(`${what} has ${descriptor.size} bytes, more than ${limits.chartArchiveBytes}`);
    }
    const { client, keyring } = clientFor(target);
    const part = join(incoming, randomUUID());
    try {
      await client.download(target.reference, descriptor, part, { keyring, ...(signal ? { signal } : {}) });
      return await store.takeIn(part, sha256);
    } finally {
      await rm(`${part}.part`, { force: true });
      await rm(part, { force: true });
    }
  }

  return {
    manifestOf,
    layer,
    /** The digest of what a tag or digest names; NotFound when nothing does. */
    async resolve(target: OciTarget, signal?: AbortSignal): Promise<string> {
      const { client, keyring } = clientFor(target);
      return (await client.resolve(target.reference, { keyring, ...(signal ? { signal } : {}) })).digest;
    },
    /** Tags with `_` read as `+`, as Helm writes versions. */
    async tags(target: OciTarget, maxAge: number): Promise<readonly string[]> {
      const { registry, repository } = target.reference;
      const key = JSON.stringify([target.credentials.owner ?? "", registry, repository]);
      const known = tagLists.get(key);
      if (known && maxAge > 0 && clock.monotonic() - known.startedAt <= maxAge) return known.tags;
      const { client, keyring } = clientFor(target);
      const listing = async () => {
        const found: string[] = [];
        for await (const tag of client.tags({ registry, repository }, { keyring })) {
          if (found.length >= limits.chartVersions) {
            throw new LimitExceededError(`${registry}/${repository} has more than ${limits.chartVersions} tags`);
          }
          found.push(tag.replaceAll("_", "+"));
        }
        return found;
      };
      const entry = { startedAt: clock.monotonic(), tags: clock.track(listing()) };
      if (tagLists.size >= CLIENTS_KEPT) tagLists.delete(tagLists.keys().next().value!);
      tagLists.set(key, entry);
      entry.tags.catch(() => {
        if (tagLists.get(key) === entry) tagLists.delete(key);
      });
      return entry.tags;
    },
    /** Throws when the registry does not let us in. */
    async ping(target: OciTarget): Promise<void> {
      const { client, keyring } = clientFor(target);
      const { registry, repository } = target.reference;
      try {
        for await (const _tag of client.tags({ registry, repository }, { keyring, pageSize: 1 })) return;
      } catch (error) {
        // The registry answers; what is asked for has no chart of its own, as with a folder of charts.
        if (!(error instanceof NotFoundError)) throw error;
      }
    },
  };
}

/** The layer of a chart's manifest that is the chart. */
export function chartLayer(manifest: Manifest, what: string): Descriptor {
  if (manifest.config.mediaType !== CHART_CONFIG) {
    throw new InvalidArgumentError(
      "",
      `${what} is no Helm chart: its config is of type ${manifest.artifactType ?? manifest.config.mediaType}`,
    );
  }
  const found = manifest.layers.find(({ mediaType }) => mediaType === CHART_LAYER || mediaType === OLD_CHART_LAYER);
  if (!found) throw new DataLossError(`${what} has no layer of type ${CHART_LAYER}`);
  return found;
}

/** The one layer of an artifact that has its content, by the rules of Argo CD. */
export function contentLayer(manifest: Manifest, what: string): { layer: Descriptor; kind: "chart" | "files" } {
  if (manifest.layers.length > limits.ociArtifactLayers) {
    throw new LimitExceededError(
      `${what}: expected no more than ${limits.ociArtifactLayers} oci layers, got ${manifest.layers.length}`,
    );
  }
  const isChart = manifest.config.mediaType === CHART_CONFIG;
  const content = manifest.layers.filter(({ mediaType }) =>
    isChart ? mediaType === CHART_LAYER : isContent(mediaType),
  );
  for (const { mediaType } of content) {
    if (!ALLOWED_LAYERS.has(mediaType)) {
      throw new InvalidArgumentError(
        "",
        `${what}: oci layer media type ${mediaType} is not in the list of allowed media types`,
      );
    }
  }
  const [layer] = content;
  if (content.length !== 1 || !layer) {
    throw new InvalidArgumentError("", `${what}: expected only a single oci content layer, got ${content.length}`);
  }
  return { layer, kind: isChart ? "chart" : "files" };
}
