import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { openRecordLog, type RecordLog } from "@tiphys/bus";
import { canonicalJson, digest } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import { DataLossError } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import type { Journal, JournalEntry, StoredEntry } from "./journal.js";
import { decisionDigest, positionText } from "./stored.js";

export interface FileJournalOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** A segment is closed when it is this large; default 8 MiB. */
  readonly segmentBytes?: number;
  /** Whole segments are dropped beyond these. */
  readonly retention?: { readonly segments?: number; readonly days?: number };
}

/** First record of every segment; a reader of another number refuses instead of guessing. */
const FORMAT = 1;
const SUFFIX = ".journal";
const DAY_MS = 86_400_000;
const RETAINED_SEGMENTS = 16;

type Line =
  | { readonly format: number; readonly createdAt: string }
  | { readonly state: string; readonly value: unknown }
  | { readonly entry: Omit<StoredEntry, "at"> & { readonly at: string } };

interface Segment {
  readonly number: number;
  readonly log: RecordLog;
  createdAt: number;
  /** Digests of the states that lie in this segment. */
  readonly states: Set<string>;
}

interface Location {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

/**
 * Decisions in append-only segments of checksummed JSON records. Memory holds where things are, not the things. Each
 * segment has every state its entries name, so that dropping old segments leaves no entry without its state.
 */
export async function createFileJournal({
  dir,
  clock,
  log,
  segmentBytes = 8 * 1024 * 1024,
  retention = {},
}: FileJournalOptions): Promise<Journal> {
  await mkdir(dir, { recursive: true });
  const segments: Segment[] = [];
  const subjects = new Map<string, { at: Location; position: string }[]>();
  const lastDecision = new Map<string, string>();
  const states = new Map<string, Location>();
  let next = 1;

  const index = (segment: Segment, payload: Uint8Array, offset: number, path: string) => {
    const line = JSON.parse(Buffer.from(payload).toString("utf8")) as Line;
    const at = { segment, offset, length: payload.length };
    if ("format" in line) {
      if (line.format > FORMAT) {
        throw new DataLossError(
          `${path} has format ${line.format}, this version reads up to ${FORMAT}: start the newer version, or move the file away to begin a new journal`,
        );
      }
      segment.createdAt = Date.parse(line.createdAt);
    } else if ("state" in line) {
      states.set(line.state, at);
      segment.states.add(line.state);
    } else {
      const { subject, position } = line.entry;
      const list = subjects.get(subject);
      if (list) list.push({ at, position });
      else subjects.set(subject, [{ at, position }]);
      if (line.entry.kind === "decision") lastDecision.set(subject, decisionDigest(line.entry));
      next = Math.max(next, Number(position) + 1);
    }
  };

  const pathOf = (number: number) => join(dir, `${String(number).padStart(10, "0")}${SUFFIX}`);

  const openSegment = async (number: number, last: boolean): Promise<Segment> => {
    const path = pathOf(number);
    const states = new Set<string>();
    const early: { payload: Buffer; offset: number }[] = [];
    const file = await openRecordLog(path, {
      log,
      sync: true,
      mayBeTorn: last,
      replay: (payload, offset) => early.push({ payload: Buffer.from(payload), offset }),
    });
    const segment: Segment = { number, log: file, createdAt: clock.now().getTime(), states };
    for (const { payload, offset } of early) index(segment, payload, offset, path);
    if (early.length === 0) await write(segment, { format: FORMAT, createdAt: clock.now().toISOString() });
    return segment;
  };

  const write = async (segment: Segment, line: Line): Promise<Location> => {
    const payload = Buffer.from(JSON.stringify(line));
    const offset = await segment.log.append(payload);
    return { segment, offset, length: payload.length };
  };

  const numbers = (await readdir(dir))
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => Number.parseInt(name, 10))
    .sort((a, b) => a - b);
  for (const number of numbers) segments.push(await openSegment(number, number === numbers.at(-1)));
  if (segments.length === 0) segments.push(await openSegment(1, true));

  const drop = async (segment: Segment) => {
    for (const [subject, entries] of subjects) {
      const kept = entries.filter(({ at }) => at.segment !== segment);
      if (kept.length === 0) {
        subjects.delete(subject);
        lastDecision.delete(subject);
      } else if (kept.length < entries.length) subjects.set(subject, kept);
    }
    for (const [name, at] of states) if (at.segment === segment) states.delete(name);
    await segment.log.close();
    await rm(pathOf(segment.number), { force: true });
  };

  let rolling: Promise<void> | undefined;
  const roll = async () => {
    const newest = segments.at(-1);
    segments.push(await openSegment((newest?.number ?? 0) + 1, true));
    const oldest = clock.now().getTime() - (retention.days ?? Number.POSITIVE_INFINITY) * DAY_MS;
    while (segments.length > 1) {
      const first = segments[0];
      const second = segments[1];
      if (
        !first ||
        !second ||
        (segments.length <= (retention.segments ?? RETAINED_SEGMENTS) && second.createdAt >= oldest)
      )
        break;
      segments.shift();
      await drop(first);
    }
  };

  return {
    async record(entry: JournalEntry) {
      const last = decisionDigest(entry);
      if (entry.kind === "decision") {
        if (lastDecision.get(entry.subject) === last) return undefined;
        lastDecision.set(entry.subject, last);
      }
      if ((segments.at(-1)?.log.size ?? 0) > segmentBytes) {
        rolling ??= roll().finally(() => {
          rolling = undefined;
        });
        await rolling;
      }
      const segment = segments.at(-1) as Segment;
      const stateDigest = entry.state === undefined ? undefined : digest(entry.state);
      const writes: Promise<unknown>[] = [];
      if (stateDigest && !segment.states.has(stateDigest)) {
        segment.states.add(stateDigest);
        const value = JSON.parse(canonicalJson(entry.state));
        writes.push(write(segment, { state: stateDigest, value }).then((at) => states.set(stateDigest, at)));
      }
      const { state: _state, at, ...rest } = entry;
      const position = positionText(next++);
      const stored = { ...rest, at: at.toISOString(), position, ...(stateDigest ? { stateDigest } : {}) };
      writes.push(
        write(segment, { entry: stored }).then((location) => {
          const list = subjects.get(entry.subject);
          if (list) list.push({ at: location, position });
          else subjects.set(entry.subject, [{ at: location, position }]);
        }),
      );
      try {
        await Promise.all(writes);
      } catch (error) {
        // What is not durable was not decided: the next pass records it again.
        lastDecision.delete(entry.subject);
        throw error;
      }
      return position;
    },
    async read(subject, { limit = 100, before } = {}) {
      const entries = subjects.get(subject) ?? [];
      const wanted = entries
        .filter(({ position }) => before === undefined || position < before)
        .slice(-limit)
        .reverse();
      return await Promise.all(
        wanted.map(async ({ at }) => {
          const bytes = await at.segment.log.read(at.offset, at.length);
          const { entry } = JSON.parse(Buffer.from(bytes).toString("utf8")) as {
            entry: StoredEntry & { at: string | Date };
          };
          return { ...entry, at: new Date(entry.at) };
        }),
      );
    },
    async state(of) {
      const at = states.get(of);
      if (!at) return undefined;
      return JSON.parse(Buffer.from(await at.segment.log.read(at.offset, at.length)).toString("utf8")).value;
    },
    async close() {
      await rolling;
      for (const { log: file } of segments) await file.close();
    },
  };
}
