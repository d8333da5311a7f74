import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import { InternalError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import type { GitEnvironment } from "./environment.js";
import { gitError, PathNotFoundError, RevisionNotFoundError } from "./errors.js";
import { createObjectReader } from "./objects.js";
import { isCommitId, parseLsRemote, type RemoteRefs, resolveAmong } from "./revision.js";
import { convenience } from "./simple.js";
import { type CommitObject, parseCommit, parseTree, type TreeEntry, type TreeFile, tagTarget } from "./tree.js";

/** One repository: its refs as the remote side has them, its objects from a bare mirror, never a work tree. */
export interface Repository {
  readonly url: string;
  /** Branches, tags and HEAD; known ones are used when they were asked for within `maxAge` milliseconds. */
  refs(maxAge: number): Promise<RemoteRefs>;
  /** The commit of a branch, tag, HEAD, full or short commit id; its objects are here when this resolves. */
  resolve(revision: string, maxAge: number): Promise<string>;
  commit(id: string): Promise<CommitObject>;
  /** Tree id of a folder ("" or "." is the root). */
  folder(commit: string, path: string): Promise<string>;
  entries(tree: string): Promise<readonly TreeEntry[]>;
  /** All files below a tree, in path order; submodules are left out. */
  files(tree: string, recurse: boolean): Promise<TreeFile[]>;
  blob(id: string, maxBytes: number): Promise<Buffer>;
  close(): void;
}

interface MirrorOptions {
  readonly url: string;
  readonly directory: string;
  readonly searchPath: string;
  readonly clock: Clock;
  readonly environment: () => Promise<GitEnvironment>;
  readonly idleMilliseconds: number;
  readonly onRequest: (type: "ls-remote" | "fetch", milliseconds: number, failed: boolean) => void;
}

const TREES_KEPT = 2_000;
const SMALL = 1024 * 1024;

function run(args: readonly string[], directory: string, variables: Readonly<Record<string, string>>): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      "git",
      args,
      { cwd: directory, env: { ...variables }, maxBuffer: limits.gitRefsBytes, timeout: limits.gitMilliseconds },
      (error, stdout, stderr) => {
        if (!error) resolve(stdout);
        else reject(new Error(error.killed ? "block timeout reached" : stderr || error.message));
      },
    );
  });
}

export async function openMirror(options: MirrorOptions): Promise<Repository> {
  const { url, directory, clock } = options;
  const local = { PATH: options.searchPath, HOME: directory, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" };
  if (!existsSync(join(directory, "HEAD"))) {
    await run(["init", "--quiet", "--bare", directory], join(directory, ".."), local).catch((cause) => {
      throw new InternalError(`the mirror of a repository cannot be made in ${directory}`, { cause });
    });
  }
  const reader = createObjectReader(directory, local);
  const trees = new Map<string, readonly TreeEntry[]>();
  let known: { startedAt: number; question: number; refs: Promise<RemoteRefs> } | undefined;
  let questions = 0;
  let lastAsked: Promise<unknown> = Promise.resolve();
  let fetching: Promise<void> | undefined;
  let endRest: (() => void) | undefined;

  const remote = async <T>(
    type: "ls-remote" | "fetch",
    work: (environment: GitEnvironment) => Promise<T>,
  ): Promise<T> => {
    const start = clock.monotonic();
    let failed = true;
    const environment = await options.environment();
    try {
      const result = await work(environment);
      failed = false;
      return result;
    } catch (error) {
      throw gitError(url, error instanceof Error ? error.message : String(error));
    } finally {
      options.onRequest(type, clock.monotonic() - start, failed);
      await environment.dispose();
    }
  };
  const used = () => {
    endRest?.();
    endRest = clock.at(new Date(clock.now().getTime() + options.idleMilliseconds), () => reader.rest());
  };
  const read = (id: string, maxBytes?: number) => {
    used();
    return reader.read(id, maxBytes);
  };
  const fetch = (refspecs: readonly string[]) =>
    remote("fetch", ({ variables, depth }) =>
      convenience(directory, variables).raw([
        "fetch",
        "--quiet",
        "--force",
        "--no-tags",
        "--no-write-fetch-head",
        ...(depth === undefined ? [] : [`--depth=${depth}`]),
        ...(refspecs.length > 1 ? ["--prune"] : []),
        "--",
        url,
        ...refspecs,
      ]),
    );
  /** One fetch of all branches and tags at a time; those who come later share the next one. */
  const fetchAll = (): Promise<void> => {
    fetching ??= fetch(["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"])
      .then(() => {})
      .finally(() => {
        fetching = undefined;
      });
    return fetching;
  };
  const commitHere = async (id: string): Promise<string | undefined> => {
    let object = await read(id);
    while (object?.type === "tag") object = await read(tagTarget(object) ?? "");
    return object?.type === "commit" ? object.id : undefined;
  };

  const repository: Repository = {
    url,
    async refs(maxAge) {
      if (known && maxAge > 0 && clock.monotonic() - known.startedAt <= maxAge) return known.refs;
      // Asking again waits for the question under way, so a hundred refreshes at once are two commands.
      const asked = questions;
      await lastAsked.catch(() => {});
      if (known && known.question > asked) return known.refs;
      const entry = {
        startedAt: clock.monotonic(),
        question: ++questions,
        refs: clock.track(
          remote("ls-remote", async ({ variables }) =>
            parseLsRemote(await run(["ls-remote", "--quiet", "--", url], directory, variables)),
          ),
        ),
      };
      known = entry;
      lastAsked = entry.refs;
      entry.refs.catch(() => {
        if (known === entry) known = undefined;
      });
      return entry.refs;
    },
    async resolve(revision, maxAge) {
      const wanted = revision === "" ? "HEAD" : revision;
      // A full commit id needs no question when its objects are here.
      if (isCommitId(wanted)) {
        const here = await commitHere(wanted.toLowerCase());
        if (here) return here;
      }
      const refs = await repository.refs(maxAge);
      const named = resolveAmong(refs, wanted);
      if (named) {
        const here = await commitHere(named);
        if (here) return here;
      }
      await clock.track(fetchAll());
      const found = await commitHere(named ?? (/^[0-9a-f]{7,39}$/i.test(wanted) ? wanted : ""));
      if (found) return found;
      if (isCommitId(wanted)) {
        // A commit outside all branches and tags; many servers give it when asked by id.
        await clock.track(fetch([wanted])).catch(() => {});
        const direct = await commitHere(wanted);
        if (direct) return direct;
      }
      throw new RevisionNotFoundError(url, wanted);
    },
    async commit(id) {
      const object = await read(id);
      if (object?.type !== "commit") throw new RevisionNotFoundError(url, id);
      return parseCommit(object.data);
    },
    async folder(commit, path) {
      let tree = (await repository.commit(commit)).tree;
      for (const part of path.split("/")) {
        if (part === "" || part === ".") continue;
        const entry = part === ".." ? undefined : (await repository.entries(tree)).find((each) => each.name === part);
        if (entry?.kind !== "tree") throw new PathNotFoundError(url, commit, path);
        tree = entry.id;
      }
      return tree;
    },
    async entries(tree) {
      const cached = trees.get(tree);
      if (cached) return cached;
      const object = await read(tree);
      if (object?.type !== "tree") throw new InternalError(`tree ${tree} is missing in the mirror of a repository`);
      const entries = parseTree(object.data);
      if (trees.size >= TREES_KEPT) trees.clear();
      trees.set(tree, entries);
      return entries;
    },
    async files(tree, recurse) {
      const found: TreeFile[] = [];
      const walk = async (id: string, prefix: string, depth: number): Promise<void> => {
        if (depth > limits.documentDepth) throw new LimitExceededError(`${prefix}: folders are nested too deep`);
        for (const entry of await repository.entries(id)) {
          const path = prefix + entry.name;
          const { kind } = entry;
          // A submodule is a folder: it counts where folders do.
          if (kind === "blob" || kind === "symlink" || (kind === "submodule" && recurse))
            found.push({ path, id: entry.id, kind });
          else if (entry.kind === "tree" && recurse) await walk(entry.id, `${path}/`, depth + 1);
          if (found.length > limits.renderFiles) {
            throw new LimitExceededError(`more than ${limits.renderFiles} files in one source`);
          }
        }
      };
      await walk(tree, "", 0);
      return found;
    },
    async blob(id, maxBytes) {
      const object = await read(id, Math.max(maxBytes, SMALL));
      if (object?.type !== "blob") throw new InternalError(`blob ${id} is missing in the mirror of a repository`);
      if (object.data.length > maxBytes) throw new LimitExceededError(`a file is larger than ${maxBytes} bytes`);
      return object.data;
    },
    close() {
      endRest?.();
      reader.close();
    },
  };
  return repository;
}
