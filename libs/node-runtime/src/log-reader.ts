import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import { type Growth, type LogRecorder, type LogStream, logFile, parseTimes, streams } from "./log-recorder.js";

export interface ReadLogOptions {
  readonly follow?: boolean;
  readonly tailLines?: number;
  /** Milliseconds since 1970: older lines are left out. */
  readonly since?: number;
  readonly timestamps?: boolean;
  /** Bytes after which the answer ends, timestamps among them. */
  readonly limitBytes?: number;
}

const CHUNK = 64 * 1024;
const NEWLINE = 10;
/** A line longer than this is given in parts, as container runtimes log it. */
const LONGEST_LINE = 16 * 1024;

/** The lines of the log in `dir`. With `follow` it goes on until `recorder` (of the running container) closes. */
export async function* readLog(
  dir: string,
  options: ReadLogOptions,
  recorder: LogRecorder | undefined,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  const lines = readLines(dir, options, recorder, clock, signal);
  for await (const bytes of options.tailLines === undefined ? lines : lastOf(lines, options.tailLines)) {
    if (typeof bytes === "symbol") continue;
    yield bytes.length > left ? bytes.subarray(0, left) : bytes;
    left -= bytes.length;
    if (left <= 0) return;
  }
}

/** Stands between what is in the log already and what comes. */
const PRESENT = Symbol("present");

/** The last `count` lines before the present, and all that come after it. */
async function* lastOf(
  lines: AsyncIterable<Uint8Array | typeof PRESENT>,
  count: number,
): AsyncIterable<Uint8Array | typeof PRESENT> {
  let last: Uint8Array[] | undefined = [];
  const newest = (all: Uint8Array[]) => all.slice(Math.max(0, all.length - Math.max(0, count)));
  for await (const line of lines) {
    if (last === undefined) yield line;
    else if (line === PRESENT) {
      yield* newest(last);
      last = undefined;
    } else {
      last.push(line);
      // Not at every line: moving them is what costs.
      if (last.length > 2 * count + 1024) last = newest(last);
    }
  }
  if (last) yield* newest(last);
}

/** One output as it is read: where we are, and the begin of a line that has no end yet. */
interface Cursor {
  readonly file: FileHandle;
  offset: number;
  rest: Buffer;
  /** Part of the line was given already. */
  begun: boolean;
}

async function* readLines(
  dir: string,
  options: ReadLogOptions,
  recorder: LogRecorder | undefined,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<Uint8Array | typeof PRESENT> {
  const cursors = new Map<LogStream, Cursor>();
  const gone = abortOf(signal);
  const single = options.since !== undefined || options.timestamps === true || options.tailLines !== undefined;
  try {
    for (const stream of streams) {
      const file = await open(logFile(dir, stream), "r").catch(() => undefined);
      if (file) cursors.set(stream, { file, offset: 0, rest: Buffer.alloc(0), begun: false });
    }
    if (cursors.size === 0) return;
    const times = timesReader(dir);
    for (let first = true; !signal.aborted; first = false) {
      const ending = recorder === undefined || recorder.closed || !options.follow;
      const next = recorder?.changed();
      const { entries, anew } = await times.next();
      if (anew) for (const cursor of cursors.values()) Object.assign(cursor, { offset: 0, rest: Buffer.alloc(0) });
      for (const { stream, size, at } of entries) {
        const cursor = cursors.get(stream);
        if (cursor) yield* upTo(cursor, size, at);
      }
      if (ending) {
        // What was written since somebody looked last, or when nobody did.
        const now = clock.now().getTime();
        for (const cursor of cursors.values()) yield* upTo(cursor, (await cursor.file.stat()).size, now);
        for (const cursor of cursors.values()) {
          if (cursor.rest.length > 0) yield* shown(cursor, [cursor.rest], now);
        }
        return;
      }
      if (first) yield PRESENT;
      await Promise.race([next, gone.aborted]);
    }
  } finally {
    gone.forget();
    await Promise.all([...cursors.values()].map(({ file }) => file.close()));
  }

  /** The whole lines up to byte `size` of one output. */
  async function* upTo(cursor: Cursor, size: number, at: number): AsyncIterable<Uint8Array> {
    while (cursor.offset < size && !signal.aborted) {
      const chunk = Buffer.alloc(Math.min(CHUNK, size - cursor.offset));
      const { bytesRead } = await cursor.file.read(chunk, 0, chunk.length, cursor.offset);
      if (bytesRead === 0) return;
      cursor.offset += bytesRead;
      const all = Buffer.concat([cursor.rest, chunk.subarray(0, bytesRead)]);
      const end = all.lastIndexOf(NEWLINE) + 1;
      cursor.rest = all.subarray(end);
      if (end > 0) yield* shown(cursor, single ? linesOf(all.subarray(0, end)) : [all.subarray(0, end)], at);
      if (cursor.rest.length > LONGEST_LINE) {
        const part = cursor.rest;
        cursor.rest = Buffer.alloc(0);
        yield* shown(cursor, [part], at);
        cursor.begun = true;
      }
    }
  }

  function* shown(cursor: Cursor, lines: Iterable<Buffer>, at: number): Iterable<Uint8Array> {
    for (const bytes of lines) {
      const stamp = options.timestamps === true && !cursor.begun;
      cursor.begun = false;
      if (options.since !== undefined && at < options.since) continue;
      yield stamp
        ? Buffer.concat([Buffer.from(`${new Date(at).toISOString().replace("Z", "000000Z")} `), bytes])
        : bytes;
    }
  }
}

function* linesOf(bytes: Buffer): Iterable<Buffer> {
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, from) + 1 || bytes.length;
    yield bytes.subarray(from, end);
    from = end;
  }
}

/** What is new in `times` each time it is asked; `anew` when the log has begun again. */
function timesReader(dir: string): { next(): Promise<{ entries: readonly Growth[]; anew: boolean }> } {
  let offset = 0;
  return {
    async next() {
      const file = await open(join(dir, "times"), "r").catch(() => undefined);
      if (!file) return { entries: [], anew: false };
      try {
        const { size } = await file.stat();
        const anew = size < offset;
        if (anew) offset = 0;
        const bytes = Buffer.alloc(size - offset);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
        const whole = bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1);
        offset += whole.length;
        return { entries: parseTimes(whole.toString("latin1")), anew };
      } finally {
        await file.close();
      }
    },
  };
}

/** One output of a running container from byte `offset` on, as it comes, until `recorder` closes. */
export async function* followOutput(
  dir: string,
  stream: LogStream,
  offset: number,
  recorder: LogRecorder,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const file = await open(logFile(dir, stream), "r").catch(() => undefined);
  if (!file) return;
  const gone = abortOf(signal);
  try {
    for (let at = offset; !signal.aborted; ) {
      const ending = recorder.closed;
      const next = recorder.changed();
      const { size } = await file.stat();
      // It has begun again.
      if (size < at) at = 0;
      while (at < size && !signal.aborted) {
        const chunk = Buffer.alloc(Math.min(CHUNK, size - at));
        const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
        if (bytesRead === 0) break;
        at += bytesRead;
        yield chunk.subarray(0, bytesRead);
      }
      if (ending) return;
      await Promise.race([next, gone.aborted]);
    }
  } finally {
    await file.close();
    gone.forget();
  }
}

/** Resolves when `signal` fires; a signal may outlive many readers. */
function abortOf(signal: AbortSignal): { readonly aborted: Promise<void>; forget(): void } {
  let forget = () => {};
  const aborted = new Promise<void>((resolve) => {
    const fired = () => resolve();
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", fired, { once: true });
    forget = () => signal.removeEventListener("abort", fired);
  });
  return { aborted, forget: () => forget() };
}
