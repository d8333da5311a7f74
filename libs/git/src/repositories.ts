import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { PermissionDeniedError } from "@tiphys/errors";
import type { RepositoryCredentials } from "./credentials.js";
import { type GitEnvironment, gitEnvironment } from "./environment.js";
import { openMirror, type Repository } from "./mirror.js";
import { checkRepositoryUrl, endpointOf, isSshUrl, redactUrl } from "./url.js";

export interface RepositoriesOptions {
  /** Folder of the bare mirrors, one per repository; ours alone. */
  readonly directory: string;
  /** PATH where git and ssh are found. */
  readonly searchPath: string;
  readonly clock: Clock;
  /** Credentials of a repository, asked before every command so that a changed Secret takes effect at once. */
  readonly credentials?: (url: string) => Promise<RepositoryCredentials | undefined>;
  /** Egress policy and cluster names for http and ssh. */
  readonly dialer?: Dialer;
  /** Milliseconds without use after which a mirror's reader process is ended; default 30,000. */
  readonly idleMilliseconds?: number;
  /** Told of every command against the remote side, for metrics. */
  readonly onRequest?: (type: "ls-remote" | "fetch", url: string, milliseconds: number, failed: boolean) => void;
}

export interface OpenOptions {
  /**
   * The URL comes from a file that others write: folders of this machine and its own addresses are refused, and no redirect is
   * followed.
   */
  readonly untrusted?: boolean;
}

/** Bare mirrors of Git repositories, made on first use. */
export interface Repositories {
  open(url: string, options?: OpenOptions): Promise<Repository>;
  close(): void;
}

export function createRepositories(options: RepositoriesOptions): Repositories {
  const mirrors = new Map<string, Promise<Repository>>();

  /** Where to connect to for a URL; throws when egress policy forbids it. */
  const addressOf = async (url: string, proxy: string | undefined, untrusted: boolean) => {
    // Behind a proxy only the proxy can tell where the host is, so the policy is about the proxy.
    const endpoint = endpointOf(proxy ?? url);
    if (!options.dialer || !endpoint) return undefined;
    const real = await options.dialer.resolve(endpoint.host, endpoint.port, { refuseLoopback: untrusted });
    return proxy || (real.host === endpoint.host && real.port === endpoint.port) ? undefined : real;
  };

  const environment = async (url: string, untrusted: boolean): Promise<GitEnvironment> => {
    const credentials = await options.credentials?.(url);
    const address = await addressOf(url, isSshUrl(url) ? undefined : credentials?.proxy, untrusted);
    return gitEnvironment({
      url,
      privateDirectory: options.directory,
      searchPath: options.searchPath,
      ...(credentials ? { credentials } : {}),
      ...(address ? { address } : {}),
      ...(untrusted ? { followRedirects: false } : {}),
    });
  };

  return {
    async open(url, { untrusted = false } = {}) {
      checkRepositoryUrl(url);
      if (untrusted && (url.startsWith("/") || url.startsWith("file:"))) {
        throw new PermissionDeniedError(
          `repository ${url} is a folder of this machine, and its address comes from a file`,
        );
      }
      const key = untrusted ? `untrusted ${url}` : url;
      let mirror = mirrors.get(key);
      if (!mirror) {
        const name = createHash("sha256").update(key).digest("hex").slice(0, 32);
        mirror = mkdir(options.directory, { recursive: true, mode: 0o700 }).then(() =>
          openMirror({
            url,
            directory: join(options.directory, `${name}.git`),
            searchPath: options.searchPath,
            clock: options.clock,
            environment: () => environment(url, untrusted),
            idleMilliseconds: options.idleMilliseconds ?? 30_000,
            onRequest: (type, milliseconds, failed) => options.onRequest?.(type, redactUrl(url), milliseconds, failed),
          }),
        );
        mirrors.set(key, mirror);
        mirror.catch(() => mirrors.delete(key));
      }
      return mirror;
    },
    close() {
      for (const mirror of mirrors.values()) mirror.then((each) => each.close()).catch(() => {});
      mirrors.clear();
    },
  };
}
