import { join } from "node:path";
import { InternalError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { PathNotFoundError, RepositoryCorruptError, RevisionNotFoundError } from "./errors.js";
import { discard, objectsOnly, openFolder, tidy, touch } from "./mirror-folder.js";
import { createObjectReader, type GitObject, type ObjectReader } from "./objects.js";
import { isCommitId, isShortId, type NamedRevision, type RemoteRefs, resolveAmong } from "./revision.js";
import { createTransfer, type TransferOptions } from "./transfer.js";
import { type CommitObject, parseCommit, parseTree, type TreeEntry, type TreeFile, tagTarget } from "./tree.js";

/** One repository: its refs as the remote side has them, its objects from a bare mirror, never a work tree. */
export interface Repository {
  readonly url: string;
  /** Branches, tags and HEAD; known ones are used when they were asked for within `maxAge` milliseconds. */
  refs(maxAge: number): Promise<RemoteRefs>;
  /**
   * The commit of a branch, tag, semver constraint over tags, HEAD, full or short commit id; its objects are here when this resolves.
   * `tagPrefix` is what tags must begin with that a version or constraint means.
   */
  resolve(revision: string, maxAge: number, tagPrefix?: string): Promise<string>;
  /** The same, with the branch or tag that was meant. */
  resolveNamed(revision: string, maxAge: number, tagPrefix?: string): Promise<NamedRevision>;
  commit(id: string): Promise<CommitObject>;
  /** A commit or tag as it is stored; fetched where it is missing. */
  object(id: string): Promise<GitObject>;
  /** The same where it is here already, and undefined where it is not. */
  here(id: string): Promise<GitObject | undefined>;
  /** Tree id of a folder ("" or "." is the root). */
  folder(commit: string, path: string): Promise<string>;
  entries(tree: string): Promise<readonly TreeEntry[]>;
  /** All files below a tree, in path order; a submodule is listed as one where folders are walked. */
  files(tree: string, recurse: boolean): Promise<TreeFile[]>;
  /** Content of a file, or the target of a symbolic link. */
  blob(id: string, maxBytes: number): Promise<Buffer>;
  close(): void;
}

export interface MirrorOptions extends TransferOptions {
  readonly searchPath: string;
  readonly idleMilliseconds: number;
}

const TREES_KEPT = 2_000;
const SMALL = 1024 * 1024;
/** Milliseconds between two remakes of one mirror: what a new one does not mend is not worth a third. */
const REMAKE_PAUSE = 600_000;

const saidBy = (error: unknown) =>
  error instanceof Error ? `${error.message} ${error.cause instanceof Error ? error.cause.message : ""}` : "";
/** The server has no such object. */
const isAbsent = (error: unknown) => /not our ref|no such remote ref/i.test(saidBy(error));
/** The server (or its old protocol) gives nothing but branches and tags. */
const isUnadvertised = (error: unknown) => /unadvertised object/i.test(saidBy(error));

export async function openMirror(options: MirrorOptions): Promise<Repository> {
  const { url, directory, clock } = options;
  const local = { PATH: options.searchPath, HOME: directory, GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" };
  const view = await objectsOnly(join(directory, ".."), local);
  let { full, empty } = await openFolder(directory, local);
  const newReader = (): ObjectReader => createObjectReader(view, join(directory, "objects"), local);
  let reader = newReader();
  const transfer = createTransfer(options, () => !full);

  const trees = new Map<string, readonly TreeEntry[]>();
  /** The folder that each blob was listed in last: whoever reads one file of it mostly reads the others. */
  let listedIn = new Map<string, string>();
  /** Folders whose files were fetched since the mirror was opened. */
  const fetchedFolders = new Map<string, Promise<void>>();
  let known: { startedAt: number; question: number; refs: Promise<RemoteRefs> } | undefined;
  let questions = 0;
  let lastAsked: Promise<unknown> = Promise.resolve();
  let endRest: (() => void) | undefined;
  let working = 0;
  let touchedAt = Number.NEGATIVE_INFINITY;

  const rest = () => {
    reader.rest();
    // While nobody fetches, as git's own housekeeping would.
    if (working === 0) void clock.track(tidy(directory, local)).catch(() => {});
  };
  const used = () => {
    endRest?.();
    endRest = clock.at(new Date(clock.now().getTime() + options.idleMilliseconds), rest);
    if (clock.monotonic() - touchedAt < 3_600_000) return;
    touchedAt = clock.monotonic();
    void touch(directory, clock.now());
  };
  const read = (id: string, maxBytes?: number) => {
    used();
    return reader.read(id, maxBytes);
  };

  let remade: { at: number; done: Promise<void> } | undefined;
  /** Begins the mirror anew; false when that was tried a short while ago. `everything`: the server does not give single objects. */
  const remake = async (everything = false): Promise<boolean> => {
    if (remade && clock.monotonic() - remade.at < REMAKE_PAUSE && !(everything && !full)) {
      await remade.done;
      return false;
    }
    const begun = (async () => {
      reader.close();
      await discard(directory);
      ({ full, empty } = await openFolder(directory, local, { full: everything || full }));
      reader = newReader();
      trees.clear();
      listedIn = new Map();
      fetchedFolders.clear();
    })();
    remade = { at: clock.monotonic(), done: begun };
    await clock.track(begun);
    return true;
  };
  /** Work with the mirror's own files; a mirror that turns out to be broken is made anew, once. */
  const mending = async <T>(work: () => Promise<T>): Promise<T> => {
    working++;
    try {
      return await clock.track(work());
    } catch (error) {
      if (!(error instanceof RepositoryCorruptError) || !(await remake())) throw error;
      return await work();
    } finally {
      working--;
    }
  };

  const tips = new Map<string, Promise<void>>();
  /** Fetches one commit or tag; those who want the same share it, those who want another do not wait. */
  const fetchTip = (id: string): Promise<void> => {
    let running = tips.get(id);
    if (!running) {
      running = mending(() => transfer.fetchTips([id], empty)).then(() => {
        empty = false;
      });
      running = running.finally(() => tips.delete(id));
      tips.set(id, running);
    }
    return running;
  };
  let fetching: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  /** One fetch of everything at a time; those who come while it runs share the next one, as it may have missed what they want. */
  const fetchAll = (): Promise<void> => {
    const run = () => {
      next = undefined;
      fetching = mending(() => transfer.fetchAll()).then(() => {
        empty = false;
      });
      fetching = fetching.finally(() => {
        fetching = undefined;
      });
      return fetching;
    };
    if (!fetching) return run();
    next ??= fetching.then(run, run);
    return next;
  };

  let wanted: Set<string> | undefined;
  let batch: Promise<void> = Promise.resolve();
  /** Fetches objects that are missing. Whoever asks while others still read shares one command with them. */
  const fetchMissing = (id: string): Promise<void> => {
    if (wanted) {
      wanted.add(id);
      return batch;
    }
    const ids = new Set([id]);
    wanted = ids;
    batch = (async () => {
      await reader.drained();
      // Those who have just heard that theirs is missing may still join.
      await new Promise((resolve) => setImmediate(resolve));
      wanted = undefined;
      const folders = new Set([...ids].map((each) => listedIn.get(each)).filter((each) => each !== undefined));
      const fresh = [...folders].filter((each) => !fetchedFolders.has(each));
      if (fresh.length > 0) {
        // What this cannot do is tried file by file, and fails there with the reason.
        const done = mending(() => transfer.fetchObjects(fresh, "folder")).catch(() => {});
        for (const each of fresh) fetchedFolders.set(each, done);
      }
      await Promise.all([...folders].map((each) => fetchedFolders.get(each)));
      const left = new Set<string>();
      for (const each of ids) {
        const here = await reader.read(each, 0).then(
          (object) => object !== undefined,
          (error: unknown) => error instanceof LimitExceededError,
        );
        if (!here) left.add(each);
      }
      if (left.size > 0) await mending(() => transfer.fetchObjects([...left], "object"));
    })();
    return batch;
  };
  /** An object that must exist, as another one names it: fetched where it is missing, the mirror made anew where that is of no use. */
  const must = async (id: string, type: GitObject["type"], maxBytes?: number): Promise<GitObject> => {
    const look = async () => {
      const object = await read(id, maxBytes);
      if (object && object.type !== type) throw new InternalError(`${id} is a ${object.type}, not a ${type}`);
      return object;
    };
    const missing = (cause?: unknown) =>
      new InternalError(`${type} ${id} is missing in the mirror of a repository`, { cause });
    const here = await look();
    if (here) return here;
    let refused = false;
    await fetchMissing(id).catch((error: unknown) => {
      if (isAbsent(error)) throw missing(error);
      // Such a server gives whole histories only, so everything must be here.
      refused = isUnadvertised(error);
      if (!refused) throw error;
    });
    const fetched = await look();
    if (fetched) return fetched;
    if (!(await remake(refused))) {
      const meanwhile = await look();
      if (meanwhile) return meanwhile;
    }
    await (refused ? fetchAll() : fetchMissing(id));
    const last = await look();
    if (!last) throw missing();
    return last;
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
        refs: mending(() => transfer.lsRemote()),
      };
      known = entry;
      lastAsked = entry.refs;
      entry.refs.catch(() => {
        if (known === entry) known = undefined;
      });
      return entry.refs;
    },
    resolve: async (revision, maxAge, tagPrefix) => (await repository.resolveNamed(revision, maxAge, tagPrefix)).commit,
    async resolveNamed(revision, maxAge, tagPrefix) {
      const asked = revision === "" ? "HEAD" : revision;
      // A full commit id needs no question when its objects are here.
      if (isCommitId(asked)) {
        const here = await commitHere(asked.toLowerCase());
        if (here) return { commit: here };
      }
      const remote = await repository.refs(maxAge);
      const named = resolveAmong(remote, asked, tagPrefix);
      const short = !named && isShortId(asked);
      const id = named?.commit ?? asked.toLowerCase();
      if (named || short) {
        const here = await commitHere(id);
        if (here) return { ...named, commit: here };
      }
      if (!named && !short) throw new RevisionNotFoundError(url, asked);
      // By its id, so that only this is fetched; a server that knows no single commits gives all of them.
      const problem: unknown = named
        ? await fetchTip(id).then(
            () => undefined,
            (error: unknown) => error,
          )
        : undefined;
      const found = await commitHere(id);
      if (found) return { ...named, commit: found };
      if (problem && isAbsent(problem)) throw new RevisionNotFoundError(url, asked, { cause: problem });
      if (problem && !isUnadvertised(problem)) throw problem;
      await fetchAll();
      const after = await commitHere(id);
      if (after) return { ...named, commit: after };
      throw new RevisionNotFoundError(url, asked);
    },
    async commit(id) {
      const object =
        (await read(id)) ??
        (await fetchTip(id).then(
          () => read(id),
          () => undefined,
        ));
      if (object?.type !== "commit") throw new RevisionNotFoundError(url, id);
      return parseCommit(object.data);
    },
    async object(id) {
      const here = await read(id);
      if (here) return here;
      await fetchTip(id);
      const object = await read(id);
      if (!object) throw new RevisionNotFoundError(url, id);
      return object;
    },
    here: (id) => read(id),
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
      const entries = parseTree((await must(tree, "tree")).data);
      if (trees.size >= TREES_KEPT) {
        trees.clear();
        listedIn.clear();
        fetchedFolders.clear();
      }
      trees.set(tree, entries);
      if (!full) for (const { kind, id } of entries) if (kind === "blob") listedIn.set(id, tree);
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
          if (kind === "blob" || kind === "symlink" || (kind === "submodule" && recurse)) {
            found.push({ path, id: entry.id, kind });
            if (!full && kind === "blob") listedIn.set(entry.id, tree);
          } else if (entry.kind === "tree" && recurse) await walk(entry.id, `${path}/`, depth + 1);
          if (found.length > limits.renderFiles) {
            throw new LimitExceededError(`more than ${limits.renderFiles} files in one source`);
          }
        }
      };
      await walk(tree, "", 0);
      return found;
    },
    async blob(id, maxBytes) {
      const { data } = await must(id, "blob", Math.max(maxBytes, SMALL));
      if (data.length > maxBytes) throw new LimitExceededError(`a file is larger than ${maxBytes} bytes`);
      return data;
    },
    close() {
      endRest?.();
      reader.close();
    },
  };
  return repository;
}
