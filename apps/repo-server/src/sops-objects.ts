import type { Objects, Root } from "@tiphys/render";
import { decryptSops, type KeyOpeners, maySopsEncrypted, type SopsFormat, sopsFormatOf } from "@tiphys/sops";

const MARK = "+sops-";

const openedRoots = new WeakMap<Objects, Objects>();

/**
 * The same files, with those that SOPS encrypted in clear text. Their ids are others than those of the files as they are, so that
 * nothing that is kept by its id is given to a render that may not decrypt; `version` is another for other keys.
 */
export function openedRoot(root: Root, openers: KeyOpeners, version: string): Root {
  // Packed charts are not looked into.
  if (root.kind !== "folder") return root;
  const mark = `${MARK}${version}-`;
  const { objects } = root;
  const names = new Map<string, string>();
  const opened: Objects = {
    async entries(id) {
      return (await objects.entries(sealedId(id))).map((entry) => {
        if (entry.kind === "submodule" || entry.kind === "symlink") return entry;
        const marked = `${entry.id}${mark}${entry.kind === "blob" ? sopsFormatOf(entry.name) : "folder"}`;
        if (entry.kind === "blob") names.set(marked, entry.name);
        return { ...entry, id: marked };
      });
    },
    async blob(id, maxBytes) {
      const data = await objects.blob(sealedId(id), maxBytes);
      const format = id.includes(mark) ? (id.slice(id.lastIndexOf("-") + 1) as SopsFormat) : undefined;
      if (!format || !maySopsEncrypted(data, format)) return data;
      const clear = await decryptSops({ path: names.get(id) ?? "a file", data, format }, openers);
      return clear === undefined ? data : Buffer.from(clear);
    },
  };
  openedRoots.set(opened, objects);
  return { ...root, id: `${root.id}${mark}folder`, objects: opened };
}

const sealedId = (id: string): string => {
  const at = id.indexOf(MARK);
  return at < 0 ? id : id.slice(0, at);
};

/** The files as they are: programs that are not ours get no clear text. */
export const sealedRoot = (root: Root): Root => {
  const objects = openedRoots.get(root.objects);
  return objects ? { ...root, id: sealedId(root.id), objects } : root;
};
