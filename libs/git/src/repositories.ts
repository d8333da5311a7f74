import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
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

/** Bare mirrors of Git repositories, made on first use. */
export interface Repositories {
  open(url: string): Promise<Repository>;
  close(): void;
}

export function createRepositories(options: RepositoriesOptions): Repositories {
  const mirrors = new Map<string, Promise<Repository>>();

  /** Where to connect to for a URL; throws when egress policy forbids it. */
  const addressOf = async (url: string, proxy: string | undefined) => {
    // Behind a proxy only the proxy can tell where the host is, so the policy is about the proxy.
    const endpoint = endpointOf(proxy ?? url);
    if (!options.dialer || !endpoint) return undefined;
    const real = await options.dialer.resolve(endpoint.host, endpoint.port);
    return proxy || (real.host === endpoint.host && real.port === endpoint.port) ? undefined : real;
  };

  const environment = async (url: string): Promise<GitEnvironment> => {
    const credentials = await options.credentials?.(url);
    const address = await addressOf(url, isSshUrl(url) ? undefined : credentials?.proxy);
    return gitEnvironment({
      url,
      privateDirectory: options.directory,
      searchPath: options.searchPath,
      ...(credentials ? { credentials } : {}),
      ...(address ? { address } : {}),
    });
  };

  return {
    async open(url) {
      checkRepositoryUrl(url);
      let mirror = mirrors.get(url);
      if (!mirror) {
        const name = createHash("sha256").update(url).digest("hex").slice(0, 32);
        mirror = mkdir(options.directory, { recursive: true, mode: 0o700 }).then(() =>
          openMirror({
            url,
            directory: join(options.directory, `${name}.git`),
            searchPath: options.searchPath,
            clock: options.clock,
            environment: () => environment(url),
            idleMilliseconds: options.idleMilliseconds ?? 30_000,
            onRequest: (type, milliseconds, failed) => options.onRequest?.(type, redactUrl(url), milliseconds, failed),
          }),
        );
        mirrors.set(url, mirror);
        mirror.catch(() => mirrors.delete(url));
      }
      return mirror;
    },
    close() {
      for (const mirror of mirrors.values()) mirror.then((each) => each.close()).catch(() => {});
      mirrors.clear();
    },
  };
}
