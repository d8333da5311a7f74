import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { SpawnedProcess } from "@tiphys/child-process";
import { sleep } from "@tiphys/clock";
import { messageOf } from "@tiphys/errors";
import type { CommandEnd, RemoteCommand, TerminalSize } from "@tiphys/kube-streams";
import type { PodContext } from "../deps.js";
import { type Entrance, enterContainer, hasProgram } from "./enter.js";
import { latestOnly } from "./latest-only.js";
import { enteredOnTerminal, NO_TERMINAL, resizeTerminal, terminalTools } from "./terminal.js";

/** How long output of processes that a command left behind is still passed on after its end. */
const AFTERGLOW_MS = 500;

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

/** Runs `argv` inside a container for a remote client; what runs is killed when the client leaves. */
export async function execInContainer(
  context: PodContext,
  entrance: Entrance,
  argv: readonly string[],
  tty: boolean,
  client: RemoteCommand,
): Promise<CommandEnd> {
  const { spawner, clock } = context.deps;
  const program = argv[0] ?? "";
  if (!(await hasProgram(context, entrance, program))) {
    return failed(
      program.includes("/")
        ? `exec: "${program}": stat ${program}: no such file or directory`
        : `exec: "${program}": executable file not found in $PATH`,
    );
  }
  let entered = await enterContainer(context, entrance, argv);
  if (!entered) return failed("container not running");
  const tools = tty ? terminalTools(context.path) : undefined;
  if (tty && !tools) {
    return failed(`${NO_TERMINAL}; exec without -t`);
  }
  const name = `tty-${Buffer.from(context.deps.random(8)).toString("hex")}`;
  const file = join(dirname(entrance.execution.command.scratch), name);
  let size: TerminalSize | undefined;
  let resize = (_size: TerminalSize) => {};
  client.onResize((next) => {
    size = next;
    resize(next);
  });
  if (tools) {
    const takes = context.identityTools !== undefined && entrance.execution.command.identity !== undefined;
    entered = enteredOnTerminal(tools, file, entered, takes, size);
    resize = latestOnly((next) => resizeTerminal(spawner, tools, file, next));
  }
  let child: SpawnedProcess;
  try {
    child = await spawner.spawn({
      ...entered,
      stdin: client.stdin ? "pipe" : "ignore",
      stdout: client.stdout ? "pipe" : "ignore",
      stderr: client.stderr ? "pipe" : tty ? "stdout" : "ignore",
      // What a command leaves running in the background lives on in the container, as on any node.
      survives: context.kind !== "process",
    });
  } catch (error) {
    return failed(messageOf(error));
  }
  const leave = () => child.kill("SIGKILL", "group");
  client.signal.addEventListener("abort", leave, { once: true });
  if (client.signal.aborted) leave();
  try {
    if (client.stdin && child.stdin) void pipeline(client.stdin, child.stdin).catch(() => {});
    const outputs = [copying(child.stdout, client.stdout), copying(child.stderr, client.stderr)];
    // A client that does not take the output any more ends the command.
    const drained = Promise.all(outputs.map(({ done }) => done.catch(leave))).then(() => "drained" as const);
    const { code, signal } = await child.exit;
    for (;;) {
      const before = outputs.map(({ moved }) => moved());
      const enough = new AbortController();
      const how = await Promise.race([drained, sleep(clock, AFTERGLOW_MS, enough.signal).catch(() => {})]);
      enough.abort();
      if (how === "drained" || client.signal.aborted) break;
      // Silence is the sign of a process left behind; a slow client is waited for.
      if (outputs.every(({ moved, blocked }, i) => moved() === before[i] && !blocked())) break;
    }
    return { exitCode: code ?? 128 + (SIGNALS[signal ?? ""] ?? 0) };
  } finally {
    client.signal.removeEventListener("abort", leave);
    if (tools) await rm(file, { force: true });
  }
}

function copying(from: Readable | undefined, to: Writable | undefined) {
  if (!from || !to) return { done: Promise.resolve(), moved: () => 0, blocked: () => false };
  let bytes = 0;
  from.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  const done = pipeline(from, to, { end: false });
  return { done, moved: () => bytes, blocked: () => to.writableNeedDrain };
}

const failed = (problem: string): CommandEnd => ({ error: `error executing command in container: ${problem}` });
