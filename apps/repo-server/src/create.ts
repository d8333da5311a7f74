import type { Cache } from "@tiphys/cache";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { UnimplementedError } from "@tiphys/errors";
import { createRepositories, type Repository } from "@tiphys/git";
import { changeOfCommit } from "@tiphys/identity";
import type { Informers } from "@tiphys/kube";
import {
  createRenderer,
  type ManifestService,
  type RenderPool,
  type RevisionMetadata,
  type Root,
} from "@tiphys/render";
import { types } from "@tiphys/resources";
import type { Service } from "@tiphys/service-host";
import type { Logger, Metrics } from "@tiphys/telemetry";
import { credentialsFor, SECRET_TYPE_LABEL } from "./repository-secrets.js";
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
}

export interface RepoServer extends Service {
  readonly api: ManifestService;
}

/** Repositories and rendering. Credentials are read here and go nowhere else. */
export function createRepoServer(deps: RepoServerDeps): RepoServer {
  const { informers, namespace, metrics, clock, log } = deps;
  const secrets = informers.informer(types.secrets, { namespace, labelSelector: SECRET_TYPE_LABEL });
  const configMaps = informers.informer(types.configMaps, { namespace });
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
  const repositories = createRepositories({
    directory: deps.directory,
    searchPath: deps.searchPath,
    clock,
    ...(deps.dialer ? { dialer: deps.dialer } : {}),
    credentials: async (url) => {
      await Promise.all([secrets.synced, configMaps.synced]);
      const tlsCerts = configMaps.get({ namespace, name: "argocd-tls-certs-cm" });
      const sshKnownHosts = configMaps.get({ namespace, name: "argocd-ssh-known-hosts-cm" });
      return credentialsFor(url, {
        secrets: secrets.list(namespace),
        ...(tlsCerts ? { tlsCerts } : {}),
        ...(sshKnownHosts ? { sshKnownHosts } : {}),
      });
    },
    onRequest(type, repo, milliseconds, failed) {
      requests.add({ repo, request_type: type });
      seconds.observe(milliseconds / 1000, { repo, request_type: type });
      if (failed) failures[type].add({ repo });
      log.debug("git request", { type, repo, milliseconds: Math.round(milliseconds), failed });
    },
  });
  const renderer = createRenderer({ pool: deps.pool, cache: deps.cache });

  const metadata = async (repository: Repository, revision: string, tags: string[] = []): Promise<RevisionMetadata> => {
    const { author, date, message } = await repository.commit(revision);
    return { revision, author, date: date.toISOString(), message, tags, change: changeOfCommit(message) ?? "" };
  };

  const rootOf = async (repository: Repository, commit: string): Promise<Root> => ({
    kind: "folder",
    id: await repository.folder(commit, ""),
    objects: repository,
  });

  const api: ManifestService = {
    async render(request, options) {
      const { source, application, cluster, maxAgeMilliseconds } = request;
      if (source.chart) throw new UnimplementedError("spec.source.chart");
      const at = async (repoUrl: string, wanted: string): Promise<{ repository: Repository; revision: string }> => {
        const repository = await repositories.open(repoUrl);
        return { repository, revision: await repository.resolve(wanted, maxAgeMilliseconds) };
      };
      const { repository, revision } = await at(source.repoURL, request.revision);
      const roots: Record<string, Root> = { "": await rootOf(repository, revision) };
      for (const [name, reference] of Object.entries(request.references)) {
        const found = await at(reference.repoUrl, reference.revision);
        roots[name] = await rootOf(found.repository, found.revision);
      }
      const rendered = await renderer.render(
        {
          source,
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
          },
          noCache: request.noCache,
        },
        options?.signal,
      );
      return { revision, ...rendered, commit: await metadata(repository, revision) };
    },
    async resolveRevision(request) {
      const repository = await repositories.open(request.repoUrl);
      return { revision: await repository.resolve(request.revision, request.maxAgeMilliseconds) };
    },
    async listRefs(request) {
      const { refs } = await (await repositories.open(request.repoUrl)).refs(request.maxAgeMilliseconds);
      const below = (prefix: string) =>
        [...refs.keys()]
          .filter((name) => name.startsWith(prefix))
          .map((name) => name.slice(prefix.length))
          .sort();
      return { branches: below("refs/heads/"), tags: below("refs/tags/") };
    },
    async revisionMetadata(request) {
      const repository = await repositories.open(request.repoUrl);
      const revision = await repository.resolve(request.revision, 120_000);
      const { refs } = await repository.refs(120_000);
      const tags = [...refs].filter(([name, id]) => name.startsWith("refs/tags/") && id === revision);
      return metadata(repository, revision, tags.map(([name]) => name.slice("refs/tags/".length)).sort());
    },
    async testRepository(request) {
      await (await repositories.open(request.repoUrl)).refs(0);
      return { verified: true };
    },
  };
  const tracked = <T>(work: Promise<T>) => clock.track(work);

  let running = false;
  let endReport = () => {};
  return {
    name: "repo-server",
    api: {
      render: (request, options) => tracked(api.render(request, options)),
      resolveRevision: (request) => tracked(api.resolveRevision(request)),
      listRefs: (request) => tracked(api.listRefs(request)),
      revisionMetadata: (request) => tracked(api.revisionMetadata(request)),
      testRepository: (request) => tracked(api.testRepository(request)),
    },
    async start() {
      await Promise.all([secrets.synced, configMaps.synced]);
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
