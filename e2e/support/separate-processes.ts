import { type ChildProcess, spawn } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, workspaceRoot } from "@tiphys/testing";

/** One of our bundles as a process of its own. */
export interface Running {
  readonly name: string;
  readonly pid: number;
  /** What it has printed so far. */
  output(): string;
  /** The last lines of its log. */
  log(): string;
  /** The first line that is a JSON object. */
  announced(): Promise<Record<string, string>>;
  /** Resolves to the exit code once it has ended. */
  readonly ended: Promise<number | null>;
  /** SIGTERM; resolves to how it ended and how long that took. */
  stop(): Promise<{ name: string; code: number | null; milliseconds: number }>;
}

const LOG_CHARACTERS = 3_000;

/** Starts `apps/<bundle>` with Node. Its environment is `env` and PATH, nothing else. */
export function start(name: string, bundle: string, folder: string, env: Readonly<Record<string, string>>): Running {
  const [stdout, stderr] = [join(folder, `${name}.out`), join(folder, `${name}.log`)];
  const child: ChildProcess = spawn(process.execPath, [join(workspaceRoot(), "apps", bundle)], {
    stdio: ["ignore", openSync(stdout, "a"), openSync(stderr, "a")],
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...env },
    cwd: folder,
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const output = () => readFileSync(stdout, "utf8");
  const log = () => `${output()}${readFileSync(stderr, "utf8")}`.slice(-LOG_CHARACTERS);
  return {
    name,
    pid: child.pid ?? 0,
    output,
    log,
    ended,
    announced: () =>
      eventually(
        () => {
          if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
          const line = output()
            .split("\n")
            .slice(0, -1)
            .find((text) => text.startsWith("{") && !text.includes('"level"'));
          return line === undefined ? undefined : JSON.parse(line);
        },
        { describe: log },
      ),
    async stop() {
      const began = performance.now();
      child.kill("SIGTERM");
      const hung = setTimeout(() => child.kill("SIGKILL"), 10_000);
      const code = await ended;
      clearTimeout(hung);
      return { name, code, milliseconds: performance.now() - began };
    },
  };
}

/** Processes whose command line or environment names `folder`. */
export async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, "utf8").catch(() => "");
    const command = await read("cmdline");
    if (command.includes(folder) || (await read("environ")).includes(folder))
      found.push(`${pid} ${command.replaceAll("\0", " ").slice(0, 200)}`);
  }
  return found;
}
