import type { Ask } from "@tiphys/child-process";
import { InvalidArgumentError } from "@tiphys/errors";
import { joinPath } from "@tiphys/kustomize";
import type { Folder, ObjectStore } from "./object-store.js";
import type { Entry } from "./questions.js";
import { note, seen } from "./reads.js";
import type { SourceTree } from "./source.js";

export interface ObjectTreeOptions {
  readonly store: ObjectStore;
  readonly ask: Ask;
  readonly root: string;
  /** Id of the folder at the top. */
  readonly id: string;
  /** Gets what is looked at, by `root:path`. */
  readonly reads: Map<string, string>;
}

/** Links to links: as many as Linux follows. */
const MAX_LINKS = 40;

interface Found {
  readonly entry: Entry;
  /** Path without links. */
  readonly path: string;
}

const text = new TextDecoder();

/**
 * The files of a repository at a commit, read from its objects. Symbolic links are followed inside the repository and refused
 * where they leave it. Everything that is looked at is noted.
 */
export function objectTree({ store, ask, root, id, reads }: ObjectTreeOptions): SourceTree {
  const top: Entry = { name: "", kind: "tree", id };
  const folder = (tree: string): Folder => store.folders(ask, root, [tree])[0] as Folder;
  const mark = (path: string, sign: string) => note(reads, `${root}:${path}`, sign);

  const locate = (path: string, links = 0): Found | undefined => {
    let at: Found = { entry: top, path: "" };
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    for (const [index, part] of parts.entries()) {
      const here = at.path === "" ? part : `${at.path}/${part}`;
      const rest = parts.slice(index + 1);
      const entry = at.entry.kind === "tree" ? folder(at.entry.id).byName.get(part) : undefined;
      if (!entry) {
        mark([here, ...rest].join("/"), seen.absent);
        return undefined;
      }
      if (entry.kind === "submodule") {
        throw new InvalidArgumentError(
          "",
          `submodule ${here} has no path and url in .gitmodules, so it cannot be read`,
        );
      }
      if (entry.kind === "symlink") {
        mark(here, seen.link(entry.id));
        if (links >= MAX_LINKS) throw new InvalidArgumentError("", `${here}: too many levels of symbolic links`);
        const target = text.decode(store.files(ask, root, [entry.id])[0]);
        const wanted = target.startsWith("/") ? undefined : joinPath(at.path, [target, ...rest].join("/"));
        if (wanted === undefined) {
          throw new InvalidArgumentError("", `repository contains out-of-bounds symlinks. file: ${here}`);
        }
        return locate(wanted, links + 1);
      }
      at = { entry, path: here };
    }
    return at;
  };

  const blobsBelow = (tree: string, into: string[]): string[] => {
    const inside = folder(tree).entries;
    const trees = inside.filter(({ kind }) => kind === "tree").map((entry) => entry.id);
    store.folders(ask, root, trees);
    for (const entry of inside) if (entry.kind === "blob") into.push(entry.id);
    for (const each of trees) blobsBelow(each, into);
    return into;
  };

  return {
    file(path) {
      const found = locate(path);
      if (!found) return undefined;
      if (found.entry.kind !== "blob") {
        mark(found.path, seen.folder);
        return undefined;
      }
      mark(found.path, seen.content(found.entry.id));
      return store.files(ask, root, [found.entry.id])[0];
    },
    isFolder(path) {
      const found = locate(path);
      if (!found) return false;
      const is = found.entry.kind === "tree";
      mark(found.path, is ? seen.folder : seen.file);
      return is;
    },
    list(path) {
      const found = locate(path);
      if (found?.entry.kind !== "tree") {
        if (found) mark(found.path, seen.file);
        return [];
      }
      const { entries, names } = folder(found.entry.id);
      mark(found.path, seen.names(names));
      return entries.map(({ name }) => name).sort();
    },
    isLink(path) {
      const slash = path.lastIndexOf("/");
      const above = locate(path.slice(0, Math.max(0, slash)));
      const entry = above?.entry.kind === "tree" ? folder(above.entry.id).byName.get(path.slice(slash + 1)) : undefined;
      if (entry?.kind === "symlink") mark(path, seen.link(entry.id));
      return entry?.kind === "symlink";
    },
    folderId(path) {
      const found = locate(path);
      if (found?.entry.kind !== "tree" || !store.isPlain(ask, root, found.entry.id)) return undefined;
      mark(found.path, seen.all(found.entry.id));
      return found.entry.id;
    },
    fetch(path) {
      const found = locate(path);
      if (found?.entry.kind === "tree") store.files(ask, root, blobsBelow(found.entry.id, []));
    },
  };
}
