import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { findProgram } from "@tiphys/sandbox";
import type { ContainerProcess } from "../container-process.js";
import type { Execution } from "../container-setup.js";
import type { PodContext } from "../deps.js";
import { splitEnv, withEnv, withIdentity } from "../identity-tools.js";
import { launch } from "../sandbox.js";

/** A command of the host that runs another one inside a container. */
export interface Entered {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export interface Entrance {
  readonly process: ContainerProcess;
  readonly execution: Execution;
}

/** How `argv` is run where the container runs, with its environment and working folder; undefined when it has ended. */
export async function enterContainer(
  context: PodContext,
  { process: container, execution }: Entrance,
  argv: readonly string[],
): Promise<Entered | undefined> {
  const inner = await container.inner();
  if (inner === undefined) return undefined;
  const { command } = execution;
  if (context.kind === "process") {
    const { argv: plain, env, cwd } = launch("process", { ...command, argv }, context);
    // The plain launcher tells its pid on fd 3, which is not open here: leave it out.
    return { command: plain[4]!, args: plain.slice(5), env, cwd };
  }
  const user = process.getuid?.() === 0 ? [] : ["--user", "--preserve-credentials"];
  const tools = command.identity ? context.identityTools : undefined;
  const { workingDir = "/" } = command;
  const folder = join(`/proc/${inner}/root`, workingDir);
  // Seen from here a link of the container may lead anywhere; with tools its folder is entered from inside.
  const where = !tools && (await lstat(folder).catch(() => undefined)) ? [`--wd=${folder}`] : [];
  const { early, late } = splitEnv(command.env);
  return {
    command: findProgram("nsenter", context.path) ?? "nsenter",
    args: [
      ...["-t", String(inner), ...user, "--mount", "--pid", "--uts", "--ipc", ...where],
      // With unshare the root is another one than its mount namespace's.
      ...(context.kind === "unshare" ? ["--root"] : []),
      "--",
      // As the container's user, with what that may do: who enters by namespaces alone would be root of the host.
      ...withIdentity(command.identity, withEnv(late, argv, tools, workingDir), tools, true),
    ],
    env: early,
    cwd: "/",
  };
}

/** False when `program` is surely not in the container. */
export async function hasProgram(
  context: PodContext,
  { process: container, execution }: Entrance,
  program: string,
): Promise<boolean> {
  const inner = await container.inner();
  const root = context.kind === "process" || inner === undefined ? "/" : `/proc/${inner}/root`;
  const there = async (file: string) => (await lstat(join(root, file)).catch(() => undefined)) !== undefined;
  const { workingDir = "/", env } = execution.command;
  if (program.startsWith("/")) return context.kind === "process" || (await there(program));
  if (program.includes("/")) return context.kind === "process" || (await there(join(workingDir, program)));
  for (const folder of (env["PATH"] ?? context.path).split(":")) if (await there(join(folder, program))) return true;
  return false;
}
