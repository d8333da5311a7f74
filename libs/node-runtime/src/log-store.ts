import { type FSWatcher, watch } from "node:fs";
import { appendFile, copyFile, open, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import { limits } from "@tiphys/limits";

/**
 * The container writes to a plain file, so its output outlives us. Beside it `times` says when the file had grown to
 * which size; that gives every line its timestamp without a second copy of the log.
 */
export interface LogRecorder {
  /** Takes in what was written last, then stops looking. */
  close(): Promise<void>;
  /** Resolves at the next growth, or at once when closed. */
  changed(): Promise<void>;
  readonly closed: boolean;
}

export function recordLog(dir: string, clock: Clock): LogRecorder {
  const file = join(dir, "log");
  let known = -1;
  let busy: Promise<void> | undefined;
  let again = false;
  let closed = false;
  let waiters: (() => void)[] = [];
  const look = async () => {
    if (known < 0) known = (await times(dir)).at(-1)?.size ?? 0;
    const { size } = await stat(file);
    if (size > limits.podLogBytes) {
      // As a kubelet rotates: readers see the current file alone.
      await copyFile(file, join(dir, "log.1"));
      await truncate(file, 0);
      await writeFile(join(dir, "times"), "");
      known = 0;
    } else if (size > known) {
      known = size;
      await appendFile(join(dir, "times"), `${size} ${clock.now().getTime()}\n`);
    } else return;
    const old = waiters;
    waiters = [];
    for (const resolve of old) resolve();
  };
  const poke = (): Promise<void> => {
    if (busy) {
      again = true;
      return busy;
    }
    busy = look()
      .catch(() => {})
      .then(() => {
        busy = undefined;
        if (again) {
          again = false;
          return poke();
        }
      });
    return busy;
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(file, { persistent: false }, () => void poke());
    watcher.on("error", () => {});
  } catch {
    // The file is gone: so is the container.
  }
  void poke();
  return {
    async close() {
      if (closed) return;
      watcher?.close();
      again = true;
      await poke();
      closed = true;
      for (const resolve of waiters) resolve();
      waiters = [];
    },
    changed: () => (closed ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
    get closed() {
      return closed;
    },
  };
}

interface Growth {
  readonly size: number;
  readonly at: number;
}

async function times(dir: string): Promise<Growth[]> {
  const text = await readFile(join(dir, "times"), "utf8").catch(() => "");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(" ").map(Number))
    .map(([size = 0, at = 0]) => ({ size, at }));
}

/** When the byte at `offset` was written. */
function timeOf(growth: readonly Growth[], offset: number, fallback: number): number {
  let low = 0;
  let high = growth.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (growth[middle]!.size > offset) high = middle;
    else low = middle + 1;
  }
  return growth[low]?.at ?? fallback;
}

export interface ReadLogOptions {
  readonly follow?: boolean;
  readonly tailLines?: number;
  /** Milliseconds since 1970: older lines are left out. */
  readonly since?: number;
  readonly timestamps?: boolean;
  /** Bytes after which the answer ends, timestamps among them. */
  readonly limitBytes?: number;
  /** Byte of the log to begin at, instead of its first. */
  readonly offset?: number;
}

const CHUNK = 64 * 1024;
const NEWLINE = 10;

/** The lines of the log in `dir`. With `follow` it goes on until `recorder` (of the running container) closes. */
export async function* readLog(
  dir: string,
  options: ReadLogOptions,
  recorder: LogRecorder | undefined,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const bytes of readLines(dir, options, recorder, clock, signal)) {
    yield bytes.length > left ? bytes.subarray(0, left) : bytes;
    left -= bytes.length;
    if (left <= 0) return;
  }
}

async function* readLines(
  dir: string,
  options: ReadLogOptions,
  recorder: LogRecorder | undefined,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const file = await open(join(dir, "log"), "r").catch(() => undefined);
  if (!file) return;
  try {
    const plain = options.since === undefined && !options.timestamps;
    let offset = options.tailLines === undefined ? (options.offset ?? 0) : await tailOffset(file, options.tailLines);
    let rest = Buffer.alloc(0);
    const buffer = Buffer.alloc(CHUNK);
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    for (;;) {
      const ending = recorder === undefined || recorder.closed;
      const next = recorder?.changed();
      const growth = plain ? [] : await times(dir);
      const { size } = await file.stat();
      if (size < offset) {
        offset = 0;
        rest = Buffer.alloc(0);
      }
      while (offset < size && !signal.aborted) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK, size - offset), offset);
        if (bytesRead === 0) break;
        const chunk = Buffer.from(buffer.subarray(0, bytesRead));
        if (plain) {
          offset += bytesRead;
          yield chunk;
          continue;
        }
        const start = offset - rest.length;
        offset += bytesRead;
        const all = Buffer.concat([rest, chunk]);
        let from = 0;
        for (let at = all.indexOf(NEWLINE); at >= 0; at = all.indexOf(NEWLINE, from)) {
          const line = stamped(
            all.subarray(from, at + 1),
            timeOf(growth, start + from, clock.now().getTime()),
            options,
          );
          if (line) yield line;
          from = at + 1;
        }
        rest = all.subarray(from);
      }
      if (signal.aborted) return;
      if (!options.follow || ending) {
        if (rest.length > 0) {
          const line = stamped(rest, timeOf(growth, offset - rest.length, clock.now().getTime()), options);
          if (line) yield line;
        }
        return;
      }
      await Promise.race([next, aborted]);
    }
  } finally {
    await file.close();
  }
}

function stamped(line: Buffer, at: number, options: ReadLogOptions): Buffer | undefined {
  if (options.since !== undefined && at < options.since) return undefined;
  if (!options.timestamps) return Buffer.from(line);
  return Buffer.concat([Buffer.from(`${new Date(at).toISOString().replace("Z", "000000Z")} `), line]);
}

/** Where the last `lines` lines begin. */
async function tailOffset(
  file: {
    stat(): Promise<{ size: number }>;
    read(buffer: Buffer, at: number, length: number, position: number): Promise<{ bytesRead: number }>;
  },
  lines: number,
): Promise<number> {
  const { size } = await file.stat();
  if (lines <= 0) return size;
  const buffer = Buffer.alloc(CHUNK);
  let found = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - CHUNK);
    const { bytesRead } = await file.read(buffer, 0, end - start, start);
    for (let i = bytesRead - 1; i >= 0; i--) {
      if (buffer[i] !== NEWLINE || start + i === size - 1) continue;
      if (++found === lines) return start + i + 1;
    }
    end = start;
  }
  return 0;
}
