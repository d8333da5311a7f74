import { createHash } from "node:crypto";
import { InvalidArgumentError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { parseGitmodules, submodulePath, submoduleUrl } from "./gitmodules.js";
import type { Repository } from "./mirror.js";
import type { Repositories } from "./repositories.js";
import type { TreeEntry } from "./tree.js";
import { redactUrl, sameOrigin } from "./url.js";

/** Files of a commit by the ids of folders and contents. */
export interface CommitFiles {
  /** Of the folder at the top: equal ids mean equal files, those of submodules among them. */
  readonly id: string;
  entries(id: string): Promise<readonly TreeEntry[]>;
  blob(id: string, maxBytes: number): Promise<Buffer>;
}

export interface SubmodulesDeps {
  readonly repositories: Pick<Repositories, "open">;
  /** Whether an operator has named a repository for a project: else it is opened as one whose address others write. */
  readonly isListed: (url: string, project: string) => Promise<boolean>;
}

export interface SubmodulesOptions {
  readonly project: string;
  /** The repository's own address comes from a file that others write. */
  readonly untrusted?: boolean;
  /** False: their folders are empty. */
  readonly enabled: boolean;
}

/** Files of commits with those of their submodules in place. */
export interface Submodules {
  files(repository: Repository, commit: string, options: SubmodulesOptions): Promise<CommitFiles>;
}

/** One repository whose submodules are looked for, at some depth below the one that was asked for. */
interface Place {
  readonly url: string;
  readonly project: string;
  readonly untrusted: boolean;
  readonly enabled: boolean;
  readonly depth: number;
  readonly repository?: Repository;
}

/** A commit whose tree has submodules in it, or folders that lead to some. */
interface Composed {
  readonly tree: string;
  /** What stands at a path: the id of a submodule's folder. */
  readonly submodules: ReadonlyMap<string, string>;
  /** Paths of folders that submodules are below. */
  readonly above: ReadonlyMap<string, string>;
  readonly files: Repository;
}

const EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const PLACES_KEPT = 5_000;
const COMPOSED_KEPT = 500;
/** How old refs may be where a commit is asked for by its id (milliseconds): they do not matter. */
const ANY_AGE = 3_600_000;

const encode = (path: string) => Buffer.from(path).toString("base64url");
const decode = (path: string) => Buffer.from(path, "base64url").toString();

/**
 * Ids say by themselves what they are, as whoever reads keeps them: `<object>@<place>` is an object of a submodule's repository,
 * `<commit>:<path>@<place>` a folder of a commit that has submodules in it or below it.
 */
export function createSubmodules({ repositories, isListed }: SubmodulesDeps): Submodules {
  const places = new Map<string, Place>();
  const problems = new Map<string, Error>();
  const composed = new Map<string, Promise<Composed>>();

  const keep = <T>(map: Map<string, T>, most: number, key: string, value: T): T => {
    map.delete(key);
    map.set(key, value);
    if (map.size > most) map.delete(map.keys().next().value as string);
    return value;
  };
  const placeKey = ({ url, project, untrusted, enabled, depth }: Place): string =>
    createHash("sha256")
      .update(JSON.stringify([url, project, untrusted, enabled, depth]))
      .digest("hex")
      .slice(0, 24);
  const register = (place: Place): string => {
    const key = placeKey(place);
    keep(places, PLACES_KEPT, key, place);
    return key;
  };
  const placeOf = (key: string): Place => {
    const place = places.get(key);
    if (!place) throw new InvalidArgumentError("", "a submodule's files are not known any more: render again");
    return place;
  };
  const repositoryOf = async ({ repository, url, project, untrusted }: Place): Promise<Repository> =>
    repository ?? (await repositories.open(url, { project, untrusted }));

  /** The folder of a submodule: an id to read it by, or one that says what is wrong when it is read. */
  async function target(parent: Place, commit: string, url: string, update: string | undefined): Promise<string> {
    if (!parent.enabled || update === "none") return EMPTY;
    try {
      const depth = parent.depth + 1;
      if (depth > limits.gitSubmoduleDepth) {
        throw new LimitExceededError(`submodules are nested deeper than ${limits.gitSubmoduleDepth}`);
      }
      const { project, enabled } = parent;
      const full = submoduleUrl(parent.url, url);
      // Whoever may read a repository of a server may be led to another one there, with the credentials for that one.
      const untrusted = (parent.untrusted || !sameOrigin(parent.url, full)) && !(await isListed(full, project));
      return `${commit}:@${register({ url: full, project, untrusted, enabled, depth })}`;
    } catch (error) {
      const key = createHash("sha256").update(String(error)).digest("hex").slice(0, 24);
      keep(problems, PLACES_KEPT, key, error as Error);
      return `!@${key}`;
    }
  }

  async function compose(place: Place, commit: string): Promise<Composed> {
    const files = await repositoryOf(place);
    if (place.depth > 0) await files.resolve(commit, ANY_AGE);
    const tree = await files.folder(commit, "");
    const submodules = new Map<string, string>();
    const above = new Map<string, string>();
    const nothing = { tree, submodules, above, files };
    const top = await files.entries(tree);
    const list = top.find(({ name }) => name === ".gitmodules");
    if (!list) return nothing;
    if (list.kind !== "blob") {
      throw new InvalidArgumentError("", `.gitmodules of ${redactUrl(place.url)} is no file: it is not followed`);
    }
    const text = (await files.blob(list.id, limits.yamlFileBytes)).toString("utf8");
    for (const { path, url, update } of parseGitmodules(text)) {
      const parts = submodulePath(path);
      const folders: [string, string][] = [];
      let at = tree;
      for (const [index, part] of parts.entries()) {
        const here = parts.slice(0, index + 1).join("/");
        const entry = (await files.entries(at)).find(({ name }) => name === part);
        if (index < parts.length - 1 ? entry?.kind !== "tree" : entry?.kind !== "submodule") break;
        if (entry?.kind === "submodule") {
          submodules.set(here, await target(place, entry.id, url, update));
          for (const [folder, id] of folders) above.set(folder, id);
        } else if (entry) {
          folders.push([here, entry.id]);
          at = entry.id;
        }
      }
    }
    if (submodules.size > 0) above.set("", tree);
    return nothing;
  }

  const composedAt = (key: string, commit: string): Promise<Composed> => {
    const name = `${key} ${commit}`;
    let found = composed.get(name);
    if (!found) {
      found = compose(placeOf(key), commit);
      found.catch(() => composed.delete(name));
    }
    return keep(composed, COMPOSED_KEPT, name, found);
  };

  const split = (id: string): [string, string] => {
    const at = id.lastIndexOf("@");
    return at < 0 ? [id, ""] : [id.slice(0, at), id.slice(at + 1)];
  };

  async function entries(id: string, own: Repository): Promise<readonly TreeEntry[]> {
    const [object, key] = split(id);
    if (object === EMPTY) return [];
    if (key === "") return own.entries(object);
    if (object === "!") throw problems.get(key) ?? new InvalidArgumentError("", "a submodule cannot be read");
    const colon = object.indexOf(":");
    if (colon < 0) {
      const files = await repositoryOf(placeOf(key));
      return (await files.entries(object)).map((entry) => ({ ...entry, id: `${entry.id}@${key}` }));
    }
    const [commit, path] = [object.slice(0, colon), decode(object.slice(colon + 1))];
    const { tree, submodules, above, files } = await composedAt(key, commit);
    const { depth } = placeOf(key);
    const folder = path === "" ? tree : above.get(path);
    if (folder === undefined) throw new InvalidArgumentError("", `${path} has no submodules below it`);
    return (await files.entries(folder)).map((entry) => {
      const here = path === "" ? entry.name : `${path}/${entry.name}`;
      const inside = submodules.get(here);
      if (inside !== undefined && entry.kind === "submodule") return { ...entry, kind: "tree", id: inside };
      if (above.has(here)) return { ...entry, id: `${commit}:${encode(here)}@${key}` };
      // Objects of the repository itself keep their ids: most of it is the same with and without submodules.
      return depth === 0 ? entry : { ...entry, id: `${entry.id}@${key}` };
    });
  }

  return {
    async files(repository, commit, { project, untrusted = false, enabled }) {
      const place: Place = { url: repository.url, project, untrusted, enabled, depth: 0, repository };
      const key = register(place);
      const { tree, submodules } = await composedAt(key, commit);
      if (submodules.size === 0) {
        return { id: tree, entries: (id) => repository.entries(id), blob: (id, most) => repository.blob(id, most) };
      }
      return {
        id: `${commit}:@${key}`,
        entries: (id) => entries(id, repository),
        async blob(id, maxBytes) {
          const [object, from] = split(id);
          const files = from === "" ? repository : await repositoryOf(placeOf(from));
          return files.blob(object, maxBytes);
        },
      };
    },
  };
}
