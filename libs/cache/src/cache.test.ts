import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, virtualClock } from "@tiphys/clock";
import { Secret } from "@tiphys/secret";
import { silentLogger as log } from "@tiphys/telemetry";
import { describeWith, startRedis, type TestServer } from "@tiphys/testing";
import { Redis } from "ioredis";
import { cacheContract } from "./contract.js";
import { createLocalCache } from "./local-cache.js";
import { createRedisCache } from "./redis-cache.js";

const start = new Date("2026-01-01T00:00:00Z");

describe("cache in memory", () => {
  cacheContract(async () => {
    const clock = virtualClock(start);
    return { cache: await createLocalCache({ clock, log }), pass: (milliseconds) => clock.advance(milliseconds) };
  });
});

describe("cache on disk", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "tiphys-cache-"));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  cacheContract(async () => {
    const clock = virtualClock(start);
    // No memory, so that every answer comes from the disk.
    const cache = await createLocalCache({ dir, memoryBytes: 0, clock, log });
    return { cache, pass: (milliseconds) => clock.advance(milliseconds) };
  });

  const open = (diskBytes?: number) =>
    createLocalCache({ dir, memoryBytes: 0, clock: systemClock(), log, ...(diskBytes ? { diskBytes } : {}) });

  it("finds entries of an earlier process", async () => {
    await (await open()).set("k", Buffer.from("v"), 60_000);
    expect(Buffer.from((await (await open()).get("k"))!).toString()).toBe("v");
  });

  it("takes a damaged entry as a miss", async () => {
    const cache = await open();
    await cache.set("k", Buffer.from("value"), 60_000);
    const [name] = await readdir(dir);
    const bytes = await readFile(join(dir, name!));
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(join(dir, name!), bytes);
    expect(await cache.get("k")).toBeUndefined();
    expect(await readdir(dir)).toEqual([]);
  });

  it("takes forged, moved and foreign entries as misses, where it has a key", async () => {
    const signed = (key: string) =>
      createLocalCache({ dir, memoryBytes: 0, clock: systemClock(), log, key: new Secret(key) });
    await (await signed("ours")).set("k", Buffer.from("value"), 60_000);
    const [name = ""] = await readdir(dir);
    const entry = await readFile(join(dir, name));
    const read = async (key: string, secret: string) => (await signed(secret)).get(key);
    expect(Buffer.from((await read("k", "ours"))!).toString()).toBe("value");
    // Of nobody's key: what a program without it can make.
    await (await open()).set("k", Buffer.from("forged"), 60_000);
    expect(await read("k", "ours")).toBeUndefined();
    await writeFile(join(dir, name), entry);
    expect(await read("k", "another")).toBeUndefined();
    await (await signed("ours")).set("other", Buffer.from("x"), 60_000);
    const other = (await readdir(dir)).find((each) => each !== name) ?? "";
    await writeFile(join(dir, other), entry);
    expect(await read("other", "ours")).toBeUndefined();
  });

  it("keeps to its size, dropping what was not used for longest", async () => {
    const cache = await open(1000);
    for (const key of ["a", "b", "c"]) await cache.set(key, new Uint8Array(250), 60_000);
    await cache.get("a");
    await cache.set("d", new Uint8Array(250), 60_000);
    expect(await cache.get("b")).toBeUndefined();
    expect(await cache.get("a")).toBeDefined();
    expect(await readdir(dir)).toHaveLength(3);
  });
});

describe("Redis that is away", () => {
  it("is a miss for every key", async () => {
    const cache = await createRedisCache({ redis: "redis://127.0.0.1:1", key: new Secret("k"), log });
    await cache.set("k", Buffer.from("v"), 1000);
    expect(await cache.get("k")).toBeUndefined();
    await cache.close();
  });
});

describeWith(["redis-server"], "cache on Redis", () => {
  let server: TestServer;
  let redis: string;
  let caches = 0;
  const open = (prefix: string, key = "signing key") => createRedisCache({ redis, key: new Secret(key), prefix, log });
  beforeAll(async () => {
    server = await startRedis();
    redis = server.url;
  });
  afterAll(() => server[Symbol.asyncDispose]());

  cacheContract(async () => ({
    cache: await open(`test${caches++}:`),
    pass: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  }));

  it("takes forged, moved and foreign entries as misses", async () => {
    const cache = await open("forged:");
    await cache.set("good", Buffer.from("value"), 60_000);
    const client = new Redis(redis);
    const [name] = await client.keys("forged:*");
    const entry = (await client.getBuffer(name!))!;
    const stranger = await open("forged:", "another key");
    expect(await stranger.get("good")).toBeUndefined();

    await cache.set("other", Buffer.from("x"), 60_000);
    const other = (await client.keys("forged:*")).find((key) => key !== name)!;
    await client.set(other, entry);
    expect(await cache.get("other")).toBeUndefined();

    entry[entry.length - 1]! ^= 1;
    await client.set(name!, entry);
    expect(await cache.get("good")).toBeUndefined();
    await client.set(name!, "short");
    expect(await cache.get("good")).toBeUndefined();
    client.disconnect();
    await cache.close();
    await stranger.close();
  });
});
