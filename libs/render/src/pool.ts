import { type Answer, type Ask, type ChildPool, createChildPool } from "@tiphys/child-process";
import { limits } from "@tiphys/limits";
import type { Logger } from "@tiphys/telemetry";
import { type RenderJob, type RenderResult, renderApplicationSource } from "./app-source.js";
import { systemEnvironment } from "./environment.js";
import { createObjectStore } from "./object-store.js";
import { type Answers, type Entry, Later, type Question, questionKey } from "./questions.js";

export interface RunOptions {
  readonly answers: Answers;
  readonly signal?: AbortSignal;
}

/** Where rendering happens: warm child processes in a service, this process in tests of other things. */
export interface RenderPool {
  run(job: RenderJob, options: RunOptions): Promise<RenderResult>;
  stop(): Promise<void>;
}

export interface RenderPoolOptions {
  /** The built program of a render child (`render-worker.mjs`). */
  readonly worker: string;
  /** Children at the same time; default 2. */
  readonly size?: number;
  /** Milliseconds for one render; default as in the limits. */
  readonly deadline?: number;
  readonly log: Logger;
}

/** Render children with limits of memory, time and output. */
export function createRenderPool({
  worker,
  size = 2,
  deadline = limits.renderMilliseconds,
  log,
}: RenderPoolOptions): RenderPool {
  const pool: ChildPool<RenderJob, RenderResult> = createChildPool<RenderJob, RenderResult>({
    entry: { path: worker },
    size,
    heapMb: 256,
    rssMb: 512,
    // A fresh child is slow until its code is warm; its memory is watched anyway.
    recycleAfter: 20_000,
    // Helm lets a template include itself a thousand times.
    stackMb: 64,
    deadlineMs: deadline,
    maxOutputBytes: 2 * limits.renderOutputBytes,
    env: {},
    log,
  });
  return {
    run: (job, { answers, signal }) =>
      pool.run(job, { answer: (question) => answers(question as Question), ...(signal ? { signal } : {}) }),
    stop: () => pool.stop(),
  };
}

const SMALL = 64 * 1024;

/**
 * Renders in this process: no protection against hostile input, for tests. A render cannot wait here, so it is given up at every
 * question, and done again with the answer.
 */
export const renderInProcess: RenderPool = {
  async run(job, { answers }) {
    const store = createObjectStore();
    const known = new Map<string, Answer>();
    for (;;) {
      const ask: Ask = (question) => {
        const answer = known.get(questionKey(question as Question));
        if (answer) return answer;
        throw new Later(question as Question);
      };
      const result = renderApplicationSource(job, { store, ask, environment: systemEnvironment });
      if (result.type !== "Later") return result;
      let outside = 0;
      for (const question of result.questions) {
        const answer = await answers(question);
        if ((answer.data as { later?: boolean } | undefined)?.later) outside++;
        else known.set(questionKey(question), answer);
        if (question.ask === "folders") await fetchSmall(answer, question.root);
      }
      if (outside === result.questions.length) return result;
    }

    /** All files of a folder at once, so that a render is not begun again for each. */
    async function fetchSmall({ data }: Answer, root: string): Promise<void> {
      const ids = (data as readonly (readonly Entry[])[])
        .flat()
        .filter(({ kind }) => kind === "blob" || kind === "symlink");
      if (ids.length > 200) return;
      for (const { id } of ids) {
        const [file] = (await answers({ ask: "files", root, ids: [id] })).parts ?? [];
        if (file && file.length < SMALL) store.keepFile(id, file);
      }
    }
  },
  stop: async () => {},
};
