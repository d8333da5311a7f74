import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { InternalError } from "@tiphys/errors";
import { runGit } from "./process.js";

/** Where the tips are kept that were fetched, by their ids: fetches of different commits share no name and no lock. */
export const KEPT = "refs/tiphys/";

/** Says that this mirror must have everything: the server does not give single objects. */
const FULL = "tiphys-full";
/** Its time of change is when the mirror was used last. */
const USED = "tiphys-used";

/** Processes that only read must not ask a server for what is not here, so they see the objects through a repository without a remote. */
export async function objectsOnly(folder: string, variables: Readonly<Record<string, string>>): Promise<string> {
  const view = join(folder, "reader");
  if (existsSync(join(view, "HEAD"))) return view;
  const fresh = `${view}.${process.pid}.new`;
  await rm(fresh, { recursive: true, force: true });
  await runGit({ args: ["init", "--quiet", "--bare", fresh], directory: folder, variables });
  await rename(fresh, view).catch(async (error: NodeJS.ErrnoException) => {
    // Another mirror of ours was first.
    await rm(fresh, { recursive: true, force: true });
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
  });
  return view;
}

/** Makes an empty mirror, or mends what a sudden end has left behind in one. */
export async function openFolder(
  directory: string,
  variables: Readonly<Record<string, string>>,
  { full = false }: { full?: boolean } = {},
): Promise<{ readonly full: boolean; readonly empty: boolean }> {
  if (!existsSync(join(directory, "HEAD"))) {
    const fresh = `${directory}.new`;
    await rm(fresh, { recursive: true, force: true });
    await rm(directory, { recursive: true, force: true });
    try {
      await runGit({ args: ["init", "--quiet", "--bare", fresh], directory: join(directory, ".."), variables });
      const settings = full
        ? []
        : [
            ["remote.origin.promisor", "true"],
            ["remote.origin.partialclonefilter", "blob:none"],
          ];
      for (const args of settings) await runGit({ args: ["config", ...args], directory: fresh, variables });
      if (full) await writeFile(join(fresh, FULL), "");
      // Whole or not at all: a mirror that is half made must never be taken for one.
      await rename(fresh, directory);
    } catch (cause) {
      throw new InternalError(`the mirror of a repository cannot be made in ${directory}`, { cause });
    }
  } else await mend(directory);
  const packs = await readdir(join(directory, "objects", "pack")).catch(() => [] as string[]);
  const refs = await readdir(join(directory, KEPT)).catch(() => [] as string[]);
  return { full: existsSync(join(directory, FULL)), empty: packs.length === 0 && refs.length === 0 };
}

/** Removes locks, halves of packs and empty refs: their writers are gone, as this folder is ours alone. */
async function mend(directory: string): Promise<void> {
  const names = async (folder: string) => readdir(join(directory, folder), { withFileTypes: true }).catch(() => []);
  const remove = (...path: string[]) => rm(join(directory, ...path), { recursive: true, force: true });
  for (const { name } of await names(".")) if (name.endsWith(".lock")) await remove(name);
  for (const { name } of await names("objects")) if (/^(tmp_|incoming-)/.test(name)) await remove("objects", name);
  const packs = (await names("objects/pack")).map(({ name }) => name);
  const indexed = new Set(packs.filter((name) => name.endsWith(".idx")).map((name) => name.slice(0, -4)));
  for (const name of packs) {
    const half = name.startsWith("tmp_") || name.startsWith(".tmp") || name.endsWith(".lock");
    const orphan = name.endsWith(".pack") && !indexed.has(name.slice(0, -5));
    if (half || orphan) await remove("objects", "pack", name);
  }
  for (const { name } of await names(KEPT)) {
    const path = join(directory, KEPT, name);
    const size = (await stat(path).catch(() => undefined))?.size;
    if (name.endsWith(".lock") || size === 0) await remove(KEPT, name);
  }
}

/** Notes that a mirror is in use. */
export async function touch(directory: string, now: Date): Promise<void> {
  const path = join(directory, USED);
  await utimes(path, now, now).catch(() => writeFile(path, "").catch(() => {}));
}

export interface MirrorFolder {
  readonly directory: string;
  readonly usedAt: Date;
  readonly bytes: number;
}

/** Every mirror below `folder`; what is left of broken and half made ones is removed on the way. */
export async function listFolders(folder: string): Promise<MirrorFolder[]> {
  const found: MirrorFolder[] = [];
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    const directory = join(folder, name);
    if (/\.git\.broken-\d+$/.test(name)) await rm(directory, { recursive: true, force: true });
    if (!name.endsWith(".git")) continue;
    const used = await stat(join(directory, USED)).catch(() => stat(directory).catch(() => undefined));
    if (used) found.push({ directory, usedAt: used.mtime, bytes: await sizeOf(directory) });
  }
  return found;
}

async function sizeOf(directory: string): Promise<number> {
  let bytes = 0;
  for (const folder of ["objects/pack", "lfs"]) {
    for (const name of await readdir(join(directory, folder)).catch(() => [] as string[])) {
      bytes += (await stat(join(directory, folder, name)).catch(() => undefined))?.size ?? 0;
    }
  }
  return bytes;
}

const PACKS = 50;
const REFS = 200;

/** Makes one pack of many, and forgets old tips; objects stay. Does nothing where there is little to do. */
export async function tidy(directory: string, variables: Readonly<Record<string, string>>): Promise<void> {
  const refs = await readdir(join(directory, KEPT)).catch(() => [] as string[]);
  if (refs.length > REFS) {
    const args = ["for-each-ref", "--sort=-committerdate", "--format=delete %(refname)", KEPT];
    const lines = (await runGit({ args, directory, variables })).toString().split("\n").filter(Boolean);
    const input = `${lines.slice(REFS / 2).join("\n")}\n`;
    await runGit({ args: ["update-ref", "--stdin"], directory, variables, input });
  }
  const packs = await readdir(join(directory, "objects", "pack")).catch(() => [] as string[]);
  if (packs.filter((name) => name.endsWith(".pack")).length <= PACKS) return;
  // Nothing is thrown away: what no kept tip reaches may be what a render is reading.
  await runGit({ args: ["repack", "-a", "-d", "-k", "-q"], directory, variables });
}

/** Puts a mirror aside, to be removed in its own time. */
export async function discard(directory: string): Promise<void> {
  for (let number = 1; ; number++) {
    const aside = `${directory}.broken-${number}`;
    if (existsSync(aside)) continue;
    await mkdir(join(directory, ".."), { recursive: true });
    await rename(directory, aside).catch(() => {});
    void rm(aside, { recursive: true, force: true }).catch(() => {});
    return;
  }
}
