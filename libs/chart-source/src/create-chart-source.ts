import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { InvalidArgumentError, LimitExceededError, NotFoundError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { formatReference, type Reference } from "@tiphys/oci";
import type { KeyRing } from "@tiphys/openpgp";
import { createArchiveStore, type StoredFile } from "./archive-store.js";
import type { ChartArchive, ChartListing, ChartSource, SourceOptions, WantedChart } from "./chart-source.js";
import type { Asker, CredentialLookup, FoundCredentials } from "./credentials.js";
import { ChartNotFoundError, ChartVersionNotFoundError } from "./errors.js";
import { createIndexes, get, type HttpTarget, sameServer } from "./http-repository.js";
import type { IndexEntry } from "./index-file.js";
import { chartLayer, contentLayer, createRegistries, type OciTarget, PROVENANCE_LAYER } from "./oci-repository.js";
import { checkProvenance, UnsignedChartError } from "./provenance.js";
import {
  archiveUrl,
  chartRepository,
  checkChartUrl,
  isOciUrl,
  OCI_SCHEME,
  redactedUrl,
  referenceOf,
} from "./repository-url.js";
import { chooseVersion, isConstraint, newestFirst, versionOf } from "./version.js";

export interface ChartSourceDeps {
  /** Folder for indexes and archives; ours alone. */
  readonly directory: string;
  readonly dialer: Dialer;
  readonly clock: Clock;
  /** Asked before every use, so that a changed Secret takes effect at once. */
  readonly credentials: CredentialLookup;
  /** Bytes kept on disk; default `limits.chartCacheBytes`. */
  readonly budgetBytes?: number;
}

/** The last part of a repository of a registry: the chart's name. */
const repositoryName = ({ repository }: Reference): string => repository.slice(repository.lastIndexOf("/") + 1);

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export async function createChartSource(deps: ChartSourceDeps): Promise<ChartSource> {
  const { dialer, clock, directory } = deps;
  const incoming = join(directory, "downloads");
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  const store = await createArchiveStore({
    directory,
    budgetBytes: deps.budgetBytes ?? limits.chartCacheBytes,
    clock,
  });
  const indexes = createIndexes({ dialer, clock, store });
  const registries = createRegistries({ dialer, clock, store, incoming });
  const fetching = new Map<string, Promise<StoredFile>>();

  /** One fetch of the same thing at a time; those who come meanwhile share it. */
  function once(key: string, work: () => Promise<StoredFile>): Promise<StoredFile> {
    let running = fetching.get(key);
    if (!running) {
      running = clock.track(work());
      fetching.set(key, running);
      const done = () => fetching.delete(key);
      running.then(done, done);
    }
    return running;
  }

  const find = (url: string, asker: Asker): Promise<FoundCredentials> =>
    deps.credentials(url, asker.project === undefined ? {} : { project: asker.project });

  /** Where files name a repository, this machine is refused, unless an operator has listed that repository. */
  const refuses = (untrusted: boolean | undefined, { listed }: FoundCredentials) => untrusted === true && !listed;

  /** `listedAs` is the address that a Secret would have: a chart's folder in the registry. */
  async function ociTarget(
    url: string,
    asker: Asker & { untrusted?: boolean | undefined },
    listedAs = url,
  ): Promise<OciTarget> {
    let found = await find(listedAs, asker);
    if (!found.listed && listedAs !== url) found = await find(url, asker);
    return {
      reference: referenceOf(url),
      credentials: found.credentials,
      refuseLoopback: refuses(asker.untrusted, found),
    };
  }

  const isRegistry = (url: string, { credentials }: FoundCredentials) =>
    isOciUrl(url) || credentials.enableOci === true;
  /** A registry that is written `https://host/path` because the Secret says that it is one. */
  const asOci = (url: string) => url.replace(/^https?:\/\//, OCI_SCHEME);

  async function indexEntries(wanted: WantedChart, found: FoundCredentials, maxAge: number) {
    const target = {
      credentials: found.credentials,
      authenticated: true,
      refuseLoopback: refuses(wanted.untrusted, found),
    };
    const index = await indexes.index(wanted.repository, target, maxAge);
    const entries = await index.entries(wanted.name);
    if (!entries || entries.length === 0) throw new ChartNotFoundError(wanted.name, redactedUrl(wanted.repository));
    return entries;
  }

  async function httpEntry(wanted: WantedChart, found: FoundCredentials, maxAge: number): Promise<IndexEntry> {
    const entries = await indexEntries(wanted, found, maxAge);
    const versions = entries.map(({ version }) => version);
    const version = chooseVersion(wanted.revision, versions);
    const entry = entries.find((each) => each.version === version);
    if (!entry) {
      throw new ChartVersionNotFoundError(wanted.name, redactedUrl(wanted.repository), wanted.revision, entries.length);
    }
    return entry;
  }

  /** The reference of a registry's chart with the tag or digest that the revision means, and its version. */
  async function ociVersion(
    wanted: WantedChart,
    target: OciTarget,
    maxAge: number,
  ): Promise<{ version: string; reference: Reference }> {
    const { registry, repository } = target.reference;
    const { revision } = wanted;
    if (DIGEST.test(revision)) return { version: revision, reference: { registry, repository, digest: revision } };
    let version = revision;
    if (!versionOf(revision)) {
      const tags = await registries.tags(target, maxAge).catch((error: unknown) => {
        if (!(error instanceof NotFoundError)) throw error;
        throw new ChartNotFoundError(wanted.name, redactedUrl(wanted.repository), { cause: error });
      });
      const chosen = chooseVersion(revision, newestFirst(tags));
      if (chosen === undefined) {
        throw new ChartVersionNotFoundError(wanted.name, redactedUrl(wanted.repository), revision, tags.length);
      }
      version = chosen;
    }
    return { version, reference: { registry, repository, tag: version.replaceAll("+", "_") } };
  }

  async function ociChart(
    wanted: WantedChart,
    url: string,
    options: SourceOptions,
    listedAs?: string,
  ): Promise<ChartArchive> {
    const target = await ociTarget(url, wanted, listedAs);
    const { version, reference } = await ociVersion(wanted, target, options.maxAge);
    const what = formatReference(reference);
    const { manifest } = await registries
      .manifestOf({ ...target, reference }, options.signal)
      .catch((error: unknown) => {
        if (!(error instanceof NotFoundError)) throw error;
        throw new ChartVersionNotFoundError(wanted.name, redactedUrl(url), wanted.revision, 0);
      });
    const layer = chartLayer(manifest, what);
    const { signers } = target.credentials;
    const signature = signers && manifest.layers.find(({ mediaType }) => mediaType === PROVENANCE_LAYER);
    if (signers && !signature) throw new UnsignedChartError(what);
    const stored = await once(JSON.stringify(["oci", wanted.project ?? "", what, layer.digest]), () =>
      registries.layer({ ...target, reference }, layer, options.signal),
    );
    if (signers && signature) {
      if (signature.size > limits.chartProvenanceBytes)
        throw new LimitExceededError(`the provenance of ${what} is too large`);
      const { file } = await registries.layer({ ...target, reference }, signature, options.signal);
      const name = `${repositoryName(reference)}-${version}.tgz`;
      check(await readFile(file, "utf8"), name, stored.sha256, signers, what);
    }
    return { name: wanted.name, version, ...stored };
  }

  async function archiveTarget(
    url: string,
    wanted: WantedChart,
    found: FoundCredentials,
    what: string,
  ): Promise<HttpTarget> {
    checkChartUrl(url, `the address of ${what}`);
    if (sameServer(url, wanted.repository)) {
      return {
        url,
        what,
        credentials: found.credentials,
        authenticated: true,
        refuseLoopback: refuses(wanted.untrusted, found),
      };
    }
    // An index is written by others than the operator: where it sends us is judged like any address in a file.
    const other = await find(url, wanted);
    const { insecure } = found.credentials;
    return {
      url,
      what,
      credentials: wanted.passCredentials
        ? { ...found.credentials, ...(other.credentials.ca ? { ca: other.credentials.ca } : {}) }
        : { ...other.credentials, ...(insecure ? { insecure } : {}) },
      authenticated: true,
      refuseLoopback: !other.listed,
    };
  }

  async function httpChart(
    wanted: WantedChart,
    found: FoundCredentials,
    options: SourceOptions,
  ): Promise<ChartArchive> {
    const entry = await httpEntry(wanted, found, options.maxAge);
    const [first] = entry.urls;
    const shown = redactedUrl(wanted.repository);
    const what = `chart ${wanted.name} ${entry.version} of ${shown}`;
    if (first === undefined) throw new NotFoundError(`${what} has no address in the index`);
    const url = archiveUrl(wanted.repository, first);
    if (url.startsWith(OCI_SCHEME)) {
      const { tag } = referenceOf(url);
      const revision = tag?.replaceAll("_", "+") ?? entry.version;
      const archive = await ociChart({ ...wanted, revision, untrusted: true }, url, options);
      return { ...archive, version: entry.version };
    }
    const target = await archiveTarget(url, wanted, found, what);
    const key = JSON.stringify(["chart", found.credentials.owner ?? "", target.credentials.owner ?? "", url]);
    const stored = await once(key, () => download(key, target, entry.digest, options));
    const { signers } = found.credentials;
    if (signers) await checkSignature(target, stored.sha256, signers, options.signal);
    return { name: wanted.name, version: entry.version, ...stored };
  }

  async function download(
    key: string,
    target: HttpTarget,
    digest: string | undefined,
    { noCache, signal }: SourceOptions,
  ): Promise<StoredFile> {
    const note = await store.note(key);
    const known = typeof note?.["sha256"] === "string" ? note["sha256"] : undefined;
    if (known !== undefined && (digest === undefined ? !noCache : known === digest)) {
      const file = await store.get(known);
      if (file !== undefined) return { sha256: known, file, size: (await stat(file)).size };
    }
    const stored = await store.put(
      async (take) => {
        await get(dialer, target, {
          headers: { accept: "application/gzip,application/octet-stream" },
          maxBytes: limits.chartArchiveBytes,
          timeout: limits.chartMilliseconds,
          sink: take,
          signal,
        });
      },
      { sha256: digest, what: target.what },
    );
    await store.setNote(key, { sha256: stored.sha256 });
    return stored;
  }

  function check(provenance: string, fileName: string, sha256: string, keys: KeyRing, what: string): void {
    checkProvenance({ provenance, fileName, sha256, keys, now: clock.now(), what });
  }

  /** Asked for each time: keys come and go, and a signature is small. */
  async function checkSignature(
    target: HttpTarget,
    sha256: string,
    keys: KeyRing,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const url = new URL(target.url);
    const fileName = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
    url.pathname += ".prov";
    const request = { headers: {}, maxBytes: limits.chartProvenanceBytes, timeout: limits.chartMilliseconds, signal };
    const { body } = await get(dialer, { ...target, url: url.href }, request).catch((error: unknown) => {
      if (!(error instanceof NotFoundError)) throw error;
      throw new UnsignedChartError(target.what, { cause: error });
    });
    check(Buffer.from(body).toString("utf8"), fileName, sha256, keys, target.what);
  }

  const checkName = (name: string) => {
    // A registry's chart may lie below a path; nothing else may lead anywhere.
    if (!/^[A-Za-z0-9][\w.+-]*(?:\/[A-Za-z0-9][\w.+-]*)*$/.test(name)) {
      throw new InvalidArgumentError("chart", `"${name.slice(0, 200)}" is not the name of a chart`);
    }
  };

  return {
    async resolveChart(wanted, { maxAge }) {
      checkChartUrl(wanted.repository);
      checkName(wanted.name);
      const found = await find(wanted.repository, wanted);
      if (!isRegistry(wanted.repository, found)) return (await httpEntry(wanted, found, maxAge)).version;
      const url = chartRepository(asOci(wanted.repository), wanted.name);
      return (await ociVersion(wanted, await ociTarget(url, wanted, wanted.repository), maxAge)).version;
    },
    async chart(wanted, options) {
      checkChartUrl(wanted.repository);
      checkName(wanted.name);
      const found = await find(wanted.repository, wanted);
      if (!isRegistry(wanted.repository, found)) return httpChart(wanted, found, options);
      const url = chartRepository(asOci(wanted.repository), wanted.name);
      return ociChart(wanted, url, options, wanted.repository);
    },
    async resolveArtifact(wanted, { maxAge, signal }) {
      checkChartUrl(wanted.repository);
      const target = await ociTarget(wanted.repository, wanted);
      const { registry, repository, tag, digest } = target.reference;
      const revision = wanted.revision || digest || tag || "latest";
      if (DIGEST.test(revision)) return revision;
      const resolve = (name: string) =>
        registries.resolve({ ...target, reference: { registry, repository, tag: name.replaceAll("+", "_") } }, signal);
      if (/^\w[\w.+-]{0,127}$/.test(revision)) {
        try {
          return await resolve(revision);
        } catch (error) {
          // A tag may look like a constraint (`1.x`), so it is looked for as one first.
          if (!(error instanceof NotFoundError) || !isConstraint(revision)) throw error;
        }
      }
      const tags = newestFirst(await registries.tags(target, maxAge));
      const chosen = chooseVersion(revision, tags);
      if (chosen === undefined) {
        throw new NotFoundError(
          `${redactedUrl(wanted.repository)} has no tag that fits "${revision}" (it has ${tags.length})`,
        );
      }
      return resolve(chosen);
    },
    async artifact(location, { signal }) {
      checkChartUrl(location.repository);
      const target = await ociTarget(location.repository, location);
      const { registry, repository } = target.reference;
      const reference = { registry, repository, digest: location.digest };
      const what = formatReference(reference);
      const { manifest, digest } = await registries.manifestOf({ ...target, reference }, signal);
      const { layer, kind } = contentLayer(manifest, what);
      const stored = await once(JSON.stringify(["oci", location.project ?? "", what, layer.digest]), () =>
        registries.layer({ ...target, reference }, layer, signal),
      );
      return {
        digest,
        kind,
        mediaType: layer.mediaType,
        file: stored.file,
        size: stored.size,
        annotations: manifest.annotations ?? {},
      };
    },
    async charts(repository, { maxAge, project }) {
      checkChartUrl(repository);
      const asker = project === undefined ? {} : { project };
      const found = await find(repository, asker);
      const target = { credentials: found.credentials, authenticated: true, refuseLoopback: false };
      const index = await indexes.index(repository, target, maxAge);
      const listing: ChartListing[] = [];
      for (const name of index.names) {
        const entries = (await index.entries(name)) ?? [];
        listing.push({ name, versions: entries.map(({ version }) => version) });
      }
      return listing;
    },
    async tags(repository, { maxAge, project }) {
      checkChartUrl(repository);
      return registries.tags(await ociTarget(asOci(repository), project === undefined ? {} : { project }), maxAge);
    },
    async test(repository, { project }) {
      checkChartUrl(repository);
      const asker = project === undefined ? {} : { project };
      const found = await find(repository, asker);
      if (isRegistry(repository, found)) return registries.ping(await ociTarget(asOci(repository), asker));
      await indexes.index(
        repository,
        { credentials: found.credentials, authenticated: true, refuseLoopback: false },
        0,
      );
    },
  };
}
