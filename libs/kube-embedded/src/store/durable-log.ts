import { type FileHandle, mkdir, open, readdir, rename, rm, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataLossError, messageOf, UnavailableError } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import { readFrames } from "./frame-file.js";
import { checkFileHeader, FILE_HEADER_BYTES, FORMAT_VERSION, fileHeader, frame } from "./frames.js";
import { lockDirectory } from "./lock.js";
import { decodeRecords, encodeRecord, type StoreRecord } from "./records.js";

/** Records of one snapshot frame; the event loop gets a turn between two. */
const SNAPSHOT_FRAME_BYTES = 1 << 20;
/** The log is folded into a snapshot when it is this long and twice as long as the snapshot before it. */
const COMPACT_BYTES = 16 << 20;
const BUFFERS_PER_WRITE = 512;

export interface DurableLog {
  /** Resolves when the records, together and in order with all before them, are on disk. */
  append(records: readonly StoreRecord[]): Promise<void>;
  /** Why nothing is written any more. */
  problem(): Error | undefined;
  close(): Promise<void>;
}

export interface DurableLogOptions {
  readonly dir: string;
  readonly log: Logger;
  /** Called for every record found on disk, oldest first. */
  readonly restore: (record: StoreRecord) => void;
  /** All that lives at the moment of the call; consumed while later changes go on. */
  readonly capture: () => Iterable<StoreRecord>;
  readonly compactBytes?: number;
}

const logName = (n: number) => `log-${String(n).padStart(8, "0")}`;
const snapshotName = (n: number) => `snapshot-${String(n).padStart(8, "0")}`;
const numbers = (names: readonly string[], prefix: string) =>
  names
    .filter((name) => name.startsWith(prefix) && /^\d{8}$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b);

/** Opens the directory, restores what is there and is ready to append. */
export async function openDurableLog(options: DurableLogOptions): Promise<DurableLog> {
  const { dir, log, restore } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const unlock = await lockDirectory(dir);
  try {
    const names = await readdir(dir);
    for (const name of names) if (name.endsWith(".tmp")) await rm(join(dir, name));
    const { snapshot, logs } = filesOf(dir, names);
    const reading: Replay = {
      restore,
      onTorn: (file, bytes) => log.warn("dropped an unacknowledged write at the end of the log", { file, bytes }),
    };
    const live = snapshot === undefined ? 0 : await replay(dir, snapshotName(snapshot), false, reading);
    let size = 0;
    for (const n of logs) size = await replay(dir, logName(n), n === logs.at(-1), reading);
    const number = logs.at(-1) ?? 0;
    const file = size === 0 ? await create(dir, logName(number)) : await open(join(dir, logName(number)), "a");
    const writer = new LogWriter(options, { number, file, bytes: Math.max(size, FILE_HEADER_BYTES), live });
    return {
      append: (records) => writer.append(records),
      problem: () => writer.problem,
      async close() {
        await writer.close();
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

interface Batch {
  readonly buffers: Buffer[];
  readonly done: Promise<void>;
  readonly settle: (error?: Error) => void;
}

/** Writes frames one after the other; all that arrives while one is being written shares the next. */
class LogWriter {
  private next: Batch | undefined;
  private loop: Promise<void> | undefined;
  private snapshot: Promise<void> | undefined;
  private failed: Error | undefined;

  get problem(): Error | undefined {
    return this.failed;
  }

  constructor(
    private readonly options: DurableLogOptions,
    private readonly at: { number: number; file: FileHandle; bytes: number; live: number },
  ) {}

  append(records: readonly StoreRecord[]): Promise<void> {
    if (this.failed) return Promise.reject(this.failed);
    this.next ??= newBatch();
    const batch = this.next;
    for (const record of records) batch.buffers.push(...encodeRecord(record));
    this.loop ??= this.run();
    return batch.done;
  }

  async close(): Promise<void> {
    await this.loop;
    await this.snapshot;
    await this.at.file.close();
  }

  private async run(): Promise<void> {
    // Lets every write of this turn of the event loop join the same frame.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.next) {
      const batch = this.next;
      this.next = undefined;
      try {
        if (this.failed) throw this.failed;
        await this.write(frame(batch.buffers));
        batch.settle();
        const { compactBytes = COMPACT_BYTES } = this.options;
        if (!this.snapshot && this.at.bytes > Math.max(compactBytes, 2 * this.at.live)) await this.rotate();
      } catch (error) {
        batch.settle(this.fail(error));
      }
    }
    this.loop = undefined;
  }

  private async write(buffers: Buffer[]): Promise<void> {
    for (let i = 0; i < buffers.length; i += BUFFERS_PER_WRITE) {
      this.at.bytes += await writeAll(this.at.file, buffers.slice(i, i + BUFFERS_PER_WRITE));
    }
    await this.at.file.datasync();
  }

  private fail(error: unknown): Error {
    const { dir, log } = this.options;
    if (!this.failed) {
      log.error("store write failed", { dir, error: messageOf(error) });
      this.failed = new UnavailableError(
        `the store in ${dir} cannot be written (${messageOf(error)}): free space or mend the disk, then start again`,
        { cause: error },
      );
    }
    return this.failed;
  }

  /** Begins the next log; the snapshot of all before it is written beside the work that goes on. */
  private async rotate(): Promise<void> {
    const { dir, log, capture } = this.options;
    const number = this.at.number + 1;
    const file = await create(dir, logName(number));
    const records = capture();
    await this.at.file.close();
    Object.assign(this.at, { number, file, bytes: FILE_HEADER_BYTES });
    this.snapshot = (async () => {
      try {
        this.at.live = await writeSnapshot(dir, number, records);
        for (const name of await readdir(dir)) {
          if (/^(log|snapshot)-\d{8}$/.test(name) && Number(name.split("-")[1]) < number) await rm(join(dir, name));
        }
      } catch (error) {
        log.error("snapshot failed; the logs are kept", { dir, error: messageOf(error) });
      } finally {
        this.snapshot = undefined;
      }
    })();
  }
}

function newBatch(): Batch {
  let settle: Batch["settle"] = () => undefined;
  const done = new Promise<void>((resolve, reject) => {
    settle = (error) => (error ? reject(error) : resolve());
  });
  return { buffers: [], done, settle };
}

function lost(dir: string, name: string, problem: string): DataLossError {
  return new DataLossError(
    `${join(dir, name)} ${problem}: nothing was changed. Restore ${dir} from a copy, or move it away to begin with an empty one`,
  );
}

/** What a reader of the directory wants. */
interface Replay {
  readonly restore: (record: StoreRecord) => void;
  /** Told of bytes at the end that an interrupted write has left, before they are cut off; absent: they stay. */
  readonly onTorn?: (path: string, bytes: number) => void;
}

async function replay(dir: string, name: string, mayBeTorn: boolean, { restore, onTorn }: Replay): Promise<number> {
  const path = join(dir, name);
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(Math.min(size, FILE_HEADER_BYTES));
    await file.read(head, 0, head.length, 0);
    const header = checkFileHeader(head);
    if (header === "torn" && mayBeTorn) return 0;
    if (header === "newer") {
      throw lost(dir, name, `was written by a newer version (its format is above ${FORMAT_VERSION}); update Tiphys`);
    }
    if (header !== "ok") throw lost(dir, name, "does not begin as a file of the store does");
    const end = await readFrames(file, size, (payload, at) => {
      try {
        for (const record of decodeRecords(payload)) restore(record);
      } catch (error) {
        throw lost(dir, name, `holds no valid record at byte ${at} (${messageOf(error)})`);
      }
    });
    if (end.kind === "torn" && mayBeTorn) {
      onTorn?.(path, size - end.at);
      if (onTorn) await truncate(path, end.at);
    } else if (end.kind !== "end") throw lost(dir, name, `is damaged at byte ${end.at}`);
    return end.at;
  } finally {
    await file.close();
  }
}

/** The files that make up the present, oldest first; throws where one of them is missing. */
function filesOf(dir: string, names: readonly string[]): { snapshot: number | undefined; logs: readonly number[] } {
  const snapshot = numbers(names, "snapshot-").at(-1);
  const logs = numbers(names, "log-").filter((n) => n >= (snapshot ?? 0));
  for (const [i, n] of logs.entries()) {
    if (n !== (logs[0] ?? 0) + i) throw lost(dir, logName(n - 1), "is missing although newer ones are there");
  }
  if (snapshot !== undefined && logs[0] !== snapshot) throw lost(dir, logName(snapshot), "is missing");
  if (snapshot === undefined && logs.length > 0 && logs[0] !== 0) {
    throw lost(dir, snapshotName(logs[0] ?? 0), "is missing although its log is there");
  }
  return { snapshot, logs };
}

const READ_TRIES = 5;

/**
 * Reads a directory as it is, also while its owner writes: what was durable when the reading began, and perhaps some of
 * what came after, as of one moment. Changes nothing. Answers false when there is no store; `begin` is called before each
 * try, as files may be folded into a new snapshot while they are read.
 */
export async function readDurableLog(
  dir: string,
  begin: () => void,
  restore: (record: StoreRecord) => void,
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return [];
        throw error;
      });
      const { snapshot, logs } = filesOf(dir, names);
      if (logs.length === 0) return false;
      begin();
      if (snapshot !== undefined) await replay(dir, snapshotName(snapshot), false, { restore });
      for (const n of logs) await replay(dir, logName(n), n === logs.at(-1), { restore });
      return true;
    } catch (error) {
      const moved = (error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof DataLossError;
      if (!moved || tries === READ_TRIES) throw error;
    }
  }
}

async function create(dir: string, name: string): Promise<FileHandle> {
  const file = await open(join(dir, name), "w", 0o600);
  await writeAll(file, [fileHeader()]);
  await file.datasync();
  await syncDirectory(dir);
  return file;
}

/** Writes the files of a store that holds `records`, into a directory that has none. */
export async function createDurableLog(dir: string, records: Iterable<StoreRecord>): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  // A crash between the two leaves a directory that is refused, never half of what it should hold.
  await (await create(dir, logName(1))).close();
  await writeSnapshot(dir, 1, records);
}

const writeSnapshot = (dir: string, n: number, records: Iterable<StoreRecord>): Promise<number> =>
  writeRecords(join(dir, snapshotName(n)), fileHeader(), records);

/** Writes a file of records that is there as a whole or not at all; answers its bytes. */
export async function writeRecords(path: string, header: Buffer, records: Iterable<StoreRecord>): Promise<number> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    let written = await writeAll(file, [header]);
    let part: Buffer[] = [];
    let size = 0;
    const flush = async () => {
      written += await writeAll(file, frame([Buffer.concat(part)]));
      part = [];
      size = 0;
    };
    for (const record of records) {
      for (const buffer of encodeRecord(record)) {
        part.push(buffer);
        size += buffer.length;
      }
      if (size >= SNAPSHOT_FRAME_BYTES) await flush();
    }
    if (part.length) await flush();
    await file.sync();
    await file.close();
    await rename(temporary, path);
    await syncDirectory(dirname(path));
    return written;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeAll(file: FileHandle, buffers: Buffer[]): Promise<number> {
  const total = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
  const { bytesWritten } = await file.writev(buffers);
  if (bytesWritten < total) {
    const rest = Buffer.concat(buffers).subarray(bytesWritten);
    for (let at = 0; at < rest.length; ) at += (await file.write(rest, at)).bytesWritten;
  }
  return total;
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  await handle.sync().catch(() => undefined);
  await handle.close();
}
