import type { Clock } from "@tiphys/clock";
import { CanceledError, InvalidArgumentError, messageOf } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import type { Queue, QueueOptions } from "./queue.js";

export interface BullQueueOptions extends QueueOptions {
  /** `redis://…` or `rediss://…`. */
  readonly redis: string;
  /** First part of every Redis key; default `tiphys`. */
  readonly prefix?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

const DEFAULT_ATTEMPTS = 3;
const DEFAULT_BACKOFF_MS = 1000;
const MOST_FAILED = 1000;

/** Durable background work on Redis, shared by all processes that open the same name. */
export async function createBullQueue<Job>(options: BullQueueOptions): Promise<Queue<Job>> {
  const { name, clock, log, attempts = DEFAULT_ATTEMPTS, concurrency = 1, backoff = DEFAULT_BACKOFF_MS } = options;
  const bull = await import("bullmq");
  const { Redis } = await import("ioredis");
  // BullMQ waits for jobs with blocking commands, which must never count as failed.
  const open = () => {
    const connection = new Redis(options.redis, { maxRetriesPerRequest: null });
    connection.on("error", (error) => log.warn("the job queue's Redis is away", { queue: name, error: error.message }));
    return connection;
  };
  const connections = [open()];
  const prefix = options.prefix ?? "tiphys";
  const queue = new bull.Queue<Job>(name, {
    connection: connections[0]!,
    prefix,
    defaultJobOptions: {
      attempts,
      backoff: { type: "exponential", delay: backoff },
      removeOnComplete: true,
      removeOnFail: { count: MOST_FAILED },
    },
  });
  queue.on("error", (error) => log.warn("job queue failed", { queue: name, error: error.message }));
  const stopping = new AbortController();
  let worker: { close(): Promise<void> } | undefined;

  return {
    async add(id, job, { runAt } = {}) {
      if (id === "") throw new InvalidArgumentError("id", "is empty");
      const jobId = bullId(id);
      const before = await queue.getJob(jobId);
      if (before && (await before.isFailed())) await before.remove();
      const delay = runAt ? Math.max(0, runAt.getTime() - clock.now().getTime()) : 0;
      // The types derive the job's name and data from Job, which is open here.
      await (queue as { add(name: string, data: unknown, options: object): Promise<unknown> }).add(id, job, {
        jobId,
        delay,
      });
    },
    async process(handler) {
      const connection = open();
      connections.push(connection);
      const started = new bull.Worker<Job>(
        name,
        async (job) => {
          await clock.track(handler(job.data as Job, job.attemptsMade + 1, stopping.signal));
        },
        { connection, prefix, concurrency },
      );
      started.on("failed", (job, error) =>
        log.warn("job failed", { queue: name, id: job?.name, error: messageOf(error) }),
      );
      started.on("error", (error) => log.warn("job queue failed", { queue: name, error: error.message }));
      worker = started;
      await started.waitUntilReady();
    },
    async failed() {
      const jobs = await queue.getFailed(0, MOST_FAILED);
      return jobs.map((job) => ({ id: job.name, job: job.data as Job, error: job.failedReason ?? "" }));
    },
    async counts() {
      const found = await queue.getJobCounts("waiting", "prioritized", "delayed", "active", "failed");
      return {
        waiting: (found["waiting"] ?? 0) + (found["prioritized"] ?? 0),
        delayed: found["delayed"] ?? 0,
        running: found["active"] ?? 0,
        failed: found["failed"] ?? 0,
      };
    },
    async close() {
      stopping.abort(new CanceledError(`queue ${name} is closing`));
      await worker?.close();
      await queue.close();
      for (const connection of connections) connection.disconnect();
    },
  };
}

/** BullMQ refuses ids with a colon and ids that look like numbers. */
const bullId = (id: string): string => `j-${encodeURIComponent(id)}`;
