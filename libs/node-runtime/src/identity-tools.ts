import { existsSync } from "node:fs";
import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { runCommand, type Spawner } from "@tiphys/child-process";
import type { Identity } from "./identity.js";

/** Where a container sees the tools: below /dev, which no image fills. */
export const TOOLS = "/dev/.tiphys";
/** The host's dynamic loader; it needs no libraries itself, so it runs in any image. */
export const LOADER = "loader";
const PROGRAM = "setpriv";
const PROGRAM_PATHS = ["/usr/bin/setpriv", "/bin/setpriv"];

/**
 * `setpriv` with its libraries and their loader in one folder, which is mounted into containers: images have no program of
 * ours, and bubblewrap cannot become another user. Undefined where the host has none.
 */
export async function prepareIdentityTools(dir: string, spawner: Spawner): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const target = join(dir, "identity-tools");
  const fresh = `${target}.new`;
  // Running containers have it mounted: what is whole stays. It has its libraries with it, so the host's may change.
  if (existsSync(target)) return target;
  for (const program of PROGRAM_PATHS) {
    const listed = await runCommand(spawner, {
      command: "ldd",
      args: [program],
      timeoutMs: 10_000,
      maxOutputBytes: 64 * 1024,
    }).catch(() => undefined);
    if (listed?.code !== 0) continue;
    const text = String(listed.stdout);
    const loader = /^\s*(\/\S*\/ld[-\w.]*\.so\S*)/m.exec(text)?.[1];
    if (!loader) continue;
    const libraries = [...text.matchAll(/=>\s*(\/\S+)/g)].map((match) => match[1]!);
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { recursive: true, mode: 0o755 });
    await copyFile(program, join(fresh, PROGRAM));
    await copyFile(loader, join(fresh, LOADER));
    for (const library of libraries) await copyFile(library, join(fresh, basename(library)));
    await rename(fresh, target);
    return target;
  }
  return undefined;
}

/** `argv` as `identity`, for a process that is root inside the container until then. */
export function withIdentity(
  identity: Identity | undefined,
  argv: readonly string[],
  tools: string | undefined,
  always = false,
): readonly string[] {
  if (!identity || tools === undefined) return argv;
  const { uid, gid, groups, capabilities } = identity;
  if (!always && uid === 0 && gid === 0 && groups.length === 0) return argv;
  const kept = capabilities.map((capability) => `,+${capability.toLowerCase()}`).join("");
  return [
    `${TOOLS}/${LOADER}`,
    "--library-path",
    TOOLS,
    `${TOOLS}/${PROGRAM}`,
    "--reuid",
    String(uid),
    "--regid",
    String(gid),
    ...(groups.length > 0 ? ["--groups", groups.join(",")] : ["--clear-groups"]),
    "--inh-caps",
    "-all",
    ...(uid === 0 ? ["--bounding-set", `-all${kept}`] : []),
    "--no-new-privs",
    "--",
    ...argv,
  ];
}
