import { mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { runCommand, type Spawner } from "@tiphys/child-process";

/** Named pipes made ahead and many at once: one by one they would cost every container the start of a program. */
export interface FifoSupply {
  /** Puts a new pipe, which everybody who is handed it may open, at `path`; false where none can be made. */
  put(path: string): Promise<boolean>;
}

const AT_ONCE = 64;
const FEW = 16;
const MKFIFO_MS = 10_000;

/** Keeps its stock in folder `dir`, on the file system of those that get them. Takes over what an earlier run has left. */
export function createFifoSupply(dir: string, spawner: Spawner): FifoSupply {
  let stock: string[] | undefined;
  let making: Promise<void> | undefined;
  let count = 0;
  const make = async () => {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    if (stock === undefined) {
      stock = (await readdir(dir)).map((name) => join(dir, name));
      for (const path of stock) count = Math.max(count, Number(path.slice(dir.length + 1)) || 0);
    }
    if (stock.length >= FEW) return;
    const made = Array.from({ length: AT_ONCE }, () => join(dir, String(++count)));
    await runCommand(spawner, {
      command: "mkfifo",
      args: ["-m", "666", ...made],
      timeoutMs: MKFIFO_MS,
      maxOutputBytes: 4096,
    });
    stock.push(...made);
  };
  const more = (): Promise<void> => {
    making ??= make()
      .catch(() => {})
      .finally(() => {
        making = undefined;
      });
    return making;
  };
  return {
    async put(path) {
      if (!stock?.length) await more();
      const next = stock?.pop();
      if (stock !== undefined && stock.length < FEW) void more();
      if (next === undefined) return false;
      return rename(next, path).then(
        () => true,
        () => false,
      );
    },
  };
}
