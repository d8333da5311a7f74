import { readArchive } from "@tiphys/helm";
import type { SourceTree } from "./source.js";

/** Unpacked charts by their ids, least recently used first. */
const unpacked = new Map<string, SourceTree>();
const KEPT = 20;

/** The files of a packed chart. */
export function archiveTree(id: string, bytes: () => Uint8Array): SourceTree {
  const known = unpacked.get(id);
  const tree = known ?? unpack(id, bytes());
  unpacked.delete(id);
  unpacked.set(id, tree);
  for (const oldest of unpacked.keys()) {
    if (unpacked.size <= KEPT) break;
    unpacked.delete(oldest);
  }
  return tree;
}

function unpack(id: string, bytes: Uint8Array): SourceTree {
  const files = new Map<string, Uint8Array>();
  const folders = new Map<string, Set<string>>([["", new Set()]]);
  for (const { name, data } of readArchive(bytes)) {
    files.set(name, data);
    const parts = name.split("/");
    for (let at = 0; at < parts.length; at++) {
      const folder = parts.slice(0, at).join("/");
      const inside = folders.get(folder) ?? new Set();
      inside.add(parts[at] as string);
      folders.set(folder, inside);
    }
  }
  return {
    file: (path) => files.get(path),
    isFolder: (path) => folders.has(path),
    list: (path) => [...(folders.get(path) ?? [])].sort(),
    folderId: (path) => (folders.has(path) ? `${id}/${path}` : undefined),
  };
}
