import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { FailedPreconditionError } from "@tiphys/errors";

/** Keeps two processes out of one data directory. A lock whose process is gone (kill -9) is taken over. */
export async function lockDirectory(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, "lock");
  const mine = `${process.pid} ${(await startOf(process.pid)) ?? ""}`.trim();
  for (;;) {
    try {
      const file = await open(path, "wx", 0o600);
      await file.writeFile(`${mine}\n`);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = (await readFile(path, "utf8").catch(() => "")).trim();
    const pid = Number(holder.split(" ")[0]);
    if (holder && (await isAlive(pid, holder.split(" ")[1]))) {
      throw new FailedPreconditionError(
        `data directory ${dir} is in use by process ${pid}: stop that process, or choose another directory with --data`,
      );
    }
    // Renaming is atomic, so of several processes that see the stale lock exactly one removes it.
    const stale = join(dir, `lock.stale-${randomUUID()}`);
    await rename(path, stale).catch(() => undefined);
    await rm(stale, { force: true });
  }
}

async function isAlive(pid: number, start: string | undefined): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = await startOf(pid);
  // Process ids are reused: the same id with another start time is another process.
  return start === undefined || now === undefined || start === now;
}

/** Start time of a process in clock ticks since boot, where /proc tells it. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}
