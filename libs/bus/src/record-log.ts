import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { DataLossError, messageOf, UnavailableError } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";

/**
 * Length and CRC-32 of the payload, then the CRC-32 of these eight bytes, each 32 bits little-endian. A length that can be
 * trusted tells a record cut short from damage: without it, one flipped bit would pass for the end of the file.
 */
export const RECORD_HEADER_BYTES = 12;
const SECTOR_BYTES = 512;

/**
 * An append-only file of checksummed records. Appends that arrive while a write is under way go out together with one
 * fdatasync (group commit). A record cut short by a crash is dropped at the next open; any other damage is refused.
 */
export interface RecordLog {
  /** Bytes, including those still being written. */
  readonly size: number;
  /** Resolves to the payload's offset when the record is durable (`sync`) or written (no `sync`). Order is kept. */
  append(payload: Uint8Array): Promise<number>;
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface RecordLogOptions {
  /** Called for every stored record, oldest first, before `openRecordLog` resolves. */
  readonly replay: (payload: Buffer, offset: number) => void;
  /** False: the file is synced only at close; a lost tail costs nothing but repeated work. */
  readonly sync: boolean;
  /** False for files that cannot have been in use at a crash: a short record there is damage. */
  readonly mayBeTorn?: boolean;
  readonly log: Logger;
}

interface Pending {
  readonly record: Buffer[];
  readonly offset: number;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: unknown) => void;
}

export async function openRecordLog(path: string, options: RecordLogOptions): Promise<RecordLog> {
  const file = await open(path, "a+");
  let size: number;
  try {
    size = await replayFile(file, path, options);
  } catch (error) {
    await file.close();
    throw error;
  }

  let written = size;
  let pending: Pending[] = [];
  let writing: Promise<void> | undefined;
  let broken: unknown;

  const flush = async () => {
    while (pending.length > 0) {
      const group = pending;
      pending = [];
      try {
        if (broken) throw broken;
        const bytes = Buffer.concat(group.flatMap((entry) => entry.record));
        let done = 0;
        while (done < bytes.length) done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
        if (options.sync) await file.datasync();
        written += bytes.length;
        for (const entry of group) entry.resolve(entry.offset);
      } catch (error) {
        // What reached the disk is unknown now, so nothing more may follow it: the next open decides.
        broken ??= new UnavailableError(`${path}: the log could not be written: ${messageOf(error)}`, { cause: error });
        for (const entry of group) entry.reject(broken);
      }
    }
    writing = undefined;
  };

  return {
    get size() {
      return size;
    },
    append(payload) {
      if (broken) return Promise.reject(broken);
      const header = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
      header.writeUInt32LE(payload.length, 0);
      header.writeUInt32LE(crc32(payload), 4);
      header.writeUInt32LE(crc32(header.subarray(0, 8)), 8);
      const offset = size + RECORD_HEADER_BYTES;
      size += RECORD_HEADER_BYTES + payload.length;
      return new Promise((resolve, reject) => {
        pending.push({ record: [header, Buffer.from(payload)], offset, resolve, reject });
        // Deferred by a microtask, so that all appends of one turn share a write.
        writing ??= Promise.resolve().then(flush);
      });
    },
    async read(offset, length) {
      if (offset + length > written) await writing;
      const bytes = Buffer.allocUnsafe(length);
      const { bytesRead } = await file.read(bytes, 0, length, offset);
      if (bytesRead !== length) throw new DataLossError(`${path}: a record at ${offset} is missing`);
      return bytes;
    },
    async close() {
      await writing;
      if (!options.sync && !broken) await file.datasync();
      await file.close();
    },
  };
}

/** Replays the records of `file` and resolves to the length of its sound part; a torn tail is cut off. */
async function replayFile(file: FileHandle, path: string, options: RecordLogOptions): Promise<number> {
  const bytes = await file.readFile();
  let at = 0;
  while (at < bytes.length) {
    const record = readRecord(bytes, at);
    if (typeof record === "object") {
      options.replay(record.payload, at + RECORD_HEADER_BYTES);
      at = record.next;
      continue;
    }
    if (record === "damaged" || options.mayBeTorn === false) {
      throw new DataLossError(
        `${path}: the record at byte ${at} is damaged; nothing was changed. Restore the file from a backup, ` +
          "or move it away to start without its contents",
      );
    }
    options.log.warn("dropped a record cut short by a crash", { path, at, bytes: bytes.length - at });
    await file.truncate(at);
    await file.datasync();
    break;
  }
  return at;
}

/** The record at `at`; "torn" is what an interrupted last write leaves, anything else that is wrong is damage. */
function readRecord(bytes: Buffer, at: number): { payload: Buffer; next: number } | "torn" | "damaged" {
  const start = at + RECORD_HEADER_BYTES;
  if (start > bytes.length || isZero(bytes.subarray(at))) return "torn";
  const length = bytes.readUInt32LE(at);
  if (length === 0 || crc32(bytes.subarray(at, at + 8)) !== bytes.readUInt32LE(at + 8)) return "damaged";
  const next = start + length;
  if (next > bytes.length) return "torn";
  const payload = bytes.subarray(start, next);
  if (crc32(payload) === bytes.readUInt32LE(at + 4)) return { payload, next };
  // After a power cut the file may be long enough and yet lack sectors; those read as zeros, a flipped bit does not.
  return next === bytes.length && hasZeroSector(bytes, start) ? "torn" : "damaged";
}

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);

function hasZeroSector(bytes: Buffer, from: number): boolean {
  for (let start = from; start < bytes.length; start = (Math.floor(start / SECTOR_BYTES) + 1) * SECTOR_BYTES) {
    const end = Math.min(bytes.length, (Math.floor(start / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    // A sector of which only a few bytes are ours says nothing.
    if (end - start >= 16 && isZero(bytes.subarray(start, end))) return true;
  }
  return false;
}
