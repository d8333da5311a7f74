import { readdir, readFile } from "node:fs/promises";
import { LimitExceededError } from "@tiphys/errors";

const PAGE_BYTES = 4096;
const WATCH_MS = 50;

/** Ends a program whose processes together need more memory than they may; gives back how to stop watching. */
export function watchMemory(pid: number, limit: number, stop: (error: Error) => void): () => void {
  let ended = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async () => {
    const bytes = await residentOfTree(pid);
    if (ended) return;
    if (bytes > limit) {
      stop(new LimitExceededError(`the program needed more than its ${limit} bytes of memory and was ended`));
      return;
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

/** Resident bytes of a process and all below it; those that ended meanwhile count nothing. */
async function residentOfTree(root: number): Promise<number> {
  let bytes = 0;
  const waiting = [root];
  // A tree that grows while it is read ends somewhere.
  for (let count = 0; waiting.length > 0 && count < 10_000; count++) {
    const pid = waiting.pop()!;
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
  return bytes;
}
