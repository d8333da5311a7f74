import { existsSync, type Stats } from "node:fs";
import { chmod, chown, lstat, mkdir, open, readlink, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, type Spawner } from "@tiphys/child-process";
import { UnavailableError } from "@tiphys/errors";

/** The root of a container that has files of its own. */
export interface RootFolder {
  /** The image's files; shared, never written to. */
  readonly lower: string;
  /** What the container sees as `/`. With an overlay it is mounted in the container's own mount namespace. */
  readonly merged: string;
  /** Where an overlay keeps what the container writes; absent where `merged` is a copy. */
  readonly overlay?: { readonly upper: string; readonly work: string };
}

const COPY_MS = 600_000;
const MAX_LINKS = 40;

/** Prepares a root for one start of a container: folders for an overlay, or a copy where there is none. */
export async function prepareRoot(lower: string, dir: string, overlay: boolean, spawner: Spawner): Promise<RootFolder> {
  const at = (name: string) => join(dir, "rootfs", name);
  await rm(join(dir, "rootfs"), { recursive: true, force: true });
  await mkdir(at("merged"), { recursive: true });
  if (overlay) {
    await mkdir(at("upper"));
    await mkdir(at("work"));
    // What the container sees at its root has the mode and owner of the upper folder.
    const info = await stat(lower);
    await chmod(at("upper"), info.mode & 0o7777);
    await chown(at("upper"), info.uid, info.gid);
    return { lower, merged: at("merged"), overlay: { upper: at("upper"), work: at("work") } };
  }
  const { code, stderr } = await runCommand(spawner, {
    command: "cp",
    args: ["-a", "--reflink=auto", `${lower}/.`, at("merged")],
    timeoutMs: COPY_MS,
    maxOutputBytes: 4096,
  });
  if (code !== 0) throw new UnavailableError(`cannot copy the image's files: ${String(stderr).trim().slice(0, 300)}`);
  return { lower, merged: at("merged") };
}

/** Removes what a container that has ended wrote into its root. */
export const removeRoot = (dir: string): Promise<void> => rm(join(dir, "rootfs"), { recursive: true, force: true });

/** True when the file system that holds `dir` can carry overlays. */
export async function overlayWorks(dir: string, spawner: Spawner): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const probe = join(dir, "overlay-probe");
  const parts = ["lower", "upper", "work", "merged"].map((name) => join(probe, name));
  try {
    for (const part of parts) await mkdir(part, { recursive: true });
    const [lower = "", upper = "", work = "", merged = ""] = parts;
    const script = `mount -t overlay overlay -o "$1" "$2" && mkdir "$2/probe"`;
    const { code } = await runCommand(spawner, {
      command: "unshare",
      args: [
        "-m",
        "--propagation",
        "private",
        "/bin/sh",
        "-c",
        script,
        "sh",
        overlayOptions(lower, upper, work),
        merged,
      ],
      timeoutMs: 10_000,
      maxOutputBytes: 4096,
    });
    return code === 0;
  } catch {
    return false;
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** Mount options of an overlay; colons and commas in paths have a meaning of their own. */
export function overlayOptions(lower: string, upper: string, work: string): string {
  const escaped = (path: string) => path.replace(/[\\:,]/g, "\\$&");
  return `lowerdir=${escaped(lower)},upperdir=${escaped(upper)},workdir=${escaped(work)}`;
}

/**
 * Where `path` really is inside `root`, as a path below it: symbolic links lead where they lead for a process whose root
 * that is. What is not there stays as it is written.
 */
export async function resolveInside(root: string, path: string): Promise<string> {
  let current: string[] = [];
  const rest = parts(path);
  for (let links = 0; rest.length > 0; ) {
    const part = rest.shift()!;
    if (part === "..") {
      current = current.slice(0, -1);
      continue;
    }
    const info: Stats | undefined = await lstat(join(root, ...current, part)).catch(() => undefined);
    if (info?.isSymbolicLink() && ++links <= MAX_LINKS) {
      const target = await readlink(join(root, ...current, part));
      if (target.startsWith("/")) current = [];
      rest.unshift(...parts(target));
      continue;
    }
    current.push(part);
  }
  return `/${current.join("/")}`;
}

const parts = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");

const MAX_ACCOUNT_BYTES = 1024 * 1024;

/** A small file of an image, such as its passwd; empty when it is not there, no file, or too large. */
export async function readInside(root: string, path: string): Promise<string> {
  const file = join(root, await resolveInside(root, path));
  const handle = await open(file, "r").catch(() => undefined);
  if (!handle) return "";
  try {
    const info = await handle.stat();
    return info.isFile() && info.size <= MAX_ACCOUNT_BYTES ? await handle.readFile("utf8") : "";
  } finally {
    await handle.close();
  }
}

/** True when a program is in the image: by its path, or along `PATH`. */
export async function hasProgramInside(root: string, program: string, searchPath: string): Promise<boolean> {
  const there = async (path: string) => existsSync(join(root, await resolveInside(root, path)));
  if (program.includes("/")) return !program.startsWith("/") || (await there(program));
  for (const folder of searchPath.split(":")) if (folder && (await there(join(folder, program)))) return true;
  return false;
}
