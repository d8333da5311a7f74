import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@tiphys/telemetry";
import type { Headers, Position, StoredMessage } from "./bus.js";
import { openRecordLog, RECORD_HEADER_BYTES, type RecordLog } from "./record-log.js";

/** What is kept; the oldest whole segments go first. */
export interface Retention {
  /** Milliseconds; default seven days. */
  readonly maxAge?: number;
  /** Bytes of message bodies; default 1 GiB. */
  readonly maxBytes?: number;
  /** Default 1,000,000. */
  readonly maxMessages?: number;
}

/** A message without its body. */
export interface Entry {
  readonly position: Position;
  readonly subject: string;
  readonly id: string;
  readonly at: number;
  readonly headers: Headers;
  readonly bodyLength: number;
}

interface Stored extends Entry {
  readonly bodyOffset: number;
  body?: Uint8Array;
}

interface Segment {
  readonly path?: string;
  readonly file?: RecordLog;
  readonly first: Position;
  readonly entries: Stored[];
  bytes: number;
}

const SEGMENT_BYTES = 16 * 1024 * 1024;
/** Bodies of the newest messages that stay in memory beside the file. */
const RECENT_BYTES = 8 * 1024 * 1024;
const DEFAULTS = { maxAge: 7 * 86_400_000, maxBytes: 1024 ** 3, maxMessages: 1_000_000 };

/** The stream of a local bus: numbered messages in segment files (or in memory when there is no folder). */
export interface LocalStore {
  /** Position of the oldest message that is kept, or of the next one when there is none. */
  first(): Position;
  /** Position of the newest durable message; 0 when there never was one. */
  last(): Position;
  append(subject: string, id: string, at: number, bytes: Uint8Array, headers: Headers): Promise<Position>;
  at(position: Position): Entry | undefined;
  body(position: Position): Promise<StoredMessage | undefined>;
  close(): Promise<void>;
}

export async function openLocalStore(
  dir: string | undefined,
  retention: Retention,
  log: Logger,
  onReplay: (entry: Entry) => void,
): Promise<LocalStore> {
  const keep = { ...DEFAULTS, ...retention };
  const segments: Segment[] = [];
  let messages = 0;
  let bytes = 0;
  let next = 1;
  let durable = 0;
  const recent: Stored[] = [];
  let recentBytes = 0;

  const openSegment = async (first: Position, isLast: boolean): Promise<Segment> => {
    if (dir === undefined) return { first, entries: [], bytes: 0 };
    const path = join(dir, `${String(first).padStart(20, "0")}.log`);
    const entries: Stored[] = [];
    const file = await openRecordLog(path, {
      log,
      sync: true,
      mayBeTorn: isLast,
      replay: (payload, offset) => {
        const headLength = payload.readUInt32LE(0);
        const head = JSON.parse(payload.toString("utf8", 4, 4 + headLength));
        const bodyLength = payload.length - 4 - headLength;
        const entry = { ...head, bodyLength, bodyOffset: offset + 4 + headLength } as Stored;
        entries.push(entry);
        onReplay(entry);
      },
    });
    const size = entries.reduce((sum, entry) => sum + entry.bodyLength, 0);
    messages += entries.length;
    bytes += size;
    next = Math.max(next, first, (entries.at(-1)?.position ?? 0) + 1);
    return { path, file, first, entries, bytes: size };
  };

  if (dir !== undefined) {
    await mkdir(dir, { recursive: true });
    const found = (await readdir(dir)).filter((name) => /^\d{20}\.log$/.test(name)).sort();
    for (const [index, name] of found.entries()) {
      segments.push(await openSegment(Number.parseInt(name, 10), index === found.length - 1));
    }
  }
  if (segments.length === 0) segments.push(await openSegment(1, true));
  durable = next - 1;

  const segmentOf = (position: Position): Segment | undefined => {
    for (let index = segments.length - 1; index >= 0; index--) {
      if (segments[index]!.first <= position) return segments[index];
    }
    return undefined;
  };
  const find = (position: Position): Stored | undefined => {
    const segment = segmentOf(position);
    return segment?.entries[position - segment.first];
  };

  /** Opening a segment takes time, so appends of that moment still go to the old one. */
  let rolling: Promise<void> | undefined;
  const roll = async (now: number) => {
    const current = segments.at(-1)!;
    if (current.entries.length === 0) return;
    // Every append waits while this runs, so positions stay dense per segment.
    segments.push(await openSegment(next, true));
    while (segments.length > 1) {
      const oldest = segments[0]!;
      const newest = oldest.entries.at(-1);
      const over = messages > keep.maxMessages || bytes > keep.maxBytes;
      if (!over && newest && newest.at > now - keep.maxAge) break;
      segments.shift();
      messages -= oldest.entries.length;
      bytes -= oldest.bytes;
      await oldest.file?.close();
      if (oldest.path) await rm(oldest.path, { force: true });
      log.info("dropped the oldest messages of the bus", { first: oldest.first, messages: oldest.entries.length });
    }
  };

  return {
    first: () => segments.find((segment) => segment.entries.length > 0)?.first ?? next,
    last: () => durable,
    at: find,
    async append(subject, id, at, body, headers) {
      const limit = Math.min(SEGMENT_BYTES, keep.maxBytes / 4, 1e12);
      const many = Math.max(1, Math.min(100_000, Math.floor(keep.maxMessages / 4)));
      for (let current = segments.at(-1)!; current.bytes >= limit || current.entries.length >= many; ) {
        rolling ??= roll(at).finally(() => {
          rolling = undefined;
        });
        await rolling;
        if (segments.at(-1) === current) break;
        current = segments.at(-1)!;
      }
      const segment = segments.at(-1)!;
      const position = next++;
      const head = Buffer.from(JSON.stringify({ position, subject, id, at, headers }));
      const stored: Stored = {
        position,
        subject,
        id,
        at,
        headers,
        bodyLength: body.length,
        bodyOffset: (segment.file?.size ?? 0) + RECORD_HEADER_BYTES + 4 + head.length,
        body: Buffer.from(body),
      };
      segment.entries.push(stored);
      segment.bytes += body.length;
      messages++;
      bytes += body.length;
      if (segment.file) {
        const payload = Buffer.allocUnsafe(4 + head.length + body.length);
        payload.writeUInt32LE(head.length, 0);
        head.copy(payload, 4);
        payload.set(body, 4 + head.length);
        await segment.file.append(payload);
        recent.push(stored);
        recentBytes += body.length;
        while (recentBytes > RECENT_BYTES) {
          const oldest = recent.shift()!;
          recentBytes -= oldest.bodyLength;
          oldest.body = undefined;
        }
      }
      durable = Math.max(durable, position);
      return position;
    },
    async body(position) {
      const stored = find(position);
      if (!stored) return undefined;
      const { subject, id, headers, at } = stored;
      const bytes =
        stored.body ??
        (stored.bodyLength === 0
          ? Buffer.alloc(0)
          : await segmentOf(position)!.file!.read(stored.bodyOffset, stored.bodyLength));
      return { subject, id, headers, position, at: new Date(at), bytes };
    },
    async close() {
      await rolling;
      for (const segment of segments) await segment.file?.close();
    },
  };
}
