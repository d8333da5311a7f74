import { closeSync, existsSync, type FSWatcher, openSync, readSync, statSync, watch } from "node:fs";
import { appendFile, copyFile, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "@tiphys/clock";
import { limits } from "@tiphys/limits";

export const streams = ["stdout", "stderr"] as const;
export type LogStream = (typeof streams)[number];

/** What a container writes to each of its outputs, as it came. */
export const logFile = (dir: string, stream: LogStream): string => join(dir, stream === "stdout" ? "log" : "log.err");
/** The pipe that the container writes to, where its output is one. */
export const pipeFile = (dir: string, stream: LogStream): string => join(dir, stream === "stdout" ? "out" : "err");
const timesFile = (dir: string): string => join(dir, "times");

/** A stream's file had grown to `size` bytes at `at` (milliseconds since 1970). */
export interface Growth {
  readonly stream: LogStream;
  readonly size: number;
  readonly at: number;
}

/**
 * The container's outputs come into plain files, one for each, through pipes that programs of their own empty, so its
 * output outlives us. Beside them `times` says in which order they have grown to which sizes, and when: that puts lines
 * of both in order and gives each its timestamp, without a second copy of the log. The order is that of the writes into
 * the pipes, of which the kernel tells. What is written while nobody looks is kept, but in no order between the two.
 */
export interface LogRecorder {
  /** Takes in what was written last, then stops looking. */
  close(): Promise<void>;
  /** Resolves at the next growth, or at once when closed. */
  changed(): Promise<void>;
  readonly closed: boolean;
}

export function recordLog(dir: string, clock: Clock): LogRecorder {
  const known = new Map<LogStream, number>();
  /** Which stream was written to, in the kernel's order; it merges only what comes in a row. */
  const turns: LogStream[] = [];
  let busy: Promise<void> | undefined;
  let again = false;
  let closed = false;
  let waiters: (() => void)[] = [];
  const piped = streams.every((stream) => existsSync(pipeFile(dir, stream)));
  let holding: NodeJS.Timeout | undefined;
  let patient = piped;
  const look = async () => {
    if (known.size === 0) await recall();
    clearTimeout(holding);
    const sizes = new Map(streams.map((stream) => [stream, sizeOf(dir, stream)]));
    // Not before the kernel has told of all that is there: the sizes alone know no order.
    for (let round = 0; round < ROUNDS && (round === 0 || isAhead(dir, known, turns)); round++) await settled();
    const at = clock.now().getTime();
    const grown = piped
      ? growthInTurn(dir, sizes, known, turns, at, patient)
      : growthSince(dir, known, turns.splice(0), at);
    patient = piped;
    if (turns.length > 0) {
      // Real time: what is waited for is a program of this machine, whatever clock the cluster lives by.
      holding = setTimeout(() => {
        patient = false;
        void poke();
      }, HELD_MS);
      holding.unref();
    }
    if (grown.shrunk.length > 0) {
      // Whoever opens its output anew may cut it off: what was there is gone.
      const kept = parseTimes(await readTimes(dir)).filter(({ stream }) => !grown.shrunk.includes(stream));
      await writeFile(timesFile(dir), kept.map(line).join(""));
    }
    if (grown.entries.length === 0) return;
    if ([...known.values()].reduce((sum, size) => sum + size, 0) > limits.podLogBytes) {
      // As a kubelet rotates: readers see the current files alone.
      for (const stream of streams) {
        await copyFile(logFile(dir, stream), `${logFile(dir, stream)}.1`).catch(() => {});
        await truncate(logFile(dir, stream), 0).catch(() => {});
        known.set(stream, 0);
      }
      await writeFile(timesFile(dir), "");
    } else await appendFile(timesFile(dir), grown.entries.map(line).join(""));
    const old = waiters;
    waiters = [];
    for (const resolve of old) resolve();
  };
  async function recall(): Promise<void> {
    for (const stream of streams) known.set(stream, 0);
    for (const { stream, size } of parseTimes(await readTimes(dir))) known.set(stream, size);
  }
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
  const watchers: FSWatcher[] = [];
  for (const stream of streams) {
    try {
      const turn = () => {
        if (turns.at(-1) !== stream && turns.length < MOST_TURNS) turns.push(stream);
      };
      const add = (file: string, told: () => void) => {
        const watcher = watch(file, { persistent: false }, told);
        watcher.on("error", () => {});
        watchers.push(watcher);
      };
      if (piped) add(pipeFile(dir, stream), turn);
      add(logFile(dir, stream), () => {
        if (!piped) turn();
        void poke();
      });
    } catch {
      // The file is gone: so is the container.
    }
  }
  void poke();
  return {
    async close() {
      if (closed) return;
      await busy;
      patient = false;
      await poke();
      patient = false;
      await poke();
      clearTimeout(holding);
      for (const watcher of watchers) watcher.close();
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

/** Milliseconds for which bytes in a pipe are waited for, once the kernel has told of them: a busy machine is slow. */
const HELD_MS = 1000;
/** How often the loop goes round for the kernel's news of a write that is in the file already. */
const ROUNDS = 4;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const MOST_TURNS = 4096;
/** More than this at once is not looked into to find out who wrote first. */
const LOOKED_INTO = 256 * 1024;
const NEWLINE = 10;

const line = ({ stream, size, at }: Growth): string => `${stream === "stdout" ? "o" : "e"} ${size} ${at}\n`;
const readTimes = (dir: string): Promise<string> => readFile(timesFile(dir), "utf8").catch(() => "");

/** Lines of `times`; those of earlier versions have no stream. */
export function parseTimes(text: string): Growth[] {
  const found: Growth[] = [];
  for (const one of text.split("\n")) {
    const [, stream, size, at] = /^(?:([oe]) )?(\d+) (\d+)$/.exec(one) ?? [];
    if (size !== undefined)
      found.push({ stream: stream === "e" ? "stderr" : "stdout", size: Number(size), at: Number(at) });
  }
  return found;
}

const sizeOf = (dir: string, stream: LogStream): number =>
  statSync(logFile(dir, stream), { throwIfNoEntry: false })?.size ?? 0;

/** True when a file has grown whose turn was not told yet. */
const isAhead = (dir: string, known: ReadonlyMap<LogStream, number>, turns: readonly LogStream[]): boolean =>
  streams.some((stream) => !turns.includes(stream) && sizeOf(dir, stream) !== known.get(stream));

/**
 * How the logs behind pipes have grown. A turn whose bytes are on their way keeps those after it waiting, if one is
 * `patient`; the turns that are over are taken from `turns`.
 */
function growthInTurn(
  dir: string,
  sizes: ReadonlyMap<LogStream, number>,
  known: Map<LogStream, number>,
  turns: LogStream[],
  at: number,
  patient: boolean,
): { readonly entries: readonly Growth[]; readonly shrunk: readonly LogStream[] } {
  const entries: Growth[] = [];
  const grow = (stream: LogStream, size: number) => {
    known.set(stream, size);
    entries.push({ stream, size, at });
  };
  let over = 0;
  for (const stream of turns) {
    const [from, to] = [known.get(stream) ?? 0, sizes.get(stream) ?? 0];
    if (to > from) grow(stream, turns.includes(stream, over + 1) ? lineEnd(logFile(dir, stream), from, to) : to);
    else if (patient) break;
    over++;
  }
  turns.splice(0, over);
  if (turns.length > 0) return { entries, shrunk: [] };
  for (const [stream, size] of sizes) if (size > (known.get(stream) ?? 0)) grow(stream, size);
  return { entries, shrunk: [] };
}

/** Where the first line of what is between two places of a file ends. */
const lineEnd = (file: string, from: number, to: number): number => parts(file, from, to, 2)[0] ?? to;

/** How the files have grown beyond `known`, which is brought up to date; whose turn it was decides the order. */
function growthSince(
  dir: string,
  known: Map<LogStream, number>,
  turns: readonly LogStream[],
  at: number,
): { readonly entries: readonly Growth[]; readonly shrunk: readonly LogStream[] } {
  const sizes = new Map<LogStream, number[]>();
  const shrunk: LogStream[] = [];
  for (const stream of streams) {
    const size = sizeOf(dir, stream);
    const before = known.get(stream) ?? 0;
    if (size < before) shrunk.push(stream);
    const from = size < before ? 0 : before;
    known.set(stream, size);
    if (size === from) continue;
    const times = turns.filter((turn) => turn === stream).length;
    sizes.set(stream, times > 1 ? parts(logFile(dir, stream), from, size, times) : [size]);
  }
  const entries: Growth[] = [];
  const rest = streams.filter((stream) => sizes.has(stream) && !turns.includes(stream));
  for (const stream of [...turns, ...rest]) {
    const size = sizes.get(stream)?.shift();
    if (size !== undefined) entries.push({ stream, size, at });
  }
  return { entries, shrunk };
}

/** Where what was written in `times` turns was cut: a line each, and what is left in the last. */
function parts(file: string, from: number, to: number, times: number): number[] {
  if (to - from > LOOKED_INTO) return [to];
  const bytes = Buffer.alloc(to - from);
  const fd = openSync(file, "r");
  try {
    readSync(fd, bytes, 0, bytes.length, from);
  } finally {
    closeSync(fd);
  }
  const cuts: number[] = [];
  for (let at = bytes.indexOf(NEWLINE); at >= 0 && cuts.length < times - 1; at = bytes.indexOf(NEWLINE, at + 1)) {
    if (from + at + 1 < to) cuts.push(from + at + 1);
  }
  return [...cuts, to];
}
