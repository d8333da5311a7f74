import type { Asker } from "./credentials.js";

/** A chart that somebody asks for. */
export interface WantedChart extends Asker {
  /** `https://…`, `http://…`, `oci://…` or the address of a registry without a scheme. */
  readonly repository: string;
  readonly name: string;
  /** A version or a semver constraint; of a registry's chart also a digest. Empty means the newest release. */
  readonly revision: string;
  /** Credentials of the repository go to whatever host its index names. */
  readonly passCredentials?: boolean;
  /** The address comes from a file that others write: this machine's own addresses are refused, unless they are listed. */
  readonly untrusted?: boolean;
}

export interface SourceOptions {
  /** How old what is known of the repository may be, in milliseconds; 0 asks it now. */
  readonly maxAge: number;
  /** Archives that are here are asked for again. */
  readonly noCache?: boolean;
  readonly signal?: AbortSignal;
}

/** A packed chart, on disk. */
export interface ChartArchive {
  readonly name: string;
  /** The chart's version. */
  readonly version: string;
  /** SHA-256 of the archive. */
  readonly sha256: string;
  readonly file: string;
  /** Bytes. */
  readonly size: number;
}

/** An OCI artifact that somebody asks for. */
export interface WantedArtifact extends Asker {
  /** `oci://registry/repository`. */
  readonly repository: string;
  /** A tag, a digest, or a semver constraint over the tags. */
  readonly revision: string;
  readonly untrusted?: boolean;
}

export interface ArtifactLocation extends Asker {
  readonly repository: string;
  /** `sha256:…` of the manifest. */
  readonly digest: string;
  readonly untrusted?: boolean;
}

/** The content of an OCI artifact: one layer, on disk. */
export interface Artifact {
  readonly digest: string;
  /** A Helm chart, or files as they are. */
  readonly kind: "chart" | "files";
  readonly mediaType: string;
  readonly file: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ChartListing {
  readonly name: string;
  readonly versions: readonly string[];
}

/** Charts and artifacts from repositories and registries, each fetched once. */
export interface ChartSource {
  /** The version that `revision` means now. */
  resolveChart(wanted: WantedChart, options: SourceOptions): Promise<string>;
  chart(wanted: WantedChart, options: SourceOptions): Promise<ChartArchive>;
  /** The digest that `revision` means now. */
  resolveArtifact(wanted: WantedArtifact, options: SourceOptions): Promise<string>;
  artifact(location: ArtifactLocation, options: SourceOptions): Promise<Artifact>;
  /** Every chart of an HTTP repository with its versions, newest first. */
  charts(repository: string, options: SourceOptions & Asker): Promise<readonly ChartListing[]>;
  /** Tags of a registry's repository, `_` read as `+`. */
  tags(repository: string, options: SourceOptions & Asker): Promise<readonly string[]>;
  /** Throws when the repository cannot be reached with what is known of it. */
  test(repository: string, options: SourceOptions & Asker): Promise<void>;
}
