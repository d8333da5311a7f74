import { type CommandResult, runCommand, type Spawner } from "@tiphys/child-process";
import { limits } from "@tiphys/limits";
import { bubblewrapped } from "./bubblewrap.js";
import { findProgram } from "./programs.js";
import { watchTree } from "./tree.js";
import { unshared } from "./unshare.js";

/** A folder of the host that a program sees. */
export interface ReadOnlyMount {
  readonly source: string;
  readonly target: string;
}

/** A program and what it may have. It runs in `/work`, an empty folder in memory that goes away with it. */
export interface SandboxedProgram {
  /** A script of /bin/sh; with `set -e` in force. */
  readonly script: string;
  readonly input?: Uint8Array;
  /** The whole environment but PATH, HOME and TMPDIR. */
  readonly env?: Readonly<Record<string, string>>;
  readonly mounts?: readonly ReadOnlyMount[];
  readonly network?: boolean;
  readonly limits?: Partial<SandboxLimits>;
}

export interface SandboxLimits {
  readonly timeoutMs: number;
  /** Seconds of processor time for each process. */
  readonly cpuSeconds: number;
  /** Memory of all its processes together. */
  readonly memoryBytes: number;
  /** Files below /work, and again below /tmp. */
  readonly workBytes: number;
  readonly processes: number;
  readonly maxOutputBytes: number;
}

/** What a program may take unless said otherwise. */
export const sandboxLimits: SandboxLimits = {
  timeoutMs: limits.renderMilliseconds,
  cpuSeconds: 90,
  memoryBytes: limits.sandboxMemoryBytes,
  workBytes: limits.pluginFilesBytes,
  processes: 512,
  maxOutputBytes: limits.renderOutputBytes,
};

export interface Sandbox {
  readonly kind: "bubblewrap" | "unshare";
  /** A non-zero exit is a result; a limit that is passed is an error that names it. */
  run(program: SandboxedProgram, signal?: AbortSignal): Promise<CommandResult>;
}

export interface SandboxOptions {
  readonly spawner: Spawner;
  /** PATH of the host, where the sandbox's own programs are looked for. */
  readonly searchPath: string;
  /** Which kinds may be used, best first. */
  readonly kinds?: readonly Sandbox["kind"][];
}

/** What a sandbox is made of on this host. */
export interface SandboxTools {
  /** The program that makes it. */
  readonly program: string;
  readonly searchPath: string;
  /** The program inside is nobody; else it is our own user without any rights. */
  readonly otherUser: boolean;
}

export type MakeArguments = (
  program: SandboxedProgram,
  bounds: SandboxLimits,
  tools: SandboxTools,
) => readonly string[];

const KINDS: Readonly<Record<Sandbox["kind"], { readonly program: string; readonly make: MakeArguments }>> = {
  bubblewrap: { program: "bwrap", make: bubblewrapped },
  unshare: { program: "unshare", make: unshared },
};

/** The best sandbox that works on this host: it is tried, as kernels and containers forbid what programs offer. */
export async function findSandbox(options: SandboxOptions): Promise<Sandbox | undefined> {
  const { spawner, searchPath, kinds = ["bubblewrap", "unshare"] } = options;
  for (const kind of kinds) {
    const program = findProgram(KINDS[kind].program, searchPath);
    if (!program) continue;
    for (const otherUser of [true, false]) {
      const sandbox = sandboxOf(kind, spawner, { program, searchPath, otherUser });
      const tried = await sandbox
        .run({ script: "test -w /work && tar --version >/dev/null && echo works", limits: PROBE })
        .catch(() => undefined);
      if (tried?.code === 0 && tried.stdout.toString("utf8") === "works\n") return sandbox;
    }
  }
  return undefined;
}

const PROBE = { timeoutMs: 10_000, workBytes: 1024 * 1024 };

function sandboxOf(kind: Sandbox["kind"], spawner: Spawner, tools: SandboxTools): Sandbox {
  return {
    kind,
    async run(program, signal) {
      const bounds = { ...sandboxLimits, ...program.limits };
      const [command = "", ...args] = KINDS[kind].make(program, bounds, tools);
      return runCommand(spawner, {
        command,
        args,
        // For the program that makes the sandbox; the one inside gets its own.
        env: { PATH: tools.searchPath },
        cwd: "/",
        ...(program.input ? { input: program.input } : {}),
        timeoutMs: bounds.timeoutMs,
        maxOutputBytes: bounds.maxOutputBytes,
        watch: (pid, stop) => watchTree(pid, bounds, stop),
        ...(signal ? { signal } : {}),
      });
    },
  };
}
