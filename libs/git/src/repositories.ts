import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Clock } from "@tiphys/clock";
import type { Dialer } from "@tiphys/dialer";
import { PermissionDeniedError, UnavailableError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { RepositoryCredentials } from "./credentials.js";
import { type GitEnvironment, gitEnvironment } from "./environment.js";
import { createGithubApps } from "./github-app.js";
import { withLfs } from "./lfs.js";
import { openMirror, type Repository } from "./mirror.js";
import { discard, listFolders } from "./mirror-folder.js";
import { openTunnel, proxyEndpoint, type Tunnel } from "./socks.js";
import { checkRepositoryUrl, endpointOf, isSshUrl, redactUrl, sameOrigin } from "./url.js";

export interface RepositoriesOptions {
  /** Folder of the bare mirrors, one per repository; ours alone. */
  readonly directory: string;
  /** PATH where git and ssh are found. */
  readonly searchPath: string;
  readonly clock: Clock;
  /** Credentials of an address, asked before every command so that a changed Secret takes effect at once. */
  readonly credentials?: (url: string, asker: Asker) => Promise<RepositoryCredentials | undefined>;
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

/** For whom a repository is read. */
export interface Asker {
  /** Name of the project; empty for none: then credentials of a project do not count. */
  readonly project: string;
}

export interface OpenOptions extends Partial<Asker> {
  /** The URL comes from a file that others write: folders of this machine and its own addresses are refused. */
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
  const addressOf = async (url: string, proxy: string | undefined, refuseLoopback: boolean) => {
    // Behind a proxy only the proxy can tell where the host is, so the policy is about the proxy.
    const endpoint = endpointOf(proxy ?? url);
    if (!options.dialer || !endpoint) return undefined;
    const real = await options.dialer.resolve(endpoint.host, endpoint.port, { refuseLoopback });
    return proxy || (real.host === endpoint.host && real.port === endpoint.port) ? undefined : real;
  };

  const apps = options.dialer && createGithubApps({ dialer: options.dialer, clock: options.clock });
  const credentialsOf = async (url: string, asker: Asker): Promise<RepositoryCredentials | undefined> => {
    const found = await options.credentials?.(url, asker);
    if (!found?.githubApp || found.password || found.bearerToken) return found;
    if (!apps) throw new UnavailableError("GitHub Apps cannot be asked for tokens: there is no way out");
    return { ...found, username: "x-access-token", password: await apps.token(found.githubApp, url, found) };
  };

  interface Opened {
    readonly url: string;
    readonly untrusted: boolean;
    readonly project: string;
    /** Who alone may read what the mirror holds. */
    readonly scope: string | undefined;
  }
  /** Settings for a command against `at`, which is the repository's address or one that its server leads to. */
  const environment = async ({ url, untrusted, project, scope }: Opened, at: string): Promise<GitEnvironment> => {
    // The credentials of an address are for that address: another port of the same host is another one.
    const own = sameOrigin(url, at);
    const credentials = await credentialsOf(own ? url : at, { project });
    if (credentials?.scope !== scope && (own || credentials?.scope !== undefined)) {
      throw new UnavailableError(`the repository Secret of ${redactUrl(at)} has just come or gone for a project`);
    }
    const elsewhere = endpointOf(url)?.host !== endpointOf(at)?.host;
    const socks = isSshUrl(at) ? credentials?.proxy : undefined;
    // Behind a proxy only it can tell where the host is.
    const tunnel = socks ? await tunnelTo(at, socks) : undefined;
    const reached = tunnel ?? (await addressOf(at, credentials?.proxy, untrusted || elsewhere));
    const made = gitEnvironment({
      url: at,
      privateDirectory: options.directory,
      searchPath: options.searchPath,
      ...(credentials ? { credentials } : {}),
      ...(reached ? { address: reached } : {}),
      ...(options.configuration ? { configuration: options.configuration } : {}),
    });
    if (!tunnel) return made;
    const ready = await made.catch(async (error) => {
      await tunnel.close();
      throw error;
    });
    return { ...ready, dispose: () => Promise.all([ready.dispose(), tunnel.close()]).then(() => {}) };
  };
  /** ssh knows no proxies, so it is sent to a port of ours that does. */
  const tunnelTo = async (url: string, proxy: string): Promise<Tunnel> => {
    const { host, port } = endpointOf(url) ?? { host: "", port: 0 };
    const { host: name, port: of } = proxyEndpoint(proxy);
    const address = await options.dialer?.resolve(name, of, {});
    return openTunnel({ proxy, host, port, ...(address ? { address } : {}) });
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
    async open(url, { untrusted = false, project = "" } = {}) {
      checkRepositoryUrl(url);
      sweepAtTimes();
      if (untrusted && (url.startsWith("/") || url.startsWith("file:"))) {
        throw new PermissionDeniedError(
          `repository ${url} is a folder of this machine, and its address comes from a file`,
        );
      }
      const { scope, enableLfs = false } = (await options.credentials?.(url, { project })) ?? {};
      const key = [...(untrusted ? ["untrusted"] : []), ...(scope === undefined ? [] : [`of ${scope}`]), url].join(" ");
      const name = `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.git`;
      let mirror = mirrors.get(name);
      if (!mirror) {
        mirror = mkdir(options.directory, { recursive: true, mode: 0o700 }).then(() =>
          openMirror({
            url,
            directory: join(options.directory, name),
            searchPath: options.searchPath,
            clock: options.clock,
            environment: (at) => environment({ url, untrusted, project, scope }, at),
            idleMilliseconds: options.idleMilliseconds ?? 30_000,
            ...(options.silence === undefined ? {} : { silence: options.silence }),
            onRequest: (type, milliseconds, failed) => options.onRequest?.(type, redactUrl(url), milliseconds, failed),
          }),
        );
        mirrors.set(name, mirror);
        mirror.catch(() => mirrors.delete(name));
      }
      const { dialer, clock } = options;
      if (!enableLfs || !dialer) return mirror;
      return withLfs(await mirror, {
        url,
        directory: join(options.directory, name, "lfs"),
        dialer,
        clock,
        credentials: () => credentialsOf(url, { project }),
        untrusted,
      });
    },
    swept: async () => sweep?.done,
    close() {
      for (const mirror of mirrors.values()) mirror.then((each) => each.close()).catch(() => {});
      mirrors.clear();
    },
  };
}
