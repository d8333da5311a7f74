import { readFile, stat } from "node:fs/promises";
import { type ChartArchive, type ChartSource, readArtifactFiles } from "@tiphys/chart-source";
import { LimitExceededError } from "@tiphys/errors";
import type { Repositories, Repository, Submodules } from "@tiphys/git";
import type { Objects, Root } from "@tiphys/render";
import type { SourceIntegrity } from "@tiphys/source-integrity";
import { fileObjects } from "./file-objects.js";
import type { SourceVerifier } from "./source-verifier.js";

/** What a source names, of whatever kind it is. */
export interface SourceAddress {
  readonly repoURL: string;
  readonly revision: string;
  readonly chart?: string;
  /** What tags begin with that a version or constraint means. */
  readonly tagPrefix?: string;
  readonly passCredentials?: boolean;
}

/** The files of a source at what its revision is now. */
export interface OpenedSource {
  /** A commit, a chart's version, or an artifact's digest. */
  readonly revision: string;
  readonly root: Root;
  /** Of a Git source. */
  readonly repository?: Repository;
}

export interface OpenOptions {
  readonly maxAge: number;
  readonly noCache: boolean;
  readonly project: string;
  readonly signal?: AbortSignal | undefined;
  /** Signatures that a Git source must have. */
  readonly integrity?: SourceIntegrity | undefined;
  /** Whether submodules of a Git source are read; absent: as the operator has set it. */
  readonly submodules?: boolean | undefined;
}

export interface SourceRootDeps {
  readonly repositories: Repositories;
  readonly charts: () => Promise<ChartSource>;
  readonly verifier: SourceVerifier;
  readonly submodules: Submodules;
  /** Whether submodules are read where nothing else is said. */
  readonly submodulesEnabled: () => Promise<boolean>;
}

export type SourceKind = "git" | "chart" | "artifact";

/** As Argo CD tells them: `chart` is of a chart repository or a registry, `oci://` without one an artifact. */
export const kindOfSource = ({ repoURL, chart }: Pick<SourceAddress, "repoURL" | "chart">): SourceKind =>
  chart ? "chart" : repoURL.startsWith("oci://") ? "artifact" : "git";

const UNPACKED_KEPT = 20;

export type OpenSource = (address: SourceAddress, options: OpenOptions) => Promise<OpenedSource>;

/** Opens sources. Artifacts are unpacked once and kept while they are in use. */
export function createSourceRoots(deps: SourceRootDeps): OpenSource {
  const { repositories, charts, verifier, submodules, submodulesEnabled } = deps;
  const unpacked = new Map<string, Promise<{ id: string; objects: Objects }>>();

  async function artifactRoot({ repoURL, revision }: SourceAddress, options: OpenOptions): Promise<OpenedSource> {
    const source = await charts();
    const asked = { repository: repoURL, project: options.project };
    const digest = await source.resolveArtifact({ ...asked, revision }, sourceOptions(options));
    // Asked for each time, as it is the registry that knows who may have it.
    const artifact = await source.artifact({ ...asked, digest }, sourceOptions(options));
    const key = `${artifact.digest} ${artifact.kind}`;
    let files = unpacked.get(key);
    if (!files) {
      files = readArtifactFiles(artifact).then(fileObjects);
      if (unpacked.size >= UNPACKED_KEPT) unpacked.delete(unpacked.keys().next().value as string);
      unpacked.set(key, files);
      files.catch(() => unpacked.delete(key));
    }
    return { revision: digest, root: { kind: "folder", ...(await files) } };
  }

  return async function open(address: SourceAddress, options: OpenOptions): Promise<OpenedSource> {
    switch (kindOfSource(address)) {
      case "artifact":
        return artifactRoot(address, options);
      case "chart": {
        const { repoURL, chart = "", revision, passCredentials } = address;
        const archive = await (await charts()).chart(
          {
            repository: repoURL,
            name: chart,
            revision,
            project: options.project,
            ...(passCredentials ? { passCredentials } : {}),
          },
          sourceOptions(options),
        );
        return { revision: archive.version, root: archiveRoot(archive) };
      }
      default: {
        const repository = await repositories.open(address.repoURL, { project: options.project });
        const named = await repository.resolveNamed(address.revision, options.maxAge, address.tagPrefix);
        const { integrity, noCache } = options;
        await verifier.verify(repository, named, { integrity, url: address.repoURL, noCache });
        const { commit } = named;
        const enabled = options.submodules ?? (await submodulesEnabled());
        const { id, ...objects } = await submodules.files(repository, commit, { project: options.project, enabled });
        return { revision: commit, repository, root: { kind: "folder", id, objects } };
      }
    }
  };
}

const sourceOptions = ({ maxAge, noCache, signal }: OpenOptions) => ({
  maxAge,
  noCache,
  ...(signal ? { signal } : {}),
});

/** A packed chart; a render unpacks it. */
export const archiveRoot = ({ sha256, file }: ChartArchive): Root => ({
  kind: "archive",
  id: sha256,
  objects: {
    entries: async () => [],
    async blob(_id, maxBytes) {
      if ((await stat(file)).size > maxBytes)
        throw new LimitExceededError(`the chart is larger than ${maxBytes} bytes`);
      return readFile(file);
    },
  },
});
