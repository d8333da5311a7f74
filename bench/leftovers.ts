import { readdir, readFile } from "node:fs/promises";

/** Ends the pods that a suite left running for its next start: processes whose command line names `folder`. */
export async function endPodsOf(folder: string): Promise<void> {
  for (const name of await readdir("/proc").catch(() => [])) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (!line.includes(`${folder}/node/`)) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}
