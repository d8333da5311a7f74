import { spawn } from "node:child_process";
import { limits } from "@tiphys/limits";

export interface GitCommand {
  readonly args: readonly string[];
  readonly directory: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Milliseconds without a word after which it is ended; `limits.gitMilliseconds` when undefined. */
  readonly silence?: number;
  /** Milliseconds for the whole; `limits.gitTotalMilliseconds` when undefined. */
  readonly total?: number;
  /** Most bytes of its answer. */
  readonly maxBytes?: number;
  /** The program; git when undefined. */
  readonly program?: string;
}

/** What the end of a program's words is kept of, for error messages. */
const WORDS = 16 * 1024;

/** Says why a command was ended by us; `gitError` knows these texts. */
export const TIMED_OUT = "block timeout reached";

/**
 * Runs git and answers its standard output. It and all its helpers are ended when it is silent for too long, lasts too long or
 * says too much. Rejects with what it said on its standard error.
 */
export function runGit(command: GitCommand): Promise<Buffer> {
  const { args, directory, variables, input, maxBytes = limits.gitRefsBytes, program = "git" } = command;
  const silence = command.silence ?? limits.gitMilliseconds;
  return new Promise((resolve, reject) => {
    // A group of its own: helpers (ssh, git-remote-https, index-pack) must not outlive it.
    const child = spawn(program, args, {
      cwd: directory,
      env: { ...variables },
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      detached: true,
    });
    const parts: Buffer[] = [];
    let bytes = 0;
    let words = "";
    let problem: string | undefined;
    const end = (why: string) => {
      problem ??= why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    };
    // Real time: a server that stalls does so in the machine's time, whatever time a simulation has.
    const whole = setTimeout(() => end(TIMED_OUT), command.total ?? limits.gitTotalMilliseconds);
    let quiet = setTimeout(() => end(TIMED_OUT), silence);
    const heard = () => {
      clearTimeout(quiet);
      quiet = setTimeout(() => end(TIMED_OUT), silence);
    };
    child.stdout?.on("data", (chunk: Buffer) => {
      heard();
      bytes += chunk.length;
      if (bytes > maxBytes) end(`the answer is larger than ${maxBytes} bytes`);
      else parts.push(chunk);
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      heard();
      words = (words + chunk.toString("utf8")).slice(-WORDS);
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
    child.on("error", (error) => {
      problem ??= error.message;
    });
    child.on("close", (code, killedBy) => {
      clearTimeout(whole);
      clearTimeout(quiet);
      if (problem === undefined && code === 0) return resolve(Buffer.concat(parts));
      // Progress is written over itself with carriage returns; only whole lines that are no progress say anything.
      const said = words
        .split(/[\r\n]+/)
        .filter((line) => line !== "" && !/^(remote: )?[A-Z][a-z]+ing [a-z ]+: +\d/.test(line))
        .join("\n");
      reject(new Error(problem ?? (said || `git ended with ${code ?? killedBy}`)));
    });
  });
}
