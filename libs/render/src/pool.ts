import { type ChildPool, createChildPool } from "@tiphys/child-process";
import { limits } from "@tiphys/limits";
import type { Logger } from "@tiphys/telemetry";
import { renderDirectory, type SourceFile } from "./directory.js";
import type { Manifest } from "./manifest-service.js";

/** One piece of work for a render child. */
export interface RenderJob {
  readonly type: "directory";
  readonly files: readonly SourceFile[];
}

export interface RenderResult {
  readonly manifests: Manifest[];
}

/** Where rendering happens: warm child processes in a service, this process in tests of other things. */
export interface RenderPool {
  run(job: RenderJob, options?: { signal?: AbortSignal }): Promise<RenderResult>;
  stop(): Promise<void>;
}

/** What a render child does with a job. */
export const renderJob = (job: RenderJob): RenderResult => ({ manifests: renderDirectory(job.files) });

export interface RenderPoolOptions {
  /** The built program of a render child (`render-worker.mjs`). */
  readonly worker: string;
  /** Children at the same time; default 2. */
  readonly size?: number;
  readonly log: Logger;
}

/** Render children with limits of memory, time and output. */
export function createRenderPool({ worker, size = 2, log }: RenderPoolOptions): RenderPool {
  const pool: ChildPool<RenderJob, RenderResult> = createChildPool<RenderJob, RenderResult>({
    entry: { path: worker },
    size,
    heapMb: 256,
    rssMb: 512,
    deadlineMs: limits.renderMilliseconds,
    maxOutputBytes: 2 * limits.renderOutputBytes,
    env: {},
    log,
  });
  return { run: (job, options) => pool.run(job, options), stop: () => pool.stop() };
}

/** Renders in this process: no protection against hostile input, for tests. */
export const renderInProcess: RenderPool = { run: async (job) => renderJob(job), stop: async () => {} };
