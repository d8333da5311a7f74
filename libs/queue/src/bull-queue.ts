import type { Clock } from "@tiphys/clock";
import { TerminalError } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import type { Worker } from "bullmq";
import type { Queue, QueueOptions } from "./queue.js";

export interface BullQueueOptions extends QueueOptions {
  /** `redis://…` */
  readonly redis: string;
  readonly prefix?: string;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Jobs on BullMQ and Redis, shared by all replicas. Loads its libraries on first use. */
export async function createBullQueue<Job>(options: BullQueueOptions): Promise<Queue<Job>> {
  const { name, redis, prefix = "tiphys", clock, log, attempts = 5, concurrency = 4, backoff = 1_000 } = options;
  const [bull, { Redis }] = await Promise.all([import("bullmq"), import("ioredis")]);
  // BullMQ's workers block on Redis, so a request may wait for as long as it takes.
  const connect = () => new Redis(redis, { maxRetriesPerRequest: null });
  const connection = connect();
  const queue = new bull.Queue<Job>(name, { connection: connection as never, prefix });
  const stop = new AbortController();
  const workers: { worker: Worker; connection: InstanceType<typeof Redis> }[] = [];
  const onError = (error: unknown) => log.warn("queue connection failed", { queue: name, error });
  connection.on("error", onError);
  queue.on("error", onError);
  return {
    async add(id, job, { runAt } = {}) {
      // BullMQ keeps finished jobs under their id; one that failed for good may be asked for again.
      const present = await queue.getJob(jobId(id));
      if (present && (await present.isFailed())) await present.remove();
      await queue.add(name as never, job as never, {
        jobId: jobId(id),
        attempts,
        backoff: { type: "exponential", delay: backoff },
        removeOnComplete: true,
        ...(runAt ? { delay: Math.max(0, runAt.getTime() - clock.now().getTime()) } : {}),
      });
    },
    async process(handler) {
      const own = connect();
      own.on("error", onError);
      const worker = new bull.Worker<Job>(
        name,
        async (job) => {
          try {
            await handler(job.data, job.attemptsMade + 1, stop.signal);
          } catch (error) {
            log.warn("job failed", { queue: name, id: job.id, error });
            if (error instanceof TerminalError) throw new bull.UnrecoverableError(error.message);
            throw error;
          }
        },
        { connection: own as never, prefix, concurrency },
      );
      worker.on("error", onError);
      workers.push({ worker: worker as Worker, connection: own });
      await worker.waitUntilReady();
    },
    async failed() {
      const jobs = await queue.getFailed();
      return jobs.map((job) => ({ id: originalId(job.id ?? ""), job: job.data as Job, error: job.failedReason ?? "" }));
    },
    async counts() {
      const { waiting = 0, delayed = 0, active = 0, failed = 0, prioritized = 0 } = await queue.getJobCounts();
      return { waiting: waiting + prioritized, delayed, running: active, failed };
    },
    async close() {
      stop.abort();
      for (const { worker, connection: own } of workers) {
        await worker.close();
        own.disconnect();
      }
      await queue.close();
      connection.disconnect();
    },
  };
}

/** BullMQ keeps `:` for itself and takes no id that is a whole number. */
const jobId = (id: string): string => `job-${encodeURIComponent(id)}`;
const originalId = (id: string): string => decodeURIComponent(id.replace(/^job-/, ""));
