import type { Clock } from "@tiphys/clock";

const FIRST_RETRY_MS = 5;
const LONGEST_RETRY_MS = 60_000;

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly workers: number;
  /** One pass of a key. Never rejects, and never runs twice at a time for one key. */
  readonly run: (key: string) => Promise<void>;
  readonly onDepth?: (depth: number) => void;
  /** Keys of a higher rank go first; asked when a key joins the line. Absent: first come, first served. */
  readonly rank?: (key: string) => number;
}

/**
 * Keys that call for a pass: each once however often asked, first come first served. A key asked for while its pass runs
 * goes to the end of the line when the pass ends, so one busy key cannot hold up the others.
 */
export class WorkQueue {
  readonly #waiting = new Line();
  readonly #running = new Set<string>();
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { at: number; cancel: () => void }>();
  readonly #failures = new Map<string, number>();
  #active = false;
  #idle: (() => void)[] = [];

  constructor(private readonly options: WorkQueueOptions) {}

  get depth(): number {
    return this.#waiting.size + this.#again.size;
  }

  start(): void {
    this.#active = true;
    this.#fill();
  }

  /** Starts nothing more; resolves when the passes under way have ended. */
  stop(): Promise<void> {
    this.#active = false;
    this.#waiting.clear();
    this.#again.clear();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  add(key: string): void {
    if (this.#running.has(key)) this.#again.add(key);
    else this.#waiting.add(key, this.#rank(key));
    this.#fill();
    this.#tellDepth();
  }

  #rank(key: string): number {
    return this.options.rank?.(key) ?? 0;
  }

  /** Adds the key at `at`, unless an earlier time is set already. A pass of the key takes the time back. */
  addAt(key: string, at: Date): void {
    const known = this.#timers.get(key);
    if (known && known.at <= at.getTime()) return;
    known?.cancel();
    const cancel = this.options.clock.at(at, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { at: at.getTime(), cancel });
  }

  /** Adds the key after a wait that doubles with every failure in a row; returns that wait in milliseconds. */
  addAfterFailure(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const wait = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 30));
    this.addAt(key, new Date(this.options.clock.now().getTime() + wait));
    return wait;
  }

  /** The key is well again: its next failure waits as shortly as a first one. */
  forgetFailures(key: string): void {
    this.#failures.delete(key);
  }

  /** The object is gone: nothing of it stays here. */
  forget(key: string): void {
    this.#failures.delete(key);
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
  }

  #fill(): void {
    while (this.#active && this.#running.size < this.options.workers) {
      const key = this.#waiting.take();
      if (key === undefined) return;
      this.#running.add(key);
      void this.options.clock.track(this.#pass(key));
    }
  }

  async #pass(key: string): Promise<void> {
    // A turn of the event loop before each pass: a long line of passes that never wait must not starve input and output.
    await new Promise<void>((resolve) => setImmediate(resolve));
    try {
      if (this.#active) {
        this.#timers.get(key)?.cancel();
        this.#timers.delete(key);
        await this.options.run(key);
      }
    } finally {
      this.#running.delete(key);
      if (this.#again.delete(key) && this.#active) this.#waiting.add(key, this.#rank(key));
      this.#fill();
      this.#tellDepth();
      if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #tellDepth(): void {
    this.options.onDepth?.(this.depth);
  }
}

/** Waiting keys, each once: by rank, then in the order they came. */
class Line {
  readonly #ranks = new Map<string, number>();
  /** Insertion order is the line. */
  readonly #lines = new Map<number, Set<string>>();
  #sorted: number[] = [];

  get size(): number {
    return this.#ranks.size;
  }

  add(key: string, rank: number): void {
    const before = this.#ranks.get(key);
    if (before === rank) return;
    if (before !== undefined) this.#lines.get(before)?.delete(key);
    this.#ranks.set(key, rank);
    let line = this.#lines.get(rank);
    if (!line) {
      line = new Set();
      this.#lines.set(rank, line);
      this.#sorted = [...this.#lines.keys()].sort((a, b) => b - a);
    }
    line.add(key);
  }

  take(): string | undefined {
    for (const rank of this.#sorted) {
      const line = this.#lines.get(rank) as Set<string>;
      const next = line.values().next();
      if (next.done) continue;
      line.delete(next.value);
      this.#ranks.delete(next.value);
      return next.value;
    }
    return undefined;
  }

  clear(): void {
    this.#ranks.clear();
    this.#lines.clear();
    this.#sorted = [];
  }
}
