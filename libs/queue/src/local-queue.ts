import { type DurableMap, openDurableMap } from "@tiphys/bus";
import type { Clock } from "@tiphys/clock";
import { CanceledError, InvalidArgumentError, messageOf } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import type { Queue, QueueOptions } from "./queue.js";

export interface LocalQueueOptions extends QueueOptions {
  /** Absent: jobs live as long as the process. */
  readonly dir?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Entry {
  readonly job: unknown;
  /** Tries begun so far: counted before each one, so that a job that kills the process is not tried for ever. */
  readonly attempts: number;
  /** Epoch milliseconds. */
  readonly due: number;
  readonly error?: string;
  readonly failed?: boolean;
}

const DEFAULT_ATTEMPTS = 3;
const DEFAULT_BACKOFF_MS = 1000;
/** Failed jobs remembered. */
const MOST_FAILED = 1000;

/** Durable background work in process. One process at a time may own the folder. */
export async function createLocalQueue<Job>(options: LocalQueueOptions): Promise<Queue<Job>> {
  const { name, clock, log, attempts = DEFAULT_ATTEMPTS, concurrency = 1, backoff = DEFAULT_BACKOFF_MS } = options;
  const dir = options.dir === undefined ? {} : { dir: options.dir };
  const map: DurableMap = await openDurableMap({ ...dir, name: `queue-${name}`, log });
  const jobs = new Map<string, Entry>(map.entries<Entry>(""));
  const running = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let handler: ((job: Job, attempt: number, signal: AbortSignal) => Promise<void>) | undefined;
  let cancelAlarm = () => {};

  const save = (id: string, entry: Entry | undefined): Promise<void> => {
    if (entry) jobs.set(id, entry);
    else jobs.delete(id);
    return map.write([[id, entry]]);
  };

  const run = async (id: string, before: Entry) => {
    const attempt = before.attempts + 1;
    const entry = { ...before, attempts: attempt };
    await save(id, entry);
    try {
      await handler!(entry.job as Job, attempt, stopping.signal);
      await save(id, undefined);
    } catch (error) {
      // A job that was asked to stop has not failed: it runs again after the start.
      if (stopping.signal.aborted) return save(id, { ...entry, attempts: before.attempts });
      const last = attempt >= attempts;
      log.warn("job failed", { queue: name, id, attempt, last, error: messageOf(error) });
      const due = clock.now().getTime() + backoff * 2 ** (attempt - 1);
      await save(id, { ...entry, due, error: messageOf(error), ...(last ? { failed: true } : {}) });
      if (last) await forgetOldFailures();
    }
  };

  const forgetOldFailures = async () => {
    const failed = [...jobs].filter(([, entry]) => entry.failed);
    for (const [id] of failed.slice(0, Math.max(0, failed.length - MOST_FAILED))) await save(id, undefined);
  };

  const pump = () => {
    cancelAlarm();
    cancelAlarm = () => {};
    if (!handler || stopping.signal.aborted) return;
    const now = clock.now().getTime();
    let soonest = Number.POSITIVE_INFINITY;
    for (const [id, entry] of jobs) {
      if (running.size >= concurrency) return;
      if (entry.failed || running.has(id)) continue;
      if (entry.due > now) {
        soonest = Math.min(soonest, entry.due);
        continue;
      }
      const work = clock
        .track(run(id, entry))
        .catch((error: unknown) =>
          log.error("job record was not written", { queue: name, id, error: messageOf(error) }),
        )
        .then(() => {
          running.delete(id);
          pump();
        });
      running.set(id, work);
    }
    if (Number.isFinite(soonest)) cancelAlarm = clock.at(new Date(soonest), pump);
  };

  return {
    async add(id, job, { runAt } = {}) {
      if (id === "") throw new InvalidArgumentError("id", "is empty");
      const before = jobs.get(id);
      if (before && !before.failed) return;
      await save(id, { job, attempts: 0, due: runAt?.getTime() ?? 0 });
      pump();
    },
    async process(run) {
      handler = run;
      pump();
    },
    async failed() {
      return [...jobs]
        .filter(([, entry]) => entry.failed)
        .map(([id, entry]) => ({ id, job: entry.job as Job, error: entry.error ?? "" }));
    },
    async counts() {
      const now = clock.now().getTime();
      const counts = { waiting: 0, delayed: 0, running: running.size, failed: 0 };
      for (const [id, entry] of jobs) {
        if (entry.failed) counts.failed++;
        else if (running.has(id)) continue;
        else if (entry.due > now) counts.delayed++;
        else counts.waiting++;
      }
      return counts;
    },
    async close() {
      cancelAlarm();
      stopping.abort(new CanceledError(`queue ${name} is closing`));
      await Promise.all(running.values());
      await map.close();
    },
  };
}
