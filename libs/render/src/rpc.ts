import { InvalidArgumentError } from "@tiphys/errors";
import { tiphysRepoV1Repo as repo } from "@tiphys/proto";
import type { ApplicationSource } from "@tiphys/resources";
import { type Client, type ServedService, serve } from "@tiphys/rpc";
import type { SourceIntegrity } from "@tiphys/source-integrity";
import type { CallOptions, ManifestService, RevisionMetadata } from "./manifest-service.js";

const metadataOf = (message: repo.RevisionMetadata): RevisionMetadata => ({
  revision: message.revision ?? "",
  author: message.author ?? "",
  date: message.date ?? "",
  message: message.message ?? "",
  tags: message.tags ?? [],
  change: message.change ?? "",
});

function sourceOf(json: string): ApplicationSource {
  try {
    return JSON.parse(json) as ApplicationSource;
  } catch {
    // The text may hold values that are nobody's to read.
    throw new InvalidArgumentError("source", "it is not JSON");
  }
}

function integrityOf(json: string): SourceIntegrity | undefined {
  if (json === "") return undefined;
  try {
    return JSON.parse(json) as SourceIntegrity;
  } catch {
    throw new InvalidArgumentError("sourceIntegrity", "it is not JSON");
  }
}

/** The service as its transports serve it. Absent fields are their empty values. */
export const serveManifests = (api: ManifestService): ServedService =>
  serve(repo.ManifestServiceDefinition, {
    render: async (request, { signal }) => {
      const { warnings, ...rendered } = await api.render(
        {
          source: sourceOf(request.source ?? ""),
          revision: request.revision ?? "",
          references: Object.fromEntries(
            Object.entries(request.references ?? {}).map(([name, { repoUrl = "", revision = "" }]) => [
              name,
              { repoUrl, revision },
            ]),
          ),
          application: {
            name: request.application?.name ?? "",
            project: request.application?.project ?? "",
            namespace: request.application?.namespace ?? "",
          },
          cluster: {
            kubeVersion: request.cluster?.kubeVersion ?? "",
            apiVersions: request.cluster?.apiVersions ?? [],
          },
          maxAgeMilliseconds: request.maxAgeMilliseconds ?? 0,
          noCache: request.noCache ?? false,
          integrity: integrityOf(request.sourceIntegrity ?? ""),
        },
        { signal },
      );
      return { ...rendered, warnings: [...warnings] };
    },
    resolveRevision: (request, { signal }) =>
      api.resolveRevision(
        {
          repoUrl: request.repoUrl ?? "",
          revision: request.revision ?? "",
          maxAgeMilliseconds: request.maxAgeMilliseconds ?? 0,
          project: request.project ?? "",
        },
        { signal },
      ),
    listRefs: (request, { signal }) =>
      api.listRefs(
        {
          repoUrl: request.repoUrl ?? "",
          maxAgeMilliseconds: request.maxAgeMilliseconds ?? 0,
          project: request.project ?? "",
        },
        { signal },
      ),
    revisionMetadata: (request, { signal }) =>
      api.revisionMetadata(
        { repoUrl: request.repoUrl ?? "", revision: request.revision ?? "", project: request.project ?? "" },
        { signal },
      ),
    testRepository: (request, { signal }) =>
      api.testRepository({ repoUrl: request.repoUrl ?? "", project: request.project ?? "" }, { signal }),
  });

/** The same interface over any transport. */
export function manifestsOver(client: Client<repo.ManifestServiceDefinition>): ManifestService {
  const pass = (options?: CallOptions) => (options?.signal ? { signal: options.signal } : {});
  return {
    async render({ integrity, ...request }, options) {
      const {
        revision = "",
        key = "",
        sourceType = "",
        manifests = [],
        commit,
        warnings = [],
      } = await client.render(
        {
          ...request,
          source: JSON.stringify(request.source),
          sourceIntegrity: integrity ? JSON.stringify(integrity) : "",
          cluster: { ...request.cluster, apiVersions: [...request.cluster.apiVersions] },
        },
        pass(options),
      );
      return {
        revision,
        key,
        sourceType,
        manifests: manifests.map(({ json = "", path = "", line = 0 }) => ({ json, path, line })),
        commit: commit && metadataOf(commit),
        warnings: warnings.map(({ type = "", message = "" }) => ({ type, message })),
      };
    },
    async resolveRevision(request, options) {
      const { revision = "" } = await client.resolveRevision(request, pass(options));
      return { revision };
    },
    async listRefs(request, options) {
      const { branches = [], tags = [] } = await client.listRefs(request, pass(options));
      return { branches, tags };
    },
    revisionMetadata: async (request, options) => metadataOf(await client.revisionMetadata(request, pass(options))),
    async testRepository(request, options) {
      const { verified = false } = await client.testRepository(request, pass(options));
      return { verified };
    },
  };
}
