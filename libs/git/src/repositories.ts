import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { PermissionDeniedError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { RepositoryCredentials } from "./credentials.js";
import { type GitEnvironment, gitEnvironment } from "./environment.js";
import { openMirror, type Repository } from "./mirror.js";
import { discard, listFolders } from "./mirror-folder.js";
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
  /** Milliseconds without a word after which a command against the remote side is ended; `limits.gitMilliseconds` when undefined. */
  readonly silence?: number;
  /** Bytes of all mirrors together beyond which those go that were used longest ago; `limits.gitMirrorsBytes` when undefined. */
  readonly maxBytes?: number;
  /** Further settings of git, for tests. */
  readonly configuration?: readonly (readonly [string, string])[];
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
  /** Resolves when the sweep that may be under way is over. */
  swept(): Promise<void>;
  close(): void;
}

const SWEEP_PAUSE = 3_600_000;
/** A mirror that was used this short a while ago (milliseconds) is in use. */
const RECENT = 2 * 3_600_000;

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
      ...(options.configuration ? { configuration: options.configuration } : {}),
    });
  };

  let sweep: { readonly at: number; readonly done: Promise<void> } | undefined;
  /** Once in an hour of use: mirrors that nobody uses go, and the oldest while all are larger than they may be. */
  const sweepAtTimes = () => {
    if (sweep && options.clock.monotonic() - sweep.at < SWEEP_PAUSE) return;
    const now = options.clock.now().getTime();
    const work = async () => {
      const folders = (await listFolders(options.directory)).sort((a, b) => a.usedAt.getTime() - b.usedAt.getTime());
      let bytes = folders.reduce((sum, folder) => sum + folder.bytes, 0);
      for (const folder of folders) {
        const unused = now - folder.usedAt.getTime();
        const tooMany = bytes > (options.maxBytes ?? limits.gitMirrorsBytes) && unused > RECENT;
        if (unused < limits.gitMirrorUnusedMilliseconds && !tooMany) continue;
        bytes -= folder.bytes;
        const name = basename(folder.directory);
        const opened = mirrors.get(name);
        mirrors.delete(name);
        (await opened?.catch(() => undefined))?.close();
        await discard(folder.directory);
      }
    };
    sweep = { at: options.clock.monotonic(), done: options.clock.track(work()).catch(() => {}) };
  };

  return {
    async open(url, { untrusted = false } = {}) {
      checkRepositoryUrl(url);
      sweepAtTimes();
      if (untrusted && (url.startsWith("/") || url.startsWith("file:"))) {
        throw new PermissionDeniedError(
          `repository ${url} is a folder of this machine, and its address comes from a file`,
        );
      }
      const key = untrusted ? `untrusted ${url}` : url;
      const name = `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.git`;
      let mirror = mirrors.get(name);
      if (!mirror) {
        mirror = mkdir(options.directory, { recursive: true, mode: 0o700 }).then(() =>
          openMirror({
            url,
            directory: join(options.directory, name),
            searchPath: options.searchPath,
            clock: options.clock,
            environment: () => environment(url, untrusted),
            idleMilliseconds: options.idleMilliseconds ?? 30_000,
            ...(options.silence === undefined ? {} : { silence: options.silence }),
            onRequest: (type, milliseconds, failed) => options.onRequest?.(type, redactUrl(url), milliseconds, failed),
          }),
        );
        mirrors.set(name, mirror);
        mirror.catch(() => mirrors.delete(name));
      }
      return mirror;
    },
    swept: async () => sweep?.done,
    close() {
      for (const mirror of mirrors.values()) mirror.then((each) => each.close()).catch(() => {});
      mirrors.clear();
    },
  };
}
