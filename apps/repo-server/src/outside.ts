import { createHash } from "node:crypto";
import type { ChartSource } from "@tiphys/chart-source";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { InvalidArgumentError, NotFoundError, PermissionDeniedError, UnavailableError } from "@tiphys/errors";
import { type Repositories, redactUrl, type Submodules } from "@tiphys/git";
import { looksLikeFile, parseRepoSpec, type RepoSpec } from "@tiphys/kustomize";
import { limits } from "@tiphys/limits";
import type { Asking, Outside, OutsideFound } from "@tiphys/render";
import { archiveRoot } from "./source-root.js";

export interface OutsideDeps {
  readonly repositories: Repositories;
  readonly charts: () => Promise<ChartSource>;
  readonly dialer: Dialer;
  readonly clock: Clock;
  readonly submodules: Submodules;
  /** Whether a repository Secret names a repository: then it may be anywhere. */
  readonly isListed: (url: string, project: string) => Promise<boolean>;
  /** The address of the chart repository that a Secret gives this name. */
  readonly repositoryNamed: (name: string, project: string) => Promise<string | undefined>;
}

/** How old what is known of branches, indexes and files elsewhere may be (Argo CD's cache of revisions). */
const MAX_AGE = 180_000;
const FILES_KEPT = 100;

/** The address is that of a web page: what was meant is a repository, perhaps. */
class NoFileError extends NotFoundError {}

/**
 * What renders need from elsewhere: bases and files that kustomizations name, charts that charts and kustomizations name, value files
 * by URL. The addresses come from files that others write, so files of this machine and its own addresses are refused.
 */
export function createOutside({
  repositories,
  submodules,
  charts,
  dialer,
  clock,
  isListed,
  repositoryNamed,
}: OutsideDeps): Outside {
  const files = new Map<string, { at: number; data: Promise<Uint8Array> }>();

  async function get(url: string, project: string): Promise<Uint8Array> {
    const shown = redactUrl(url);
    const response = await dialer.fetch({
      purpose: "remote-file",
      url,
      headers: { "user-agent": "tiphys" },
      timeout: limits.chartMilliseconds,
      maxBytes: limits.yamlFileBytes,
      refuseLoopback: !(await isListed(url, project)),
    });
    if (response.status >= 500 || response.status === 429) {
      throw new UnavailableError(`${shown} was answered with ${response.status}`);
    }
    if (response.status < 200 || response.status > 299) {
      throw new NoFileError(`${shown} was answered with ${response.status}`);
    }
    if (/^text\/html\b/i.test(response.headers["content-type"] ?? "")) {
      throw new NoFileError(`${shown} is a page of HTML and not a manifest`);
    }
    return response.body;
  }

  async function fetched(url: string, { fresh, project }: Asking): Promise<OutsideFound> {
    const key = `${project} ${url}`;
    const known = files.get(key);
    let data = known && !fresh && clock.monotonic() - known.at <= MAX_AGE ? known.data : undefined;
    if (!data) {
      // Others may come to share it, so nobody's signal ends it.
      data = clock.track(get(url, project));
      if (files.size >= FILES_KEPT) files.delete(files.keys().next().value as string);
      files.delete(key);
      files.set(key, { at: clock.monotonic(), data });
      data.catch(() => files.delete(key));
    }
    const content = await data;
    const id = createHash("sha256").update(content).digest("hex");
    return { kind: "file", id, version: id, objects: { entries: async () => [], blob: async () => content } };
  }

  async function folder(
    { url, path, ref, timeout, submodules: enabled }: RepoSpec,
    { fresh, project }: Asking,
  ): Promise<OutsideFound> {
    if (url.startsWith("file://") || url.startsWith("/")) {
      throw new PermissionDeniedError(`remote base ${url}: files of the server are not read, name them by a path`);
    }
    const untrusted = !(await isListed(url, project));
    const repository = await repositories.open(url, { project, untrusted });
    const late = new UnavailableError(`remote base ${redactUrl(url)} was not there within ${timeout} ms`);
    const commit = await withinTime(repository.resolve(ref, fresh ? 0 : MAX_AGE), timeout, late, clock);
    const { id, ...objects } = await submodules.files(repository, commit, { project, untrusted, enabled });
    return { kind: "folder", id, folder: path, version: `${commit}${enabled ? "" : " without submodules"}`, objects };
  }

  return {
    async chart({ repoURL, chart, version, passCredentials = false }, { project, fresh, signal }) {
      const name = /^(?:@|alias:)(.*)$/.exec(repoURL)?.[1];
      const repository = name === undefined ? repoURL : await repositoryNamed(name, project);
      if (repository === undefined) {
        throw new NotFoundError(
          `no repository definition for ${repoURL}: give the URL, or add a repository Secret of type helm with the name ${name}`,
        );
      }
      const archive = await (await charts()).chart(
        { repository, name: chart, revision: version, project, untrusted: true, passCredentials },
        { maxAge: fresh ? 0 : MAX_AGE, noCache: fresh, ...(signal ? { signal } : {}) },
      );
      const { kind, id, objects } = archiveRoot(archive);
      return { kind, id, objects, version: archive.sha256 };
    },
    async base(address, asking) {
      const spec = parseRepoSpec(address);
      const isHttp = /^https?:\/\//i.test(address);
      if (isHttp && (looksLikeFile(address) || !spec || !saysRepository(address))) {
        try {
          return await fetched(address, asking);
        } catch (error) {
          if (!spec || !(error instanceof NoFileError)) throw error;
        }
      }
      if (!spec) throw new InvalidArgumentError("", `${redactUrl(address)} is neither a file nor a Git repository`);
      return folder(spec, asking);
    },
    url: (url, asking) => {
      if (!/^https?:\/\//i.test(url)) {
        throw new PermissionDeniedError(
          `the URL scheme of value file ${redactUrl(url)} is not allowed: http and https are`,
        );
      }
      return fetched(url, asking);
    },
  };
}

/** What makes an address one of a repository, so that no file is looked for there. */
const saysRepository = (address: string): boolean =>
  /[?&](?:ref|version)=|\.git(?:\/|\?|$)|_git\/|^[a-z]+:\/\/[^?]*\/\/|^https?:\/\/github\.com\/[^/]+\/[^/?]+\/?(?:\?|$)/i.test(
    address,
  );

async function withinTime<T>(work: Promise<T>, milliseconds: number, late: Error, clock: Clock): Promise<T> {
  let cancel = () => {};
  const timer = new Promise<never>((_, reject) => {
    cancel = clock.at(new Date(clock.now().getTime() + milliseconds), () => reject(late));
  });
  try {
    return await Promise.race([work, timer]);
  } finally {
    cancel();
  }
}
