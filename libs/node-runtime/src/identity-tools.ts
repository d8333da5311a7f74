import { existsSync } from "node:fs";
import { copyFile, mkdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { runCommand, type Spawner } from "@tiphys/child-process";
import type { Identity } from "./identity.js";

/** Where a container sees the tools: below /dev, which no image fills. */
export const TOOLS = "/dev/.tiphys";
/** The host's dynamic loader; it needs no libraries itself, so it runs in any image. */
export const LOADER = "loader";
const SETPRIV = "setpriv";
const ENV = "env";
const SETSID = "setsid";
const PROGRAMS = [SETPRIV, ENV, SETSID];

/**
 * `setpriv`, `setsid` and `env` with their libraries and the loader in one folder, which is mounted into containers: images have no program of
 * ours, and bubblewrap cannot become another user. Undefined where the host has none.
 */
export async function prepareIdentityTools(dir: string, spawner: Spawner): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const target = join(dir, "container-tools");
  const fresh = `${target}.new`;
  // Running containers have it mounted: what is whole stays. It has its libraries with it, so the host's may change.
  if (existsSync(target)) return target;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { recursive: true, mode: 0o755 });
  for (const name of PROGRAMS) {
    const program = [`/usr/bin/${name}`, `/bin/${name}`].find(existsSync);
    if (!program) return undefined;
    const listed = await runCommand(spawner, {
      command: "ldd",
      args: [program],
      timeoutMs: 10_000,
      maxOutputBytes: 64 * 1024,
    }).catch(() => undefined);
    const text = String(listed?.stdout ?? "");
    const loader = /^\s*(\/\S*\/ld[-\w.]*\.so\S*)/m.exec(text)?.[1];
    if (listed?.code !== 0 || !loader) return undefined;
    const libraries = [...text.matchAll(/=>\s*(\/\S+)/g)].map((match) => match[1]!);
    await copyFile(program, join(fresh, name));
    await copyFile(loader, join(fresh, LOADER));
    for (const library of libraries) await copyFile(library, join(fresh, basename(library)));
  }
  await rename(fresh, target);
  return target;
}

const tool = (name: string): string[] => [`${TOOLS}/${LOADER}`, "--library-path", TOOLS, `${TOOLS}/${name}`];

/** Variables by which whoever starts a program decides what code it runs. */
const STEERING =
  /^(LD_.*|GLIBC_TUNABLES|GCONV_PATH|LOCPATH|NLSPATH|MALLOC_.*|BASH_ENV|ENV|SHELLOPTS|BASHOPTS|PS4|IFS|CDPATH|BASH_FUNC_.*)$/;

/**
 * A container's variables are its own business, but the programs of the host that start it are root's: what would steer
 * those is set only once the container's root is entered.
 */
export function splitEnv(env: Readonly<Record<string, string>>): {
  readonly early: Readonly<Record<string, string>>;
  readonly late: Readonly<Record<string, string>>;
} {
  if (process.getuid?.() !== 0) return { early: env, late: {} };
  const late = Object.entries(env).filter(([name]) => STEERING.test(name));
  if (late.length === 0) return { early: env, late: {} };
  return {
    early: Object.fromEntries(Object.entries(env).filter(([name]) => !STEERING.test(name))),
    late: Object.fromEntries(late),
  };
}

/** `argv` with more variables and in a folder, for a process inside the container. Without tools they are left out. */
export function withEnv(
  late: Readonly<Record<string, string>>,
  argv: readonly string[],
  tools: string | undefined,
  folder?: string,
): readonly string[] {
  const pairs = Object.entries(late).map(([name, value]) => `${name}=${value}`);
  if (tools === undefined || (pairs.length === 0 && folder === undefined)) return argv;
  return [...tool(ENV), ...(folder === undefined ? [] : ["-C", folder]), ...pairs, ...argv];
}

/**
 * `argv` as the leader of a session that has its standard input as its terminal, taken from the session outside if need
 * be. Only there, where its process ids are the container's own, can a shell give the terminal to its jobs.
 */
export const withTerminal = (argv: readonly string[]): readonly string[] => [...tool(SETSID), "-c", "--", ...argv];

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
    ...tool(SETPRIV),
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
