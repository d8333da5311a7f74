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
