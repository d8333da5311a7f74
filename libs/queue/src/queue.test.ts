import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, virtualClock } from "@tiphys/clock";
import { silentLogger as log } from "@tiphys/telemetry";
import { describeWith, eventually, startRedis, type TestServer } from "@tiphys/testing";
import { createBullQueue } from "./bull-queue.js";
import { queueContract } from "./contract.js";
import { createLocalQueue } from "./local-queue.js";

describe("local queue", () => {
  queueContract(async () => {
    const dir = await mkdtemp(join(tmpdir(), "tiphys-queue-"));
    return {
      open: (options) => createLocalQueue({ name: "test", dir, clock: systemClock(), log, ...options }),
      cleanup: () => rm(dir, { recursive: true, force: true }),
    };
  });

  it("gives up a job that kills the process at every try", async () => {
    const dir = await mkdtemp(join(tmpdir(), "tiphys-queue-"));
    const open = () => createLocalQueue({ name: "test", dir, clock: systemClock(), log, attempts: 2 });
    const first = await open();
    await first.add("bomb", { n: 1 });
    let begun = 0;
    // A process that never comes back from the handler, and is not closed before the next one starts, as after kill -9.
    await first.process(
      (_job, _attempt, signal) =>
        new Promise((_resolve, reject) => {
          begun++;
          signal.addEventListener("abort", () => reject(signal.reason));
        }),
    );
    await eventually(() => begun === 1);
    const second = await open();
    await second.process(async () => {
      begun++;
      throw new Error("boom");
    });
    await eventually(async () => (await second.failed()).length === 1);
    expect(begun).toBe(2);
    await second.close();
    await first.close();
    await rm(dir, { recursive: true, force: true });
  });

  it("passes hours of back-off in no time on a virtual clock", async () => {
    const clock = virtualClock(new Date("2026-01-01T00:00:00Z"));
    const queue = await createLocalQueue({ name: "test", clock, log, attempts: 4, backoff: 3_600_000 });
    const at: string[] = [];
    await queue.process(async () => {
      at.push(clock.now().toISOString().slice(11, 16));
      throw new Error("always");
    });
    await queue.add("a", {});
    await clock.runUntil(() => at.length === 4, 86_400_000);
    expect(at).toEqual(["00:00", "01:00", "03:00", "07:00"]);
    await queue.close();
  });
});

describeWith(["redis-server"], "BullMQ queue", () => {
  let server: TestServer;
  let queues = 0;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  queueContract(async () => {
    const name = `test${queues++}`;
    return {
      open: (options) => createBullQueue({ name, redis: server.url, clock: systemClock(), log, ...options }),
      cleanup: async () => {},
    };
  });
});
