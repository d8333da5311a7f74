import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { KubeObject } from "@tiphys/resources";
import { allContainers } from "./plan.js";
import { quantity } from "./quantity.js";

/** Bytes that a folder's files take on disk; stops counting beyond `enough`. Links are not followed. */
export async function folderBytes(folder: string, enough = Number.POSITIVE_INFINITY): Promise<number> {
  let bytes = 0;
  const queue = [folder];
  for (let next = queue.pop(); next !== undefined && bytes <= enough; next = queue.pop()) {
    for (const entry of await readdir(next, { withFileTypes: true }).catch(() => [])) {
      const path = join(next, entry.name);
      if (entry.isDirectory()) queue.push(path);
      else bytes += ((await lstat(path).catch(() => undefined))?.blocks ?? 0) * 512;
    }
  }
  return bytes;
}

/** True when the pod has a limit on what it writes, so that it has to be looked at now and then. */
export const hasDiskLimits = (pod: KubeObject): boolean =>
  (pod["spec"]?.volumes ?? []).some((volume: { emptyDir?: { sizeLimit?: string } }) => volume.emptyDir?.sizeLimit) ||
  allContainers(pod).some((container) => container["resources"]?.limits?.["ephemeral-storage"]);

/** Which limit the pod has passed, in a kubelet's words; undefined when none. */
export async function passedDiskLimit(
  pod: KubeObject,
  volumes: string,
  attemptOf: (container: string) => string,
): Promise<string | undefined> {
  for (const { name, emptyDir } of pod["spec"]?.volumes ?? []) {
    const limit = quantity(emptyDir?.sizeLimit);
    if (limit > 0 && (await folderBytes(join(volumes, `${name}/.`), limit)) > limit) {
      return `Usage of EmptyDir volume "${name}" exceeds the limit "${emptyDir.sizeLimit}". `;
    }
  }
  for (const container of allContainers(pod)) {
    const text = container["resources"]?.limits?.["ephemeral-storage"];
    const limit = quantity(text);
    if (limit > 0 && (await folderBytes(attemptOf(container.name), limit)) > limit) {
      return `Container ${container.name} exceeded its local ephemeral storage limit "${text}". `;
    }
  }
  return undefined;
}
