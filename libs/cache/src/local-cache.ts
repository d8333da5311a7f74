import { createHash, createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { Secret } from "@tiphys/secret";
import type { Logger } from "@tiphys/telemetry";
import type { Cache } from "./cache.js";

export interface LocalCacheOptions {
  /** Absent: memory only. */
  readonly dir?: string;
  /** Bytes kept in memory; default 32 MiB. */
  readonly memoryBytes?: number;
  /** Bytes kept on disk; default 1 GiB. */
  readonly diskBytes?: number;
  /** Signs entries on disk: whoever may write there still cannot make us believe one. Absent: a checksum finds damage alone. */
  readonly key?: Secret;
  readonly clock: Clock;
  readonly log: Logger;
}

interface InMemory {
  readonly value: Uint8Array;
  /** Epoch milliseconds. */
  readonly expires: number;
}

const MEMORY_BYTES = 32 * 1024 * 1024;
const DISK_BYTES = 1024 ** 3;
/** Expiry (8 bytes), and the signature of name, expiry and value. */
const HEADER = 8 + 32;

const sha256 = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The cache in process: the newest entries in memory, all of them on disk when there is a folder. */
export async function createLocalCache(options: LocalCacheOptions): Promise<Cache> {
  const { dir, clock, log, memoryBytes = MEMORY_BYTES, diskBytes = DISK_BYTES } = options;
  const seal = (name: string, expiry: Uint8Array, value: Uint8Array): Buffer =>
    (options.key ? createHmac("sha256", options.key.reveal()) : createHash("sha256"))
      .update(name)
      .update(expiry)
      .update(value)
      .digest();
  /** Least recently used first. */
  const memory = new Map<string, InMemory>();
  let memorySize = 0;
  const disk = new Map<string, number>();
  let diskSize = 0;

  if (dir !== undefined) {
    await mkdir(dir, { recursive: true });
    const found: { name: string; size: number; used: number }[] = [];
    for (const name of await readdir(dir)) {
      if (name.endsWith(".tmp")) await rm(join(dir, name), { force: true });
      else if (/^[0-9a-f]{64}$/.test(name)) {
        const { size, mtimeMs } = await stat(join(dir, name));
        found.push({ name, size, used: mtimeMs });
      }
    }
    found.sort((a, b) => a.used - b.used);
    for (const { name, size } of found) {
      disk.set(name, size);
      diskSize += size;
    }
  }

  const forgetInMemory = (name: string) => {
    memorySize -= memory.get(name)?.value.length ?? 0;
    memory.delete(name);
  };
  const keepInMemory = (name: string, entry: InMemory) => {
    forgetInMemory(name);
    if (entry.value.length > memoryBytes / 4) return;
    memory.set(name, entry);
    memorySize += entry.value.length;
    for (const oldest of memory.keys()) {
      if (memorySize <= memoryBytes) break;
      forgetInMemory(oldest);
    }
  };
  const forgetOnDisk = async (name: string) => {
    diskSize -= disk.get(name) ?? 0;
    disk.delete(name);
    if (dir !== undefined) await rm(join(dir, name), { force: true });
  };

  const readFromDisk = async (name: string): Promise<InMemory | undefined> => {
    const size = disk.get(name);
    if (dir === undefined || size === undefined) return undefined;
    let bytes: Buffer;
    try {
      bytes = await readFile(join(dir, name));
    } catch {
      await forgetOnDisk(name);
      return undefined;
    }
    const sound =
      bytes.length >= HEADER &&
      timingSafeEqual(seal(name, bytes.subarray(0, 8), bytes.subarray(HEADER)), bytes.subarray(8, HEADER));
    if (!sound) {
      log.warn("refused a cache entry that is damaged or forged", { name });
      await forgetOnDisk(name);
      return undefined;
    }
    disk.delete(name);
    disk.set(name, size);
    const now = clock.now();
    await utimes(join(dir, name), now, now).catch(() => {});
    return { value: bytes.subarray(HEADER), expires: Number(bytes.readBigUInt64LE(0)) };
  };

  const writeToDisk = async (name: string, { value, expires }: InMemory) => {
    if (dir === undefined || value.length + HEADER > diskBytes) return;
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(Math.round(expires)));
    const temporary = join(dir, `${name}.${randomUUID()}.tmp`);
    try {
      await writeFile(temporary, Buffer.concat([head, seal(name, head, value), value]));
      await rename(temporary, join(dir, name));
    } catch (error) {
      // A full disk makes things slower, not wrong.
      log.warn("cache entry was not written", { error: messageOf(error) });
      await rm(temporary, { force: true });
      return;
    }
    diskSize += value.length + HEADER - (disk.get(name) ?? 0);
    disk.delete(name);
    disk.set(name, value.length + HEADER);
    for (const oldest of [...disk.keys()]) {
      if (diskSize <= diskBytes) break;
      await forgetOnDisk(oldest);
    }
  };

  return {
    async get(key) {
      const name = sha256(key).toString("hex");
      const entry = memory.get(name) ?? (await readFromDisk(name));
      if (!entry) return undefined;
      if (entry.expires <= clock.now().getTime()) {
        forgetInMemory(name);
        await forgetOnDisk(name);
        return undefined;
      }
      keepInMemory(name, entry);
      return Uint8Array.from(entry.value);
    },
    async set(key, value, ttl) {
      const name = sha256(key).toString("hex");
      const entry = { value: Uint8Array.from(value), expires: clock.now().getTime() + ttl };
      keepInMemory(name, entry);
      await writeToDisk(name, entry);
    },
    async delete(key) {
      const name = sha256(key).toString("hex");
      forgetInMemory(name);
      await forgetOnDisk(name);
    },
    async close() {
      memory.clear();
      memorySize = 0;
    },
  };
}
