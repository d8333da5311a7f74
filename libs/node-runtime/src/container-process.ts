import { chown, mkdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Spawner } from "@tiphys/child-process";
import { type Clock, sleep } from "@tiphys/clock";
import type { FifoSupply } from "./fifo-supply.js";
import { logFile, pipeFile, streams } from "./log-recorder.js";
import { commandLine, processTable, signalProcess } from "./process-table.js";
import type { Launch, SandboxKind } from "./sandbox.js";
import { shim } from "./shim.js";

/** How a process ended: its code, or that nobody knows. */
export type ProcessEnd = { readonly code: number; readonly at?: number } | "unknown";

/** A container's process, started by us or found alive after our own restart. */
export interface ContainerProcess {
  readonly pid: number;
  readonly ended: Promise<ProcessEnd>;
  /** By name or number. */
  signal(signal: NodeJS.Signals | number): Promise<void>;
  /** Ends all of it at once. */
  destroy(): Promise<void>;
  /** Pid of the first process inside the container, for entering its namespaces. */
  inner(): Promise<number | undefined>;
}

/** How often an adopted process, which is no child of ours, is looked at. */
const LOOK_MS = 200;
/** How often a sandbox is asked for the process inside of it: about ten seconds, on a busy machine. */
const INNER_LOOKS = 150;
/** A shim tells its pid a few milliseconds after its claim. */
const SHIM_MS = 1000;

const read = async (dir: string, name: string): Promise<string | undefined> => {
  const text = await readFile(join(dir, name), "utf8").catch(() => undefined);
  return text?.trim() || undefined;
};

async function endOf(dir: string): Promise<ProcessEnd | undefined> {
  const code = await read(dir, "exit");
  if (code === undefined) return undefined;
  const at = await stat(join(dir, "exit")).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
  return { code: Number(code), ...(at === undefined ? {} : { at }) };
}

/** Starts `launch` under a shim in its own folder `dir`, which must be new. */
export async function startContainer(
  dir: string,
  kind: SandboxKind,
  { argv, env, cwd }: Launch,
  { spawner, clock }: { spawner: Spawner; clock: Clock },
): Promise<ContainerProcess> {
  const child = await spawner.spawn({
    command: "/bin/sh",
    args: ["-c", shim, "tiphys-shim", dir, ...argv],
    env,
    cwd,
    stdout: { file: logFile(dir, "stdout") },
    stderr: { file: logFile(dir, "stderr") },
    survives: true,
  });
  const ended = child.exit.then(
    async () => (await endOf(dir)) ?? ("unknown" as const),
    // The helper is gone, the container is not: watch it like a found one.
    () => watch(dir, child.pid, clock),
  );
  return handle(dir, kind, child.pid, ended, clock);
}

export type Found =
  | { readonly state: "running"; readonly process: ContainerProcess }
  | { readonly state: "ended"; readonly end: ProcessEnd }
  /** It was never started and never will be: the claim is ours now. */
  | { readonly state: "never started" };

/** What has become of the container in `dir` while we were away. */
export async function findContainer(dir: string, kind: SandboxKind, clock: Clock): Promise<Found> {
  await mkdir(dir, { recursive: true });
  const claimed = await mkdir(join(dir, "claimed")).then(
    () => false,
    () => true,
  );
  if (!claimed) return { state: "never started" };
  for (const until = clock.monotonic() + SHIM_MS; !(await read(dir, "shim")) && clock.monotonic() < until; ) {
    await sleep(clock, 20);
  }
  const pid = Number((await read(dir, "shim")) ?? 0);
  if (pid > 0 && (await isOurs(dir, pid))) {
    return { state: "running", process: handle(dir, kind, pid, watch(dir, pid, clock), clock) };
  }
  return { state: "ended", end: (await endOf(dir)) ?? "unknown" };
}

/** A pid may be used again; the folder in its command line is not. */
const isOurs = async (dir: string, pid: number): Promise<boolean> => (await commandLine(pid))?.includes(dir) === true;

async function watch(dir: string, pid: number, clock: Clock): Promise<ProcessEnd> {
  for (;;) {
    const end = await endOf(dir);
    if (end) return end;
    if (!(await isOurs(dir, pid))) return (await endOf(dir)) ?? "unknown";
    await sleep(clock, LOOK_MS);
  }
}

function handle(
  dir: string,
  kind: SandboxKind,
  pid: number,
  ended: Promise<ProcessEnd>,
  clock: Clock,
): ContainerProcess {
  let over = false;
  let settled = kind === "process";
  void ended.finally(() => {
    over = true;
  });
  const childPid = async (): Promise<number | undefined> => {
    for (let i = 0; i < INNER_LOOKS && !over; i++) {
      const found = /"child-pid":\s*(\d+)/.exec((await read(dir, "info")) ?? "");
      if (found) return Number(found[1]);
      await sleep(clock, Math.min(10 + i, 100));
    }
    return undefined;
  };
  return {
    pid,
    ended,
    async inner() {
      const target = await childPid();
      // Its number is told before its files are there: who enters too soon finds the host's.
      for (let i = 0; target !== undefined && !settled && !over && i < INNER_LOOKS; i++) {
        settled = await isSettled(kind, target);
        if (!settled) await sleep(clock, Math.min(5 + i, 100));
      }
      return over ? undefined : target;
    },
    async signal(signal) {
      const target = await childPid();
      if (target === undefined || over) return;
      const reaper = kind === "bubblewrap" && (await read(`/proc/${target}`, "comm")) === "bwrap";
      if (!reaper) {
        signalProcess(target, signal);
        return;
      }
      // Pid 1 of the sandbox ignores what it does not handle; the command is its child.
      const inside = (await processTable()).filter(({ parent }) => parent === target);
      for (const row of inside) signalProcess(row.pid, signal);
      if (inside.length === 0) signalProcess(target, signal);
    },
    async destroy() {
      const target = await childPid();
      if (over) return;
      if (kind === "unshare" && target !== undefined) {
        // It tells of a killed child only by a code of its own; and a child that became another user is not taken along.
        const outer = (await processTable()).find((row) => row.pid === target)?.parent;
        if (outer !== undefined && outer > 1) signalProcess(outer, "SIGKILL");
        signalProcess(target, "SIGKILL");
        return;
      }
      if (kind === "bubblewrap" && target !== undefined) {
        signalProcess(target, "SIGKILL");
        return;
      }
      // All of the group but the shim, which has an exit code to write.
      for (const row of await processTable())
        if (row.group === pid && row.pid !== pid) signalProcess(row.pid, "SIGKILL");
    },
  };
}

/** True once a sandbox has made its view of files, and its command runs or is about to. */
async function isSettled(kind: SandboxKind, pid: number): Promise<boolean> {
  if (kind === "unshare") return (await readlink(`/proc/${pid}/root`).catch(() => "/")) !== "/";
  if ((await read(`/proc/${pid}`, "comm")) !== "bwrap") return true;
  // The reaper has a child only when all is ready.
  const children = await read(`/proc/${pid}/task/${pid}`, "children");
  return children !== undefined || (await processTable()).some(({ parent }) => parent === pid);
}

/**
 * Makes the folder of one attempt, with empty logs and termination message. Outputs are pipes of `fifos`; without those
 * they are the logs themselves, which are their writer's: images that log to /dev/stdout open it anew, as the user they are.
 */
export async function attemptFolder(
  dir: string,
  owner?: { readonly uid: number; readonly gid: number },
  fifos?: FifoSupply,
): Promise<void> {
  await mkdir(join(dir, "scratch", "tmp"), { recursive: true });
  for (const stream of streams) {
    await writeFile(logFile(dir, stream), "", { flag: "a", mode: 0o600 });
    if (await fifos?.put(pipeFile(dir, stream))) continue;
    if (owner && process.getuid?.() === 0) await chown(logFile(dir, stream), owner.uid, owner.gid);
  }
  await writeFile(join(dir, "termination"), "", { mode: 0o666 });
}
