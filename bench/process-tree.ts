import { readdir, readFile } from "node:fs/promises";

/** Resident memory of a process alone and with its descendants, in MB, from /proc. */
export async function residentMegabytes(pid: number): Promise<{ own: number; tree: number }> {
  const parents = new Map<number, number>();
  const sizes = new Map<number, number>();
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
    const field = (key: string) => Number(status.match(new RegExp(`^${key}:\\s+(\\d+)`, "m"))?.[1] ?? 0);
    parents.set(Number(name), field("PPid"));
    sizes.set(Number(name), field("VmRSS") / 1024);
  }
  const inTree = (candidate: number): boolean => {
    for (let at = candidate; at > 1; at = parents.get(at) ?? 0) if (at === pid) return true;
    return false;
  };
  let tree = 0;
  for (const [candidate, size] of sizes) if (inTree(candidate)) tree += size;
  return { own: sizes.get(pid) ?? 0, tree };
}

/** Ticks of the processor in a second, as Linux counts them for every process. */
const TICKS = 100;

/** Milliseconds of processor time that the children of a process have used so far, those that ended and were waited for not. */
export async function childrenCpuMilliseconds(pid: number): Promise<number> {
  let ticks = 0;
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => "");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(fields[1]) === pid) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return (ticks / TICKS) * 1000;
}
