import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@tiphys/clock";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, startRedis } from "@tiphys/testing";
import { queueContract } from "./contract.js";
import { createBullQueue, createLocalQueue } from "./index.js";

const common = { clock: systemClock(), log: silentLogger, attempts: 3, backoff: 5 };

queueContract("local", async () => {
  const dir = await mkdtemp(join(tmpdir(), "queue-"));
  return {
    open: () => createLocalQueue({ ...common, name: "jobs", dir }),
    dispose: () => rm(dir, { recursive: true }),
  };
});

describeWith(["redis-server"], "on Redis", () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let count = 0;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis[Symbol.asyncDispose]());
  queueContract("BullMQ", async () => {
    const name = `jobs-${count++}`;
    return { open: () => createBullQueue({ ...common, name, redis: redis.url }), dispose: async () => {} };
  });
});
