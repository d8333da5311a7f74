import type { GitObject } from "./objects.js";

export interface TreeEntry {
  readonly name: string;
  readonly kind: "blob" | "tree" | "symlink" | "submodule";
  readonly executable: boolean;
  readonly id: string;
}

/** A file below a folder: `path` is relative to that folder. */
export interface TreeFile {
  readonly path: string;
  readonly id: string;
  readonly kind: "blob" | "symlink" | "submodule";
}

/** Parses a tree object; entries are in Git's order. */
export function parseTree(data: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(32, at);
    const zero = data.indexOf(0, space);
    const mode = data.toString("latin1", at, space);
    const kind =
      mode === "40000" ? "tree" : mode === "120000" ? "symlink" : mode === "160000" ? "submodule" : ("blob" as const);
    entries.push({
      name: data.toString("utf8", space + 1, zero),
      kind,
      executable: mode === "100755",
      id: data.toString("hex", zero + 1, zero + 21),
    });
    at = zero + 21;
  }
  return entries;
}

export interface CommitObject {
  readonly tree: string;
  readonly author: string;
  readonly date: Date;
  readonly message: string;
}

/** Parses a commit object: who wrote it, when it was committed, what it says. */
export function parseCommit(data: Buffer): CommitObject {
  const text = data.toString("utf8");
  const end = text.indexOf("\n\n");
  const headers = text.slice(0, end < 0 ? text.length : end).split("\n");
  const header = (name: string) => headers.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? "";
  const person = /^(.*) (\d+) [+-]\d{4}$/.exec(header("author"));
  return {
    tree: header("tree"),
    author: person?.[1] ?? header("author"),
    date: new Date(Number(person?.[2] ?? 0) * 1000),
    message: end < 0 ? "" : text.slice(end + 2),
  };
}

/** The object that an annotated tag names. */
export function tagTarget(object: GitObject): string | undefined {
  return /^object ([0-9a-f]{40})/.exec(object.data.toString("utf8", 0, 60))?.[1];
}
