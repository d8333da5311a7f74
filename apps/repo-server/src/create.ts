import { join } from "node:path";
import { type Cache, createEncryptedCache } from "@tiphys/cache";
import { type ChartSource, createChartSource } from "@tiphys/chart-source";
import type { Clock } from "@tiphys/clock";
import { createDialer, type Dialer } from "@tiphys/dialer";
import { createRepositories, createSubmodules, type Repository } from "@tiphys/git";
import { changeOfCommit, type RandomBytes } from "@tiphys/identity";
import type { Informers } from "@tiphys/kube";
import {
  createRenderer,
  type ManifestService,
  type RenderPool,
  type RenderRequest,
  type RenderResponse,
  type RenderSource,
  type RevisionMetadata,
  type Root,
} from "@tiphys/render";
import { types } from "@tiphys/resources";
import type { ServedService } from "@tiphys/rpc";
import { Secret } from "@tiphys/secret";
import { createVaultProvider, vaultSettings } from "@tiphys/secret-provider";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics } from "@tiphys/telemetry";
import { chartCredentialsFor, chartRepositoryNamed } from "./chart-secrets.js";
import { keyRingOf } from "./gpg-keys.js";
import { kustomizeVersions } from "./kustomize-versions.js";
import { createOutside } from "./outside.js";
import { OWN_SECRET_LABEL } from "./own-secrets.js";
import { createPlaceholders } from "./placeholders.js";
import { createPluginSources, type PluginHost } from "./plugin-sources.js";
import { type CredentialSources, credentialsFor, isListedRepository, SECRET_TYPE_LABEL } from "./repository-secrets.js";
import { sopsKeysFor, withoutSecretsScheme } from "./sops-keys.js";
import { openedRoot } from "./sops-objects.js";
import { createSourceRoots, type OpenedSource, type OpenOptions } from "./source-root.js";
import { createSourceVerifier } from "./source-verifier.js";
import { serveStock } from "./stock/service.js";
import { reportUnusedSecrets } from "./unused-secrets.js";

export interface RepoServerDeps {
  /** Folder of the mirrors; ours alone. */
  readonly directory: string;
  /** PATH where git and ssh are found. */
  readonly searchPath: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly cache: Cache;
  readonly pool: RenderPool;
  /** Repository Secrets and host keys are read through these, from `namespace`. */
  readonly informers: Informers;
  readonly namespace: string;
  readonly dialer?: Dialer;
  /** Absent: there are no config management plugins. */
  readonly plugins?: PluginHost;
  /** Makes the keys of what is kept of decrypted sources, and of results that have secrets in them. */
  readonly random: RandomBytes;
  /** Reads the token of our own ServiceAccount, for logins as it; absent: those are refused by name. */
  readonly readFile?: (path: string) => Promise<string>;
}

export interface RepoServer extends Service {
  readonly api: ManifestService;
  /** `repository.RepoServerService`, as Argo CD's parts call it. */
  readonly stock: ServedService;
}

/** Repositories and rendering. Credentials are read here and go nowhere else. */
export function createRepoServer(deps: RepoServerDeps): RepoServer {
  const { informers, namespace, metrics, clock, log } = deps;
  const secrets = informers.informer(types.secrets, { namespace, labelSelector: SECRET_TYPE_LABEL });
  const configMaps = informers.informer(types.configMaps, { namespace });
  const ownSecrets = informers.informer(types.secrets, { namespace, labelSelector: OWN_SECRET_LABEL });
  const requests = metrics.counter("argocd_git_request_total", "Git requests against remote repositories", [
    "repo",
    "request_type",
  ]);
  const seconds = metrics.histogram("argocd_git_request_duration_seconds", "Duration of Git requests in seconds", [
    "repo",
    "request_type",
  ]);
  const failures = {
    fetch: metrics.counter("argocd_git_fetch_fail_total", "Git fetches that failed", ["repo"]),
    "ls-remote": metrics.counter("argocd_git_lsremote_fail_total", "Git ls-remote requests that failed", ["repo"]),
  };
  const sources = async (): Promise<CredentialSources> => {
    await Promise.all([secrets.synced, configMaps.synced]);
    const tlsCerts = configMaps.get({ namespace, name: "argocd-tls-certs-cm" });
    const gpgKeys = configMaps.get({ namespace, name: "argocd-gpg-keys-cm" });
    const sshKnownHosts = configMaps.get({ namespace, name: "argocd-ssh-known-hosts-cm" });
    return {
      secrets: secrets.list(namespace),
      ...(tlsCerts ? { tlsCerts } : {}),
      ...(sshKnownHosts ? { sshKnownHosts } : {}),
      ...(gpgKeys ? { gpgKeys } : {}),
    };
  };
  /** A parameter of Argo CD's command line. */
  const parameter = async (key: string): Promise<string | undefined> => {
    await configMaps.synced;
    const data: Record<string, string> | undefined = configMaps.get({ namespace, name: "argocd-cmd-params-cm" })?.[
      "data"
    ];
    return data?.[key]?.trim();
  };
  const dialer = deps.dialer ?? createDialer({ clock, log, metrics });
  const repositories = createRepositories({
    directory: deps.directory,
    searchPath: deps.searchPath,
    clock,
    dialer,
    credentials: async (url, asker) => credentialsFor(url, asker, await sources()),
    onRequest(type, repo, milliseconds, failed) {
      requests.add({ repo, request_type: type });
      seconds.observe(milliseconds / 1000, { repo, request_type: type });
      if (failed) failures[type].add({ repo });
      log.debug("git request", { type, repo, milliseconds: Math.round(milliseconds), failed });
    },
  });
  let chartSource: Promise<ChartSource> | undefined;
  const charts = (): Promise<ChartSource> => {
    chartSource ??= createChartSource({
      directory: join(deps.directory, "charts"),
      dialer,
      clock,
      credentials: async (url, asker) => chartCredentialsFor(url, asker, await sources()),
    });
    return chartSource;
  };
  const verifier = createSourceVerifier({ clock, keys: async () => keyRingOf((await sources()).gpgKeys) });
  const isListed = async (url: string, project: string) => isListedRepository(url, { project }, await sources());
  const submodules = createSubmodules({ repositories, isListed });
  const open = createSourceRoots({
    repositories,
    charts,
    verifier,
    submodules,
    submodulesEnabled: async () => (await parameter("reposerver.enable.git.submodule")) !== "false",
  });
  const outside = createOutside({
    repositories,
    charts,
    dialer,
    clock,
    isListed,
    submodules,
    repositoryNamed: async (name, project) => chartRepositoryNamed(name, { project }, await sources()),
  });
  const plugins =
    deps.plugins &&
    createPluginSources({
      ...deps.plugins,
      log,
      configMaps: () => configMaps.list(namespace),
      hasCredentials: async (url, project) => {
        const found = credentialsFor(url, { project }, await sources());
        const { username, password, bearerToken, sshPrivateKey, githubApp } = found;
        return [username, password, bearerToken, sshPrivateKey, githubApp].some((each) => each !== undefined);
      },
    });
  const rendererOver = (cache: Cache) =>
    createRenderer({ pool: deps.pool, cache, outside, ...(plugins ? { plugin: plugins.render } : {}) });
  const renderer = rendererOver(deps.cache);
  // What was decrypted is kept only so that this process alone can read it.
  const key = new Secret(Buffer.from(deps.random(32)).toString("hex"));
  const secretRenderer = rendererOver(
    createEncryptedCache(deps.cache, { key, prefix: "opened/", random: deps.random }),
  );

  const placeholders = createPlaceholders({
    secrets: () => ownSecrets.list(namespace),
    open: (entries, where) =>
      createVaultProvider(vaultSettings(entries, where), {
        dialer,
        clock,
        ...(deps.readFile ? { readFile: deps.readFile } : {}),
      }),
    key: new Secret(Buffer.from(deps.random(32)).toString("hex")),
  });

  const metadata = async (repository: Repository, revision: string, tags: string[] = []): Promise<RevisionMetadata> => {
    const { author, date, message } = await repository.commit(revision);
    return { revision, author, date: date.toISOString(), message, tags, change: changeOfCommit(message) ?? "" };
  };

  const openingOf = (request: RenderRequest, signal: AbortSignal | undefined): OpenOptions => ({
    maxAge: request.maxAgeMilliseconds,
    noCache: request.noCache,
    project: request.application.project,
    signal,
    integrity: request.integrity,
  });
  const renderOpened = async (
    request: RenderRequest,
    { repository, revision, root: ownRoot }: OpenedSource,
    signal: AbortSignal | undefined,
  ): Promise<RenderResponse> => {
    const { source, application, cluster, noCache } = request;
    const { chart } = source;
    const opening = openingOf(request, signal);
    const roots: Record<string, Root> = { "": ownRoot };
    for (const [name, reference] of Object.entries(request.references)) {
      const { root } = await open({ repoURL: reference.repoUrl, revision: reference.revision }, opening);
      roots[name] = root;
    }
    const keys = sopsKeysFor(application.project, ownSecrets.list(namespace));
    if (keys) {
      for (const [name, root] of Object.entries(roots)) roots[name] = openedRoot(root, keys.openers, keys.version);
    }
    // A chart is at the top of what is fetched, whatever the path says.
    const placed = chart ? { ...source, path: "" } : source;
    const wanted: RenderSource = {
      source: keys ? withoutSecretsScheme(placed) : placed,
      roots,
      context: {
        appName: application.name,
        namespace: application.namespace,
        project: application.project,
        revision,
        repoURL: source.repoURL,
        path: source.path ?? "",
        targetRevision: source.targetRevision ?? "",
        kubeVersion: cluster.kubeVersion,
        apiVersions: cluster.apiVersions,
        kustomizeVersions: kustomizeVersions(configMaps.get({ namespace, name: "argocd-cm" })),
      },
      noCache,
    };
    const detected = plugins ? { ...wanted, source: await plugins.detect(wanted) } : wanted;
    const rendered = await (keys ? secretRenderer : renderer).render(detected, signal);
    const answer = { revision, ...rendered, commit: repository && (await metadata(repository, revision)) };
    const { maxAgeMilliseconds: maxAge } = request;
    return await placeholders.fill(answer, { project: application.project, maxAge, noCache, signal });
  };

  const api: ManifestService = {
    async render(request, options) {
      const { chart, helm, repoURL, tagPrefix } = request.source;
      const address = {
        repoURL,
        revision: request.revision,
        ...(chart ? { chart } : {}),
        ...(tagPrefix ? { tagPrefix } : {}),
        ...(helm?.passCredentials ? { passCredentials: true } : {}),
      };
      const own = await open(address, openingOf(request, options?.signal));
      return renderOpened(request, own, options?.signal);
    },
    async resolveRevision(request) {
      const repository = await repositories.open(request.repoUrl, { project: request.project });
      return { revision: await repository.resolve(request.revision, request.maxAgeMilliseconds) };
    },
    async listRefs(request) {
      const { refs } = await (await repositories.open(request.repoUrl, { project: request.project })).refs(
        request.maxAgeMilliseconds,
      );
      const below = (prefix: string) =>
        [...refs.keys()]
          .filter((name) => name.startsWith(prefix))
          .map((name) => name.slice(prefix.length))
          .sort();
      return { branches: below("refs/heads/"), tags: below("refs/tags/") };
    },
    async revisionMetadata(request) {
      const repository = await repositories.open(request.repoUrl, { project: request.project });
      const revision = await repository.resolve(request.revision, 120_000);
      const { refs } = await repository.refs(120_000);
      const tags = [...refs].filter(([name, id]) => name.startsWith("refs/tags/") && id === revision);
      return metadata(repository, revision, tags.map(([name]) => name.slice("refs/tags/".length)).sort());
    },
    async testRepository(request) {
      await (await repositories.open(request.repoUrl, { project: request.project })).refs(0);
      return { verified: true };
    },
  };
  const tracked = <T>(work: Promise<T>) => clock.track(work);

  const trackedApi: ManifestService = {
    render: (request, options) => tracked(api.render(request, options)),
    resolveRevision: (request) => tracked(api.resolveRevision(request)),
    listRefs: (request) => tracked(api.listRefs(request)),
    revisionMetadata: (request) => tracked(api.revisionMetadata(request)),
    testRepository: (request) => tracked(api.testRepository(request)),
  };

  let running = false;
  let endReport = () => {};
  return {
    name: "repo-server",
    stock: serveStock({
      api: trackedApi,
      open,
      renderOpened,
      repositories,
      charts,
      log,
      pluginNames: async () => (await plugins?.names()) ?? [],
    }),
    api: trackedApi,
    async start() {
      await Promise.all([secrets.synced, configMaps.synced, ownSecrets.synced]);
      endReport = reportUnusedSecrets(secrets, namespace, { log, metrics });
      running = true;
    },
    async stop() {
      running = false;
      endReport();
      repositories.close();
      await deps.pool.stop();
    },
    ready: async () => (running ? undefined : "the repo-server has not read its Secrets yet"),
  };
}
