import type { ApplicationSource } from "@tiphys/resources";
import type { SourceIntegrity } from "@tiphys/source-integrity";

/** tiphys.repo.v1.ManifestService as its callers see it, the same over every transport. See proto/tiphys/repo/v1/repo.proto. */
export interface ManifestService {
  render(request: RenderRequest, options?: CallOptions): Promise<RenderResponse>;
  resolveRevision(request: ResolveRevisionRequest, options?: CallOptions): Promise<{ revision: string }>;
  listRefs(request: ListRefsRequest, options?: CallOptions): Promise<{ branches: string[]; tags: string[] }>;
  revisionMetadata(request: RevisionMetadataRequest, options?: CallOptions): Promise<RevisionMetadata>;
  testRepository(request: TestRepositoryRequest, options?: CallOptions): Promise<{ verified: boolean }>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface RenderRequest {
  /** A source of an Application. */
  source: ApplicationSource;
  /** Branch, tag, HEAD or commit, or the version of a chart; empty means HEAD. */
  revision: string;
  /** Sources of the same Application that others read by their `ref`, by its name. */
  references: Record<string, Reference>;
  application: RenderedApplication;
  cluster: DestinationCluster;
  /** How old the known refs may be, in milliseconds; 0 asks the repository now. */
  maxAgeMilliseconds: number;
  noCache: boolean;
  /** Signatures that the source and its references must have; absent: none. */
  integrity?: SourceIntegrity | undefined;
}

export interface Reference {
  repoUrl: string;
  revision: string;
}

export interface RenderedApplication {
  name: string;
  project: string;
  /** Of the destination. */
  namespace: string;
}

export interface DestinationCluster {
  /** As `/version` tells it; empty where it is not known. */
  kubeVersion: string;
  /** What is served: `apps/v1` and `apps/v1/Deployment`. */
  apiVersions: readonly string[];
}

export interface RenderResponse {
  revision: string;
  /** Equal keys mean equal manifests. */
  key: string;
  sourceType: string;
  manifests: Manifest[];
  commit: RevisionMetadata | undefined;
  /** What its user should know, though there are manifests. */
  warnings: readonly RenderWarning[];
}

/** A condition of the Application: a type such as `NotImplementedWarning`, and a sentence. */
export interface RenderWarning {
  readonly type: string;
  readonly message: string;
}

export interface Manifest {
  json: string;
  path: string;
  line: number;
}

export interface RevisionMetadata {
  revision: string;
  author: string;
  /** RFC 3339. */
  date: string;
  message: string;
  tags: string[];
  /** Change id of the Tiphys-Change trailer, or empty. */
  change: string;
}

export interface ResolveRevisionRequest {
  repoUrl: string;
  revision: string;
  maxAgeMilliseconds: number;
  /** Whose credentials may be used, besides those of no project. */
  project: string;
}

export interface ListRefsRequest {
  repoUrl: string;
  maxAgeMilliseconds: number;
  /** Whose credentials may be used, besides those of no project. */
  project: string;
}

export interface RevisionMetadataRequest {
  repoUrl: string;
  revision: string;
  /** Whose credentials may be used, besides those of no project. */
  project: string;
}

export interface TestRepositoryRequest {
  repoUrl: string;
  project: string;
}
