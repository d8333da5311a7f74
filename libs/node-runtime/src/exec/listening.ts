import { readdir, readFile, readlink } from "node:fs/promises";
import { processesBelow } from "../process-table.js";

const LISTEN = "0A";
const MAX_PROCESSES = 2000;

/** Whether a process below one of `roots` listens on TCP `port`; where that cannot be seen, false. Linux only. */
export async function listensOn(roots: readonly number[], port: number): Promise<boolean> {
  const inodes = new Set<string>();
  for (const table of ["tcp", "tcp6"]) {
    for (const line of (await readFile(`/proc/net/${table}`, "utf8").catch(() => "")).split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const local = fields[1]?.split(":")[1];
      if (fields[3] === LISTEN && local && Number.parseInt(local, 16) === port && fields[9]) inodes.add(fields[9]);
    }
  }
  if (inodes.size === 0) return false;
  for (const pid of (await processesBelow(roots)).slice(0, MAX_PROCESSES)) {
    const folder = `/proc/${pid}/fd`;
    for (const fd of await readdir(folder).catch(() => [])) {
      const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`${folder}/${fd}`).catch(() => ""))?.[1];
      if (inode && inodes.has(inode)) return true;
    }
  }
  return false;
}
