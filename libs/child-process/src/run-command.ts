import { DeadlineExceededError, LimitExceededError } from "@tiphys/errors";
import type { Spawner, SpawnRequest } from "./spawner.js";

export interface CommandRequest extends Pick<SpawnRequest, "command" | "args" | "env" | "cwd" | "signal"> {
  readonly input?: string | Uint8Array;
  /** Milliseconds until the process group is killed. */
  readonly timeoutMs: number;
  /** Largest stdout, and largest stderr, in bytes. */
  readonly maxOutputBytes: number;
  /** Called once it runs; may end it with a reason. What it gives back is called when it has ended. */
  readonly watch?: (pid: number, stop: (error: Error) => void) => () => void;
}

export interface CommandResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end. A non-zero exit is a result; a deadline or too much output is an error. */
export async function runCommand(spawner: Spawner, request: CommandRequest): Promise<CommandResult> {
  const { input, timeoutMs, maxOutputBytes, watch, ...rest } = request;
  const child = await spawner.spawn({
    ...rest,
    stdin: input === undefined ? "ignore" : "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  let failure: Error | undefined;
  const stop = (error: Error) => {
    failure ??= error;
    child.kill("SIGKILL", "group");
  };
  // Real time: the program that is waited for lives in it.
  const timer = setTimeout(
    () => stop(new DeadlineExceededError(`${request.command} did not end within ${timeoutMs} ms and was killed`)),
    timeoutMs,
  );
  const unwatch = watch?.(child.pid, stop);
  const collect = async (stream: AsyncIterable<Buffer>) => {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > maxOutputBytes) {
        stop(new LimitExceededError(`${request.command} wrote more than ${maxOutputBytes} bytes and was killed`));
      } else chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  };
  try {
    child.stdin?.on("error", () => {});
    if (input !== undefined) child.stdin?.end(input);
    const [stdout, stderr, exit] = await Promise.all([collect(child.stdout!), collect(child.stderr!), child.exit]);
    if (failure) throw failure;
    request.signal?.throwIfAborted();
    return { ...exit, stdout, stderr: stderr.toString("utf8") };
  } finally {
    clearTimeout(timer);
    unwatch?.();
  }
}
