import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { InternalError, LimitExceededError } from "@tiphys/errors";

export interface GitObject {
  readonly id: string;
  readonly type: "blob" | "tree" | "commit" | "tag";
  readonly data: Buffer;
}

interface Waiting {
  readonly name: string;
  readonly maxBytes: number;
  resolve(object: GitObject | undefined): void;
  reject(error: unknown): void;
}

/** Reads objects of one bare repository through one `git cat-file --batch`, started on first use. */
export interface ObjectReader {
  /**
   * `name` is an object id; undefined when the repository does not have it, or cannot read it. A larger object is an error, not kept in memory.
   */
  read(name: string, maxBytes?: number): Promise<GitObject | undefined>;
  /** Resolves when nothing waits for an answer. */
  drained(): Promise<void>;
  /** Ends the process when nothing waits; the next read starts another. */
  rest(): void;
  close(): void;
}

const LARGEST = 256 * 1024 * 1024;

/** `directory` is a repository without a remote, `objects` the folder of objects of the mirror. */
export function createObjectReader(
  directory: string,
  objects: string,
  variables: Readonly<Record<string, string>>,
): ObjectReader {
  let child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  let waiting: Waiting[] = [];
  let idle: (() => void)[] = [];
  let buffered: Buffer[] = [];
  let size = 0;
  /** Body that is being received: its header was read already. */
  let body: { id: string; type: GitObject["type"]; bytes: number; skip: boolean } | undefined;

  const take = (bytes: number): Buffer => {
    const all = buffered.length === 1 ? (buffered[0] as Buffer) : Buffer.concat(buffered);
    const head = all.subarray(0, bytes);
    buffered = bytes < all.length ? [all.subarray(bytes)] : [];
    size -= bytes;
    return head;
  };
  const headerEnd = (): number => {
    let offset = 0;
    for (const part of buffered) {
      const at = part.indexOf(10);
      if (at >= 0) return offset + at;
      offset += part.length;
    }
    return -1;
  };
  const step = (): boolean => {
    const first = waiting[0];
    if (!first) return false;
    if (!body) {
      const end = headerEnd();
      if (end < 0) return false;
      const words = take(end + 1)
        .toString("utf8")
        .trimEnd()
        .split(" ");
      if (words.at(-1) === "missing" || words.at(-1) === "ambiguous") {
        waiting.shift();
        first.resolve(undefined);
        return true;
      }
      const bytes = Number(words[2]);
      body = { id: words[0] ?? "", type: words[1] as GitObject["type"], bytes, skip: bytes > first.maxBytes };
    }
    if (body.skip) {
      // A body over the limit is thrown away as it comes, with its final newline.
      const some = Math.min(size, body.bytes + 1);
      take(some);
      body.bytes -= some;
      if (body.bytes >= 0) return false;
      waiting.shift();
      body = undefined;
      first.reject(new LimitExceededError(`Git object ${first.name} is larger than ${first.maxBytes} bytes`));
      return true;
    }
    if (size < body.bytes + 1) return false;
    const data = take(body.bytes + 1).subarray(0, body.bytes);
    waiting.shift();
    first.resolve({ id: body.id, type: body.type, data });
    body = undefined;
    return true;
  };
  const settle = () => {
    if (waiting.length > 0) return;
    const told = idle;
    idle = [];
    for (const each of told) each();
  };
  const forget = () => {
    buffered = [];
    size = 0;
    body = undefined;
    child = undefined;
  };
  const fail = (error: Error) => {
    const failed = waiting;
    waiting = [];
    forget();
    for (const each of failed) each.reject(error);
    settle();
  };
  /** git ends over an object that is broken; that one counts as missing, and the others are asked for again. */
  const ended = () => {
    const [first, ...others] = waiting;
    waiting = [];
    forget();
    first?.resolve(undefined);
    for (const each of others) ask(each);
    settle();
  };
  const ask = (each: Waiting) => {
    child ??= start();
    waiting.push(each);
    child.stdin.write(`${each.name}\n`);
  };
  const start = (): ChildProcessByStdio<Writable, Readable, null> => {
    const started = spawn("git", ["cat-file", "--batch"], {
      cwd: directory,
      env: { ...variables, GIT_DIR: directory, GIT_OBJECT_DIRECTORY: objects },
      stdio: ["pipe", "pipe", "ignore"],
    });
    started.stdout.on("data", (chunk: Buffer) => {
      if (child !== started) return;
      buffered.push(chunk);
      size += chunk.length;
      while (step()) {}
      settle();
    });
    started.stdin.on("error", () => {});
    started.on("error", (cause) => {
      if (child === started) fail(new InternalError("git cat-file could not be started", { cause }));
    });
    started.on("close", () => {
      if (child === started) ended();
    });
    // An idle reader keeps nobody from ending.
    started.unref();
    return started;
  };
  const stop = () => {
    const old = child;
    forget();
    old?.stdin.end();
    old?.kill();
  };

  return {
    read(name, maxBytes = LARGEST) {
      return new Promise((resolve, reject) => ask({ name, maxBytes, resolve, reject }));
    },
    drained: () => (waiting.length === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))),
    rest() {
      if (waiting.length === 0) stop();
    },
    close() {
      const failed = waiting;
      waiting = [];
      stop();
      for (const each of failed) each.reject(new InternalError("the repository is closed"));
      settle();
    },
  };
}
