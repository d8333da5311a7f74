import type { Clock } from "@tiphys/clock";
import { TiphysError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { GitEnvironment } from "./environment.js";
import { gitError } from "./errors.js";
import { KEPT } from "./mirror-folder.js";
import { runGit } from "./process.js";
import { createRedirects } from "./redirects.js";
import { parseLsRemote, type RemoteRefs } from "./revision.js";

/** Blobs up to this size come with new commits; larger ones when somebody reads them. */
const SMALL_BLOB = "blob:limit=256k";
const NO_BLOBS = "blob:none";
/** Blobs up to this size come with a folder that somebody reads. */
const FOLDER_BLOB = "blob:limit=1m";

export interface TransferOptions {
  readonly url: string;
  readonly directory: string;
  readonly clock: Clock;
  /** Settings for a command against an address: the repository's own, or one that its server leads to. */
  readonly environment: (url: string) => Promise<GitEnvironment>;
  readonly onRequest: (type: "ls-remote" | "fetch", milliseconds: number, failed: boolean) => void;
  /** Milliseconds of silence that end a command. */
  readonly silence?: number;
}

/** The commands that speak with the remote side of one repository. Each has its own environment and none waits for another. */
export interface Transfer {
  lsRemote(): Promise<RemoteRefs>;
  /** Fetches commits or tags by their ids, and keeps them. `fresh` is true while the mirror has nothing. */
  fetchTips(ids: readonly string[], fresh: boolean): Promise<void>;
  /** Fetches all branches and tags with their history, which depth does not cut. */
  fetchAll(): Promise<void>;
  /** Fetches single objects that are missing; of a tree also what is below it, but for large blobs. */
  fetchObjects(ids: readonly string[], kind: "folder" | "object"): Promise<void>;
}

export function createTransfer(options: TransferOptions, partial: () => boolean): Transfer {
  const { url, directory, clock } = options;
  /** Fetches that move the border of a shallow history lock it, so they go one after the other. */
  let shallow: Promise<unknown> = Promise.resolve();
  const redirects = createRedirects(options);

  const remote = async <T>(
    type: "ls-remote" | "fetch",
    work: (environment: GitEnvironment, url: string) => Promise<T>,
  ): Promise<T> => {
    const start = clock.monotonic();
    let failed = true;
    try {
      const result = await clock.track(redirects.run(work));
      failed = false;
      return result;
    } catch (error) {
      if (error instanceof TiphysError) throw error;
      throw gitError(url, error instanceof Error ? error.message : String(error));
    } finally {
      options.onRequest(type, clock.monotonic() - start, failed);
    }
  };
  const silence = options.silence === undefined ? {} : { silence: options.silence };
  const fetch = (args: readonly string[], { depth = true, input }: { depth?: boolean; input?: string } = {}) =>
    remote("fetch", async (environment) => {
      const cut = depth ? environment.depth : undefined;
      const run = () =>
        runGit({
          args: [
            "fetch",
            "--progress",
            "--force",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            ...(cut === undefined ? [] : [`--depth=${cut}`]),
            ...args,
          ],
          directory,
          variables: environment.variables,
          ...(input === undefined ? {} : { input }),
          ...silence,
        });
      if (environment.depth === undefined || input !== undefined) return void (await run());
      const turn = shallow.then(run);
      shallow = turn.catch(() => {});
      await turn;
    });
  const filter = (text: string) => (partial() ? [`--filter=${text}`] : []);

  return {
    lsRemote: () =>
      remote("ls-remote", async ({ variables }, address) =>
        parseLsRemote(
          (
            await runGit({
              args: ["ls-remote", "--quiet", "--", address],
              directory,
              variables,
              ...silence,
              total: Math.min(limits.gitRefsMilliseconds, options.silence ?? Number.POSITIVE_INFINITY),
            })
          ).toString("utf8"),
        ),
      ),
    fetchTips: (ids, fresh) =>
      fetch([...filter(fresh ? NO_BLOBS : SMALL_BLOB), "origin", ...ids.map((id) => `+${id}:${KEPT}${id}`)]),
    // History is what this is about: a short id, or a commit that is no tip, may be anywhere in it.
    fetchAll: () =>
      fetch([...filter(NO_BLOBS), "--prune", "origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"], {
        depth: false,
      }),
    fetchObjects: (ids, kind) =>
      // A folder itself is here: only when asked for again it comes with what is below it.
      fetch(
        [
          ...filter(kind === "folder" ? FOLDER_BLOB : NO_BLOBS),
          ...(kind === "folder" ? ["--refetch"] : []),
          "--stdin",
          "origin",
        ],
        {
          depth: false,
          input: `${ids.join("\n")}\n`,
        },
      ),
  };
}
