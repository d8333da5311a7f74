import { createHash } from "node:crypto";
import type { Ask } from "@tiphys/child-process";
import { InternalError } from "@tiphys/errors";
import type { Entry } from "./questions.js";

/** A folder's entries, by name and together. */
export interface Folder {
  readonly entries: readonly Entry[];
  readonly byName: ReadonlyMap<string, Entry>;
  /** Digest of names and kinds: equal where the folder lists the same. */
  readonly names: string;
}

/** Contents by their ids, kept from job to job; what is not here is asked for. */
export interface ObjectStore {
  folders(ask: Ask, root: string, ids: readonly string[]): readonly Folder[];
  files(ask: Ask, root: string, ids: readonly string[]): readonly Uint8Array[];
  /** True when the folder and all below it are files and folders, so that its id tells all that it holds. */
  isPlain(ask: Ask, root: string, id: string): boolean;
  keepFile(id: string, content: Uint8Array): void;
}

const FOLDERS_KEPT = 5_000;
const BYTES_KEPT = 64 * 1024 * 1024;
const LARGEST_KEPT = 2 * 1024 * 1024;

export const folderOf = (entries: readonly Entry[]): Folder => ({
  entries,
  byName: new Map(entries.map((entry) => [entry.name, entry])),
  names: namesOf(entries),
});

export const namesOf = (entries: readonly Entry[]): string => {
  const hash = createHash("sha256");
  for (const { name, kind } of entries) hash.update(`${kind[0]}${name}\0`);
  return hash.digest("base64url").slice(0, 22);
};

export function createObjectStore(): ObjectStore {
  const folders = new Map<string, Folder>();
  const plain = new Map<string, boolean>();
  /** Least recently used first; equal ids give the same bytes, so what others keep for them stays theirs. */
  const files = new Map<string, Uint8Array>();
  let bytes = 0;

  const keepFile = (id: string, content: Uint8Array) => {
    if (files.has(id) || content.length > LARGEST_KEPT) return;
    files.set(id, content);
    bytes += content.length;
    for (const [oldest, old] of files) {
      if (bytes <= BYTES_KEPT) break;
      files.delete(oldest);
      bytes -= old.length;
    }
  };

  const store: ObjectStore = {
    keepFile,

    folders(ask, root, ids) {
      // Held here: what is kept may be forgotten for the sake of what comes.
      const given = new Map<string, Folder>();
      const missing: string[] = [];
      for (const id of new Set(ids)) {
        const known = folders.get(id);
        if (known) given.set(id, known);
        else missing.push(id);
      }
      if (missing.length > 0) {
        const { data } = ask({ ask: "folders", root, ids: missing });
        const answered = data as readonly (readonly Entry[])[];
        if (folders.size + missing.length > FOLDERS_KEPT) {
          folders.clear();
          plain.clear();
        }
        missing.forEach((id, at) => {
          const folder = folderOf(answered[at] ?? []);
          given.set(id, folder);
          folders.set(id, folder);
        });
      }
      return ids.map((id) => given.get(id) ?? raise(id));
    },

    files(ask, root, ids) {
      const given = new Map<string, Uint8Array>();
      const missing: string[] = [];
      for (const id of new Set(ids)) {
        const known = files.get(id);
        if (!known) missing.push(id);
        else {
          files.delete(id);
          files.set(id, known);
          given.set(id, known);
        }
      }
      if (missing.length > 0) {
        const { parts = [] } = ask({ ask: "files", root, ids: missing });
        missing.forEach((id, at) => {
          const content = parts[at] ?? raise(id);
          given.set(id, content);
          keepFile(id, content);
        });
      }
      return ids.map((id) => given.get(id) ?? raise(id));
    },

    isPlain(ask, root, id) {
      const known = plain.get(id);
      if (known !== undefined) return known;
      const [folder] = store.folders(ask, root, [id]);
      const entries = folder?.entries ?? [];
      const inside = entries.filter(({ kind }) => kind === "tree").map((entry) => entry.id);
      // All at once: each question is a round trip.
      store.folders(ask, root, inside);
      const is =
        entries.every(({ kind }) => kind === "blob" || kind === "tree") &&
        inside.every((each) => store.isPlain(ask, root, each));
      plain.set(id, is);
      return is;
    },
  };
  return store;
}

const raise = (id: string): never => {
  throw new InternalError(`the service gave no answer for ${id}`);
};
