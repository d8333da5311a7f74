import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, type Spawner } from "@tiphys/child-process";
import type { TerminalSize } from "@tiphys/kube-streams";
import { ContainerConfigError } from "../env.js";
import { findProgram, type Launch } from "../sandbox.js";
import type { Entered } from "./enter.js";

/** A terminal is made by util-linux' `script`: Node has none of its own, and native modules are not wanted. */
export function terminalTools(path: string): { script: string; stty: string } | undefined {
  if (process.platform !== "linux") return undefined;
  const [script, stty] = [findProgram("script", path), findProgram("stty", path)];
  return script && stty ? { script, stty } : undefined;
}

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** `argv` on a terminal of its own; the terminal's name is written to `file`. The shell of the host starts it. */
export function onTerminal(
  tools: { readonly script: string },
  file: string,
  argv: readonly string[],
  size?: TerminalSize,
): readonly string[] {
  const first = size ? `stty rows ${size.height} cols ${size.width}; ` : "";
  const line = `tty > ${quoted(file)}; ${first}exec ${argv.map(quoted).join(" ")}`;
  return [tools.script, "-q", "-e", "-f", "-E", "auto", "-c", line, "/dev/null"];
}

/** Name of the file in a container's folder that says which terminal it has. */
export const TTY_FILE = "tty";

/** What starts a container, on a terminal when it asks for one. */
export function terminalLaunch(
  { path }: { readonly path: string },
  folder: string,
  { tty }: { readonly name: string; readonly tty?: boolean },
  launch: Launch,
): Launch {
  if (!tty) return launch;
  const tools = terminalTools(path);
  if (!tools) throw new ContainerConfigError(NO_TERMINAL);
  return {
    ...launch,
    argv: onTerminal(tools, join(folder, TTY_FILE), launch.argv),
    env: { ...launch.env, SHELL: "/bin/sh", TERM: launch.env["TERM"] ?? "xterm" },
  };
}

export const NO_TERMINAL =
  "this node cannot make terminals: the programs `script` and `stty` of util-linux are not there";

/** The same for a command that enters a container. */
export function enteredOnTerminal(
  tools: { readonly script: string },
  file: string,
  entered: Entered,
  size?: TerminalSize,
): Entered {
  const [command = "", ...args] = onTerminal(tools, file, [entered.command, ...entered.args], size);
  return { ...entered, command, args, env: { ...entered.env, SHELL: "/bin/sh", TERM: entered.env["TERM"] ?? "xterm" } };
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
