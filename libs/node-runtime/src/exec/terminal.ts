import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, type Spawner } from "@tiphys/child-process";
import type { TerminalSize } from "@tiphys/kube-streams";
import { findProgram } from "@tiphys/sandbox";
import type { PodContext } from "../deps.js";
import { ContainerConfigError } from "../env.js";
import { withTerminal } from "../identity-tools.js";
import type { Command, Launch } from "../sandbox.js";
import { type Entered, type Entrance, enterContainer } from "./enter.js";

/** A terminal is made by util-linux' `script`: Node has none of its own, and native modules are not wanted. */
export function terminalTools(path: string): { script: string; stty: string } | undefined {
  if (process.platform !== "linux") return undefined;
  const [script, stty] = [findProgram("script", path), findProgram("stty", path)];
  return script && stty ? { script, stty } : undefined;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** `argv` on a terminal of its own, and of user `owner`; its name is written to `file`. The shell of the host starts it. */
export function onTerminal(
  tools: { readonly script: string },
  file: string,
  argv: readonly string[],
  size?: TerminalSize,
  owner?: number,
): readonly string[] {
  const owned = owner ? `chown ${owner} "$(tty)"; ` : "";
  const first = size ? `stty rows ${size.height} cols ${size.width}; ` : "";
  const line = `tty > ${quoted(file)}; ${owned}${first}exec ${argv.map(quoted).join(" ")}`;
  return [tools.script, "-q", "-e", "-f", "-E", "auto", "-c", line, "/dev/null"];
}

/** Name of the file in a container's folder that says which terminal it has. */
const TTY_FILE = "tty";
/** The first terminal of a sandbox, which has terminals of its own. */
const INNER = "/dev/pts/0";

interface Wants {
  readonly name: string;
  readonly tty?: boolean;
}

const withTerm = (env: Readonly<Record<string, string>>) => ({
  ...env,
  SHELL: "/bin/sh",
  TERM: env["TERM"] ?? "xterm",
});

/**
 * True when a container's terminal is made inside of its sandbox, where its process group is one of the container's own;
 * shells with job control need that. Images of their own have no `script`.
 */
const isInner = ({ kind }: Pick<PodContext, "kind">, { root }: Command): boolean =>
  kind === "bubblewrap" && root === undefined;

/** What starts a container, on a terminal when it asks for one. */
export function terminalLaunch(
  context: PodContext,
  folder: string,
  { tty }: Wants,
  command: Command,
  start: (command: Command) => Launch,
): Launch {
  if (!tty) return start(command);
  const tools = terminalTools(context.path);
  if (!tools) throw new ContainerConfigError(NO_TERMINAL);
  if (isInner(context, command)) {
    return start({ ...command, argv: onTerminal(tools, "/dev/null", command.argv), env: withTerm(command.env) });
  }
  const launch = start({ ...command, terminal: true });
  const owner = context.identityTools === undefined ? undefined : command.identity?.uid;
  return {
    ...launch,
    argv: onTerminal(tools, join(folder, TTY_FILE), launch.argv, undefined, owner),
    env: withTerm(launch.env),
  };
}

/** Tells the terminal of a container its size. */
export async function resizeContainer(
  context: PodContext,
  folder: string,
  entrance: Entrance,
  size: TerminalSize,
): Promise<void> {
  const tools = terminalTools(context.path);
  if (!tools) return;
  const { spawner } = context.deps;
  if (!isInner(context, entrance.execution.command))
    return resizeTerminal(spawner, tools, join(folder, TTY_FILE), size);
  const argv = [tools.stty, "-F", INNER, "rows", String(size.height), "cols", String(size.width)];
  const entered = await enterContainer(context, entrance, argv);
  if (entered) await runCommand(spawner, { ...entered, timeoutMs: STTY_MS, maxOutputBytes: 4096 });
}

export const NO_TERMINAL =
  "this node cannot make terminals: the programs `script` and `stty` of util-linux are not there";

/** The same for a command that enters a container: on a terminal of the host, which it makes its own inside if it `takes` it. */
export function enteredOnTerminal(
  tools: { readonly script: string },
  file: string,
  entered: Entered,
  takes: boolean,
  size?: TerminalSize,
): Entered {
  let args = [...entered.args];
  const inside = args.indexOf("--") + 1;
  if (takes && inside > 0) args = [...args.slice(0, inside), ...withTerminal(args.slice(inside))];
  const [command = "", ...rest] = onTerminal(tools, file, [entered.command, ...args], size);
  return { ...entered, command, args: rest, env: withTerm(entered.env) };
}

const STTY_MS = 2000;

/** Tells the terminal named in `file` its size; programs on it get SIGWINCH. */
export async function resizeTerminal(
  spawner: Spawner,
  tools: { readonly stty: string },
  file: string,
  { width, height }: TerminalSize,
): Promise<void> {
  const name = (await readFile(file, "utf8").catch(() => "")).trim();
  if (!/^\/dev\/pts\/\d+$/.test(name)) return;
  await runCommand(spawner, {
    command: tools.stty,
    args: ["-F", name, "rows", String(height), "cols", String(width)],
    timeoutMs: STTY_MS,
    maxOutputBytes: 4096,
  });
}
