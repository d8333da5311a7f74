import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { NotFoundError } from "@tiphys/errors";
import type { ArtifactStore } from "./artifacts.js";
import { checkKey } from "./key.js";

/** Unfinished uploads lie here, so a crash never leaves half an artifact under its key. */
const UPLOADS = ".uploads";

/** Artifacts as files of a folder. */
export function createLocalArtifacts({ dir }: { dir: string }): ArtifactStore {
  const pathOf = (key: string) => join(dir, ...checkKey(key).split("/"));
  let uploads = 0;
  return {
    async put(key, body) {
      const path = pathOf(key);
      const upload = join(dir, UPLOADS, `${process.pid}-${uploads++}`);
      await mkdir(dirname(upload), { recursive: true });
      try {
        await pipeline(
          body instanceof Uint8Array ? Readable.from([body]) : Readable.from(body),
          createWriteStream(upload, { flush: true }),
        );
        await mkdir(dirname(path), { recursive: true });
        await rename(upload, path);
      } catch (error) {
        await rm(upload, { force: true });
        throw error;
      }
    },
    async get(key) {
      const path = pathOf(key);
      const found = await stat(path).catch(() => undefined);
      if (!found?.isFile()) throw new NotFoundError(`artifact ${key} is not there`);
      return createReadStream(path);
    },
    async list(prefix) {
      const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
      const files = entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .map((path) => ({ path, key: relative(dir, path).split(sep).join("/") }))
        .filter(({ key }) => key.startsWith(prefix) && !key.startsWith(`${UPLOADS}/`))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
      return await Promise.all(files.map(async ({ path, key }) => ({ key, size: (await stat(path)).size })));
    },
    async delete(key) {
      await rm(pathOf(key), { force: true });
    },
  };
}
