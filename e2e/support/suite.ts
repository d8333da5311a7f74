import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, workspaceRoot } from "@tiphys/testing";
import { endProcessesOf } from "./processes.js";

/** What a process said and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** One start of the standalone suite. */
export interface Suite {
  readonly data: string;
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  output(): string;
  /** Resolves once it says that it is ready, with the milliseconds since its start; throws when it ends before. */
  ready(): Promise<number>;
  /** Ends it as Ctrl-C does. */
  stop(): Promise<Ended>;
}

export interface StartOptions {
  readonly data: string;
  readonly args?: readonly string[];
  /** "npm" is the command a user types; the default is the same program without npm in front, so a signal reaches it. */
  readonly through?: "npm" | "node";
}

/** A folder for one scenario; whatever still runs in it is ended before it is removed. */
export async function dataFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "tiphys-e2e-"));
  return {
    path,
    async [Symbol.asyncDispose]() {
      await endProcessesOf(path);
      await rm(path, { recursive: true, force: true });
    },
  };
}

export function startSuite({ data, args = [], through = "node" }: StartOptions): Suite {
  const options = ["--data", data, ...(args.includes("--port") ? [] : ["--port", "0"]), ...args];
  const root = workspaceRoot();
  const [command, line] =
    through === "npm"
      ? ["npm", ["start", "--silent", "--", ...options]]
      : [process.execPath, [join(root, "tools/start.mjs"), ...options]];
  const started = performance.now();
  const child = spawn(command, line, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  let output = "";
  const listen = (chunk: Buffer) => {
    output += chunk.toString("utf8");
  };
  child.stdout.on("data", listen);
  child.stderr.on("data", listen);
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, output }));
  });
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  return {
    data,
    process: child,
    ended,
    output: () => output,
    async ready() {
      await eventually(() => /ready in/.test(output) || isOver(), {
        limit: 60_000,
        interval: 5,
        describe: () => output,
      });
      if (!/ready in/.test(output)) throw new Error(`the suite ended before it was ready: ${output}`);
      return performance.now() - started;
    },
    async stop() {
      if (!isOver()) child.kill("SIGINT");
      return await ended;
    },
  };
}

/** Runs the suite to its end. */
export const runSuite = (options: StartOptions): Promise<Ended> => startSuite(options).ended;

export interface Login {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly certificate: string;
}

export const readLogin = async (data: string): Promise<Login> =>
  JSON.parse(await readFile(join(data, "login.json"), "utf8"));

/** The demo's own settings: where its forge and its webhook listen. */
export async function readDemo(
  data: string,
): Promise<{ forgePort: number; webhookPort: number; token: string; webhookSecret: string }> {
  await eventually(() => existsSync(join(data, "demo/settings.json")));
  return JSON.parse(await readFile(join(data, "demo/settings.json"), "utf8"));
}
