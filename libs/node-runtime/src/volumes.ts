import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readdir, realpath, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { KubeObject } from "@tiphys/resources";
import { writeAtomic } from "./atomic-files.js";
import { ContainerConfigError, expand } from "./env.js";
import { contentOf, safe, type Volume, type VolumeSources } from "./volume-content.js";

/** What a container sees at `target`. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface VolumeSettings {
  /** Host folders that pods may mount as `hostPath`, with all that is below them; none by default. */
  readonly hostPaths?: readonly string[];
  readonly now: () => Date;
}

const SHARED_MEMORY = "/dev/shm";

/** Where a volume of the pod is on the host. Ids keep pods apart in the folder that all of them share. */
const memoryFolder = (pod: KubeObject, volume: string): string =>
  join(SHARED_MEMORY, `tiphys-${pod.metadata.uid}-${volume}`);

const inMemory = (volume: Volume): boolean => volume["emptyDir"]?.medium === "Memory" && existsSync(SHARED_MEMORY);

/** Removes what a pod's volumes keep outside of its folder. */
export async function removeVolumes(uid: string): Promise<void> {
  const names = await readdir(SHARED_MEMORY).catch(() => []);
  for (const name of names) {
    if (name.startsWith(`tiphys-${uid}-`)) await rm(join(SHARED_MEMORY, name), { recursive: true, force: true });
  }
}

/** Files may be given to a group by root alone. */
export const fsGroupOf = (pod: KubeObject): number | undefined =>
  process.getuid?.() === 0 ? pod["spec"]?.securityContext?.fsGroup : undefined;

/**
 * Fills the folders of the pod's volumes under `dir`; throws ContainerConfigError naming what is missing or unsupported.
 * Gives the soonest end of a token for each volume that has one.
 */
export async function prepareVolumes(
  pod: KubeObject,
  dir: string,
  sources: VolumeSources,
  facts: { podIP: string; hostIP: string },
  settings: VolumeSettings,
): Promise<ReadonlyMap<string, number>> {
  const ends = new Map<string, number>();
  const group = fsGroupOf(pod);
  for (const volume of (pod["spec"]?.volumes ?? []) as Volume[]) {
    const folder = join(dir, volume.name);
    if (volume["image"]) {
      await sources.imageRoot(volume["image"].reference ?? "");
      continue;
    }
    if (volume["hostPath"]) {
      await checkHostPath(volume, settings.hostPaths ?? []);
      continue;
    }
    if (volume["emptyDir"]) {
      await mkdir(dir, { recursive: true });
      if (inMemory(volume)) {
        await mkdir(memoryFolder(pod, volume.name), { recursive: true });
        await symlink(memoryFolder(pod, volume.name), folder).catch(() => {});
      } else await mkdir(folder, { recursive: true });
      await chmod(folder, group === undefined ? 0o777 : 0o2777);
      if (group !== undefined) await chown(folder, -1, group);
      continue;
    }
    const { files, expiresAt } = await contentOf(pod, volume, sources, facts);
    await mkdir(folder, { recursive: true });
    await writeAtomic(folder, files, settings.now(), group === undefined ? {} : { group });
    if (expiresAt !== undefined) ends.set(volume.name, expiresAt);
  }
  return ends;
}

const HOST_PATH_TYPES = ["", "DirectoryOrCreate", "Directory", "FileOrCreate", "File"];

/** A folder of the host is shown only where the node's settings allow it. */
async function checkHostPath(volume: Volume, allowed: readonly string[]): Promise<void> {
  const { path = "", type = "" } = volume["hostPath"] as { path?: string; type?: string };
  const failed = (problem: string): never => {
    throw new ContainerConfigError(`MountVolume.SetUp failed for volume "${volume.name}" : ${problem}`);
  };
  const below = (real: string) => allowed.some((one) => real === one || real.startsWith(`${one.replace(/\/$/, "")}/`));
  if (!below(path) || path.split("/").includes("..")) {
    failed(`hostPath "${path}" is not allowed on this node: its settings name the host folders that pods may mount`);
  }
  if (!HOST_PATH_TYPES.includes(type)) failed(`hostPath type ${type} is not supported by this node`);
  if (type === "DirectoryOrCreate") await mkdir(path, { recursive: true });
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return failed(`hostPath "${path}" does not exist`);
  // A link may lead out of what is allowed.
  const roots = await Promise.all(allowed.map((one) => realpath(one).catch(() => one)));
  if (!roots.some((one) => real === one || real.startsWith(`${one}/`)))
    failed(`hostPath "${path}" leads out of what is allowed`);
}

/** Where the mounts of `container` come from. Parents come before what is mounted inside them. */
export async function containerMounts(
  container: Volume,
  pod: KubeObject,
  dir: string,
  imageRoot: VolumeSources["imageRoot"],
  env: Readonly<Record<string, string>>,
): Promise<readonly Mount[]> {
  const mounts: Mount[] = [];
  for (const mount of container["volumeMounts"] ?? []) {
    const volume = ((pod["spec"]?.volumes ?? []) as Volume[]).find(({ name }) => name === mount.name);
    if (!volume) throw new ContainerConfigError(`volumeMounts: no volume is named "${mount.name}"`);
    const base = volume["image"]
      ? await imageRoot(volume["image"].reference ?? "")
      : (volume["hostPath"]?.path ?? join(dir, mount.name));
    const subPath = mount.subPathExpr ? expanded(mount.name, mount.subPathExpr, env) : mount.subPath;
    const writable = volume["emptyDir"] !== undefined || volume["hostPath"] !== undefined;
    let source = subPath ? join(base, safe(mount.name, subPath)) : base;
    if (subPath && writable) await makeInside(base, source, mount.name);
    if (subPath) source = await inside(base, source, mount.name);
    else if (volume["emptyDir"]) source = await realpath(base);
    mounts.push({ source, target: mount.mountPath, readOnly: mount.readOnly === true || !writable });
  }
  return mounts.sort((a, b) => a.target.length - b.target.length);
}

function expanded(volume: string, text: string, env: Readonly<Record<string, string>>): string {
  const value = expand(text, env);
  const left = /\$\(([^()]+)\)/.exec(value);
  if (left)
    throw new ContainerConfigError(
      `volume ${volume}: subPathExpr needs variable ${left[1]}, which the container does not have`,
    );
  return value;
}

/** Makes a folder at a subPath that is not there, and never through a link. */
async function makeInside(base: string, path: string, volume: string): Promise<void> {
  if (existsSync(path)) return;
  const root = await realpath(base);
  let current = root;
  for (const part of path.slice(base.length).split("/").filter(Boolean)) {
    current = join(current, part);
    if (existsSync(current)) current = await inside(base, current, volume);
    else {
      await mkdir(current);
      await chmod(current, 0o777);
    }
  }
}

/** A container may have left a link in its volume: what the host mounts must not follow it out. */
async function inside(base: string, source: string, volume: string): Promise<string> {
  const [real, root] = await Promise.all([realpath(source).catch(() => undefined), realpath(base)]);
  if (real === undefined) throw new ContainerConfigError(`volume ${volume}: there is nothing at its subPath`);
  if (real !== root && !real.startsWith(`${root}/`)) {
    throw new ContainerConfigError(`volume ${volume}: its subPath leads out of the volume`);
  }
  return real;
}
