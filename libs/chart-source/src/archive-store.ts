import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import { DataLossError } from "@tiphys/errors";

/** Files by the SHA-256 of their content, and small notes by key; in a folder that is ours alone. */
export interface ArchiveStore {
  /** The file with this content, if it is here; it stays for at least ten minutes. */
  get(sha256: string): Promise<string | undefined>;
  /** Takes in what `write` sends, piece by piece; the file is there only when all went well. */
  put(
    write: (take: (piece: Uint8Array) => Promise<void>) => Promise<void>,
    check?: { readonly sha256?: string | undefined; readonly what: string },
  ): Promise<StoredFile>;
  /** Takes in a file of the same file system by moving it; its content has been checked. */
  takeIn(file: string, sha256: string): Promise<StoredFile>;
  note(key: string): Promise<Record<string, unknown> | undefined>;
  setNote(key: string, value: Readonly<Record<string, unknown>>): Promise<void>;
}

export interface StoredFile {
  readonly sha256: string;
  readonly file: string;
  /** Bytes. */
  readonly size: number;
}

export interface ArchiveStoreOptions {
  readonly directory: string;
  /** Bytes of all files together, beyond which those that were not asked for the longest go. */
  readonly budgetBytes: number;
  readonly clock: Clock;
}

/** Nothing that was asked for within this time goes, as somebody may be reading it. */
const KEPT_MILLISECONDS = 600_000;

export async function createArchiveStore({
  directory,
  budgetBytes,
  clock,
}: ArchiveStoreOptions): Promise<ArchiveStore> {
  const files = join(directory, "files");
  const notes = join(directory, "notes");
  const incoming = join(directory, "incoming");
  // What an earlier process has begun is of no use.
  await rm(incoming, { recursive: true, force: true });
  for (const folder of [files, notes, incoming]) await mkdir(folder, { recursive: true, mode: 0o700 });

  const known = new Map<string, { size: number; used: number }>();
  let total = 0;
  for (const name of await readdir(files)) {
    const { size, mtimeMs } = await stat(join(files, name));
    known.set(name, { size, used: mtimeMs });
    total += size;
  }

  const now = () => clock.now().getTime();
  const fileOf = (sha256: string) => join(files, sha256);
  const noteOf = (key: string) => join(notes, `${createHash("sha256").update(key).digest("hex")}.json`);

  async function makeRoom(): Promise<void> {
    if (total <= budgetBytes) return;
    const oldest = [...known].sort(([, a], [, b]) => a.used - b.used);
    for (const [name, { size, used }] of oldest) {
      if (total <= budgetBytes || now() - used < KEPT_MILLISECONDS) return;
      known.delete(name);
      total -= size;
      await rm(fileOf(name), { force: true });
    }
  }

  async function settle(part: string, sha256: string, size: number): Promise<StoredFile> {
    if (known.has(sha256)) await rm(part, { force: true });
    else {
      await rename(part, fileOf(sha256));
      total += size;
    }
    known.set(sha256, { size, used: now() });
    await makeRoom();
    return { sha256, file: fileOf(sha256), size };
  }

  return {
    takeIn: async (file, sha256) => settle(file, sha256, (await stat(file)).size),
    async get(sha256) {
      const entry = known.get(sha256);
      if (!entry) return undefined;
      const file = fileOf(sha256);
      try {
        const time = clock.now();
        await utimes(file, time, time);
      } catch {
        known.delete(sha256);
        total -= entry.size;
        return undefined;
      }
      entry.used = now();
      return file;
    },
    async put(write, check) {
      const part = join(incoming, randomUUID());
      const hash = createHash("sha256");
      let size = 0;
      const handle = await open(part, "wx", 0o600);
      try {
        await write(async (piece) => {
          hash.update(piece);
          size += piece.length;
          await handle.appendFile(piece);
        });
        await handle.close();
        const sha256 = hash.digest("hex");
        if (check?.sha256 !== undefined && check.sha256 !== sha256) {
          throw new DataLossError(`${check.what} has digest ${sha256}, not ${check.sha256} as it should`);
        }
        return await settle(part, sha256, size);
      } catch (error) {
        await handle.close().catch(() => {});
        await rm(part, { force: true });
        throw error;
      }
    },
    async note(key) {
      try {
        const value: unknown = JSON.parse(await readFile(noteOf(key), "utf8"));
        return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
      } catch {
        return undefined;
      }
    },
    async setNote(key, value) {
      const part = join(incoming, randomUUID());
      await writeFile(part, JSON.stringify(value), { mode: 0o600 });
      await rename(part, noteOf(key));
    },
  };
}
