import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { virtualClock } from "@tiphys/clock";
import { Secret } from "@tiphys/secret";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, startRedis } from "@tiphys/testing";
import { cacheContract } from "./contract.js";
import { createLocalCache, createRedisCache } from "./index.js";

const log = silentLogger;
const start = new Date("2026-01-01T00:00:00Z");
const folder = () => mkdtemp(join(tmpdir(), "cache-"));

cacheContract("memory", async () => {
  const cache = await createLocalCache({ clock: virtualClock(start), log });
  return { cache, dispose: () => cache.close() };
});

cacheContract("disk", async () => {
  const dir = await folder();
  const cache = await createLocalCache({ dir, memoryBytes: 0, clock: virtualClock(start), log });
  return { cache, dispose: () => rm(dir, { recursive: true }) };
});

describe("the local cache", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await folder();
  });
  afterEach(() => rm(dir, { recursive: true }));

  it("forgets an entry when its time is over, in memory and on disk", async () => {
    const clock = virtualClock(start);
    const cache = await createLocalCache({ dir, clock, log });
    await cache.set("a", new Uint8Array([1]), 1_000);
    await clock.advance(1_001);
    expect(await cache.get("a")).toBeUndefined();
    expect(await (await createLocalCache({ dir, clock, log })).get("a")).toBeUndefined();
  });

  it("treats a damaged file as a miss", async () => {
    const clock = virtualClock(start);
    await (await createLocalCache({ dir, clock, log })).set("a", new Uint8Array([1, 2, 3]), 60_000);
    const file = join(dir, (await readdir(dir))[0] ?? "");
    const bytes = await readFile(file);
    bytes[bytes.length - 1] = 9;
    await writeFile(file, bytes);
    expect(await (await createLocalCache({ dir, clock, log })).get("a")).toBeUndefined();
  });

  it("stays within its size on disk", async () => {
    const cache = await createLocalCache({ dir, memoryBytes: 0, diskBytes: 10_000, clock: virtualClock(start), log });
    for (let i = 0; i < 50; i++) await cache.set(`entry ${i}`, new Uint8Array(1_000), 60_000);
    expect((await readdir(dir)).length).toBeLessThanOrEqual(10);
  });
});

describeWith(["redis-server"], "on Redis", () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis[Symbol.asyncDispose]());
  let count = 0;
  const open = (key: string, prefix: string) =>
    createRedisCache({ redis: redis.url, key: new Secret(key), prefix, log });

  cacheContract("Redis", async () => {
    const cache = await open("key", `t${count++}:`);
    return { cache, dispose: () => cache.close() };
  });

  it("refuses an entry signed with another key, or for another name", async () => {
    const ours = await open("ours", "shared:");
    const theirs = await open("theirs", "shared:");
    await theirs.set("manifests", new Uint8Array([6, 6, 6]), 60_000);
    expect(await ours.get("manifests")).toBeUndefined();
    expect(await theirs.get("manifests")).toBeDefined();
    await ours.close();
    await theirs.close();
  });
});
