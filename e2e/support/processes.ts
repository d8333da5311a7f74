import { readdir, readFile } from "node:fs/promises";
import { eventually } from "@tiphys/testing";

export interface Found {
  readonly pid: number;
  readonly command: string;
}

/** Processes whose command line names `folder`. */
export async function processesOf(folder: string): Promise<Found[]> {
  const found: Found[] = [];
  for (const entry of await readdir("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (command.includes(folder)) found.push({ pid, command: command.replaceAll("\0", " ").trim() });
  }
  return found;
}

/** Ends what a test has left behind in its folder, by pid. */
export async function endProcessesOf(folder: string): Promise<void> {
  await eventually(async () => {
    const left = await processesOf(folder);
    for (const { pid } of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    }
    return left.length === 0;
  });
}
