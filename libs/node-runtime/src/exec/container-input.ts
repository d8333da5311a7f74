import { constants, open as openFile } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { runCommand, type Spawner } from "@tiphys/child-process";

/** Name of the named pipe in a container's folder that is its standard input; the shim knows both. */
const fileOf = (folder: string, once: boolean): string => join(folder, once ? "stdin-once" : "stdin");

const MKFIFO_MS = 5000;

/** The standard input of a container that asked for one (`stdin: true`); it outlives us as a named pipe. */
export interface ContainerInput {
  /** Copies what a client sends; with `stdinOnce`, its end is the end of the container's input. */
  feed(from: Readable, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface WithInput {
  readonly name: string;
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
}

/** Makes and opens the pipe of a container that wants input, before it starts. */
export async function inputFor(
  spawner: Spawner,
  folder: string,
  { stdin, stdinOnce = false }: WithInput,
): Promise<ContainerInput | undefined> {
  if (!stdin) return undefined;
  await runCommand(spawner, {
    command: "mkfifo",
    args: ["-m", "600", fileOf(folder, stdinOnce)],
    timeoutMs: MKFIFO_MS,
    maxOutputBytes: 1024,
  });
  return openInput(folder, stdinOnce);
}

/** The input of a container that an earlier process of ours has started: an input for one client is over by now. */
export const reopenInput = async (
  folder: string,
  { stdin, stdinOnce = false }: WithInput,
): Promise<ContainerInput | undefined> => (stdin && !stdinOnce ? openInput(folder, false) : undefined);

/** With `once` we hold it open until the first client has left, so the container waits for that one. */
async function openInput(folder: string, once: boolean): Promise<ContainerInput> {
  const file = fileOf(folder, once);
  let holder: FileHandle | undefined = once ? await open(file, constants.O_RDWR | constants.O_NONBLOCK) : undefined;
  const close = async () => {
    const held = holder;
    holder = undefined;
    await held?.close();
  };
  return {
    close,
    async feed(from, signal) {
      // A plain descriptor: a handle would close it once more when it is collected.
      const fd = await promisify(openFile)(file, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => undefined);
      if (fd === undefined) {
        from.resume();
        return;
      }
      // A socket waits for a full pipe without a thread; it closes its descriptor itself.
      const writer = new Socket({ fd, readable: false, writable: true });
      const leave = () => writer.destroy();
      signal.addEventListener("abort", leave, { once: true });
      await pipeline(from, writer).catch(() => {});
      signal.removeEventListener("abort", leave);
      if (once) await close();
    },
  };
}
