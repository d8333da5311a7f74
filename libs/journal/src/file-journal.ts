import { type FileHandle, mkdir, open, readdir, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson, deepFreeze, digest } from "@tiphys/canonical-json";
import type { Clock } from "@tiphys/clock";
import { CanceledError, messageOf, UnavailableError } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import type { Journal, JournalEntry, StoredEntry } from "./journal.js";
import { frame, readSegment } from "./segment.js";
import { decisionDigest, positionText } from "./stored.js";

export interface FileJournalOptions {
  /** A folder of its own; made when absent. One process at a time. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log?: Logger;
  /** A segment that has grown so far is closed and a new one begun. */
  readonly segmentBytes?: number;
  readonly retention?: {
    /** Segments kept, the current one included. */
    readonly segments?: number;
    /** Days an entry is kept at least as long as there is room; older whole segments go. */
    readonly days?: number;
  };
}

const SEGMENT_BYTES = 4 * 1024 * 1024;
const SEGMENTS = 8;
const DAYS = 90;
const DAY_MS = 86_400_000;

interface Segment {
  readonly id: number;
  readonly path: string;
  handle: FileHandle;
  size: number;
  newest: number;
}

interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

interface Subject {
  /** Digest of the last decision. */
  last: string;
  readonly entries: { readonly position: string; readonly place: Place }[];
}

/** What one record call adds, until it is on the disk. */
interface Pending {
  readonly entry: string;
  readonly state?: { readonly digest: string; readonly text: string };
  readonly subject: string;
  readonly position: string;
  readonly at: number;
  resolve(position: string): void;
  reject(error: unknown): void;
}

/** A journal in a folder of segment files: checksummed lines, many records to one flush, each state stored once. */
export async function createFileJournal(options: FileJournalOptions): Promise<Journal> {
  await mkdir(options.dir, { recursive: true });
  const journal = new FileJournal(options);
  await journal.load();
  return journal;
}

class FileJournal implements Journal {
  readonly #segments: Segment[] = [];
  readonly #subjects = new Map<string, Subject>();
  readonly #states = new Map<string, Place>();
  /** States that wait to be written: two entries of one flush may share one. */
  readonly #coming = new Set<string>();
  #pending: Pending[] = [];
  #flushing: Promise<void> | undefined;
  #next = 1;
  #closed = false;

  constructor(private readonly options: FileJournalOptions) {}

  async load(): Promise<void> {
    const names = (await readdir(this.options.dir)).filter((name) => /^\d{10}\.journal$/.test(name)).sort();
    for (const [index, name] of names.entries()) {
      const path = join(this.options.dir, name);
      const isLast = index === names.length - 1;
      const bytes = await readFile(path);
      const { records, length } = readSegment(bytes, path, isLast);
      const segment = { id: Number.parseInt(name, 10), path, handle: await open(path, "r+"), size: length, newest: 0 };
      if (length < bytes.length) {
        this.options.log?.warn("journal ends in a record cut short by a crash; it is dropped", {
          path,
          bytes: bytes.length - length,
        });
        await segment.handle.truncate(length);
      }
      this.#segments.push(segment);
      for (const record of records) this.#index(segment, JSON.parse(record.text), record);
    }
    if (this.#segments.length === 0) await this.#begin(1);
  }

  // biome-ignore lint/suspicious/noExplicitAny: a line of our own making, its checksum verified
  #index(segment: Segment, record: any, { offset, length }: { offset: number; length: number }): void {
    const place = { segment, offset, length };
    if (record.digest !== undefined) {
      this.#states.set(record.digest, place);
      return;
    }
    const subject = this.#subject(record.subject);
    subject.entries.push({ position: record.position, place });
    if (record.kind === "decision") subject.last = decisionDigest(record);
    segment.newest = Math.max(segment.newest, Date.parse(record.at));
    this.#next = Math.max(this.#next, Number(record.position) + 1);
  }

  #subject(name: string): Subject {
    let subject = this.#subjects.get(name);
    if (!subject) {
      subject = { last: "", entries: [] };
      this.#subjects.set(name, subject);
    }
    return subject;
  }

  async record(entry: JournalEntry): Promise<string | undefined> {
    if (this.#closed) throw new CanceledError("the journal is closed");
    const subject = this.#subject(entry.subject);
    const decided = decisionDigest(entry);
    if (entry.kind === "decision") {
      if (subject.last === decided) return undefined;
      subject.last = decided;
    }
    const { state, ...rest } = entry;
    const stateDigest = state === undefined ? undefined : digest(state);
    const position = positionText(this.#next++);
    const pending = {
      subject: entry.subject,
      position,
      at: entry.at.getTime(),
      entry: canonicalJson({ ...rest, position, stateDigest }),
      ...(stateDigest && !this.#states.has(stateDigest) && !this.#coming.has(stateDigest)
        ? { state: { digest: stateDigest, text: canonicalJson({ digest: stateDigest, state }) } }
        : {}),
    };
    if (pending.state) this.#coming.add(pending.state.digest);
    return new Promise((resolve, reject) => {
      this.#pending.push({ ...pending, resolve, reject });
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined;
      });
    });
  }

  /** Writes what has gathered, again and again until nothing has: every round is one write and one sync for all of it. */
  async #flush(): Promise<void> {
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0);
      try {
        await this.#write(batch);
        for (const item of batch) item.resolve(item.position);
      } catch (error) {
        const problem = new UnavailableError(`journal ${this.options.dir} cannot be written: ${messageOf(error)}`, {
          cause: error,
        });
        for (const item of batch) {
          // Not recorded: the same decision must not count as known.
          this.#subject(item.subject).last = "";
          item.reject(problem);
        }
      } finally {
        for (const { state } of batch) if (state) this.#coming.delete(state.digest);
      }
    }
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    let segment = this.#current();
    if (segment.size >= (this.options.segmentBytes ?? SEGMENT_BYTES)) segment = await this.#rotate(segment);
    const lines: string[] = [];
    const places: (() => void)[] = [];
    let at = segment.size;
    const add = (text: string, known: (place: Place) => void) => {
      const line = frame(text);
      const length = Buffer.byteLength(text);
      const place = { segment, offset: at + 9, length };
      lines.push(line);
      at += length + 10;
      places.push(() => known(place));
    };
    for (const { state, entry, subject, position } of batch) {
      if (state) add(state.text, (place) => this.#states.set(state.digest, place));
      add(entry, (place) => this.#subject(subject).entries.push({ position, place }));
    }
    const bytes = Buffer.from(lines.join(""));
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await segment.handle.write(bytes, done, bytes.length - done, segment.size + done);
        done += bytesWritten;
      }
      await segment.handle.datasync();
    } catch (error) {
      await segment.handle.truncate(segment.size).catch(() => {});
      throw error;
    }
    segment.size = at;
    for (const known of places) known();
    for (const { at: time } of batch) segment.newest = Math.max(segment.newest, time);
  }

  #current(): Segment {
    return this.#segments[this.#segments.length - 1] as Segment;
  }

  async #begin(id: number): Promise<Segment> {
    const path = join(this.options.dir, `${String(id).padStart(10, "0")}.journal`);
    const segment = { id, path, handle: await open(path, "wx+", 0o600), size: 0, newest: 0 };
    const folder = await open(this.options.dir, "r");
    await folder.sync().finally(() => folder.close());
    this.#segments.push(segment);
    return segment;
  }

  async #rotate(full: Segment): Promise<Segment> {
    const next = await this.#begin(full.id + 1);
    const { segments = SEGMENTS, days = DAYS } = this.options.retention ?? {};
    const oldest = this.options.clock.now().getTime() - days * DAY_MS;
    while (this.#segments.length > 1) {
      const [first] = this.#segments as [Segment];
      if (first === next || (this.#segments.length <= segments && first.newest >= oldest)) break;
      this.#segments.shift();
      this.#forget(first);
      await first.handle.close();
      await unlink(first.path);
    }
    return next;
  }

  #forget(segment: Segment): void {
    for (const [of, place] of this.#states) if (place.segment === segment) this.#states.delete(of);
    for (const [name, { entries }] of this.#subjects) {
      const kept = entries.findIndex(({ place }) => place.segment !== segment);
      if (kept < 0 && entries.length > 0) this.#subjects.delete(name);
      else entries.splice(0, kept);
    }
  }

  async #read(place: Place): Promise<Record<string, unknown>> {
    const bytes = Buffer.alloc(place.length);
    await place.segment.handle.read(bytes, 0, place.length, place.offset);
    return JSON.parse(bytes.toString("utf8"));
  }

  async read(subject: string, { limit = 100, before }: { limit?: number; before?: string } = {}) {
    const wanted: Place[] = [];
    const entries = this.#subjects.get(subject)?.entries ?? [];
    for (let index = entries.length - 1; index >= 0 && wanted.length < limit; index--) {
      const { position, place } = entries[index] as Subject["entries"][number];
      if (before === undefined || position < before) wanted.push(place);
    }
    const found = await Promise.all(wanted.map((place) => this.#read(place)));
    return found.map(
      (entry) => deepFreeze({ ...entry, at: new Date(entry["at"] as string) }) as unknown as StoredEntry,
    );
  }

  async state(of: string): Promise<unknown> {
    const place = this.#states.get(of);
    return place ? deepFreeze((await this.#read(place))["state"]) : undefined;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#flushing;
    await Promise.all(this.#segments.map((segment) => segment.handle.close()));
  }
}
