import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { type ChartSource, unpack } from "@tiphys/chart-source";
import { matchGlob } from "@tiphys/diff";
import { DataLossError, InvalidArgumentError, LimitExceededError, UnimplementedError } from "@tiphys/errors";
import type { Repositories } from "@tiphys/git";
import { limits } from "@tiphys/limits";
import type { applicationV1alpha1Source as argo, repositoryReposerver as stock } from "@tiphys/proto";
import { repositoryReposerver } from "@tiphys/proto";
import type { ManifestService, RenderRequest, RenderResponse } from "@tiphys/render";
import type { ApplicationSource, KubeObject } from "@tiphys/resources";
import { type ServedService, serve } from "@tiphys/rpc";
import type { Logger } from "@tiphys/telemetry";
import { parseYaml } from "@tiphys/yaml";
import { fileObjects } from "../file-objects.js";
import { kindOfSource, type OpenedSource, type OpenSource } from "../source-root.js";
import { tellingOfCredentials } from "./carried-credentials.js";
import { flatValues, typesOfFolders, type Walked, walk } from "./files.js";
import { refuse, sourceOfMessage } from "./source-message.js";
import { tracked } from "./tracking.js";

export interface StockParts {
  readonly api: ManifestService;
  readonly open: OpenSource;
  /** Renders a source whose files are given. */
  readonly renderOpened: (request: RenderRequest, own: OpenedSource, signal: AbortSignal) => Promise<RenderResponse>;
  readonly pluginNames: () => Promise<readonly string[]>;
  readonly repositories: Repositories;
  readonly charts: () => Promise<ChartSource>;
  readonly log: Logger;
}

/** How old refs may be where the caller does not ask for new ones. */
const MAX_AGE = 180_000;
const maxAge = (fresh: boolean | undefined) => (fresh ? 0 : MAX_AGE);

/**
 * `repository.RepoServerService`, as Argo CD's own parts call their repo-server. Credentials come from the Secrets, as for all calls;
 * those that a request carries are not used, which is said.
 */
export function serveStock(parts: StockParts): ServedService {
  const { api, open, repositories, charts } = parts;

  const urlOf = (repo: argo.Repository | undefined): string => {
    if (!repo?.repo) throw new InvalidArgumentError("repo", "must pass a valid repo");
    return repo.repo;
  };
  const asked = (repo: argo.Repository | undefined, fresh = false) => ({
    maxAge: maxAge(fresh),
    noCache: false,
    project: repo?.project ?? "",
  });
  const git = (repo: argo.Repository | undefined, revision: string | undefined, fresh = false, submodules?: boolean) =>
    open({ repoURL: urlOf(repo), revision: revision ?? "" }, { ...asked(repo, fresh), submodules });

  function renderRequest(request: stock.ManifestRequest): RenderRequest {
    refuse({
      verifySignature: request.verifySignature,
      "sourceIntegrity.git.policies": request.sourceIntegrity?.git?.policies,
      "kustomizeOptions.buildOptions": (request.kustomizeOptions?.buildOptions ?? "")
        .split(/\s+/)
        // Charts are inflated always.
        .filter((option) => option !== "" && option !== "--enable-helm"),
    });
    const source = sourceOfMessage(request.applicationSource);
    const references = Object.entries(request.refSources ?? {}).map(([name, { repo, targetRevision = "" }]) => [
      name.replace(/^\$/, ""),
      { repoUrl: urlOf(repo), revision: targetRevision },
    ]);
    return {
      source: enabled(source, request.enabledSourceTypes),
      revision: request.revision || source.targetRevision || "",
      references: Object.fromEntries(references),
      application: {
        name: request.appName ?? "",
        project: request.projectName ?? request.repo?.project ?? "",
        namespace: request.namespace ?? "",
      },
      cluster: { kubeVersion: request.kubeVersion ?? "", apiVersions: request.apiVersions ?? [] },
      maxAgeMilliseconds: maxAge(request.noRevisionCache || request.noCache),
      noCache: request.noCache ?? false,
    };
  }

  function response(request: stock.ManifestRequest, rendered: RenderResponse): stock.ManifestResponse {
    const { appName: app = "", namespace = "", appLabelKey: labelKey = "" } = request;
    const { trackingMethod: method = "", installationID: installation = "" } = request;
    const tracking = { app, namespace, labelKey, method, installation };
    return {
      manifests: rendered.manifests.map(({ json }) =>
        JSON.stringify(tracked(JSON.parse(json) as KubeObject, tracking)),
      ),
      revision: rendered.revision,
      sourceType: rendered.sourceType,
      commands: [],
    };
  }

  async function appDetails(query: stock.RepoServerAppDetailsQuery): Promise<stock.RepoAppDetailsResponse> {
    const source = sourceOfMessage(query.source);
    const chart = source.chart ? { chart: source.chart } : {};
    const own = await open(
      { repoURL: source.repoURL, revision: source.targetRevision ?? "", ...chart },
      asked(query.repo, query.noRevisionCache || query.noCache),
    );
    const files = await walk(own.root, source.chart ? "" : source.path);
    const type = typeOf(source, files, query.enabledSourceTypes);
    if (type === "Helm") return { type, helm: await helmDetails(source, files) };
    if (type === "Directory") return { type, directory: {} };
    if (type === "Plugin") throw new UnimplementedError("GetAppDetails of a plugin's source");
    const rendered = await parts.renderOpened(
      renderRequest({ applicationSource: query.source, appName: query.appName, repo: query.repo }),
      own,
      new AbortController().signal,
    );
    const images = new Set(rendered.manifests.flatMap(({ json }) => imagesOf(JSON.parse(json))));
    return { type, kustomize: { images: [...images].sort() } };
  }

  async function revisionOf(request: stock.ResolveRevisionRequest): Promise<string> {
    const { app, ambiguousRevision = "", sourceIndex = 0, repo } = request;
    const several = app?.spec?.sources ?? [];
    const message = several.length > 0 ? several[Math.max(0, sourceIndex)] : app?.spec?.source;
    const source = sourceOfMessage({ ...message, repoURL: message?.repoURL || urlOf(repo) });
    const asker = { project: app?.spec?.project || repo?.project || "" };
    const options = { maxAge: maxAge(request.noRevisionCache) };
    switch (kindOfSource(source)) {
      case "artifact":
        return (await charts()).resolveArtifact(
          { ...asker, repository: source.repoURL, revision: ambiguousRevision },
          options,
        );
      case "chart":
        return (await charts()).resolveChart(
          { ...asker, repository: source.repoURL, name: source.chart ?? "", revision: ambiguousRevision },
          options,
        );
      default:
        return (await repositories.open(source.repoURL, asker)).resolve(ambiguousRevision, options.maxAge);
    }
  }

  const telling = tellingOfCredentials(parts.log);
  return serve(repositoryReposerver.RepoServerServiceDefinition, {
    generateManifest: telling(async (request: stock.ManifestRequest, { signal }: { signal: AbortSignal }) =>
      response(request, await api.render(renderRequest(request), { signal })),
    ),
    async generateManifestWithFiles(messages, { signal }) {
      const { request, metadata, packed } = await received(messages);
      const files = await unpack(Readable.from([packed]), "the streamed files");
      const own: OpenedSource = { revision: metadata.checksum ?? "", root: { kind: "folder", ...fileObjects(files) } };
      return response(request, await parts.renderOpened(renderRequest(request), own, signal));
    },
    testRepository: telling(async ({ repo }: stock.TestRepositoryRequest) => {
      const url = urlOf(repo);
      if (repo?.type === "helm" || repo?.type === "oci" || repo?.enableOCI || url.startsWith("oci://")) {
        await (await charts()).test(url, { maxAge: 0, project: repo?.project ?? "" });
      } else await api.testRepository({ repoUrl: url, project: repo?.project ?? "" });
      return { verifiedRepository: true };
    }),
    resolveRevision: telling(async (request: stock.ResolveRevisionRequest) => {
      const revision = await revisionOf(request);
      return { revision, ambiguousRevision: `${request.ambiguousRevision ?? ""} (${revision})` };
    }),
    listRefs: telling(async ({ repo }: stock.ListRefsRequest) =>
      api.listRefs({ repoUrl: urlOf(repo), maxAgeMilliseconds: MAX_AGE, project: repo?.project ?? "" }),
    ),
    async listOCITags({ repo }) {
      const tags = await (await charts()).tags(urlOf(repo), { maxAge: MAX_AGE, project: repo?.project ?? "" });
      return { branches: [], tags: [...tags] };
    },
    async listApps({ repo, revision, enabledSourceTypes }) {
      const { root } = await git(repo, revision);
      const types = typesOfFolders(await walk(root), (type) => enabledSourceTypes?.[type] !== false);
      return { apps: Object.fromEntries(types) };
    },
    listPlugins: async () => ({ items: (await parts.pluginNames()).map((name) => ({ name })) }),
    getAppDetails: telling(appDetails),
    async getRevisionMetadata({ repo, revision = "", checkSignature, sourceIntegrity }) {
      refuse({ checkSignature, "sourceIntegrity.git.policies": sourceIntegrity?.git?.policies });
      const { author, date, message, tags } = await api.revisionMetadata({
        repoUrl: urlOf(repo),
        revision,
        project: repo?.project ?? "",
      });
      return { author, date: { seconds: Math.floor(Date.parse(date) / 1000) }, message, tags };
    },
    async getOCIMetadata({ repo, revision = "" }) {
      const { annotations: said } = await (await charts()).artifact(
        { repository: urlOf(repo), digest: revision, project: repo?.project ?? "" },
        { maxAge: MAX_AGE },
      );
      const annotation = (name: string) => said[`org.opencontainers.image.${name}`] ?? "";
      return {
        createdAt: annotation("created"),
        authors: annotation("authors"),
        docsUrl: annotation("documentation"),
        sourceUrl: annotation("source"),
        version: annotation("version"),
        description: annotation("description"),
      };
    },
    getRevisionChartDetails: telling(async (request: stock.RepoServerRevisionChartDetailsRequest) => {
      const { repo, name = "", revision = "" } = request;
      const { root } = await open({ repoURL: urlOf(repo), chart: name, revision }, asked(repo));
      const files = await walk(root);
      const file = files.files.find(({ path }) => path === "Chart.yaml");
      const said = (file && parseYaml((await files.read(file)).toString("utf8"))) as
        | Record<string, unknown>
        | undefined;
      const people = Array.isArray(said?.["maintainers"]) ? (said["maintainers"] as Record<string, unknown>[]) : [];
      return {
        description: String(said?.["description"] ?? ""),
        home: String(said?.["home"] ?? ""),
        maintainers: people.map(({ name: who = "", email }) => (email ? `${who} <${email}>` : String(who))),
      };
    }),
    getHelmCharts: telling(async ({ repo }: stock.HelmChartsRequest) => {
      const listing = await (await charts()).charts(urlOf(repo), { maxAge: MAX_AGE, project: repo?.project ?? "" });
      return { items: listing.map(({ name, versions }) => ({ name, versions: [...versions] })) };
    }),
    async getGitFiles({ repo, revision, path = "", submoduleEnabled, verifyCommit: _, ...request }) {
      refuse({ "sourceIntegrity.git.policies": request.sourceIntegrity?.git?.policies });
      const { root } = await git(repo, revision, request.noRevisionCache, submoduleEnabled ?? false);
      const files = await walk(root);
      // As `git ls-files` has it, a star goes through folders, and a folder stands for what is in it; in the new way it does neither.
      const isNew = request.NewGitFileGlobbingEnabled ?? false;
      const fits = (file: string) =>
        isNew
          ? matchGlob(path, file, "/")
          : path === "" || path === "." || file === path || file.startsWith(`${path}/`) || matchGlob(path, file, "");
      const found: Record<string, Buffer> = {};
      let bytes = 0;
      for (const file of files.files.filter((each) => fits(each.path))) {
        const data = await files.read(file);
        bytes += data.length;
        if (bytes > limits.renderOutputBytes) {
          throw new LimitExceededError(
            `the files that fit "${path}" are larger than ${limits.renderOutputBytes} bytes`,
          );
        }
        found[file.path] = data;
      }
      return { map: found };
    },
    async getGitDirectories({ repo, revision, noRevisionCache, submoduleEnabled, sourceIntegrity }) {
      refuse({ "sourceIntegrity.git.policies": sourceIntegrity?.git?.policies });
      const { folders } = await walk((await git(repo, revision, noRevisionCache, submoduleEnabled ?? false)).root);
      return { paths: folders.filter((path) => !path.split("/").some((part) => part.startsWith("."))) };
    },
    async updateRevisionForPaths({
      repo,
      revision = "",
      syncedRevision = "",
      paths = [],
      noRevisionCache,
      refSources,
    }) {
      if (paths.length === 0) return { changes: true };
      // What was rendered is kept with what was read, so there is nothing to carry over: all that is asked is whether to look.
      const commit = (await git(repo, revision, noRevisionCache)).revision;
      if (Object.keys(refSources ?? {}).length > 0) return { changes: true, revision: commit };
      if (commit === syncedRevision) return { changes: false, revision: commit };
      const [now, before] = await Promise.all(
        [commit, syncedRevision].map(async (each) => signs(await walk((await git(repo, each)).root), paths)),
      );
      return { changes: now !== before, revision: commit };
    },
  });
}

/** All that paths (folders, files or globs) hold, as one text to compare. */
function signs({ files }: Walked, paths: readonly string[]): string {
  const wanted = paths.map((path) => path.replace(/^\/+|\/+$/g, ""));
  return files
    .filter(({ path }) =>
      wanted.some(
        (each) =>
          each === "" || each === "." || path === each || path.startsWith(`${each}/`) || matchGlob(each, path, "/"),
      ),
    )
    .map(({ path, id }) => `${path} ${id}`)
    .sort()
    .join("\n");
}

/** The request, what is known of the files, and the files, out of a stream of messages. */
async function received(messages: AsyncIterable<stock.ManifestRequestWithFiles>): Promise<{
  request: stock.ManifestRequest;
  metadata: stock.ManifestFileMetadata;
  packed: Buffer;
}> {
  let request: stock.ManifestRequest | undefined;
  let metadata: stock.ManifestFileMetadata | undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const message of messages) {
    request ??= message.request;
    metadata ??= message.metadata;
    const { chunk } = message.chunk ?? {};
    if (!chunk) continue;
    size += chunk.length;
    if (size > limits.chartArchiveBytes) {
      throw new LimitExceededError(`the streamed files are larger than ${limits.chartArchiveBytes} bytes`);
    }
    chunks.push(chunk);
  }
  if (!request) throw new InvalidArgumentError("request", "is missing: it comes before the files");
  if (!metadata) throw new InvalidArgumentError("metadata", "is missing: it comes before the files");
  const packed = Buffer.concat(chunks);
  const checksum = createHash("sha256").update(packed).digest("hex");
  if (checksum !== metadata.checksum) {
    throw new DataLossError(`the streamed files have checksum ${checksum}, not ${metadata.checksum ?? "none"}`);
  }
  return { request, metadata, packed };
}

const TYPES = ["Kustomize", "Helm", "Directory", "Plugin"] as const;
type Type = (typeof TYPES)[number];

function typeOf(source: ApplicationSource, files: Walked, enabledTypes: Record<string, boolean> = {}): Type {
  const isEnabled = (type: string) => enabledTypes[type] !== false;
  const explicit = TYPES.filter((type) => source[type.toLowerCase() as keyof ApplicationSource] !== undefined);
  if (explicit.length > 1) {
    throw new InvalidArgumentError("source", `multiple application sources defined: ${explicit.join(",")}`);
  }
  const [type = (typesOfFolders(files, isEnabled).get(".") as Type | undefined) ?? "Directory"] = explicit;
  return isEnabled(type) ? type : "Directory";
}

/** A type that is switched off is a plain folder. */
function enabled(source: ApplicationSource, types: Record<string, boolean> = {}): ApplicationSource {
  const off = Object.keys(types).filter((type) => types[type] === false);
  if (off.length === 0 || source.directory || source.plugin) return source;
  throw new UnimplementedError(`enabledSourceTypes without ${off.sort().join(", ")}`);
}

async function helmDetails(source: ApplicationSource, { files, read }: Walked): Promise<stock.HelmAppSpec> {
  const valueFiles = files.map(({ path }) => path).filter((path) => /(?:^|\/)[^/]*values[^/]*\.ya?ml$/i.test(path));
  const text = async (path: string): Promise<string | undefined> => {
    const file = files.find((each) => each.path === path.replace(/^\.\//, ""));
    return file && (await read(file)).toString("utf8");
  };
  const values = await text("values.yaml");
  const chosen = await Promise.all((source.helm?.valueFiles ?? []).map(text));
  const flat = flatValues([values, ...chosen].filter((each) => each !== undefined));
  const chart = await text("Chart.yaml");
  return {
    name: String((chart && (parseYaml(chart) as Record<string, unknown>)["name"]) ?? ""),
    valueFiles: valueFiles.sort(),
    values: values ?? "",
    parameters: [...flat].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name, value })),
    fileParameters: (source.helm?.fileParameters ?? []).map(({ name = "", path = "" }) => ({ name, path })),
  };
}

/** Images of all containers in an object, however deep they stand. */
function imagesOf(value: unknown, depth = 0): string[] {
  if (typeof value !== "object" || value === null || depth > limits.documentDepth) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const own =
      (key === "containers" || key === "initContainers") && Array.isArray(member)
        ? member.map((each: { image?: unknown } | null) => each?.image).filter((each) => typeof each === "string")
        : [];
    return [...own, ...imagesOf(member, depth + 1)];
  });
}
