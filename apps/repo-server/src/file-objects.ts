import { createHash } from "node:crypto";
import { LimitExceededError, NotFoundError } from "@tiphys/errors";
import type { Entry, Objects } from "@tiphys/render";

const hash = (data: Uint8Array | string): string => createHash("sha256").update(data).digest("hex");

interface Folder {
  readonly folders: Map<string, Folder>;
  readonly files: Map<string, string>;
}

const newFolder = (): Folder => ({ folders: new Map(), files: new Map() });

/** Files in memory as a render reads them: by ids that are digests of what they name, so that equal folders have one id. */
export function fileObjects(files: ReadonlyMap<string, Uint8Array>): {
  readonly id: string;
  readonly objects: Objects;
} {
  const blobs = new Map<string, Uint8Array>();
  const trees = new Map<string, readonly Entry[]>();
  const top = newFolder();
  for (const [path, data] of files) {
    const id = hash(data);
    blobs.set(id, data);
    const parts = path.split("/");
    const name = parts.pop() as string;
    let folder = top;
    for (const part of parts) {
      const inside = folder.folders.get(part) ?? newFolder();
      folder.folders.set(part, inside);
      folder = inside;
    }
    folder.files.set(name, id);
  }
  const store = (folder: Folder): string => {
    const entries: Entry[] = [
      ...[...folder.folders].map(([name, inside]): Entry => ({ name, kind: "tree", id: store(inside) })),
      ...[...folder.files].map(([name, id]): Entry => ({ name, kind: "blob", id })),
    ].sort((a, b) => (a.name < b.name ? -1 : 1));
    const id = hash(JSON.stringify(entries));
    trees.set(id, entries);
    return id;
  };
  const id = store(top);
  return {
    id,
    objects: {
      async entries(tree) {
        return trees.get(tree) ?? missing(tree);
      },
      async blob(blob, maxBytes) {
        const data = blobs.get(blob) ?? missing(blob);
        if (data.length > maxBytes) throw new LimitExceededError(`a file is larger than ${maxBytes} bytes`);
        return data;
      },
    },
  };
}

const missing = (id: string): never => {
  throw new NotFoundError(`nothing here has the id ${id}`);
};
