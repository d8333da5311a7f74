import { chmod, mkdir, realpath, rm, writeFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import type { KubeObject } from "@tiphys/resources";
import { ContainerConfigError, decodeSecret, type EnvSources } from "./env.js";
import { fieldOf } from "./field-ref.js";

/** What a container sees at `target`. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export interface VolumeSources extends EnvSources {
  token(audience: string | undefined, seconds: number): Promise<string>;
  /** Host folder of an image's files; throws ContainerConfigError when this node has none. */
  imageRoot(reference: string): string;
}

// biome-ignore lint/suspicious/noExplicitAny: volumes as the API gives them
type Volume = Record<string, any> & { name: string };
interface File {
  readonly path: string;
  readonly data: Buffer;
  readonly mode?: number;
}

const DEFAULT_MODE = 0o644;

/** Fills the folders of the pod's volumes under `dir`; throws ContainerConfigError naming what is missing or unsupported. */
export async function prepareVolumes(
  pod: KubeObject,
  dir: string,
  sources: VolumeSources,
  facts: { podIP: string; hostIP: string },
): Promise<void> {
  for (const volume of (pod["spec"]?.volumes ?? []) as Volume[]) {
    const folder = join(dir, volume.name);
    await mkdir(folder, { recursive: true });
    if (volume["image"]) {
      sources.imageRoot(volume["image"].reference ?? "");
      continue;
    }
    if (volume["emptyDir"]) {
      await chmod(folder, 0o777);
      continue;
    }
    const files = await filesOf(pod, volume, sources, facts);
    for (const file of files) {
      const path = join(folder, safe(volume.name, file.path));
      await mkdir(dirname(path), { recursive: true });
      await rm(path, { force: true });
      await writeFile(path, file.data, { mode: file.mode ?? DEFAULT_MODE });
      await chmod(path, file.mode ?? DEFAULT_MODE);
    }
  }
}

/** A path inside its volume, or an error: `..` would leave it. */
function safe(volume: string, path: string): string {
  const clean = normalize(path);
  if (clean.startsWith("..") || clean.startsWith("/")) {
    throw new ContainerConfigError(`volume ${volume}: path "${path}" leaves the volume`);
  }
  return clean;
}

async function filesOf(
  pod: KubeObject,
  volume: Volume,
  sources: VolumeSources,
  facts: { podIP: string; hostIP: string },
): Promise<File[]> {
  if (volume["configMap"])
    return keyed(volume.name, "configmap", volume["configMap"], volume["configMap"].name, sources);
  if (volume["secret"]) return keyed(volume.name, "secret", volume["secret"], volume["secret"].secretName, sources);
  if (volume["downwardAPI"]) return downward(pod, volume.name, volume["downwardAPI"], facts);
  if (volume["projected"]) {
    const files: File[] = [];
    const { defaultMode } = volume["projected"];
    for (const source of volume["projected"].sources ?? []) {
      if (source.configMap)
        files.push(
          ...(await keyed(
            volume.name,
            "configmap",
            { defaultMode, ...source.configMap },
            source.configMap.name,
            sources,
          )),
        );
      else if (source.secret)
        files.push(
          ...(await keyed(volume.name, "secret", { defaultMode, ...source.secret }, source.secret.name, sources)),
        );
      else if (source.downwardAPI)
        files.push(...(await downward(pod, volume.name, { defaultMode, ...source.downwardAPI }, facts)));
      else if (source.serviceAccountToken) {
        const { audience, expirationSeconds, path } = source.serviceAccountToken;
        files.push({ path, data: Buffer.from(await sources.token(audience, expirationSeconds ?? 3600)), mode: 0o644 });
      } else {
        throw new ContainerConfigError(
          `volume ${volume.name}: projected source ${Object.keys(source)[0]} is not supported by this node`,
        );
      }
    }
    return files;
  }
  const kind = Object.keys(volume).find((key) => key !== "name") ?? "(none)";
  throw new ContainerConfigError(
    `volume ${volume.name}: type ${kind} is not supported by this node (supported: emptyDir, configMap, secret, downwardAPI, projected, image)`,
  );
}

async function keyed(
  volume: string,
  kind: "configmap" | "secret",
  spec: { optional?: boolean; defaultMode?: number; items?: { key: string; path: string; mode?: number }[] },
  name: string,
  sources: VolumeSources,
): Promise<File[]> {
  const object = kind === "secret" ? await sources.secret(name) : await sources.configMap(name);
  if (!object) {
    if (spec.optional) return [];
    throw new ContainerConfigError(`MountVolume.SetUp failed for volume "${volume}" : ${kind} "${name}" not found`);
  }
  const data = new Map<string, Buffer>();
  for (const [key, value] of Object.entries<string>(object["data"] ?? {})) {
    data.set(key, kind === "secret" ? decodeSecret(value) : Buffer.from(value));
  }
  for (const [key, value] of Object.entries<string>(object["binaryData"] ?? {})) data.set(key, decodeSecret(value));
  const mode = spec.defaultMode ?? DEFAULT_MODE;
  if (!spec.items) return [...data].map(([path, content]) => ({ path, data: content, mode }));
  return spec.items.flatMap((item) => {
    const content = data.get(item.key);
    if (content) return [{ path: item.path, data: content, mode: item.mode ?? mode }];
    if (spec.optional) return [];
    throw new ContainerConfigError(
      `MountVolume.SetUp failed for volume "${volume}" : ${kind} "${name}" has no key ${item.key}`,
    );
  });
}

function downward(
  pod: KubeObject,
  volume: string,
  spec: { defaultMode?: number; items?: { path: string; mode?: number; fieldRef?: { fieldPath: string } }[] },
  facts: { podIP: string; hostIP: string },
): File[] {
  return (spec.items ?? []).map((item) => {
    const value = item.fieldRef ? fieldOf(pod, item.fieldRef.fieldPath, facts) : undefined;
    if (value === undefined) {
      throw new ContainerConfigError(`volume ${volume}: item ${item.path} is not supported by this node`);
    }
    return { path: item.path, data: Buffer.from(value), mode: item.mode ?? spec.defaultMode ?? DEFAULT_MODE };
  });
}

/** Where the mounts of `container` come from. Parents come before what is mounted inside them. */
export async function containerMounts(
  container: Volume,
  pod: KubeObject,
  dir: string,
  imageRoot: VolumeSources["imageRoot"],
): Promise<readonly Mount[]> {
  const mounts: Mount[] = [];
  for (const mount of container["volumeMounts"] ?? []) {
    const volume = ((pod["spec"]?.volumes ?? []) as Volume[]).find(({ name }) => name === mount.name);
    if (!volume) throw new ContainerConfigError(`volumeMounts: no volume is named "${mount.name}"`);
    if (mount.subPathExpr) throw new ContainerConfigError("volumeMounts: subPathExpr is not supported by this node");
    const base = volume["image"] ? imageRoot(volume["image"].reference ?? "") : join(dir, mount.name);
    const source = mount.subPath ? join(base, safe(mount.name, mount.subPath)) : base;
    if (mount.subPath && volume["emptyDir"]) await mkdir(source, { recursive: true });
    if (mount.subPath) await inside(base, source, mount.name);
    mounts.push({ source, target: mount.mountPath, readOnly: mount.readOnly === true || !volume["emptyDir"] });
  }
  return mounts.sort((a, b) => a.target.length - b.target.length);
}

/** A container may have left a link in its volume: what the host mounts must not follow it out. */
async function inside(base: string, source: string, volume: string): Promise<void> {
  const [real, root] = await Promise.all([realpath(source).catch(() => undefined), realpath(base)]);
  if (real === undefined) throw new ContainerConfigError(`volume ${volume}: there is nothing at its subPath`);
  if (real !== root && !real.startsWith(`${root}/`)) {
    throw new ContainerConfigError(`volume ${volume}: its subPath leads out of the volume`);
  }
}
