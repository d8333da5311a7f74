import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { VolumeFile } from "./volume-content.js";

const DATA = "..data";
const NEXT = "..data_tmp";

/** Group that owns the files (fsGroup), where we may give files away. */
export interface Ownership {
  readonly group?: number;
}

/**
 * Shows `files` in `folder` all at once: they lie in a folder of their own, `..data` leads to it, and each name leads
 * through `..data`. Who reads meanwhile sees the old files or the new ones. False when nothing has changed.
 */
export async function writeAtomic(
  folder: string,
  files: readonly VolumeFile[],
  now: Date,
  { group }: Ownership = {},
): Promise<boolean> {
  const old = await readlink(join(folder, DATA)).catch(() => undefined);
  if (old !== undefined && (await same(join(folder, old), files))) return false;
  const name = await freshName(folder, now);
  const target = join(folder, name);
  await mkdir(target, { mode: 0o755 });
  await chmod(target, 0o755);
  for (const { path, data, mode } of files) {
    const file = join(target, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    await writeFile(file, data, { mode });
    // The process's mask does not count, and a group that may not read was not meant.
    await chmod(file, group === undefined ? mode : mode | 0o440);
    if (group !== undefined) await chown(file, -1, group);
  }
  await symlink(name, join(folder, NEXT)).catch(async () => {
    await rm(join(folder, NEXT), { force: true });
    await symlink(name, join(folder, NEXT));
  });
  await rename(join(folder, NEXT), join(folder, DATA));
  const shown = new Set(files.map(({ path }) => path.split("/")[0]!));
  for (const entry of shown) {
    await symlink(join(DATA, entry), join(folder, entry)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
  for (const entry of await readdir(folder)) {
    if (entry === DATA || entry === name || shown.has(entry)) continue;
    await rm(join(folder, entry), { recursive: true, force: true });
  }
  return true;
}

/** `..2026_11_27_04_50_00.123`, and another when there is one of this millisecond. */
async function freshName(folder: string, now: Date): Promise<string> {
  const stamp = `..${now.toISOString().slice(0, 19).replace(/[-T:]/g, "_")}.${String(now.getTime() % 1000).padStart(3, "0")}`;
  for (let i = 0; ; i++) {
    const name = `${stamp}${String(i).padStart(6, "0")}`;
    if (!(await lstat(join(folder, name)).catch(() => undefined))) return name;
  }
}

async function same(folder: string, files: readonly VolumeFile[]): Promise<boolean> {
  const there = (await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])).filter((entry) =>
    entry.isFile(),
  );
  if (there.length !== files.length) return false;
  for (const { path, data } of files) {
    const now = await readFile(join(folder, path)).catch(() => undefined);
    if (!now?.equals(data)) return false;
  }
  return true;
}
