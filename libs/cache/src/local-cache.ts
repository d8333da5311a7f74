import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import type { Logger } from "@tiphys/telemetry";
import type { Cache } from "./cache.js";

export interface LocalCacheOptions {
  /** Absent: memory only. */
  readonly dir?: string;
  readonly memoryBytes?: number;
  readonly diskBytes?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Entry {
  readonly value: Uint8Array;
  readonly expires: number;
}

/** A file: 8 bytes of expiry (ms, little-endian double), 32 of SHA-256 over key, expiry and value, then the value. */
const HEADER = 40;

/** The most recently used entries in memory, all of them on disk within a size; a damaged file is a miss. */
export async function createLocalCache(options: LocalCacheOptions): Promise<Cache> {
  const { dir, memoryBytes = 32 * 1024 * 1024, diskBytes = 512 * 1024 * 1024, clock, log } = options;
  const memory = new Map<string, Entry>();
  let memorySize = 0;
  let diskSize = 0;
  let writes = 0;
  if (dir !== undefined) {
    await mkdir(dir, { recursive: true });
    for (const name of await readdir(dir)) diskSize += (await stat(join(dir, name)).catch(() => undefined))?.size ?? 0;
  }
  const pathOf = (key: string) => join(dir ?? "", createHash("sha256").update(key).digest("hex"));

  const remember = (key: string, entry: Entry) => {
    forget(key);
    if (entry.value.length > memoryBytes / 4) return;
    memory.set(key, entry);
    memorySize += entry.value.length + key.length;
    for (const oldest of memory.keys()) {
      if (memorySize <= memoryBytes) break;
      forget(oldest);
    }
  };
  const forget = (key: string) => {
    const entry = memory.get(key);
    if (!entry) return;
    memory.delete(key);
    memorySize -= entry.value.length + key.length;
  };

  /** Drops the least recently used files until a tenth of the space is free. */
  const shrink = async (folder: string) => {
    const files = await Promise.all(
      (await readdir(folder)).map(async (name) => {
        const found = await stat(join(folder, name)).catch(() => undefined);
        return { path: join(folder, name), size: found?.size ?? 0, used: found?.mtimeMs ?? 0 };
      }),
    );
    files.sort((a, b) => a.used - b.used);
    diskSize = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files) {
      if (diskSize <= diskBytes * 0.9) break;
      await rm(path, { force: true });
      diskSize -= size;
    }
  };

  return {
    async get(key) {
      const now = clock.now().getTime();
      const known = memory.get(key);
      if (known) {
        forget(key);
        if (known.expires <= now) return undefined;
        remember(key, known);
        return known.value;
      }
      if (dir === undefined) return undefined;
      const path = pathOf(key);
      const bytes = await readFile(path).catch(() => undefined);
      if (!bytes) return undefined;
      const entry = decode(key, bytes);
      if (!entry || entry.expires <= now) {
        if (!entry) log.warn("damaged cache entry dropped", { path });
        await rm(path, { force: true });
        return undefined;
      }
      remember(key, entry);
      // The time of change is the time of use, for shrinking.
      await utimes(path, clock.now(), clock.now()).catch(() => {});
      return entry.value;
    },
    async set(key, value, ttl) {
      const entry = { value, expires: clock.now().getTime() + ttl };
      remember(key, entry);
      if (dir === undefined || value.length > diskBytes / 4) return;
      const bytes = encode(key, entry);
      const path = pathOf(key);
      const fresh = `${path}.${writes++}.new`;
      try {
        await writeFile(fresh, bytes);
        await rename(fresh, path);
        diskSize += bytes.length;
        if (diskSize > diskBytes) await shrink(dir);
      } catch (error) {
        // A cache that cannot write is a smaller cache, not a failure of the caller.
        log.warn("cache entry not written", { error });
        await rm(fresh, { force: true }).catch(() => {});
      }
    },
    async delete(key) {
      forget(key);
      if (dir !== undefined) await rm(pathOf(key), { force: true });
    },
    async close() {
      memory.clear();
    },
  };
}

function digest(key: string, header: Buffer, value: Uint8Array): Buffer {
  return createHash("sha256").update(String(key.length)).update(key).update(header).update(value).digest();
}

function encode(key: string, { value, expires }: Entry): Buffer {
  const header = Buffer.alloc(8);
  header.writeDoubleLE(expires);
  return Buffer.concat([header, digest(key, header, value), value]);
}

function decode(key: string, bytes: Buffer): Entry | undefined {
  if (bytes.length < HEADER) return undefined;
  const header = bytes.subarray(0, 8);
  const value = bytes.subarray(HEADER);
  return digest(key, header, value).equals(bytes.subarray(8, HEADER))
    ? { value, expires: header.readDoubleLE() }
    : undefined;
}
