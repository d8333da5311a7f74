import { openDurableMap } from "@tiphys/bus";
import type { Clock } from "@tiphys/clock";
import { messageOf, TerminalError, UnavailableError } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import type { Queue, QueueOptions } from "./queue.js";

interface StoredJob<Job> {
  readonly job: Job;
  /** Attempts begun, so a job that kills its process does not run for ever. */
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly runAt: number;
  /** Set when the job failed for good. */
  readonly error?: string;
}

export interface LocalQueueOptions extends QueueOptions {
  /** Absent: jobs do not outlive the process. */
  readonly dir?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const LONGEST_BACKOFF_MS = 300_000;

/** Jobs in this process, durable in a log. A job that was running at a crash runs again. */
export async function createLocalQueue<Job>(options: LocalQueueOptions): Promise<Queue<Job>> {
  const { name, dir, clock, log, attempts = 5, concurrency = 4, backoff = 1_000 } = options;
  const store = await openDurableMap({ ...(dir === undefined ? {} : { dir }), name, log });
  const jobs = new Map<string, StoredJob<Job>>(store.entries<StoredJob<Job>>(""));
  const running = new Map<string, Promise<void>>();
  const stop = new AbortController();
  let handler: ((job: Job, attempt: number, signal: AbortSignal) => Promise<void>) | undefined;
  let disarm = () => {};

  const save = async (id: string, entry: StoredJob<Job> | undefined) => {
    if (entry) jobs.set(id, entry);
    else jobs.delete(id);
    await store.write([[id, entry]]);
  };

  const pump = () => {
    disarm();
    if (!handler || stop.signal.aborted) return;
    const now = clock.now().getTime();
    let next = Number.POSITIVE_INFINITY;
    for (const [id, entry] of jobs) {
      if (running.has(id) || entry.error !== undefined) continue;
      if (entry.runAt > now) next = Math.min(next, entry.runAt);
      else if (running.size < concurrency) {
        const work = clock.track(run(id, entry, handler)).finally(() => {
          running.delete(id);
          pump();
        });
        running.set(id, work);
      }
    }
    if (Number.isFinite(next)) disarm = clock.at(new Date(next), pump);
  };

  const run = async (id: string, entry: StoredJob<Job>, work: NonNullable<typeof handler>) => {
    const attempt = entry.attempts + 1;
    try {
      await save(id, { ...entry, attempts: attempt });
      await work(entry.job, attempt, stop.signal);
      await save(id, undefined);
    } catch (error) {
      // A stop is nobody's failure: the attempt does not count.
      if (stop.signal.aborted) return await save(id, entry);
      const last = attempt >= attempts || error instanceof TerminalError;
      const delay = Math.min(backoff * 2 ** (attempt - 1), LONGEST_BACKOFF_MS);
      log.warn(last ? "job failed for good" : "job failed", { queue: name, id, attempt, error });
      await save(id, {
        ...entry,
        attempts: attempt,
        runAt: clock.now().getTime() + delay,
        ...(last ? { error: messageOf(error) } : {}),
      });
    }
  };

  return {
    async add(id, job, { runAt } = {}) {
      if (stop.signal.aborted) throw new UnavailableError(`queue ${name} is closed`);
      const present = jobs.get(id);
      if (present && present.error === undefined) return;
      await save(id, { job, attempts: 0, runAt: runAt?.getTime() ?? clock.now().getTime() });
      pump();
    },
    async process(work) {
      handler = work;
      pump();
    },
    async failed() {
      return [...jobs].flatMap(([id, { job, error }]) => (error === undefined ? [] : [{ id, job, error }]));
    },
    async counts() {
      const now = clock.now().getTime();
      const counts = { waiting: 0, delayed: 0, running: running.size, failed: 0 };
      for (const [id, entry] of jobs) {
        if (entry.error !== undefined) counts.failed++;
        else if (!running.has(id)) counts[entry.runAt > now ? "delayed" : "waiting"]++;
      }
      return counts;
    },
    async close() {
      stop.abort(new UnavailableError(`queue ${name} is closing`));
      disarm();
      await Promise.all(running.values());
      await store.close();
    },
  };
}
