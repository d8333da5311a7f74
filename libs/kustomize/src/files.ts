import { fail } from "./errors.js";

/** The files of a source, by their paths from its top; `""` is the top. */
export interface FileTree {
  file(path: string): Uint8Array | undefined;
  isFolder(path: string): boolean;
}

/** A path from the top, without dots; undefined when it leaves the tree. */
export function joinPath(folder: string, path: string): string | undefined {
  const parts = folder === "" ? [] : folder.split("/");
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

export const isInside = (path: string, folder: string): boolean =>
  folder === "" || path === folder || path.startsWith(`${folder}/`);

const utf8 = new TextDecoder("utf-8");

/** Reads what one kustomization may read: files in its own folder or below. */
export class Loader {
  constructor(
    readonly tree: FileTree,
    readonly folder: string,
    /** Folders of the kustomizations that led here, this one last. */
    private readonly trail: readonly string[],
    private readonly anywhere: boolean,
  ) {}

  static at(tree: FileTree, folder: string, anywhere: boolean): Loader {
    return new Loader(tree, folder, [folder], anywhere);
  }

  bytes(path: string): Uint8Array {
    const found = path.startsWith("/") ? undefined : joinPath(this.folder, path);
    if (found === undefined) return fail(`security; file '${path}' is outside of the source`);
    const data = this.tree.file(found);
    if (data === undefined) return fail(`'${path}': no such file in '${this.folder || "."}'`);
    if (!this.anywhere && !isInside(found, this.folder)) {
      return fail(`security; file '${found}' is not in or below '${this.folder || "."}'`);
    }
    return data;
  }

  text(path: string): string {
    return utf8.decode(this.bytes(path));
  }

  /** The loader of a folder that this kustomization names. */
  enter(path: string): Loader {
    const found = path.startsWith("/") ? undefined : joinPath(this.folder, path);
    if (found === undefined) return fail(`'${path}' is outside of the source`);
    if (!this.tree.isFolder(found)) return fail(`'${path}' doesn't exist in '${this.folder || "."}'`);
    const visited = this.trail.find((folder) => isInside(folder, found));
    if (visited !== undefined) {
      return fail(`cycle detected: candidate root '${found || "."}' contains visited root '${visited || "."}'`);
    }
    return new Loader(this.tree, found, [...this.trail, found], this.anywhere);
  }

  /** The loader of another tree, that of a remote base. */
  other(tree: FileTree, folder: string): Loader {
    return new Loader(tree, folder, [folder], this.anywhere);
  }
}
