import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Logger } from "@tiphys/telemetry";
import { openRecordLog, type RecordLog } from "./record-log.js";

/** A small durable key-value store, all of it in memory: joins, attempt records, deliveries seen. Values are JSON. */
export interface DurableMap {
  get<T>(key: string): T | undefined;
  /** Entries whose key starts with `prefix`, in order of first writing. */
  entries<T>(prefix: string): IterableIterator<readonly [string, T]>;
  /** Writes all of `changes` or none of them; an undefined value deletes. Resolves when durable. */
  write(changes: readonly Change[]): Promise<void>;
  close(): Promise<void>;
}

export type Change = readonly [key: string, value: unknown];

export interface DurableMapOptions {
  /** Absent: nothing is kept after the process. */
  readonly dir?: string;
  /** File name in `dir`, without extension. */
  readonly name: string;
  readonly log: Logger;
}

/** The log is rewritten when it is this many times larger than what it was after the last rewrite. */
const REWRITE_FACTOR = 4;
const REWRITE_BYTES = 4 * 1024 * 1024;

export async function openDurableMap({ dir, name, log }: DurableMapOptions): Promise<DurableMap> {
  const values = new Map<string, unknown>();
  const apply = (changes: readonly Change[]) => {
    for (const [key, value] of changes) {
      if (value === undefined || value === null) values.delete(key);
      else values.set(key, value);
    }
  };
  const path = dir === undefined ? undefined : join(dir, `${name}.log`);
  const openLog = (at: string): Promise<RecordLog> =>
    openRecordLog(at, { log, sync: true, replay: (bytes) => apply(JSON.parse(bytes.toString())) });

  let file: RecordLog | undefined;
  if (path !== undefined) {
    await mkdir(dirname(path), { recursive: true });
    file = await openLog(path);
  }
  let compact = file?.size ?? 0;
  let rewriting: Promise<void> | undefined;
  const encode = (changes: readonly Change[]) =>
    Buffer.from(JSON.stringify(changes.map(([key, value]) => [key, value ?? null])));

  /** Writers wait while the log is replaced, so the new file misses nothing. */
  const rewrite = async (path: string, old: RecordLog) => {
    const next = `${path}.next`;
    await rm(next, { force: true });
    await old.close();
    const fresh = await openRecordLog(next, { log, sync: false, replay: () => {} });
    await Promise.all(Array.from(values, (entry) => fresh.append(encode([entry]))));
    await fresh.close();
    await rename(next, path);
    const directory = await open(dirname(path), "r");
    await directory.sync().finally(() => directory.close());
    // The values are in memory already: replaying them again changes nothing.
    file = await openLog(path);
    compact = file.size;
  };

  return {
    get: <T>(key: string) => values.get(key) as T | undefined,
    *entries<T>(prefix: string) {
      for (const [key, value] of values) if (key.startsWith(prefix)) yield [key, value as T] as const;
    },
    async write(changes) {
      if (rewriting) await rewriting;
      if (file && path !== undefined && file.size > Math.max(REWRITE_BYTES, compact * REWRITE_FACTOR)) {
        rewriting ??= rewrite(path, file).finally(() => {
          rewriting = undefined;
        });
        await rewriting;
      }
      // Visible at once, so that two writers of one turn see each other; the log keeps the same order.
      apply(changes);
      await file?.append(encode(changes));
    },
    async close() {
      await rewriting;
      await file?.close();
      file = undefined;
    },
  };
}
