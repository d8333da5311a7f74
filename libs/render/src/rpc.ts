import { tiphysRepoV1Repo as repo } from "@tiphys/proto";
import { type Client, type ServedService, serve } from "@tiphys/rpc";
import type { CallOptions, ManifestService, RevisionMetadata } from "./manifest-service.js";

const metadataOf = (message: repo.RevisionMetadata): RevisionMetadata => ({
  revision: message.revision ?? "",
  author: message.author ?? "",
  date: message.date ?? "",
  message: message.message ?? "",
  tags: message.tags ?? [],
  change: message.change ?? "",
});

/** The service as its transports serve it. Absent fields are their empty values. */
export const serveManifests = (api: ManifestService): ServedService =>
  serve(repo.ManifestServiceDefinition, {
    render: (request, { signal }) =>
      api.render(
        {
          repoUrl: request.repoUrl ?? "",
          revision: request.revision ?? "",
          path: request.path ?? "",
          directory: request.directory && {
            recurse: request.directory.recurse ?? false,
            include: request.directory.include ?? "",
            exclude: request.directory.exclude ?? "",
            disableExtensionFilter: request.directory.disableExtensionFilter ?? false,
          },
          maxAgeMilliseconds: request.maxAgeMilliseconds ?? 0,
          noCache: request.noCache ?? false,
        },
        { signal },
      ),
    resolveRevision: (request, { signal }) =>
      api.resolveRevision(
        {
          repoUrl: request.repoUrl ?? "",
          revision: request.revision ?? "",
          maxAgeMilliseconds: request.maxAgeMilliseconds ?? 0,
        },
        { signal },
      ),
    listRefs: (request, { signal }) =>
      api.listRefs({ repoUrl: request.repoUrl ?? "", maxAgeMilliseconds: request.maxAgeMilliseconds ?? 0 }, { signal }),
    revisionMetadata: (request, { signal }) =>
      api.revisionMetadata({ repoUrl: request.repoUrl ?? "", revision: request.revision ?? "" }, { signal }),
    testRepository: (request, { signal }) => api.testRepository({ repoUrl: request.repoUrl ?? "" }, { signal }),
  });

/** The same interface over any transport. */
export function manifestsOver(client: Client<repo.ManifestServiceDefinition>): ManifestService {
  const pass = (options?: CallOptions) => (options?.signal ? { signal: options.signal } : {});
  return {
    async render(request, options) {
      const {
        revision = "",
        key = "",
        sourceType = "",
        manifests = [],
        commit,
      } = await client.render(request, pass(options));
      return {
        revision,
        key,
        sourceType,
        manifests: manifests.map(({ json = "", path = "", line = 0 }) => ({ json, path, line })),
        commit: commit && metadataOf(commit),
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
