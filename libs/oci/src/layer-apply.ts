import { createWriteStream } from "node:fs";
import {
  chmod,
  copyFile,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readlink,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { join, posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { DataLossError, LimitExceededError } from "@tiphys/errors";
import { limits } from "@tiphys/limits";
import { readTar, type TarEntry, type TarHeader } from "./tar-reader.js";

/** What applying layers has used so far; one for all layers of an image. */
export interface UnpackBudget {
  bytes: number;
  files: number;
  /** Bytes of the layers as they were sent. */
  packed: number;
}

export const newBudget = (): UnpackBudget => ({ bytes: 0, files: 0, packed: 0 });

export interface ApplyOptions {
  /** Files get the owners that the archive names; only root can. */
  readonly owners: boolean;
  readonly budget: UnpackBudget;
}

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
const MAX_LINKS = 40;
/** Files up to this size are written in one go. */
const SMALL = 128 * 1024;

/**
 * Unpacks a layer's plain tar over `root`, which nothing else changes meanwhile. Whiteouts remove, links are kept and never
 * followed out of the root, devices are left out. Files that are there are replaced, never written into: they may be
 * hard links to another image's.
 */
export async function applyLayer(root: string, tar: AsyncIterable<Uint8Array>, options: ApplyOptions): Promise<void> {
  const { budget, owners } = options;
  const folders = folderFinder(root);
  /** Paths that this layer has made; an opaque folder keeps those. */
  const made = new Set<string>();
  const times: { path: string; mtime: number }[] = [];

  async function place(path: string): Promise<{ folder: string; name: string; inside: string } | undefined> {
    const clean = cleanPath(path);
    if (clean === "") return undefined;
    const folder = await folders.find(posix.dirname(clean), true);
    const name = posix.basename(clean);
    return { folder, name, inside: posix.join(folder.slice(root.length) || "/", name) };
  }

  async function one({ header, body }: TarEntry): Promise<void> {
    if (++budget.files > limits.imageFiles)
      throw new LimitExceededError(`the image has more than ${limits.imageFiles} files`);
    const at = await place(header.path);
    if (!at) {
      if (header.type === "directory") await finish(root, header, owners, times);
      return;
    }
    if (at.name.startsWith(WHITEOUT)) return whiteout(at);
    if (header.type === "character" || header.type === "block" || header.type === "fifo") return;
    const path = join(at.folder, at.name);
    const before = await lstat(path).catch(missing);
    if (before && !(before.isDirectory() && header.type === "directory")) {
      await rm(path, { recursive: true, force: true });
      folders.forget();
    }
    made.add(at.inside);
    if (header.type === "directory") {
      if (!before?.isDirectory()) await mkdir(path);
    } else if (header.type === "symlink") {
      await symlink(header.link ?? "", path);
      folders.forget();
    } else if (header.type === "link") {
      await hardLink(header, path);
      // Owner, mode and time belong to the file that was there first.
      return;
    } else await writeContent(path, header, body, budget);
    await finish(path, header, owners, times);
  }

  async function whiteout({ folder, name, inside }: { folder: string; name: string; inside: string }): Promise<void> {
    if (name === OPAQUE) {
      await clearLower(folder, posix.dirname(inside), made);
      folders.forget();
      return;
    }
    // Other names of this kind are notes of the tool that made the layer.
    const removed = name.slice(WHITEOUT.length);
    if (name.startsWith(".wh..wh.") || removed === "" || removed === "." || removed === "..") return;
    await rm(join(folder, removed), { recursive: true, force: true });
    folders.forget();
  }

  async function hardLink(header: TarHeader, path: string): Promise<void> {
    const target = cleanPath(header.link ?? "");
    const problem = `the layer has a hard link "${header.path}" to "${header.link}"`;
    if (target === "") throw new DataLossError(`${problem}, which is no file`);
    const source = join(await folders.find(posix.dirname(target), false), posix.basename(target));
    const info = await lstat(source).catch(missing);
    if (!info || info.isDirectory()) throw new DataLossError(`${problem}, which is ${info ? "a folder" : "not there"}`);
    await link(source, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EMLINK" || !info.isFile()) throw error;
      await copyFile(source, path);
    });
  }

  for await (const entry of readTar(tar)) await one(entry);
  // A folder's time is set once nothing is put into it any more.
  for (const { path, mtime } of times.reverse()) await utimes(path, mtime, mtime).catch(ignore);
}

const missing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
};
const ignore = (): void => {};

/** `./a//b/` → `a/b`; throws for a path that climbs out. */
function cleanPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes(".."))
    throw new DataLossError(`the layer has a path that leaves the image: "${path.slice(0, 200)}"`);
  return parts.join("/");
}

/** Finds folders below `root`; symbolic links on the way lead where they lead inside the image. */
function folderFinder(root: string) {
  let known = new Map<string, string>([
    [".", root],
    ["", root],
  ]);
  async function find(path: string, create: boolean): Promise<string> {
    const cached = known.get(path);
    if (cached) return cached;
    let current: string[] = [];
    const rest = path.split("/").filter((part) => part !== "" && part !== ".");
    for (let links = 0; rest.length > 0; ) {
      const part = rest.shift()!;
      if (part === "..") {
        current = current.slice(0, -1);
        continue;
      }
      const next = join(root, ...current, part);
      const info = await lstat(next).catch(missing);
      if (info?.isSymbolicLink()) {
        if (++links > MAX_LINKS)
          throw new DataLossError(`the layer has too many links on the way to "${path.slice(0, 200)}"`);
        const target = await readlink(next);
        if (target.startsWith("/")) current = [];
        rest.unshift(...target.split("/").filter((one) => one !== "" && one !== "."));
        continue;
      }
      if (info && !info.isDirectory()) {
        if (!create) throw new DataLossError(`the layer has a path through a file: "${path.slice(0, 200)}"`);
        await rm(next, { force: true });
        known.clear();
        known.set(".", root);
      }
      if (!info?.isDirectory()) {
        if (!create) throw new DataLossError(`the layer names a folder that is not there: "${path.slice(0, 200)}"`);
        await mkdir(next, { mode: 0o755 });
      }
      current.push(part);
    }
    const found = join(root, ...current);
    if (known.size > 20_000) known = new Map([[".", root]]);
    known.set(path, found);
    return found;
  }
  return {
    find,
    /** A link or folder has gone or come: what was found may lead elsewhere now. */
    forget() {
      known = new Map([[".", root]]);
    },
  };
}

async function writeContent(
  path: string,
  header: TarHeader,
  body: AsyncIterable<Uint8Array>,
  budget: UnpackBudget,
): Promise<void> {
  budget.bytes += header.size;
  if (budget.bytes > limits.imageBytes)
    throw new LimitExceededError(`the image has more than ${limits.imageBytes} bytes unpacked`);
  if (budget.bytes > limits.imageRatioFromBytes && budget.bytes > budget.packed * limits.imageRatio) {
    throw new LimitExceededError(`the image unpacks to more than ${limits.imageRatio} times its size`);
  }
  if (header.size > SMALL) {
    await pipeline(Readable.from(body, { objectMode: false }), createWriteStream(path, { flags: "wx", mode: 0o600 }));
    return;
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  const handle = await open(path, "wx", 0o600);
  try {
    for (const piece of pieces) await handle.write(piece);
  } finally {
    await handle.close();
  }
}

async function finish(
  path: string,
  header: TarHeader,
  owners: boolean,
  times: { path: string; mtime: number }[],
): Promise<void> {
  if (owners) await lchown(path, header.uid, header.gid);
  if (header.type === "symlink") {
    await lutimes(path, header.mtime, header.mtime).catch(ignore);
    return;
  }
  // Without owners a set-user-id bit would mean another user's; folders stay enterable for us, who fill them.
  const mode = owners ? header.mode : (header.mode & 0o777) | (header.type === "directory" ? 0o700 : 0o400);
  await chmod(path, mode);
  if (header.type === "directory") times.push({ path, mtime: header.mtime });
  else await utimes(path, header.mtime, header.mtime).catch(ignore);
}

/** Removes what lower layers have in a folder. */
async function clearLower(folder: string, inside: string, made: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = posix.join(inside, entry.name);
    const file = join(folder, entry.name);
    if (!made.has(path)) {
      const kept = entry.isDirectory() && [...made].some((one) => one.startsWith(`${path}/`));
      if (!kept) {
        await rm(file, { recursive: true, force: true });
        continue;
      }
    }
    if (entry.isDirectory()) await clearLower(file, path, made);
  }
}

const AT_ONCE = 32;

/** Copies a tree by hard links; folders and symbolic links are made anew. `target` must not exist. */
export async function cloneTree(source: string, target: string, owners: boolean): Promise<void> {
  await mkdir(target, { recursive: true });
  const queue: string[] = [""];
  const folders: string[] = [];
  const work = async (path: string): Promise<void> => {
    const from = join(source, path);
    const entries = await readdir(from, { withFileTypes: true });
    for (const entry of entries) {
      const inner = join(path, entry.name);
      const to = join(target, inner);
      if (entry.isDirectory()) {
        await mkdir(to);
        queue.push(inner);
      } else if (entry.isSymbolicLink()) {
        await symlink(await readlink(join(source, inner)), to);
        if (owners) {
          const { uid, gid } = await lstat(join(source, inner));
          if (uid !== 0 || gid !== 0) await lchown(to, uid, gid);
        }
      } else {
        await link(join(source, inner), to).catch(async (error: NodeJS.ErrnoException) => {
          if (error.code !== "EMLINK") throw error;
          await copyFile(join(source, inner), to);
        });
      }
    }
    folders.push(path);
  };
  while (queue.length > 0) await Promise.all(queue.splice(0, AT_ONCE).map(work));
  for (const path of folders) {
    const info = await lstat(join(source, path));
    const to = join(target, path);
    if (owners) await lchown(to, info.uid, info.gid);
    await chmod(to, info.mode & 0o7777);
    await utimes(to, info.atime, info.mtime).catch(ignore);
  }
}
