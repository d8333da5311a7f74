import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "@tiphys/errors";
import type { Logger } from "@tiphys/telemetry";
import type { Position } from "./bus.js";
import { openRecordLog, type RecordLog } from "./record-log.js";

/** One durable consumer's memory: everything up to `floor` is settled, and so is each of `above`. */
export interface Progress {
  floor: Position;
  readonly above: Set<Position>;
  /** Messages put back: how often they were delivered, and when they are due again (epoch milliseconds). */
  readonly waiting: Map<Position, { deliveries: number; due: number }>;
  /** Remembers that `position` is settled for good. */
  settle(position: Position): Promise<void>;
  /** Remembers that `position` was delivered `deliveries` times and is due again at `due`. */
  putBack(position: Position, deliveries: number, due: number): Promise<void>;
}

type Line =
  | readonly ["start", string, Position, Position[], [Position, number, number][]]
  | readonly ["settle", string, Position]
  | readonly ["back", string, Position, number, number];

type Memory = Pick<Progress, "floor" | "above" | "waiting">;

const REWRITE_BYTES = 4 * 1024 * 1024;

/** What all durable consumers have settled. Not synced per line: a lost tail means one more delivery, no loss. */
export class DeliveryLedger {
  private readonly memories = new Map<string, Memory>();
  private file: RecordLog | undefined;
  private rewriting: Promise<void> | undefined;
  private compact = 0;

  private constructor(
    private readonly dir: string | undefined,
    private readonly log: Logger,
  ) {}

  static async open(dir: string | undefined, log: Logger): Promise<DeliveryLedger> {
    const ledger = new DeliveryLedger(dir, log);
    if (dir !== undefined) {
      await mkdir(dir, { recursive: true });
      await ledger.openFile();
      ledger.compact = ledger.file?.size ?? 0;
    }
    return ledger;
  }

  async progress(durable: string, start: Position): Promise<Progress> {
    if (!this.memories.has(durable)) await this.write(["start", durable, start, [], []]);
    const found = this.memories.get(durable)!;
    return {
      get floor() {
        return found.floor;
      },
      set floor(position) {
        // Settled by the stream's retention: nothing to write, the next start finds the same.
        found.floor = position;
        advance(found);
      },
      above: found.above,
      waiting: found.waiting,
      settle: (position) => this.write(["settle", durable, position]),
      putBack: (position, deliveries, due) => this.write(["back", durable, position, deliveries, due]),
    };
  }

  async close(): Promise<void> {
    await this.rewriting;
    await this.file?.close();
    this.file = undefined;
  }

  private async write(line: Line): Promise<void> {
    this.apply(line);
    await this.rewriting;
    if (this.file && this.file.size > Math.max(REWRITE_BYTES, 4 * this.compact)) {
      this.rewriting ??= this.rewrite().finally(() => {
        this.rewriting = undefined;
      });
      await this.rewriting;
      return;
    }
    await this.file?.append(Buffer.from(JSON.stringify(line)));
  }

  private apply(line: Line): void {
    if (line[0] === "start") {
      const [, durable, floor, above, waiting] = line;
      const entries = waiting.map(([position, deliveries, due]) => [position, { deliveries, due }] as const);
      this.memories.set(durable, { floor, above: new Set(above), waiting: new Map(entries) });
      return;
    }
    const memory = this.memories.get(line[1]);
    if (!memory) return;
    const position = line[2];
    if (line[0] === "back") memory.waiting.set(position, { deliveries: line[3], due: line[4] });
    else {
      memory.waiting.delete(position);
      if (position > memory.floor) memory.above.add(position);
      advance(memory);
    }
  }

  private async openFile(): Promise<void> {
    const path = join(this.dir!, "consumers.log");
    this.file = await openRecordLog(path, {
      log: this.log,
      sync: false,
      replay: (bytes) => this.apply(JSON.parse(bytes.toString())),
    });
  }

  private async rewrite(): Promise<void> {
    const next = join(this.dir!, "consumers.next");
    try {
      await this.file?.close();
      await rm(next, { force: true });
      const fresh = await openRecordLog(next, { log: this.log, sync: false, replay: () => {} });
      const lines = Array.from(this.memories, ([durable, memory]): Line => {
        const waiting = Array.from(memory.waiting, ([at, { deliveries, due }]) => [at, deliveries, due]);
        return ["start", durable, memory.floor, [...memory.above], waiting as [number, number, number][]];
      });
      await Promise.all(lines.map((line) => fresh.append(Buffer.from(JSON.stringify(line)))));
      await fresh.close();
      await rename(next, join(this.dir!, "consumers.log"));
    } catch (error) {
      this.log.error("the consumers' log could not be rewritten", { error: messageOf(error) });
    }
    // Its lines are in memory already, and replaying a snapshot would replace the live objects.
    const path = join(this.dir!, "consumers.log");
    this.file = await openRecordLog(path, { log: this.log, sync: false, replay: () => {} });
    this.compact = this.file.size;
  }
}

function advance(memory: Memory): void {
  while (memory.above.delete(memory.floor + 1)) memory.floor++;
}
