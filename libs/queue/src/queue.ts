/** The job queue as a port: durable background work, at least once, with a deduplicating id. */
export interface Queue<Job> {
  /** A job with the id of one that is waiting or running is the same job. `runAt` delays it. */
  add(id: string, job: Job, options?: { runAt?: Date }): Promise<void>;
  /** Starts workers. A handler that throws is tried again with back-off, `attempts` times in all. */
  process(handler: (job: Job, attempt: number, signal: AbortSignal) => Promise<void>): Promise<void>;
  /** Jobs that failed for good. */
  failed(): Promise<readonly { id: string; job: Job; error: string }[]>;
  counts(): Promise<{ waiting: number; delayed: number; running: number; failed: number }>;
  close(): Promise<void>;
}

export interface QueueOptions {
  readonly name: string;
  readonly attempts?: number;
  readonly concurrency?: number;
  /** First retry delay in milliseconds, doubled each time; default 1,000. */
  readonly backoff?: number;
}
