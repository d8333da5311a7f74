import { readdir, readFile } from "node:fs/promises";
import { LimitExceededError } from "@tiphys/errors";

const PAGE_BYTES = 4096;
const WATCH_MS = 50;

export interface TreeBounds {
  /** Resident memory of all processes together. */
  readonly memoryBytes: number;
  readonly processes: number;
}

/** Ends a program whose processes together need more than they may; gives back how to stop watching. */
export function watchTree(pid: number, bounds: TreeBounds, stop: (error: Error) => void): () => void {
  let ended = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    const { bytes, processes } = await measureTree(pid, bounds.processes);
    if (ended) return;
    if (bytes > bounds.memoryBytes) {
      return stop(new LimitExceededError(`the program needed more than its ${bounds.memoryBytes} bytes of memory`));
    }
    if (processes > bounds.processes) {
      return stop(new LimitExceededError(`the program started more than its ${bounds.processes} processes`));
    }
    // Real time: the program that is watched lives in it.
    timer = setTimeout(look, WATCH_MS);
  };
  timer = setTimeout(look, WATCH_MS);
  return () => {
    ended = true;
    clearTimeout(timer);
  };
}

/** A process and all below it; those that ended meanwhile count nothing. Reads no further than one process too many. */
async function measureTree(root: number, most: number): Promise<{ bytes: number; processes: number }> {
  let bytes = 0;
  let processes = 0;
  const waiting = [root];
  while (waiting.length > 0 && processes <= most) {
    const pid = waiting.pop()!;
    processes++;
    const [memory, threads] = await Promise.all([
      readFile(`/proc/${pid}/statm`, "utf8").catch(() => ""),
      readdir(`/proc/${pid}/task`).catch(() => []),
    ]);
    bytes += Number(memory.split(" ")[1] ?? 0) * PAGE_BYTES;
    for (const thread of threads) {
      const children = await readFile(`/proc/${pid}/task/${thread}/children`, "utf8").catch(() => "");
      for (const child of children.split(" ")) if (child !== "") waiting.push(Number(child));
    }
  }
  return { bytes, processes };
}
